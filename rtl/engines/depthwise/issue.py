"""Taps of tiles, and their issue one after another."""

from itertools import pairwise

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from accelsim.hardware import DepthwiseEngine
from rtl.engines.depthwise.layouts import (
    EDGE,
    FAR_EDGE,
    beats_shape,
    counts_layout,
    head_layout,
    order_layout,
    pixels_layout,
    slot_layout,
    step_layout,
    tile_layout,
)
from rtl.engines.depthwise.queue import FOLLOWS
from rtl.lib.pipeline import less


def _decision_layout(engine: DepthwiseEngine) -> data.StructLayout:
    """What is decided in a clock.

    valid : a tap is issued.  step : what it means.  begins : it is the first of a pass.
    ends_row : the next one is in the next kernel row.  takes : a tile comes behind it; `stays`,
        the same turned round, is for the few that are in a hurry.
    held : there was a tile.  crowded : it waits for nothing but room.
    """
    flags = ("valid", "begins", "ends_row", "takes", "stays", "held", "crowded")
    return data.StructLayout({**dict.fromkeys(flags, 1), "step": step_layout(engine)})


class Issue(wiring.Component):
    """Issues the taps of one tile after another, kernel rows outside, columns inside.

    orders : tiles to decide about, taken in the clock in which the last tap of the tile before it
        is decided.  tile : where it lies, FOLLOWS clocks later.
    room : in the next clock, for the results of a tile of all lanes; `room_behind` : if a tile of
        one result word ends in this clock.  reserved : result words of the tile that ended in the
        clock before.
    loaded : the operands of the next pass that begins are in the memories.  begun : it was taken
        in the clock before.
    slot : of this clock.  mask : pixels whose value lies in the map, for that of the clock before.
    begins : the slot is the first of a pass.
    empty : no tile is there.  crowded : a tile waits for nothing but room.

    What is decided is which tap is issued, and it is issued FOLLOWS clocks later, when its place is
    known. A tile's last tap waits until the results of the tile before it will have left: with D
    beats each on the result port, last taps are at least D clocks apart. A tile that no tap meets
    anywhere takes one slot for its zeros.
    """

    def __init__(self, engine: DepthwiseEngine) -> None:
        self.engine = engine
        super().__init__(
            {
                "orders": In(stream.Signature(order_layout(engine))),
                "tile": In(tile_layout(engine)),
                "room": In(1),
                "room_behind": In(1),
                "reserved": Out(beats_shape(engine)),
                "loaded": In(1),
                "begun": Out(1),
                "slot": Out(slot_layout(engine)),
                "mask": Out(engine.pixels),
                "begins": Out(1),
                "empty": Out(1),
                "crowded": Out(1),
            }
        )
        self.now = Signal(_decision_layout(engine))
        self.ends = Signal()  # the last tap of a tile is decided
        self.follows = [
            Signal(_decision_layout(engine), name=f"decided{n}") for n in range(1, FOLLOWS + 1)
        ]
        # The tile, and the tap that is next: whether it is the first of its tile, and of its pass.
        self.valid = Signal()
        self.head = Signal(head_layout(engine), reset_less=True)
        self.is_first, self.begins_pass = Signal(reset_less=True), Signal(reset_less=True)
        # It is in the last row, at the end of its row, and both; and whether a row has no other.
        self.in_last_row, self.ends_row, self.is_last, self.one_column = (
            Signal(name=name, reset_less=True)
            for name in ("in_last_row", "ends_row", "is_last", "one_column")
        )
        # Kernel rows and columns that follow it, less two, so that the sign says whether there are
        # none behind the next; and columns behind the first.
        counts = counts_layout(engine)
        self.rows_left = Signal(counts["rows"].shape, reset_less=True)
        self.columns, self.columns_left = (
            Signal(counts["columns"].shape, name=name, reset_less=True)
            for name in ("columns", "columns_left")
        )
        # A tile ended in the clock before, with one result word; else the result port is taken for
        # so many clocks, and free again when the results of the next tap come. With room beside
        # that, the next tile may end.
        self.ended, self.ended_short = Signal(), Signal(reset_less=True)
        self.may_end_behind = Signal(reset_less=True)
        self.drain_left, self.drained = Signal(beats_shape(engine)), Signal(init=1)
        self.may_end = Signal(init=1)
        # Where the tap of the slot lies: its entry, and the pixels that are in the map.
        self.pixels = Signal(pixels_layout(engine), reset_less=True)
        self.address, self.word = (
            Signal.like(self.slot[name], name=name, reset_less=True) for name in ("address", "word")
        )
        self.top, self.left = Signal(EDGE, reset_less=True), Signal(EDGE, reset_less=True)
        self.bottom, self.right = (
            Signal(FAR_EDGE, name=name, reset_less=True) for name in ("bottom", "right")
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self._decide(m)
        self._drain(m)
        slot, done = self.slot, self.follows[-1]
        m.d.comb += [
            slot.valid.eq(done.valid),
            slot.step.eq(done.step),
            slot.address.eq(self.address),
            slot.word.eq(self.word),
            self.begins.eq(done.begins),
            self.empty.eq(~done.held),
            self.crowded.eq(done.crowded),
        ]
        self._place(m, done)
        self._mask(m)
        return m

    def _decide(self, m: Module) -> None:
        """Whether a tap is issued, and whether a tile is taken."""
        now, head, is_last, orders = self.now, self.head, self.is_last, self.orders
        may_end, take, there = (Signal(name=name) for name in ("may_end_now", "take", "there"))
        drained = Mux(self.ended, self.ended_short, self.drained)
        m.d.comb += [
            may_end.eq(Mux(self.ended, self.may_end_behind, self.may_end)),
            self.ends.eq(self.valid & is_last & may_end),
            take.eq(~self.valid | (is_last & may_end)),
            there.eq(orders.valid & (self.loaded | ~orders.payload.head.begins)),
            orders.ready.eq(take & (self.loaded | ~orders.payload.head.begins)),
            now.valid.eq(self.valid & (may_end | ~is_last)),
            now.held.eq(self.valid),
            now.crowded.eq(self.valid & is_last & drained & ~may_end),
            now.begins.eq(now.valid & self.begins_pass),
            now.ends_row.eq(self.ends_row),
            now.takes.eq(take),
            now.stays.eq(~take),
            now.step.first.eq(now.valid & self.is_first),
        ]
        with m.If(self.ends):
            m.d.comb += [
                now.step.beats.eq(head.beats),
                now.step.end.eq(head.ends),
                now.step.last.eq(head.last),
            ]
        m.d.sync += self.begun.eq(take & there & orders.payload.head.begins)
        m.d.sync += [later.eq(before) for before, later in pairwise((now, *self.follows))]
        with m.If(take):
            m.d.sync += self.valid.eq(there)
            self._begin_tile(m)
        with m.Elif(~is_last):
            self._next_tap(m)

    def _drain(self, m: Module) -> None:
        """How long the result port is taken by the tile that ended."""
        ends_short, drained = self.head.beats <= 1, Signal()
        m.d.comb += [self.reserved.eq(self.follows[0].step.beats), drained.eq(self.drained)]
        with m.If(self.ended):
            m.d.comb += drained.eq(self.reserved <= 2)
            m.d.sync += self.drain_left.eq(self.reserved - 1)
        with m.Elif(self.drain_left != 0):
            m.d.comb += drained.eq(self.drain_left <= 2)
            m.d.sync += self.drain_left.eq(self.drain_left - 1)
        m.d.sync += [
            self.ended.eq(self.ends),
            self.ended_short.eq(ends_short),
            self.may_end_behind.eq(ends_short & self.room_behind),
            self.drained.eq(drained),
            self.may_end.eq(drained & self.room),
        ]

    def _begin_tile(self, m: Module) -> None:
        """The next tile and its first tap."""
        head, counts = self.orders.payload.head, self.orders.payload.counts
        m.d.sync += [
            self.head.eq(head),
            self.is_first.eq(1),
            self.begins_pass.eq(head.begins),
            self.in_last_row.eq(counts.one_row),
            *(register.eq(counts.one_column) for register in (self.ends_row, self.one_column)),
            self.is_last.eq(counts.one),
            self.rows_left.eq(counts.rows),
            *(register.eq(counts.columns) for register in (self.columns, self.columns_left)),
        ]

    def _next_tap(self, m: Module) -> None:
        """The next tap of the tile, in this kernel row or the next."""
        m.d.sync += [self.is_first.eq(0), self.begins_pass.eq(0)]
        with m.If(~self.ends_row):
            m.d.sync += [
                self.ends_row.eq(self.columns_left < 0),
                self.is_last.eq(self.in_last_row & (self.columns_left < 0)),
                self.columns_left.eq(self.columns_left - 1),
            ]
        with m.Else():
            m.d.sync += [
                self.in_last_row.eq(self.rows_left < 0),
                self.ends_row.eq(self.one_column),
                self.is_last.eq((self.rows_left < 0) & self.one_column),
                self.rows_left.eq(self.rows_left - 1),
                self.columns_left.eq(self.columns),
            ]

    def _place(self, m: Module, done: data.View) -> None:
        """Where the tap behind that of the slot lies: the first of a tile, or the next of it."""
        tile = self.tile
        dh, dw, row_gap, row_left, row_right = (
            Signal.like(like, name=name, reset_less=True)
            for name, like in (
                ("dh", tile.dh), ("dw", tile.dw), ("row_gap", tile.row_gap),
                ("row_left", tile.left), ("row_right", tile.right),
            )
        )  # fmt: skip
        with m.If(done.takes):
            m.d.sync += [
                self.pixels.eq(tile.pixels),
                self.word.eq(tile.word),
                row_left.eq(tile.left),
                row_right.eq(tile.right),
                dh.eq(tile.dh),
                dw.eq(tile.dw),
                row_gap.eq(tile.row_gap),
            ]
        with m.If(~done.stays):
            m.d.sync += [
                register.eq(tile[name])
                for name, register in (
                    ("address", self.address), ("top", self.top), ("bottom", self.bottom),
                    ("left", self.left), ("right", self.right),
                )
            ]  # fmt: skip
        with m.Elif(done.valid & ~done.ends_row):
            m.d.sync += [
                self.address.eq(self.address + 1),
                self.left.eq(self.left - dw),
                self.right.eq(self.right - dw),
            ]
        with m.Elif(done.valid):
            m.d.sync += [
                self.address.eq(self.address + row_gap),
                self.left.eq(row_left),
                self.right.eq(row_right),
                self.top.eq(self.top - dh),
                self.bottom.eq(self.bottom - dh),
            ]

    def _mask(self, m: Module) -> None:
        """Pixels whose value lies in the map."""
        pixels = self.pixels
        for p in range(self.engine.pixels):
            y, x = pixels.y[p], pixels.x[p]
            alive, above, below, before, behind = (
                Signal(name=f"{name}_{p}", reset_less=True)
                for name in ("alive", "above", "below", "before", "behind")
            )
            m.d.sync += [
                alive.eq(self.slot.valid & pixels.inside[p]),
                above.eq(less(y, self.top)),
                below.eq(~less(y, self.bottom)),
                before.eq(less(x, self.left)),
                behind.eq(~less(x, self.right)),
            ]
            m.d.comb += self.mask[p].eq(alive & ~(above | below | before | behind))
