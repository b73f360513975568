"""Films as pictures: a strip of frames, or an animation.

A square is an element of the engine in one clock, coloured by what it does; a bar at its lower
edge says that a finished result leaves it downward. Below, the share of elements that multiply.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator, PercentFormatter
from PIL import Image

from accelsim.engines.activity import ElementState
from accelsim.errors import FileError, UnsupportedError
from accelsim.files import write_whole
from accelsim.films import Film
from accelsim.phrases import counted
from accelsim.report.output import PICTURES, write_figure
from accelsim.report.style import (
    BLUE,
    LETTER_INCHES,
    LIGHT,
    NUMBERS,
    ORANGE,
    any_script,
    bare,
    figure,
)
from accelsim.report.words import literal, wrapped

ANIMATIONS = (".gif",)
STRIP_FRAMES, ANIMATION_FRAMES = 8, 96  # if nobody says
MOST_STRIP, MOST_ANIMATION = 64, 1000  # what one can look at, and pictures can hold
FRAME_MS, LAST_MS = 150, 1500  # for so long a frame of an animation stays
CELL = 8  # pixels of the picture of an element, one of them its border, two its bar
LEGEND_INCHES = (6.2, 8.5)  # of two columns of the legend, and of three
BORDERS = 40  # elements along a side beyond which borders would be all that one sees

COLOURS = {
    ElementState.IDLE: "#FFFFFF",
    ElementState.FILL: LIGHT,
    ElementState.WASTE: ORANGE,
    ElementState.BUSY: BLUE,
}
LABELS = {
    ElementState.BUSY: "multiplies operands of the layer",
    ElementState.WASTE: "multiplies a zero, or for a result thrown away",
    ElementState.FILL: "an operand comes in or passes, nothing is multiplied",
    ElementState.IDLE: "idle",
}
DRAIN, BORDER = "#000000", "#AAAAAA"
GREYS = 32  # of letters and lines in an animation


def strip(films: Sequence[Film], frames: int = STRIP_FRAMES) -> Figure:
    """Some clocks of each film, evenly apart, in a row above the share that multiplies."""
    count = _count(films, frames, MOST_STRIP)
    width = max(7.5, 0.6 + 1.5 * count)
    made = figure(width, 1.2 + 3.6 * len(films))
    parts = made.subfigures(len(films), 1, squeeze=False)[:, 0]
    for part, film in zip(parts, films, strict=True):
        shown = _spread(len(film.clocks), frames)
        part.suptitle(_title(film, ", ", width, 10), fontsize=10, x=0.01, ha="left")
        grid = part.add_gridspec(2, count, height_ratios=(2, 1))
        for place, at in enumerate(shown):
            axes = part.add_subplot(grid[0, place])
            _elements(axes, film, at, place == 0)
            axes.set_title(f"clock {film.clocks[at]:,}", fontsize=8)
        below = part.add_subplot(grid[1, :])
        _share(below, film)
        for at in shown:
            below.axvline(film.clocks[at] + 0.5, color="black", linewidth=0.7, linestyle=":")
    _legend(made, width)
    return made


def write(path: str | Path, films: Sequence[Film], frames: int | None = None) -> None:
    """Write a strip, or an animation where the file ends in .gif."""
    path = Path(path)
    if path.suffix.lower() in ANIMATIONS:
        write_whole(path, animation(films, ANIMATION_FRAMES if frames is None else frames))
    else:
        check_film(str(path))
        write_figure(str(path), strip(films, STRIP_FRAMES if frames is None else frames))


def check_film(path: str) -> None:
    """FileError unless the ending of the file names a form of film."""
    forms = (*ANIMATIONS, *PICTURES)
    if Path(path).suffix.lower() not in forms:
        raise FileError(f"{path} must end in one of {', '.join(forms)}")


def _count(films: Sequence[Film], frames: int, most: int) -> int:
    """Frames that there are of so many, a clock each."""
    if frames < 1:
        raise UnsupportedError(f"a film has at least 1 frame, not {frames}")
    count = min(frames, max(len(film.clocks) for film in films))
    if count > most:
        raise UnsupportedError(
            f"a strip has at most {MOST_STRIP} frames and an animation {MOST_ANIMATION:,}, "
            f"not {count:,}"
        )
    return count


# ---- animation -----------------------------------------------------------------------------


class _Moving(NamedTuple):
    """What changes from frame to frame in the panel of a film."""

    film: Film
    picture: AxesImage
    clock: Text
    cursor: Line2D


def animation(films: Sequence[Film], frames: int = ANIMATION_FRAMES) -> bytes:
    """A GIF of the films side by side; what does not move is drawn once.

    Each film runs from its first to its last clock, whatever the clocks of the others.
    """
    count = _count(films, frames, MOST_ANIMATION)
    width = 1.0 + 4.2 * len(films)
    made = figure(width, 6.0)
    made.set_dpi(80)
    canvas: Any = FigureCanvasAgg(made)  # its methods have no types
    parts = made.subfigures(1, len(films), squeeze=False)[0]
    panels = [
        _panel(part, film, width / len(films)) for part, film in zip(parts, films, strict=True)
    ]
    _legend(made, width)
    with any_script():
        canvas.draw()
    still = canvas.copy_from_bbox(made.bbox)
    palette, shots = _palette(), []
    for step in range(count):
        canvas.restore_region(still)
        for panel in panels:
            last = len(panel.film.clocks) - 1
            at = step * last // max(1, count - 1)
            panel.picture.set_data(_picture(panel.film, at))
            panel.clock.set_text(f"clock {panel.film.clocks[at]:,}")
            panel.cursor.set_xdata([panel.film.clocks[at] + 0.5] * 2)
            for artist in (panel.picture, panel.clock, panel.cursor):
                assert artist.axes is not None
                artist.axes.draw_artist(artist)
        shot = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])
        shots.append(shot.quantize(palette=palette, dither=Image.Dither.NONE))
    return _gif(shots)


def _panel(part: Figure, film: Film, width: float) -> _Moving:
    part.suptitle(_title(film, "\n", width, 9), fontsize=9, x=0.02, ha="left")
    above, below = part.subplots(2, 1, height_ratios=(3, 1))
    picture = _elements(above, film, 0, True)
    _share(below, film)
    cursor = below.axvline(film.clocks[0], color="black", linewidth=1)
    clock = above.set_title(f"clock {film.clocks[0]:,}", fontsize=10)
    for artist in (picture, clock, cursor):
        artist.set_animated(True)
    return _Moving(film, picture, clock, cursor)


def _palette() -> Image.Image:
    """The few colours of all frames, so that nothing flickers."""
    colours = [to_rgb(colour) for colour in (*COLOURS.values(), DRAIN, BORDER)]
    colours += [(grey / GREYS, grey / GREYS, grey / GREYS) for grey in range(GREYS)]
    palette = Image.new("P", (1, 1))
    palette.putpalette([round(255 * part) for colour in colours for part in colour])
    return palette


def _gif(shots: list[Image.Image]) -> bytes:
    first, *rest = shots
    durations = [FRAME_MS] * len(rest) + [LAST_MS]
    content = io.BytesIO()
    first.save(
        content,
        "GIF",
        save_all=True,
        append_images=rest,
        duration=durations,
        loop=0,
        optimize=False,
    )
    return content.getvalue()


# ---- parts of both -------------------------------------------------------------------------


def _spread(clocks: int, frames: int) -> list[int]:
    """So many places from the first to the last, evenly apart; all where there are fewer."""
    count = min(clocks, frames)
    return [at * (clocks - 1) // max(1, count - 1) for at in range(count)]


def _title(film: Film, gap: str, width: float, size: int) -> str:
    """What is shown; lines of letters of that size are no wider than so many inches."""
    parts = (
        f"{literal(film.network)} {literal(film.variant)}, {literal(film.layer)} ({film.op})",
        f"{film.hardware}: {film.label}",
        f"{counted(film.cycles, 'cycle')}, on average {film.share:.1%} of the elements multiply",
    )
    letters = (width - 0.2) / (LETTER_INCHES * size)
    return "\n".join(wrapped(line, letters) for line in gap.join(parts).split("\n"))


def _elements(axes: Axes, film: Film, at: int, named: bool) -> AxesImage:
    """The picture of all elements in a clock of the film."""
    extent = (-0.5, film.columns - 0.5, film.rows - 0.5, -0.5)
    shown = axes.imshow(_picture(film, at), extent=extent, aspect="auto", interpolation="auto")
    axes.set_box_aspect(min(2.0, max(0.5, film.rows / film.columns)))
    axes.set_xticks(sorted({0, film.columns - 1}))
    axes.set_yticks(sorted({0, film.rows - 1}))
    axes.tick_params(labelsize=7, length=2, labelleft=named)
    down, across = film.sides
    axes.set_xlabel(across, fontsize=8, labelpad=0)
    if named:
        axes.set_ylabel(down, fontsize=8, labelpad=0)
    return shown


def _picture(film: Film, at: int) -> npt.NDArray[np.uint8]:
    """uint8[rows x CELL, columns x CELL, 3]."""
    states, drain = film.activity.states[at], film.activity.drain[at]
    colours = np.stack([_bytes(COLOURS[state]) for state in ElementState])[states]
    cells = np.repeat(np.repeat(colours, CELL, axis=0), CELL, axis=1)
    tiles = cells.reshape(film.rows, CELL, film.columns, CELL, 3)  # a view
    rows, columns = np.nonzero(drain)
    for line in (CELL - 3, CELL - 2):
        tiles[rows, line, columns] = _bytes(DRAIN)
    if max(film.rows, film.columns) <= BORDERS:
        tiles[:, -1] = tiles[:, :, :, -1] = _bytes(BORDER)
    return cells


def _bytes(colour: str) -> npt.NDArray[np.uint8]:
    """uint8[3], red, green, blue."""
    return np.round(255 * np.array(to_rgb(colour))).astype(np.uint8)


def _share(axes: Axes, film: Film) -> None:
    """Share of the elements that multiply, clock by clock, use and waste apart."""
    elements = film.rows * film.columns
    counts = [film.count(state) / elements for state in (ElementState.BUSY, ElementState.WASTE)]
    edges = np.arange(film.clocks.start, film.clocks.stop + 1)
    low = np.zeros(len(film.clocks))
    for share, state in zip(counts, (ElementState.BUSY, ElementState.WASTE), strict=True):
        axes.stairs(low + share, edges, baseline=low, fill=True, color=COLOURS[state], linewidth=0)
        low = low + share
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(NUMBERS)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    axes.tick_params(labelsize=7)
    axes.set_xlabel("clock", fontsize=8)
    axes.set_ylabel("elements\nthat multiply", fontsize=8)
    bare(axes, "y")


def _legend(made: Figure, width: float) -> None:
    columns = 1 + sum(width > needed for needed in LEGEND_INCHES)
    handles: list[Patch | Line2D] = [
        Patch(facecolor=COLOURS[state], edgecolor=BORDER, label=label)
        for state, label in LABELS.items()
    ]
    handles.append(Line2D([], [], color=DRAIN, linewidth=3, label="a result leaves downward"))
    made.legend(
        handles=handles,
        loc="outside lower left",
        ncols=columns,
        frameon=False,
        fontsize=8,
    )
