"""What all plots share: colours, markers and words; colours are Okabe and Ito's.

They are told apart by colour-blind readers too; where more lines than colours are drawn, markers
and line styles tell them apart. Figures are made without pyplot, so that none stays open.
"""

from collections.abc import Iterable

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, StrMethodFormatter

from accelsim.report.words import short

BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, GREY = "#CC79A7", "#56B4E9", "#999999"
LIGHT = "#CCCCCC"

COLOURS = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, GREY)
MARKERS = "osD^vPX"
LINE_STYLES = ("-", "--", ":", "-.")
NUMBERS = StrMethodFormatter("{x:,.0f}")
SEQUENTIAL = "cividis"  # of dark blue to yellow: monotonous for every reader

# Dataflows keep their colours from plot to plot; so do engines that know none. What others
# published is grey.
WAYS = {"os": BLUE, "ws": GREEN, "is": PURPLE, "rows": ORANGE, "depthwise": VERMILION}

FEW_DECADES = 1000  # up to which a logarithmic axis has ticks at 1, 2 and 5
SHORT = FuncFormatter(short)


def number_axis(axes: Axes, which: str, values: Iterable[float]) -> None:
    """Ticks that fit the values: logarithmic where they span more than a factor of ten."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    shown = [value for value in values if value == value]
    least, most = min(shown, default=0), max(shown, default=0)
    if least > 0 and most > 10 * least:
        (axes.set_xscale if which == "x" else axes.set_yscale)("log")
        few = most < FEW_DECADES * least
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,)))
        axis.set_minor_formatter(NullFormatter())
    axis.set_major_formatter(SHORT)


def bare(axes: Axes, grid: str = "both") -> None:
    """Axes without a box, with a faint grid behind the data."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis=grid, alpha=0.3)  # type: ignore[arg-type]
    axes.set_axisbelow(True)


def figure(width: float, height: float) -> Figure:
    """An empty figure, in inches, whose parts make room for one another."""
    return Figure(figsize=(width, height), layout="constrained")
