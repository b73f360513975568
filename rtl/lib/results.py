"""Result memory: what a core returns, between its result port and the host."""

from amaranth.hdl import Module, Mux, ShapeLike, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2


class ResultMemory(wiring.Component):
    """Words of results: written column by column, each when it comes, and read whole.

    It takes everything that is written: who writes has made sure that there is room, by counting
    what it has reserved and what has been handed over.

    shape : of what a column writes at once; `columns` of them are a word, and `depth` words, a
        power of two, are held.
    write, word : columns that write, and what; none is ahead of the first or behind the last.
    results : the words in order, none of it depends on its ready in the same clock. A word is on it
        LATENCY clocks after its last column was written, where none is in front of it.
    handed : a word has been handed to the reader in the clock before, and its place is free.
    """

    LATENCY = 3

    def __init__(self, shape: ShapeLike, columns: int, depth: int) -> None:
        self.shape, self.columns, self.depth = shape, columns, depth
        word = data.ArrayLayout(shape, columns)
        super().__init__(
            {
                "write": In(columns),
                "word": In(word),
                "results": Out(stream.Signature(word)),
                "handed": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pointer = unsigned(exact_log2(self.depth))
        read = Signal(pointer)
        complete = Signal(range(self.depth + 1))  # words in the banks, written whole
        some = Signal()  # there is one
        # A word is at the outputs of the banks, in the registers behind them, and in those that
        # take it from there if the reader does not.
        fetched, stored, kept = (Signal(name=name) for name in ("fetched", "stored", "kept"))
        # What is in front moves on, from registers: it is told a clock ahead, since what enables
        # the banks lies far from the reader.
        fetches, stores = (Signal(init=1, name=name) for name in ("fetches", "stores"))
        word = self.results.payload
        outputs = Signal.like(word, name="outputs")
        first = Signal.like(word, name="first", reset_less=True)
        second = Signal.like(word, name="second", reset_less=True)
        for j in range(self.columns):
            bank = Memory(shape=self.shape, depth=self.depth, init=[])
            m.submodules[f"result_{j}"] = bank
            write_port = bank.write_port()
            read_port = bank.read_port()
            at = Signal(pointer, name=f"write_{j}")
            m.d.comb += [
                write_port.en.eq(self.write[j]),
                write_port.addr.eq(at),
                write_port.data.eq(self.word[j]),
                read_port.en.eq(fetches),
                read_port.addr.eq(read),
                outputs[j].eq(read_port.data),
            ]
            with m.If(self.write[j]):
                m.d.sync += at.eq(at + 1)
        whole = self.write[self.columns - 1]
        fetch = some & fetches
        # In the next clock.
        will = {name: Signal(name=f"{name}_next") for name in ("fetched", "stored", "kept")}
        m.d.comb += [
            will["fetched"].eq(some | ~fetches),
            will["stored"].eq(fetched | ~stores),
            will["kept"].eq(self.results.valid & ~self.results.ready),
            self.results.valid.eq(stored | kept),
            word.eq(Mux(kept, second, first)),
        ]
        m.d.sync += [
            # Both sums beside each other: it comes late whether a word is fetched.
            complete.eq(Mux(fetch, complete - ~whole, complete + whole)),
            some.eq(whole | (some & ~(fetch & (complete == 1)))),
            read.eq(read + fetch),
            fetched.eq(will["fetched"]),
            stored.eq(will["stored"]),
            kept.eq(will["kept"]),
            stores.eq(~(will["stored"] & will["kept"])),
            fetches.eq(~(will["fetched"] & will["stored"] & will["kept"])),
            self.handed.eq(self.results.valid & self.results.ready),
        ]
        with m.If(stores):
            m.d.sync += first.eq(outputs)
        with m.If(~kept):
            m.d.sync += second.eq(first)
        return m
