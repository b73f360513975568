"""Taps of tiles: which meet the map, and their issue one after another."""

from amaranth.hdl import Array, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from accelsim.hardware import DepthwiseEngine
from accelsim.passes import DepthwisePass
from rtl.engines.depthwise.layouts import (
    COORDINATE_BITS,
    OFFSET,
    Pixel,
    beats_shape,
    slot_layout,
    tile_layout,
)
from rtl.lib.divide import reciprocal
from rtl.lib.layout import layout


class Reach(wiring.Component):
    """Which positions of a kernel meet the map anywhere in a tile, along one axis; no registers.

    kernel, dilation, padding, size : of the pass along the axis.
    low, high : first and last coordinate of the tile's pixels.
    first, count : of the positions that meet.

    Position k meets if low + k dilation - padding < size and high + k dilation - padding >= 0.
    """

    def __init__(self, engine: DepthwiseEngine) -> None:
        self.engine = engine
        work = layout(DepthwisePass)
        super().__init__(
            {
                "kernel": In(work["fh"].shape),
                "dilation": In(work["dh"].shape),
                "padding": In(work["pt"].shape),
                "size": In(work["h"].shape),
                "low": In(COORDINATE_BITS),
                "high": In(COORDINATE_BITS),
                "first": Out(work["fh"].shape),
                "count": Out(work["fh"].shape),
            }
        )

    @property
    def most(self) -> int:
        """What is divided by a dilation, at most: beyond it, every kernel has ended."""
        return self.engine.max_kernel * self.engine.max_dilation

    def elaborate(self, platform: object) -> Module:
        m = Module()
        before = Signal(OFFSET)
        room = Signal(signed(COORDINATE_BITS + 1))
        skipped = Signal(range(self.most + 1))
        last = Signal(range(self.most + 1))
        m.d.comb += [
            before.eq(self.padding - self.high),  # that the first position lies outside
            room.eq(self.size - 1 + self.padding - self.low),  # to the end of the map
            skipped.eq(self._divide(m, "skipped", before + self.dilation - 1)),
            last.eq(self._divide(m, "last", room)),
        ]
        with m.If((room >= 0) & (last >= skipped) & (skipped < self.kernel)):
            end = Mux(last < self.kernel, last + 1, self.kernel)
            m.d.comb += [self.first.eq(skipped), self.count.eq(end - skipped)]
        return m

    def _divide(self, m: Module, name: str, value: Value) -> Value:
        """Value // dilation, 0 where value is negative, at least max_kernel beyond `most`."""
        dilations = range(1, self.engine.max_dilation + 1)
        shift = reciprocal(self.most, self.engine.max_dilation).shift
        factors = [reciprocal(self.most, d, shift).factor for d in dilations]
        number = Signal(range(self.most + 1), name=name)
        m.d.comb += number.eq(Mux(value < 0, 0, Mux(value > self.most, self.most, value)))
        return (number * Array([0, *factors])[self.dilation]) >> shift


class Issue(wiring.Component):
    """Issues the taps of one tile after another, kernel rows outside, columns inside.

    tiles : taken in the clock in which the last tap of the tile before it is issued.
    slot : of this clock.  starting : a tile is taken.

    A tile's last tap waits until the results of the tile before it will have left: with D beats
    each on the result port, last taps are at least D clocks apart. A tile that no tap meets
    anywhere takes one slot for its zeros.
    """

    def __init__(self, engine: DepthwiseEngine) -> None:
        self.engine = engine
        super().__init__(
            {
                "tiles": In(stream.Signature(tile_layout(engine))),
                "slot": Out(slot_layout(engine)),
                "starting": Out(1),
            }
        )
        self.valid = Signal()
        self.tile = Signal(tile_layout(engine))
        self.work = Signal(layout(DepthwisePass))  # of the tile; no register
        self.inside = Signal(engine.pixels)  # pixels of the tile that are outputs
        # The next tap: the first of its tile or not, its entry, and where its pixels' values lie.
        self.address = Signal.like(self.slot.address)
        self.is_first = Signal()
        self.tap_y = Signal(OFFSET)
        self.tap_x = Signal(OFFSET)
        self.left_x = Signal(OFFSET)  # tap_x where a kernel row begins
        # Kernel rows and columns that follow it, and columns that follow the first of a row.
        self.rows_left = Signal.like(self.work.fh)
        self.columns_left = Signal.like(self.work.fw)
        self.columns_behind_first = Signal.like(self.work.fw)
        self.drain_left = Signal(beats_shape(engine))  # clocks in which the result port is taken

    def elaborate(self, platform: object) -> Module:
        m = Module()
        slot = self.slot
        final = Signal()
        take = Signal()
        m.d.comb += [
            self.work.eq(self.tile.command.work),
            final.eq((self.rows_left == 0) & (self.columns_left == 0)),
            slot.valid.eq(self.valid & (~final | (self.drain_left <= 1))),
            slot.address.eq(self.address),
            slot.word.eq(self.tile.word),
            slot.step.first.eq(slot.valid & self.is_first),
            take.eq(~self.valid | (slot.valid & final)),
            self.tiles.ready.eq(take),
            self.starting.eq(take & self.tiles.valid),
        ]
        self._mask(m)
        self._end_tile(m, slot.valid & final)
        with m.If(slot.valid):
            self._next_tap(m)
        self._begin_tile(m, take)
        return m

    def _mask(self, m: Module) -> None:
        """Pixels whose value lies in the map."""
        slot, tile, work = self.slot, self.tile, self.work
        for p in range(self.engine.pixels):
            y, x = (Signal(COORDINATE_BITS + 1, name=f"{axis}_{p}") for axis in Pixel._fields)
            # Above and left of the map they wrap to numbers beyond any size.
            m.d.comb += [
                y.eq(tile.y[p] + self.tap_y),
                x.eq(tile.x[p] + self.tap_x),
                slot.mask[p].eq(slot.valid & self.inside[p] & (y < work.h) & (x < work.w)),
            ]

    def _end_tile(self, m: Module, ends: Value) -> None:
        """What the last tap of a tile ends, and how long the result port is then taken."""
        step, tile = self.slot.step, self.tile
        with m.If(ends):
            m.d.comb += [
                step.beats.eq(self._beats(self.work.channels)),
                step.end.eq(tile.end),
                step.last.eq(tile.end & tile.command.last),
            ]
            m.d.sync += self.drain_left.eq(step.beats)
        with m.Elif(self.drain_left != 0):
            m.d.sync += self.drain_left.eq(self.drain_left - 1)

    def _next_tap(self, m: Module) -> None:
        """The next tap of the tile, in this kernel row or the next."""
        work = self.work
        m.d.sync += self.is_first.eq(0)
        with m.If(self.columns_left != 0):
            m.d.sync += [
                self.columns_left.eq(self.columns_left - 1),
                self.tap_x.eq(self.tap_x + work.dw),
                self.address.eq(self.address + 1),
            ]
        with m.Else():
            m.d.sync += [
                self.rows_left.eq(self.rows_left - 1),
                self.columns_left.eq(self.columns_behind_first),
                self.tap_x.eq(self.left_x),
                self.tap_y.eq(self.tap_y + work.dh),
                self.address.eq(self.address + work.fw - self.columns_behind_first),
            ]

    def _begin_tile(self, m: Module, take: Value) -> None:
        """The next tile and its first tap."""
        tile = self.tiles.payload
        command, work = tile.command, tile.command.work
        rows, columns, met = self._reach(m, tile)
        ky, kx = Mux(met, rows.first, 0), Mux(met, columns.first, 0)
        begin_x = Signal(OFFSET)
        m.d.comb += begin_x.eq(kx * work.dw - work.pl)
        with m.If(take):
            m.d.sync += [
                self.valid.eq(self.tiles.valid),
                self.tile.eq(tile),
                self.is_first.eq(1),
                self.rows_left.eq(Mux(met, rows.count - 1, 0)),
                self.columns_left.eq(Mux(met, columns.count - 1, 0)),
                self.columns_behind_first.eq(Mux(met, columns.count - 1, 0)),
                self.tap_y.eq(ky * work.dh - work.pt),
                self.tap_x.eq(begin_x),
                self.left_x.eq(begin_x),
                self.address.eq(command.taps + ky * work.fw + kx),
            ]
            for p in range(self.engine.pixels):
                is_output = (tile.y[p] <= command.bottom) & (tile.x[p] <= command.right)
                m.d.sync += self.inside[p].eq(is_output)

    def _reach(self, m: Module, tile: data.View) -> tuple[Reach, Reach, Value]:
        """Kernel rows and columns of a tile, and whether there are any of both.

        They follow from the smallest rectangle that holds the tile: whole rows of outputs, where
        it spans several.
        """
        rows, columns = Reach(self.engine), Reach(self.engine)
        m.submodules.rows, m.submodules.columns = rows, columns
        command, work = tile.command, tile.command.work
        first, last = Pixel(tile.y[0], tile.x[0]), Pixel(tile.y[-1], tile.x[-1])
        beyond, one_row = last.y > command.bottom, first.y == rows.high
        m.d.comb += [
            rows.kernel.eq(work.fh),
            rows.dilation.eq(work.dh),
            rows.padding.eq(work.pt),
            rows.size.eq(work.h),
            rows.low.eq(first.y),
            rows.high.eq(Mux(beyond, command.bottom, last.y)),
            columns.kernel.eq(work.fw),
            columns.dilation.eq(work.dw),
            columns.padding.eq(work.pl),
            columns.size.eq(work.w),
            columns.low.eq(Mux(one_row, _least(first.x, command.right), 0)),
            columns.high.eq(Mux(one_row & ~beyond, _least(last.x, command.right), command.right)),
        ]
        met = Signal()
        m.d.comb += met.eq((rows.count != 0) & (columns.count != 0))
        return rows, columns, met

    def _beats(self, channels: Value) -> Value:
        """Result words of a tile: its channels over the lanes that leave together, rounded up."""
        together = self.engine.result_lanes
        by = reciprocal(self.engine.lanes + together, together)
        return ((channels + together - 1) * by.factor) >> by.shift


def _least(a: Value, b: Value) -> Value:
    return Mux(a < b, a, b)
