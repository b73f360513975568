"""Clocks of points: as the specification says, or as accelsim.hardware.clock knows of a design."""

from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from accelsim.frames import polars
from accelsim.hardware import Sizes, clock
from accelsim.sweep import kernels
from accelsim.sweep.axes import ENGINES, OPERANDS
from accelsim.sweep.spec import Spec

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
SOURCE = polars.Enum(clock.SOURCES)
Number = TypeVar("Number", np.float64, np.bool_)
Codes = npt.NDArray[np.int32]


class Clocks(NamedTuple):
    """Where the clocks of points are from.

    given : float64[clocks], of the axis of clocks; None where each design has its own.
    estimated_mhz : float64[operands, sizes] of every engine; not a number where there is no
        estimate, infinite for no engine.
    measured : of every design that was measured its clock, and bool[operands, sizes] of every
        engine, whether it is that of the design.
    assumed_mhz : of designs of which nothing is known.
    """

    given: Floats | None
    estimated_mhz: tuple[Floats, ...]
    measured: tuple[tuple[float, tuple[Flags, ...]], ...]
    assumed_mhz: float

    def columns(self, codes: Codes, multipliers: npt.NDArray[np.int64]) -> list[polars.Series]:
        """clock_mhz and clock_source of points.

        codes : int32[groups, points].
        multipliers : of all engines of a point, int64[points].
        """
        if self.given is not None:
            users = polars.repeat(clock.USER, len(multipliers), dtype=SOURCE, eager=True)
            return _series(self.given[codes[kernels.CLOCK]], users)
        mhz = np.minimum.reduce(
            [_gathered(each, codes, at) for at, each in enumerate(self.estimated_mhz)]
        )
        known = ~np.isnan(mhz) & (multipliers <= clock.most_multipliers())
        mhz = np.where(known, mhz, self.assumed_mhz)
        estimated, assumed = map(clock.SOURCES.index, (clock.ESTIMATED, clock.ASSUMED))
        sources = np.where(known, estimated, assumed).astype(np.int8)
        for fmax, engines in self.measured:
            of_it = np.logical_and.reduce(
                [_gathered(each, codes, at) for at, each in enumerate(engines)]
            )
            mhz[of_it], sources[of_it] = fmax, clock.SOURCES.index(clock.MEASURED)
        return _series(mhz, polars.Series(clock.SOURCES, dtype=SOURCE).gather(sources))


def clocks_of(spec: Spec) -> Clocks:
    """The clocks of the points of a specification."""
    if not spec.own_clocks:
        values = [value for (value,) in spec.axis("clock_mhz").values]
        return Clocks(np.array(values, np.float64), (), (), spec.base.assumed_mhz)
    operands = len(spec.combinations(OPERANDS))
    sizes = [[*map(_plain, spec.sizes[engine.name])] for engine in ENGINES]
    estimated = (np.array([*map(_estimated, each)]).reshape(operands, -1) for each in sizes)
    measured = []
    for point in clock.table().points:
        named = {each.name: each for each in point.engines}
        same = tuple(
            np.array([each == named.get(engine.name) for each in of_engine]).reshape(operands, -1)
            for engine, of_engine in zip(ENGINES, sizes, strict=True)
        )
        if all(each.any() for each in same):
            measured.append((point.fmax_mhz, same))
    return Clocks(None, tuple(estimated), tuple(measured), spec.base.assumed_mhz)


def _plain(sizes: Sizes | None) -> Sizes | None:
    return None if sizes is None else clock.plain(sizes)


def _estimated(sizes: Sizes | None) -> float:
    if sizes is None:
        return np.inf
    mhz = clock.estimated_mhz(sizes)
    return np.nan if mhz is None else mhz


def _gathered(figures: npt.NDArray[Number], codes: Codes, engine: int) -> npt.NDArray[Number]:
    """Of an array [operands, sizes] of an engine what is of every point."""
    gathered: npt.NDArray[Number] = figures[codes[kernels.OPERANDS], codes[kernels.MAIN + engine]]
    return gathered


def _series(mhz: Floats, sources: polars.Series) -> list[polars.Series]:
    return [polars.Series("clock_mhz", mhz), sources.alias("clock_source")]
