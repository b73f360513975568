"""The pixels of a tile, from its first one."""

from typing import NamedTuple

from amaranth.hdl import Const, Module, Mux, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from accelsim.hardware import DepthwiseEngine
from rtl.engines.depthwise.layouts import COORDINATE_BITS, Pixel, pixels_layout, place_layout
from rtl.lib.pipeline import later, less


class _Step(NamedTuple):
    """So many pixels further: rows and columns, and the same where that wraps into the next row."""

    y: Value
    x: Value
    over_y: Value
    over_x: Value


class Pixels(wiring.Component):
    """Pixels of a tile, `latency` clocks after it was given; a tile in every clock.

    Every two stages there are twice as many: those that are there, and each of them so many steps
    further. The first stage finds which of them wrap into the next row, the second adds.
    """

    def __init__(self, engine: DepthwiseEngine) -> None:
        self.engine = engine
        super().__init__({"place": In(place_layout(engine)), "pixels": Out(pixels_layout(engine))})
        self._doublings = (engine.pixels - 1).bit_length()

    @property
    def latency(self) -> int:
        """Clocks: the first step, the doublings, and two for which pixels are outputs."""
        return 3 + 2 * self._doublings

    def elaborate(self, platform: object) -> Module:
        m = Module()
        command, work = self.place.command, self.place.command.work
        one = _Step(Const(0), work.sw, work.sh, _folded(work.sw - command.wrap))
        pixels, step = _keep(m, "0", [Pixel(self.place.y, self.place.x)], one)
        ends = later(m, "ends_0", bottom=command.bottom, right=command.right)
        for level in range(1, self._doublings + 1):
            moving = pixels[: self.engine.pixels - len(pixels)]
            folded = later(
                m, f"folded_{level}", step=_folded(step.x + step.over_x),
                **{f"pixel_{p}": _folded(pixel.x + step.over_x) for p, pixel in enumerate(moving)},
            )  # fmt: skip
            pixels, step = _keep(m, f"{level}_kept", pixels, step)
            more = [
                _moved(pixel, step, getattr(folded, f"pixel_{p}"))
                for p, pixel in enumerate(pixels[: len(moving)])
            ]
            pixels, step = _keep(m, f"{level}", pixels + more, _doubled(step, folded.step))
            for stage in ("kept", "moved"):
                ends = later(m, f"ends_{level}_{stage}", **vars(ends))
        for p, pixel in enumerate(pixels):
            found = later(
                m, f"found_{p}", y=pixel.y, x=pixel.x,
                below=less(ends.bottom, pixel.y), behind=less(ends.right, pixel.x),
            )  # fmt: skip
            m.d.sync += [
                self.pixels.y[p].eq(found.y),
                self.pixels.x[p].eq(found.x),
                self.pixels.inside[p].eq(~(found.below | found.behind)),
            ]
        return m


def _keep(m: Module, stage: str, pixels: list[Pixel], step: _Step) -> tuple[list[Pixel], _Step]:
    """Pixels, and the step that doubles them, a clock later."""
    kept = [
        Pixel(**vars(later(m, f"pixel_{stage}_{p}", **pixel._asdict())))
        for p, pixel in enumerate(pixels)
    ]
    return kept, _Step(**vars(later(m, f"step_{stage}", **step._asdict())))


def _moved(pixel: Pixel, step: _Step, folded: Value) -> Pixel:
    """A pixel a step further; `folded`: its column if that wraps, below 0 if it does not."""
    wraps = folded >= 0
    y = pixel.y + Mux(wraps, step.over_y, step.y)
    x = Mux(wraps, folded, pixel.x + step.x)
    return Pixel(y[:COORDINATE_BITS], x[:COORDINATE_BITS])


def _doubled(step: _Step, folded: Value) -> _Step:
    """A step twice as far; what wraps twice has the width of the map taken twice.

    folded : columns of a step and one that wraps, below 0 where they lie in the map.
    """
    wraps, both = folded >= 0, (step.y + step.over_y)[:COORDINATE_BITS]
    return _Step(
        Mux(wraps, both, step.y << 1)[:COORDINATE_BITS],
        Mux(wraps, folded, step.x << 1)[:COORDINATE_BITS],
        Mux(wraps, step.over_y << 1, both)[:COORDINATE_BITS],
        _folded(Mux(wraps, step.over_x << 1, folded)),
    )


def _folded(column: Value) -> Value:
    """A column from which the width of the map was taken; signed, below 0 where it lies in it."""
    return column[: COORDINATE_BITS + 1].as_signed()
