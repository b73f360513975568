"""Tiles between their generator and the issue stage."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from accelsim.hardware import DepthwiseEngine
from rtl.engines.depthwise.layouts import head_layout, place_layout, tile_layout
from rtl.engines.depthwise.pixels import Pixels
from rtl.engines.depthwise.reach import Reach
from rtl.lib.memory import memory


class TileQueue(wiring.Component):
    """Tiles with their pixels and their taps, in order; as many as are under way at once.

    sent, place : a tile comes in, where there is `room`.
    tiles : out, at the earliest `latency` clocks later; the payload from registers. Its ready
        reaches no memory: what it does not take in the first clock is kept in a second register.

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
                "tiles": Out(stream.Signature(tile_layout(engine))),
            }
        )

    @property
    def latency(self) -> int:
        """Clocks: the longer pipeline, the memory, and the register behind it."""
        return max(self.pixels.latency, self.reach.latency) + 2

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.pixel_stages, m.submodules.reach_stages = self.pixels, self.reach
        tiles: Any = self.tiles
        under_way = [self.sent]  # so many clocks after they came
        while len(under_way) <= self.latency - 2:
            later = Signal(name=f"sent_{len(under_way)}")
            m.d.sync += later.eq(under_way[-1])
            under_way.append(later)
        # Counted from -1 on, so that the sign says whether there is one.
        free = Signal(range(-1, self.depth), init=self.depth - 1)
        written = Signal(range(-1, self.depth), init=-1)  # and not read
        read, freed = Signal(), Signal()
        fetched = Signal()  # a tile is at the outputs of the memories
        # Another one, in front of it, that was there before and has not been taken.
        kept, second = Signal(), Signal(tile_layout(self.engine), reset_less=True)
        m.d.comb += [
            self.pixels.place.eq(self.place),
            self.reach.place.eq(self.place),
            self.room.eq(free >= 0),
            read.eq((written >= 0) & ~(fetched & kept)),
            tiles.valid.eq(fetched | kept),
        ]
        m.d.sync += [
            freed.eq(read),
            free.eq(free - self.sent + freed),
            written.eq(written + under_way[-1] - read),
        ]
        m.d.sync += [
            fetched.eq(read | (fetched & kept)),
            kept.eq((fetched | kept) & ~tiles.ready),
        ]
        first = Signal(tile_layout(self.engine))
        m.d.comb += tiles.payload.eq(Mux(kept, second, first))
        with m.If(~kept):
            m.d.sync += second.eq(first)
        at = Signal(range(self.depth))
        m.d.sync += at.eq(at + read)
        for name, write, part in (
            ("head", self.sent, self._head(m)),
            ("pixels", under_way[self.pixels.latency], self.pixels.pixels),
            ("reach", under_way[self.reach.latency], self.reach.reach),
        ):
            out = self._memory(m, name, write, part, read, at)
            m.d.comb += first[name].as_value().eq(out)
        return m

    def _head(self, m: Module) -> Value:
        """What is known of a tile when it comes."""
        place, command = self.place, self.place.command
        head = Signal(head_layout(self.engine))
        m.d.comb += [
            *(head[name].eq(command.work[name]) for name in ("h", "w", "dh", "dw")),
            head.row.eq(command.work.fw - 1),
            head.beats.eq(command.beats),
            head.taps.eq(command.taps),
            *(head[name].eq(place[name]) for name in ("word", "begins", "ends")),
            head.last.eq(place.ends & command.last),
        ]
        return head

    def _memory(
        self, m: Module, name: str, write: Value, part: Any, read: Value, at: Value
    ) -> Value:
        """A memory of parts of tiles, and its output."""
        words = memory(part.shape(), self.depth)
        m.submodules[f"{name}_memory"] = words
        write_port, read_port = words.write_port(), words.read_port()
        place = Signal.like(at, name=f"{name}_at")
        m.d.comb += [
            write_port.en.eq(write),
            write_port.addr.eq(place),
            write_port.data.eq(part),
            read_port.en.eq(read),
            read_port.addr.eq(at),
        ]
        m.d.sync += place.eq(place + write)
        return read_port.data.as_value()
