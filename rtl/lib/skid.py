"""A registered buffer of two words, which cuts a stream in time."""

from typing import Any

from amaranth.hdl import Module, Mux, ShapeLike, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out


class Skid(wiring.Component):
    """A stream one clock later, as fast as before.

    shape : of the payload.
    i, o : the stream in and out. Valid and payload of `o` and ready of `i` are registers, so that
        no signal of one side reaches the other in the same clock. Ready of `i` falls a clock after
        that of `o`; the word that comes meanwhile is the second that is kept.
    """

    def __init__(self, shape: ShapeLike) -> None:
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})
        self._second = Signal(shape, name="second", reset_less=True)
        self._ready = Signal(init=1, name="ready")
        self.moves = Signal()
        self.coming = Signal(shape)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        i: Any = self.i
        o: Any = self.o
        payload = Signal.like(o.payload, name="first", reset_less=True)
        m.d.comb += [
            i.ready.eq(self._ready),
            o.payload.eq(payload),
            self.moves.eq(~o.valid | o.ready),
            self.coming.eq(Mux(self._ready, i.payload, self._second)),
        ]
        with m.If(self.moves):
            m.d.sync += [
                payload.eq(self.coming),
                o.valid.eq(i.valid | ~self._ready),
                self._ready.eq(1),
            ]
        with m.Elif(i.valid & self._ready):
            m.d.sync += self._ready.eq(0)
        with m.If(self._ready):
            m.d.sync += self._second.eq(i.payload)
        return m
