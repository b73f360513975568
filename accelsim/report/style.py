"""What all plots share: colours, markers and words; colours are Okabe and Ito's.

They are told apart by colour-blind readers too; where more lines than colours are drawn, markers
and line styles tell them apart. Figures are made without pyplot, so that none stays open.
"""

import math
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import (
    FixedLocator,
    FuncFormatter,
    LogLocator,
    NullFormatter,
    NullLocator,
    StrMethodFormatter,
)

from accelsim.report.words import short, wrapped

BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, GREY = "#CC79A7", "#56B4E9", "#999999"
LIGHT = "#CCCCCC"

COLOURS = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, GREY)
MARKERS = "osD^vPX*"  # one more than colours, so that both together repeat late
LINE_STYLES = ("-", "--", ":", "-.")
NUMBERS = StrMethodFormatter("{x:,.0f}")
SEQUENTIAL = "cividis"  # of dark blue to yellow: monotonous for every reader

# Dataflows keep their colours from plot to plot; so do engines that know none. What others
# published is grey.
WAYS = {"os": BLUE, "ws": GREEN, "is": PURPLE, "rows": ORANGE, "depthwise": VERMILION}

FEW_DECADES = 1000  # up to which a logarithmic axis has ticks at 1, 2 and 5
SHORT = FuncFormatter(short)
TICKS = 8  # points of the labels of sizes
LETTER_INCHES = 0.0078  # width of a letter for every point of its size


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


def size_axis(axes: Axes, sizes: Mapping[int, str], inches: float) -> None:
    """A logarithmic x axis of multipliers, with the sizes as its ticks, as far as they fit.

    sizes : the label at each number of multipliers, in ascending order.
    inches : how wide the axes are, about.
    """
    axes.set_xscale("log", base=2)
    shown = apart(list(sizes), list(sizes.values()), inches)
    axes.xaxis.set_major_locator(FixedLocator([list(sizes)[place] for place in shown]))
    axes.set_xticklabels([list(sizes.values())[place] for place in shown], fontsize=TICKS)
    axes.xaxis.set_minor_locator(NullLocator())


def word_axis(axes: Axes, places: Sequence[int], words: Sequence[str], inches: float) -> None:
    """Words as the ticks of an x axis, evenly apart; they slant where they would touch.

    inches : how wide the axes are, about.
    """
    room = inches / max(1, len(words)) / (LETTER_INCHES * TICKS)  # letters for a word and a gap
    slant = max(map(len, words), default=0) + 1 > room
    axes.set_xticks(places, words, fontsize=TICKS)
    if slant:
        axes.tick_params(axis="x", labelrotation=35)
        for label in axes.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")


def apart(places: Sequence[float], words: Sequence[str], inches: float) -> list[int]:
    """Which words can stand at their places along a logarithmic axis without touching.

    The one of the least place does, and then every one that has room beside those before it.
    """
    least, most = min(places, default=1), max(places, default=1)
    across = math.log(most / least) or 1.0
    shown, end = [], -math.inf
    for index in sorted(range(len(places)), key=places.__getitem__):
        middle = math.log(places[index] / least) / across * inches
        half = (len(words[index]) + 1) * LETTER_INCHES * TICKS / 2
        if middle - half >= end:
            shown.append(index)
            end = middle + half
    return shown


def bare(axes: Axes, grid: str = "both") -> None:
    """Axes without a box, with a faint grid behind the data."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis=grid, alpha=0.3)  # type: ignore[arg-type]
    axes.set_axisbelow(True)


def figure(width: float, height: float) -> Figure:
    """An empty figure, in inches, whose parts make room for one another."""
    return Figure(figsize=(width, height), layout="constrained")


def heading(axes: Axes, text: str, inches: float, pad: float = 6.0) -> None:
    """A title at the left, in lines no wider than that, so many points above the axes."""
    size = 10
    letters = inches / (LETTER_INCHES * size)
    axes.set_title(wrapped(text, letters), loc="left", fontsize=size, pad=pad)


def length(share: float | None) -> float:
    """Of the bar of a share; no number where there is none, so that no bar is drawn."""
    return math.nan if share is None else share


def ink(colour: str) -> str:
    """Black or white, whichever is read better on a colour (WCAG 2.1, relative luminance)."""
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in to_rgb(colour)
    )
    light = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return "black" if (light + 0.05) / 0.05 > 1.05 / (light + 0.05) else "white"


@contextmanager
def any_script() -> Iterator[None]:
    """Draw letters that the font lacks as boxes, without a warning."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing", UserWarning)
        yield
