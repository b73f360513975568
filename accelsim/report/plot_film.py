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
from accelsim.phrases import counted, of_batch
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
    """Some clocks, evenly apart and the same of each film, above the share that multiplies."""
    clocks = _clocks(films)
    moments = _moments(clocks, frames, MOST_STRIP)
    count = len(moments)
    width = max(7.5, 0.6 + 1.5 * count)
    made = figure(width, 1.2 + 3.6 * len(films))
    parts = made.subfigures(len(films), 1, squeeze=False)[:, 0]
    for part, film in zip(parts, films, strict=True):
        part.suptitle(_title(film, ", ", width, 10), fontsize=10, x=0.01, ha="left")
        grid = part.add_gridspec(2, count, height_ratios=(2, 1))
        for place, clock in enumerate(moments):
            axes = part.add_subplot(grid[0, place])
            _elements(axes, film, clock, place == 0)
            axes.set_title(_said(film, clock), fontsize=8)
        below = part.add_subplot(grid[1, :])
        _share(below, film, clocks)
        for clock in moments:
            below.axvline(clock + 0.5, color="black", linewidth=0.7, linestyle=":")
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


def _clocks(films: Sequence[Film]) -> range:
    """All clocks that a film shows: every panel of a picture is at the same one."""
    starts, stops = [film.clocks.start for film in films], [film.clocks.stop for film in films]
    return range(min(starts), max(stops))


def _moments(clocks: range, frames: int, most: int) -> list[int]:
    """So many clocks from the first to the last, evenly apart; all where there are fewer."""
    if frames < 1:
        raise UnsupportedError(f"a film has at least 1 frame, not {frames}")
    count = min(frames, len(clocks))
    if count > most:
        raise UnsupportedError(
            f"a strip has at most {MOST_STRIP} frames and an animation {MOST_ANIMATION:,}, "
            f"not {count:,}"
        )
    return [clocks[at * (len(clocks) - 1) // max(1, count - 1)] for at in range(count)]


def _said(film: Film, clock: int) -> str:
    """The clock of a panel, and why nothing happens where that is so."""
    if clock in film.clocks:
        return f"clock {clock:,}"
    return f"clock {clock:,}: {'done' if clock >= film.cycles else 'not filmed'}"


# ---- animation -----------------------------------------------------------------------------


class _Moving(NamedTuple):
    """What changes from frame to frame in the panel of a film."""

    film: Film
    picture: AxesImage
    clock: Text
    cursor: Line2D


def animation(films: Sequence[Film], frames: int = ANIMATION_FRAMES) -> bytes:
    """A GIF of the films side by side, all at the same clock; what does not move is drawn once."""
    clocks = _clocks(films)
    moments = _moments(clocks, frames, MOST_ANIMATION)
    width = 1.0 + 4.2 * len(films)
    made = figure(width, 6.0)
    made.set_dpi(80)
    canvas: Any = FigureCanvasAgg(made)  # its methods have no types
    parts = made.subfigures(1, len(films), squeeze=False)[0]
    panels = [
        _panel(part, film, clocks, width / len(films))
        for part, film in zip(parts, films, strict=True)
    ]
    _legend(made, width)
    with any_script():
        canvas.draw()
    still = canvas.copy_from_bbox(made.bbox)
    palette, shots = _palette(), []
    for clock in moments:
        canvas.restore_region(still)
        for panel in panels:
            panel.picture.set_data(_picture(panel.film, clock))
            panel.clock.set_text(_said(panel.film, clock))
            panel.cursor.set_xdata([clock + 0.5] * 2)
            for artist in (panel.picture, panel.clock, panel.cursor):
                assert artist.axes is not None
                artist.axes.draw_artist(artist)
        shot = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])
        shots.append(shot.quantize(palette=palette, dither=Image.Dither.NONE))
    return _gif(shots)


def _panel(part: Figure, film: Film, clocks: range, width: float) -> _Moving:
    part.suptitle(_title(film, "\n", width, 9), fontsize=9, x=0.02, ha="left")
    above, below = part.subplots(2, 1, height_ratios=(3, 1))
    picture = _elements(above, film, clocks[0], True)
    _share(below, film, clocks)
    cursor = below.axvline(clocks[0], color="black", linewidth=1)
    clock = above.set_title(_said(film, clocks[0]), fontsize=10)
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


def _title(film: Film, gap: str, width: float, size: int) -> str:
    """What is shown; lines of letters of that size are no wider than so many inches."""
    network = f"{literal(film.network)} {literal(film.variant)}{of_batch(film.batch)}"
    parts = (
        f"{network}, {literal(film.layer)} ({film.op})",
        f"{film.hardware}: {film.label}",
        f"{counted(film.cycles, 'cycle')}, on average {film.share:.1%} of the elements multiply",
    )
    letters = (width - 0.2) / (LETTER_INCHES * size)
    return "\n".join(wrapped(line, letters) for line in gap.join(parts).split("\n"))


def _elements(axes: Axes, film: Film, clock: int, named: bool) -> AxesImage:
    """The picture of all elements in a clock."""
    extent = (-0.5, film.columns - 0.5, film.rows - 0.5, -0.5)
    shown = axes.imshow(_picture(film, clock), extent=extent, aspect="auto", interpolation="auto")
    axes.set_box_aspect(min(2.0, max(0.5, film.rows / film.columns)))
    axes.set_xticks(sorted({0, film.columns - 1}))
    axes.set_yticks(sorted({0, film.rows - 1}))
    axes.tick_params(labelsize=7, length=2, labelleft=named)
    down, across = film.sides
    axes.set_xlabel(across, fontsize=8, labelpad=0)
    if named:
        axes.set_ylabel(down, fontsize=8, labelpad=0)
    return shown


def _picture(film: Film, clock: int) -> npt.NDArray[np.uint8]:
    """uint8[rows x CELL, columns x CELL, 3]; all idle in a clock that the film does not show."""
    states = np.full((film.rows, film.columns), ElementState.IDLE, np.uint8)
    drain = np.zeros((film.rows, film.columns), np.bool_)
    if clock in film.clocks:
        at = film.clocks.index(clock)
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


def _share(axes: Axes, film: Film, clocks: range) -> None:
    """Share of the elements that multiply, use and waste apart, along all these clocks."""
    elements = film.rows * film.columns
    counts = [film.count(state) / elements for state in (ElementState.BUSY, ElementState.WASTE)]
    edges = np.arange(film.clocks.start, film.clocks.stop + 1)
    low = np.zeros(len(film.clocks))
    for share, state in zip(counts, (ElementState.BUSY, ElementState.WASTE), strict=True):
        axes.stairs(low + share, edges, baseline=low, fill=True, color=COLOURS[state], linewidth=0)
        low = low + share
    axes.set_xlim(clocks.start, clocks.stop)
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
