"""The result port of the systolic array, and the accumulator memory below its columns."""

from itertools import pairwise

from amaranth.hdl import Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from accelsim.hardware import SystolicArray
from rtl.engines.systolic_array.frame import token_layout

# Clocks from the reading of a bank to the writing of the sum that uses it. A sum that is read
# again sooner is taken from one of the registers that hold the last ones.
LOOP = 3


class Accumulators(wiring.Component):
    """Result port with one accumulator bank per column, for the partial sums of ws and is.

    A bank is read two clocks ahead of the sum that it is added to, its word kept in a register
    meanwhile, and written a clock behind it.

    token : of the frame whose results are on `sums[0]` three clocks later.
    results_remaining : of the drain that is on `sums[0]` two clocks later, still to leave.
    sums : bottom of column j, j clocks after column 0.
    write, word : column j's result, a clock after its sum, from registers.
    finished : the last results of a pass are on column 0 two clocks later.  last : of a sequence.
    tail : clocks from the one two clocks later to the last result of what column 0 has delivered
        by then, the end of a pass that keeps its sums among it.
    """

    AHEAD = 2  # clocks that finished, last and tail are ahead of the results

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
                "accumulate": 1,
                "address": address,
                "again": LOOP,  # the sum to add is still in that register
            }
        )

        # Column 0: what its result two clocks later is.
        beat = Signal(token.shape())
        drain = Signal(data.StructLayout({"columns": token.columns.shape(), "end": 1, "last": 1}))
        m.d.sync += beat.eq(token)
        with m.If(token.drain != 0):
            m.d.sync += [drain[name].eq(token[name]) for name in ("columns", "end", "last")]
        index = Signal(address)
        with m.If(token.beat):
            m.d.sync += index.eq(Mux(token.start, 0, index + 1))
        draining = Signal()
        now = Signal(step)
        m.d.comb += [
            draining.eq(self.results_remaining != 0),
            now.valid.eq(draining | (beat.beat & beat.emit)),
            now.store.eq(beat.beat & ~beat.emit),
            now.accumulate.eq(beat.beat & beat.accumulate),
            now.address.eq(index),
        ]
        # A pass that keeps its sums in the array has its end in place of a result.
        delivers = draining | beat.beat | beat.end
        self._count_tail(m, delivers, Mux(draining, drain.columns, beat.columns))
        ends_drain = (self.results_remaining == 1) & drain.end
        m.d.comb += [
            self.finished.eq(Mux(draining, ends_drain, beat.end)),
            self.last.eq(self.finished & Mux(draining, drain.last, beat.last)),
        ]

        steps = [now]
        for clock in range(columns + LOOP - 1):
            later = Signal(step, name=f"step_{clock + 1}")
            m.d.sync += later.eq(steps[-1])
            steps.append(later)
        self._find_again(m, steps)
        for j in range(columns):
            self._bank(m, j, steps[j : j + LOOP + 1])
        return m

    def _find_again(self, m: Module, steps: list[data.View]) -> None:
        """Whether the sum to be added is one of the last few; the latest one counts."""
        now, found = steps[0], Value.cast(0)
        for age, before in enumerate(steps[1 : LOOP + 1]):
            same = now.accumulate & before.store & (before.address == now.address)
            m.d.comb += now.again[age].eq(same & ~found)
            found |= same

    def _count_tail(self, m: Module, delivers: Value, width: Value) -> None:
        """With `delivers`, column 0 has the first value of a result of so many columns."""
        before = Signal.like(self.tail)
        rest = Signal.like(self.tail)
        late = delivers & (width - 1 > rest)
        m.d.comb += [
            rest.eq(Mux(before != 0, before - 1, 0)),
            self.tail.eq(Mux(late, width - 1, rest)),
        ]
        m.d.sync += before.eq(self.tail)

    def _bank(self, m: Module, j: int, steps: list[data.View]) -> None:
        """Column j: its bank, and its sum with what is added.

        steps : what is read, what comes next, what is added, what is written.
        """
        reading, _, adding, writing = steps
        total_shape = self.word[j].shape()
        bank = Memory(shape=total_shape, depth=self.array.accumulator_depth, init=[])
        m.submodules[f"accumulator_{j}"] = bank
        write_port = bank.write_port()
        read_port = bank.read_port()
        read = Signal(total_shape, name=f"read_{j}", reset_less=True)
        totals = [
            Signal(total_shape, name=f"total_{j}_{age}", reset_less=True) for age in range(LOOP)
        ]
        before = Mux(adding.accumulate, read, 0)
        for age, total in enumerate(totals):
            before = Mux(adding.again[age], total, before)
        m.d.sync += [
            read.eq(read_port.data),
            totals[0].eq(self.sums[j] + before),
            *(older.eq(total) for total, older in pairwise(totals)),
        ]
        m.d.comb += [
            read_port.addr.eq(reading.address),
            self.word[j].eq(totals[0]),
            self.write[j].eq(writing.valid),
            write_port.addr.eq(writing.address),
            write_port.data.eq(totals[0]),
            write_port.en.eq(writing.store),
        ]
