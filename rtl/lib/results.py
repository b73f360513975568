"""Result memory: what a core returns, between its result port and the host."""

from amaranth.hdl import Module, ShapeLike, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out


class ResultMemory(wiring.Component):
    """Words of results: written column by column, each when it comes, and read whole.

    shape : of what a column writes at once; `columns` of them are a word.
    write, word : columns that write, and what; none is ahead of the first or behind the last.
    full : no word is free.  Depth exceeds the columns, so that a word under way never waits for
        itself.
    """

    def __init__(self, shape: ShapeLike, columns: int) -> None:
        self.shape, self.columns = shape, columns
        self.depth = 1 << (2 * columns + 1).bit_length()
        word = data.ArrayLayout(shape, columns)
        super().__init__(
            {
                "en": In(1),
                "write": In(columns),
                "word": In(word),
                "full": Out(1),
                "results": Out(stream.Signature(word)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pointer = unsigned((self.depth - 1).bit_length())
        read = Signal(pointer)
        used = Signal(range(self.depth + 1))
        complete = Signal(range(self.depth + 1))
        fetch = Signal()
        m.d.comb += [
            fetch.eq((complete != 0) & (~self.results.valid | self.results.ready)),
            self.full.eq(used == self.depth),
        ]
        for j in range(self.columns):
            bank = Memory(shape=self.shape, depth=self.depth, init=[])
            m.submodules[f"result_{j}"] = bank
            write_port = bank.write_port()
            read_port = bank.read_port()
            at = Signal(pointer, name=f"write_{j}")
            m.d.comb += [
                write_port.en.eq(self.en & self.write[j]),
                write_port.addr.eq(at),
                write_port.data.eq(self.word[j]),
                read_port.en.eq(fetch),
                read_port.addr.eq(read),
                self.results.payload[j].eq(read_port.data),
            ]
            with m.If(self.en & self.write[j]):
                m.d.sync += at.eq(at + 1)
        begun = self.en & self.write[0]
        ended = self.en & self.write[self.columns - 1]
        m.d.sync += [used.eq(used + begun - fetch), complete.eq(complete + ended - fetch)]
        with m.If(fetch):
            m.d.sync += [read.eq(read + 1), self.results.valid.eq(1)]
        with m.Elif(self.results.ready):
            m.d.sync += self.results.valid.eq(0)
        return m
