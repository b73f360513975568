"""Operand banks: one memory per array row or column, each read one clock after its neighbour."""

from amaranth.hdl import Module, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from rtl.lib.layout import address_bits


class OperandBanks(wiring.Component):
    """`count` banks of `depth` words; bank i reads address x i clocks after bank 0.

    fill : stream of {address, data}, one word of every bank per clock, always ready. A word can be
        read two clocks later.
    read, address : what bank 0 reads at this clock; its word is on `word[0]` two clocks later, in
        a register, the same address's word of bank i on `word[i]` i clocks after that. There it
        stays until the next one.
    """

    def __init__(self, count: int, depth: int, bits: int) -> None:
        self.count, self.depth, self.bits = count, depth, bits
        self.address_bits = address_bits(depth)
        word = data.ArrayLayout(signed(bits), count)
        fill = data.StructLayout({"address": unsigned(self.address_bits), "data": word})
        super().__init__(
            {
                "fill": In(stream.Signature(fill, always_ready=True)),
                "read": In(1),
                "address": In(self.address_bits),
                "word": Out(word),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        read, address = self.read, self.address
        filling, fill = Signal(), Signal.like(self.fill.payload, name="filled", reset_less=True)
        words = Signal.like(self.word, name="words", reset_less=True)
        m.d.sync += [filling.eq(self.fill.valid), fill.eq(self.fill.payload)]
        m.d.comb += self.word.eq(words)
        for i in range(self.count):
            bank = Memory(shape=signed(self.bits), depth=self.depth, init=[])
            m.submodules[f"bank_{i}"] = bank
            write_port = bank.write_port()
            read_port = bank.read_port()
            m.d.comb += [
                write_port.en.eq(filling),
                write_port.addr.eq(fill.address),
                write_port.data.eq(fill.data[i]),
                read_port.en.eq(read),
                read_port.addr.eq(address),
            ]
            m.d.sync += words[i].eq(read_port.data)
            if i + 1 < self.count:
                later = Signal(name=f"read_{i + 1}")
                later_address = Signal(self.address_bits, name=f"address_{i + 1}")
                m.d.sync += [later.eq(read), later_address.eq(address)]
                read, address = later, later_address
        return m
