"""The result port of the systolic array, and the accumulator memory below its columns."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from accelsim.hardware import SystolicArray
from rtl.engines.systolic_array.frame import token_layout

# Clocks from the reading of a bank to the writing of the sum that uses it. A sum that is read
# again sooner is taken from one of the registers that hold the last ones.
LOOP = 4


class Accumulators(wiring.Component):
    """Result port with one accumulator bank per column, for the partial sums of ws and is.

    A bank is read three clocks ahead of the sum that its word is added to: the second brings it
    from the bank, the third chooses between it and the last sums. It is written a clock behind the
    sum.

    token : of the frame whose results are on `sums[0]` four clocks later.
    results_remaining : of the drain that is on `sums[0]` four clocks later, still to leave.
    sums : bottom of column j, j clocks after column 0.
    write, word : column j's result, a clock after its sum, from registers.
    finished : the last results of a pass are on column 0.  last : of a sequence.
    tail : clocks from this one to the last result of what column 0 has delivered, the end of a pass
        that keeps its sums among it.
    """

    def __init__(self, array: SystolicArray) -> None:
        self.array = array
        word = data.ArrayLayout(signed(array.operands.accumulator_bits), array.columns)
        super().__init__(
            {
                "token": In(token_layout(array)),
                "results_remaining": In(unsigned(array.rows.bit_length())),
                "sums": In(word),
                "write": Out(array.columns),
                "word": Out(word),
                "finished": Out(1),
                "last": Out(1),
                "tail": Out(unsigned(array.columns.bit_length())),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        columns, token = self.array.columns, self.token
        address = unsigned(max(1, (self.array.accumulator_depth - 1).bit_length()))
        step = data.StructLayout(
            {
                "valid": 1,
                "store": 1,
                "fetches": 1,  # the sum to add is in the bank
                "address": address,
                "again": LOOP,  # ... or still in that register
            }
        )

        # Column 0: what its result three clocks later is.
        beat = Signal(token.shape())
        drain = Signal(data.StructLayout({"columns": token.columns.shape(), "end": 1, "last": 1}))
        m.d.sync += beat.eq(token)
        with m.If(token.drain != 0):
            m.d.sync += [drain[name].eq(token[name]) for name in ("columns", "end", "last")]
        index = Signal(address)
        with m.If(token.beat):
            m.d.sync += index.eq(Mux(token.start, 0, index + 1))
        draining, drains_last = Signal(), Signal()
        m.d.sync += [
            draining.eq(self.results_remaining != 0),
            drains_last.eq(self.results_remaining == 1),
        ]
        adds = Signal()
        now = Signal(step)
        m.d.comb += [
            now.valid.eq(draining | (beat.beat & beat.emit)),
            now.store.eq(beat.beat & ~beat.emit),
            adds.eq(beat.beat & beat.accumulate),
            now.address.eq(index),
        ]
        # A pass that keeps its sums in the array has its end in place of a result.
        delivers, width = Signal(), Signal(token.columns.shape())
        finishes, is_last = Signal(2), Signal(2)  # two clocks and one before its last results
        m.d.sync += [
            delivers.eq(draining | beat.beat | beat.end),
            width.eq(Mux(draining, drain.columns, beat.columns)),
            finishes.eq(Cat(finishes[1], Mux(draining, drains_last & drain.end, beat.end))),
            is_last.eq(Cat(is_last[1], Mux(draining, drain.last, beat.last))),
            self.finished.eq(finishes[0]),
            self.last.eq(finishes[0] & is_last[0]),
        ]
        self._count_tail(m, delivers, width)

        steps = [now]
        for clock in range(columns + LOOP - 1):
            later = Signal(step, name=f"step_{clock + 1}")
            m.d.sync += later.eq(steps[-1])
            steps.append(later)
        self._find_again(m, adds, steps)
        for j in range(columns):
            self._bank(m, j, steps[j : j + LOOP + 1])
        return m

    def _find_again(self, m: Module, adds: Value, steps: list[data.View]) -> None:
        """Whether the sum to be added is one of the last few, of which the latest one counts."""
        now, found = steps[0], Value.cast(0)
        for age, before in enumerate(steps[1 : LOOP + 1]):
            same = adds & before.store & (before.address == now.address)
            m.d.comb += now.again[age].eq(same)
            found |= same
        m.d.comb += now.fetches.eq(adds & ~found)

    def _count_tail(self, m: Module, delivers: Value, width: Value) -> None:
        """With `delivers`, column 0 has the first value of a result of so many columns later."""
        rest = Signal.like(self.tail)
        delivered = Signal()
        before_last = Signal.like(self.tail)
        late = delivered & (before_last > rest)
        m.d.sync += [delivered.eq(delivers), before_last.eq(width - 1)]
        m.d.comb += rest.eq(Mux(self.tail != 0, self.tail - 1, 0))
        m.d.sync += self.tail.eq(Mux(late, before_last, rest))

    def _bank(self, m: Module, j: int, steps: list[data.View]) -> None:
        """Column j: its bank, and its sum with what is added.

        steps : what is read, what comes next and behind it, what is added, what is written.
        """
        reading, fetching, choosing, adding, writing = steps
        total_shape = self.word[j].shape()
        bank = Memory(shape=total_shape, depth=self.array.accumulator_depth, init=[])
        m.submodules[f"accumulator_{j}"] = bank
        write_port = bank.write_port()
        read_port = bank.read_port()

        def register(name: str) -> Signal:
            return Signal(total_shape, name=f"{name}_{j}", reset_less=True)

        read, older, chosen = register("read"), register("older"), register("chosen")
        # The last sum, and the one before it.
        total, former = register("total"), register("former")
        m.d.sync += [
            read.eq(read_port.data),
            older.eq(Mux(fetching.again[2], total, Mux(fetching.again[3], former, 0))),
            chosen.eq(Mux(choosing.again[1], total, Mux(choosing.fetches, read, older))),
            # Three inputs to a bit, which fit into its LUT.
            total.eq(self.sums[j] + Mux(adding.again[0], total, chosen)),
            former.eq(total),
        ]
        m.d.comb += [
            read_port.addr.eq(reading.address),
            self.word[j].eq(total),
            self.write[j].eq(writing.valid),
            write_port.addr.eq(writing.address),
            write_port.data.eq(total),
            write_port.en.eq(writing.store),
        ]
