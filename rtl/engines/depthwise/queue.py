"""Tiles between their generator and the issue stage."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from accelsim.hardware import DepthwiseEngine
from rtl.engines.depthwise.layouts import (
    head_layout,
    order_layout,
    place_layout,
    size_layout,
    tile_layout,
)
from rtl.engines.depthwise.pixels import Pixels
from rtl.engines.depthwise.reach import Reach
from rtl.lib.memory import memory

# Clocks from a decision of the issue stage to the tap: the memories of its tile are read, into two
# registers, and what they hold is added up and taken.
FOLLOWS = 4


class TileQueue(wiring.Component):
    """Tiles with their pixels and their taps, in order; as many as are under way at once.

    sent : a tile comes in, where there is `room`.  place : of the tile that came a clock before.
    orders : what is to be decided about tiles, at the earliest `latency` clocks later. Its ready
        reaches no memory: what it does not take in the first clock is kept in a second register.
    tile : where it lies, FOLLOWS clocks after its order was taken.

    What is known of a tile at once, its pixels and its taps are memories of their own, and are
    written when they come out of their pipelines. There are places enough that a tile in every
    clock goes in and out.
    """

    def __init__(self, engine: DepthwiseEngine) -> None:
        self.engine = engine
        self.pixels, self.reach = Pixels(engine), Reach(engine)
        self.depth = engine.queue_depth
        super().__init__(
            {
                "sent": In(1),
                "place": In(place_layout(engine)),
                "room": Out(1),
                "orders": Out(stream.Signature(order_layout(engine))),
                "tile": Out(tile_layout(engine)),
            }
        )

    @property
    def latency(self) -> int:
        """Clocks: to the place, the longer pipeline, the memory, and the register behind it."""
        return 1 + max(self.pixels.latency, self.reach.latency) + 2

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.pixel_stages, m.submodules.reach_stages = self.pixels, self.reach
        orders: Any = self.orders
        longest = max(self.pixels.latency, self.reach.latency)
        come = _delayed(m, "come", self.sent, 1 + longest)  # so many clocks after
        took = _delayed(m, "took", orders.valid & orders.ready, 2)
        freed = _delayed(m, "freed", took[1], 1)[1]
        # Counted so that the sign says whether there is room for the tile of this clock, beside
        # that of the clock before; and whether a tile is written and not read.
        free = Signal(range(-2, self.depth), init=self.depth - 2)
        written = Signal(range(-1, self.depth), init=-1)
        read = Signal()
        fetched = Signal()  # an order is at the outputs of the memories
        # Another one, in front of it, that was there before and has not been taken.
        kept, second = Signal(), Signal(order_layout(self.engine), reset_less=True)
        first = Signal(order_layout(self.engine))
        m.d.comb += [
            self.pixels.place.eq(self.place),
            self.reach.place.eq(self.place),
            self.room.eq(free >= 0),
            read.eq((written >= 0) & ~(fetched & kept)),
            orders.valid.eq(fetched | kept),
            orders.payload.eq(Mux(kept, second, first)),
        ]
        m.d.sync += [
            free.eq(free + _change(freed, come[1])),
            written.eq(written + _change(come[-1], read)),
            fetched.eq(read | (fetched & kept)),
            kept.eq((fetched | kept) & ~orders.ready),
        ]
        with m.If(~kept):
            m.d.sync += second.eq(first)
        place, reach, come_reach = self.place, self.reach.reach, come[1 + self.reach.latency]
        head = Signal(head_layout(self.engine))
        m.d.comb += [
            head.beats.eq(place.command.beats),
            head.begins.eq(place.begins),
            head.ends.eq(place.ends),
            head.last.eq(place.ends & place.command.last),
        ]
        m.d.comb += [
            first.head.eq(self._memory(m, "head", come[1], head, read)),
            first.counts.eq(self._memory(m, "counts", come_reach, reach.counts, read)),
        ]
        self._follow(m, come, took)
        return m

    def _follow(self, m: Module, come: list[Value], took: list[Value]) -> None:
        """What is known of a tile, behind the decisions."""
        place, tile = self.place, Signal(tile_layout(self.engine), reset_less=True)
        m.d.comb += self.tile.eq(tile)
        sizes = Signal(size_layout(self.engine))
        m.d.comb += [
            *(sizes[name].eq(place.command.work[name]) for name in ("h", "w", "dh", "dw")),
            sizes.taps.eq(place.command.taps),
            sizes.word.eq(place.word),
        ]
        size, where = (
            Signal(part.shape(), name=name, reset_less=True)
            for name, part in (("size", sizes), ("where", self.reach.reach.where))
        )
        come_pixels, come_reach = (come[1 + stages.latency] for stages in (self.pixels, self.reach))
        m.d.sync += [
            size.eq(self._memory(m, "sizes", come[1], sizes, took[1])),
            where.eq(self._memory(m, "wheres", come_reach, self.reach.reach.where, took[1])),
            tile.pixels.eq(self._memory(m, "pixels", come_pixels, self.pixels.pixels, took[2])),
            tile.top.eq(where.y),
            tile.bottom.eq(Mux(where.met, where.y + size.h, 0)),
            tile.left.eq(where.x),
            tile.right.eq(where.x + size.w),
            tile.address.eq(size.taps + where.entry),
            *(tile[name].eq(size[name]) for name in ("dh", "dw", "word")),
            tile.row_gap.eq(where.row_gap),
        ]

    def _memory(self, m: Module, name: str, write: Value, part: Any, read: Value) -> Value:
        """A memory of parts of tiles, written and read in order, and its output."""
        words = memory(part.shape(), self.depth)
        m.submodules[f"{name}_memory"] = words
        for port, step, what in (
            (words.write_port(), write, "written"),
            (words.read_port(), read, "read"),
        ):
            at = Signal(range(self.depth), name=f"{name}_{what}")
            m.d.comb += [port.en.eq(step), port.addr.eq(at)]
            m.d.sync += at.eq(at + step)
            if what == "written":
                m.d.comb += port.data.eq(part)
        return port.data.as_value()


def _delayed(m: Module, name: str, event: Value, clocks: int) -> list[Value]:
    """An event now, and every clock later up to so many."""
    events = [event]
    for n in range(1, clocks + 1):
        register = Signal(name=f"{name}_{n}")
        m.d.sync += register.eq(events[-1])
        events.append(register)
    return events


def _change(more: Value, less: Value) -> Value:
    """1, 0 or -1."""
    return Cat(more ^ less, less & ~more).as_signed()
