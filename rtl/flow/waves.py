"""Waveforms: signals of a VCD file clock by clock, and their drawing."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.errors import FileError
from rtl.flow.ports import CLOCK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

UNDEFINED = str.maketrans("xzXZ", "0000")
BLUE, GREY = "#0072B2", "#E5E5E5"


class Wave(NamedTuple):
    """A signal over the clocks.

    values : int64[clocks], its bits as an unsigned number, just before each rising edge.
    """

    name: str
    bits: int
    values: npt.NDArray[np.int64]

    @property
    def signed(self) -> "Wave":
        """The same bits in two's complement."""
        sign = 1 << (self.bits - 1)
        return self._replace(values=(self.values ^ sign) - sign)


def read_waves(path: Path, names: Sequence[str]) -> tuple[Wave, ...]:
    """The signals of those names, below the core, such as results__valid or grid.acc_0_0.

    FileError where the file has no such signal of at most 62 bits. Bits that are undefined, which
    only Icarus knows, read as 0.
    """
    with path.open() as file:
        declared = _declarations(file)
        for name in names:
            if name not in declared or declared[name].bits > 62:
                raise FileError(f"{path} has no signal {name} of at most 62 bits")
        codes = [declared[name].code for name in names]
        samples = [
            [levels.get(code, 0) for code in codes]
            for levels in _edges(file, declared[CLOCK].code, codes)
        ]
    columns = np.array(samples, np.int64).reshape(len(samples), len(names)).T
    return tuple(
        Wave(name, declared[name].bits, values) for name, values in zip(names, columns, strict=True)
    )


class _Variable(NamedTuple):
    code: str
    bits: int


def _declarations(lines: Iterable[str]) -> dict[str, _Variable]:
    """Variables by their names below the core; of names used twice the first."""
    variables: dict[str, _Variable] = {}
    scopes: list[str] = []
    for line in lines:
        match line.split():
            case ["$scope", _, name, *_]:
                scopes.append(name)
            case ["$upscope", *_]:
                scopes.pop()
            case ["$var", _, bits, code, name, *_]:
                # The two outermost scopes are the bench and the core.
                path = ".".join([*scopes[2:], name.removeprefix("\\")])
                variables.setdefault(path, _Variable(code, int(bits)))
            case ["$enddefinitions", *_]:
                break
    return variables


def _edges(lines: Iterable[str], clock: str, codes: Sequence[str]) -> Iterator[dict[str, int]]:
    """The levels of the signals just before every rising edge of the clock."""
    levels: dict[str, int] = {}
    wanted = {clock, *codes}
    instant: dict[str, int] = {}  # what changes at one time
    for line in chain(lines, "#"):
        if line[0] == "#":
            if instant.get(clock) == 1 and levels.get(clock) == 0:
                yield levels
            levels.update(instant)
            instant.clear()
        elif line[0] in "01xzbXZB":
            value, code = line[1:].split() if line[0] in "bB" else (line[0], line[1:].strip())
            if code in wanted:
                instant[code] = int(value.translate(UNDEFINED), 2)


def draw_waves(
    waves: Sequence[Wave], start: int = 0, stop: int | None = None, ax: "Axes | None" = None
) -> "Axes":
    """Clocks from start to stop: single bits as levels, others as boxes with their values."""
    import matplotlib.pyplot as plt
    from matplotlib.patches import Rectangle

    clocks = len(waves[0].values)
    stop = clocks if stop is None else min(stop, clocks)
    if ax is None:
        size = (1.6 + 0.5 * (stop - start), 0.6 + 0.38 * len(waves))
        ax = plt.subplots(figsize=size, layout="constrained")[1]
    for row, wave in enumerate(waves):
        shown = wave.values[start:stop]
        if wave.bits == 1:
            ax.fill_between(
                range(start, stop + 1),
                row + 0.3,
                row + 0.3 - 0.6 * np.append(shown, shown[-1:]),
                step="post",
                color=GREY,
                edgecolor=BLUE,
            )
            continue
        for first, last, value in _runs(shown):
            left, width = start + first + 0.06, last - first - 0.12
            ax.add_patch(Rectangle((left, row - 0.3), width, 0.6, fc="white", ec=BLUE))
            if value or width > 1:
                ax.text(left + width / 2, row, f"{value:,}", ha="center", va="center", fontsize=7)
    ax.set_yticks(range(len(waves)), [wave.name for wave in waves], family="monospace", fontsize=8)
    ax.set_ylim(len(waves) - 0.5, -0.5)
    ax.set_xlim(start, stop)
    ax.set_xticks(range(start, stop + 1, max(1, (stop - start) // 10)))
    ax.set_xlabel("clock")
    ax.tick_params(length=0, axis="y")
    ax.grid(axis="x", alpha=0.3)
    ax.set_axisbelow(True)
    ax.spines[["top", "right", "left"]].set_visible(False)
    return ax


def _runs(values: npt.NDArray[np.int64]) -> Iterator[tuple[int, int, int]]:
    """(first, end, value) of every stretch of equal values."""
    edges = [0, *(np.flatnonzero(np.diff(values)) + 1).tolist(), len(values)]
    for first, end in pairwise(edges):
        yield first, end, int(values[first])
