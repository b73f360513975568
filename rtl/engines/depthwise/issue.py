"""Taps of tiles, and their issue one after another."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from accelsim.hardware import DepthwiseEngine
from rtl.engines.depthwise.layouts import (
    EDGE,
    FAR_EDGE,
    beats_shape,
    head_layout,
    pixels_layout,
    reach_layout,
    slot_layout,
    tile_layout,
)


class Issue(wiring.Component):
    """Issues the taps of one tile after another, kernel rows outside, columns inside.

    tiles : taken in the clock in which the last tap of the tile before it is issued.
    room : for the results of a tile of all lanes.
    loaded : the operands of the next pass that begins are in the memories.
    slot : of this clock.  begins : it is the first of a pass.
    empty : no tile is there.  crowded : a tile waits for nothing but room.

    A tile's last tap waits until the results of the tile before it will have left: with D beats
    each on the result port, last taps are at least D clocks apart. A tile that no tap meets
    anywhere takes one slot for its zeros.
    """

    def __init__(self, engine: DepthwiseEngine) -> None:
        self.engine = engine
        super().__init__(
            {
                "tiles": In(stream.Signature(tile_layout(engine))),
                "room": In(1),
                "loaded": In(1),
                "slot": Out(slot_layout(engine)),
                "begins": Out(1),
                "empty": Out(1),
                "crowded": Out(1),
            }
        )
        self.valid = Signal()
        self.head = Signal(head_layout(engine), reset_less=True)  # of the tile
        self.pixels = Signal(pixels_layout(engine), reset_less=True)
        self.columns = Signal(reach_layout(engine)["columns"].shape, reset_less=True)
        # The next tap: the first of its tile or not, and of its pass; its entry, and the pixels
        # that are in the map.
        self.address = Signal.like(self.slot.address, reset_less=True)
        self.is_first, self.begins_pass = Signal(reset_less=True), Signal()
        self.top, self.left = Signal(EDGE, reset_less=True), Signal(EDGE, reset_less=True)
        self.bottom, self.right = (
            Signal(FAR_EDGE, name=name, reset_less=True) for name in ("bottom", "right")
        )
        # It is in the last row, at the end of its row, and both; and whether a row has no other.
        self.in_last_row, self.ends_row, self.is_last, self.one_column = (
            Signal(name=name, reset_less=True)
            for name in ("in_last_row", "ends_row", "is_last", "one_column")
        )
        # Kernel rows and columns that follow it, less two, so that the sign says whether there are
        # none behind the next; and entries from the last of a row to the next.
        self.rows_left = Signal(reach_layout(engine)["rows"].shape, reset_less=True)
        self.columns_left = Signal.like(self.columns)
        self.row_gap = Signal.like(self.head.row, reset_less=True)
        self.row_left, self.row_right = Signal.like(self.left), Signal.like(self.right)
        self.drain_left = Signal(beats_shape(engine))  # clocks in which the result port is taken
        self.drained = Signal(init=1)  # it is free again when the results of the next tap come

    def elaborate(self, platform: object) -> Module:
        m = Module()
        slot, head = self.slot, self.head
        due, is_last, take = Signal(), self.is_last, Signal()
        m.d.comb += [
            due.eq(self.valid & (self.loaded | ~self.begins_pass) & (self.drained | ~is_last)),
            self.empty.eq(~self.valid),
            self.crowded.eq(due & is_last & ~self.room),
            slot.valid.eq(due & (self.room | ~is_last)),
            slot.address.eq(self.address),
            slot.word.eq(head.word),
            slot.step.first.eq(slot.valid & self.is_first),
            self.begins.eq(slot.valid & self.begins_pass),
            take.eq(~self.valid | (slot.valid & is_last)),
            self.tiles.ready.eq(take),
        ]
        self._mask(m)
        self._end_tile(m, slot.valid & is_last)
        with m.If(take):
            self._begin_tile(m)
        with m.Elif(slot.valid):
            self._next_tap(m)
        return m

    def _mask(self, m: Module) -> None:
        """Pixels whose value lies in the map."""
        pixels = self.pixels
        for p in range(self.engine.pixels):
            y, x = pixels.y[p], pixels.x[p]
            m.d.comb += self.slot.mask[p].eq(
                self.slot.valid
                & pixels.inside[p]
                & (y >= self.top)
                & (y < self.bottom)
                & (x >= self.left)
                & (x < self.right)
            )

    def _end_tile(self, m: Module, ends: Value) -> None:
        """What the last tap of a tile ends, and how long the result port is then taken."""
        step, head = self.slot.step, self.head
        with m.If(ends):
            m.d.comb += [step.beats.eq(head.beats), step.end.eq(head.ends), step.last.eq(head.last)]
            m.d.sync += [self.drain_left.eq(head.beats), self.drained.eq(head.beats <= 1)]
        with m.Elif(self.drain_left != 0):
            m.d.sync += [
                self.drain_left.eq(self.drain_left - 1),
                self.drained.eq(self.drain_left <= 2),
            ]

    def _next_tap(self, m: Module) -> None:
        """The next tap of the tile, in this kernel row or the next."""
        head = self.head
        m.d.sync += [self.is_first.eq(0), self.begins_pass.eq(0)]
        with m.If(~self.ends_row):
            m.d.sync += [
                self.ends_row.eq(self.columns_left < 0),
                self.is_last.eq(self.in_last_row & (self.columns_left < 0)),
                self.columns_left.eq(self.columns_left - 1),
                self.left.eq(self.left - head.dw),
                self.right.eq(self.right - head.dw),
                self.address.eq(self.address + 1),
            ]
        with m.Else():
            m.d.sync += [
                self.in_last_row.eq(self.rows_left < 0),
                self.ends_row.eq(self.one_column),
                self.is_last.eq((self.rows_left < 0) & self.one_column),
                self.rows_left.eq(self.rows_left - 1),
                self.columns_left.eq(self.columns),
                self.left.eq(self.row_left),
                self.right.eq(self.row_right),
                self.top.eq(self.top - head.dh),
                self.bottom.eq(self.bottom - head.dh),
                self.address.eq(self.address + self.row_gap),
            ]

    def _begin_tile(self, m: Module) -> None:
        """The next tile and its first tap."""
        tile = self.tiles.payload
        head, reach = tile.head, tile.reach
        one_row, one_column = _is_lowest(reach.rows), _is_lowest(reach.columns)
        bottom, right = Mux(reach.met, reach.y + head.h, 0), reach.x + head.w
        m.d.sync += [
            self.valid.eq(self.tiles.valid),
            self.head.eq(head),
            self.pixels.eq(tile.pixels),
            self.columns.eq(reach.columns),
            self.is_first.eq(1),
            self.begins_pass.eq(head.begins),
            self.in_last_row.eq(one_row),
            *(register.eq(one_column) for register in (self.ends_row, self.one_column)),
            self.is_last.eq(one_row & one_column),
            self.rows_left.eq(reach.rows),
            self.columns_left.eq(reach.columns),
            self.row_gap.eq(head.row + ~reach.columns),
            self.address.eq(head.taps + reach.entry),
            self.top.eq(reach.y),
            self.bottom.eq(bottom),
            *(register.eq(reach.x) for register in (self.left, self.row_left)),
            *(register.eq(right) for register in (self.right, self.row_right)),
        ]


def _is_lowest(less: Value) -> Value:
    """A number of rows or columns, of which the lowest is -2, is that."""
    return less[-1] & ~less[0]
