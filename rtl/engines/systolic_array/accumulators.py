"""The result port of the systolic array, and the accumulator memory below its columns."""

from amaranth.hdl import Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from accelsim.hardware import SystolicArray
from rtl.engines.systolic_array.frame import token_layout


class Accumulators(wiring.Component):
    """Result port with one accumulator bank per column, for the partial sums of ws and is.

    token : of the frame whose results are on `sums[0]` in the next clock.
    results_remaining : of the current drain, still to leave.
    sums : bottom of column j, j clocks after column 0.
    write, word : column j's result of this clock, likewise skewed.
    finished : the last results of a pass are on column 0.
    tail : clocks from this one to the last result of what column 0 has delivered so far, the end
        of a pass that keeps its sums among it.
    quiet : there are none.
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
                "quiet": Out(1),
                "tail": Out(unsigned(array.columns.bit_length())),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        columns, token = self.array.columns, self.token
        address = unsigned(max(1, (self.array.accumulator_depth - 1).bit_length()))
        step = data.StructLayout({"valid": 1, "store": 1, "accumulate": 1, "address": address})

        # Column 0: what its result in the next clock (beats) or now (drains) is.
        beat = Signal(token.shape())
        drain_columns = Signal.like(token.columns)
        drain_end = Signal()
        m.d.sync += beat.eq(token)
        with m.If(token.drain != 0):
            m.d.sync += [drain_columns.eq(token.columns), drain_end.eq(token.end)]
        index = Signal(address)
        upcoming = Signal(address)
        m.d.comb += upcoming.eq(Mux(token.start, 0, index + 1))
        with m.If(token.beat):
            m.d.sync += index.eq(upcoming)
        draining = self.results_remaining != 0
        now = Signal(step)
        m.d.comb += [
            now.valid.eq(draining | (beat.beat & beat.emit)),
            now.store.eq(beat.beat & ~beat.emit),
            now.accumulate.eq(beat.beat & beat.accumulate),
            now.address.eq(index),
        ]
        # A pass that keeps its sums in the array has its end in place of a result.
        self._count_tail(
            m, draining | beat.beat | beat.end, Mux(draining, drain_columns, beat.columns)
        )
        last_of_drain = (self.results_remaining == 1) & drain_end
        m.d.comb += [
            self.finished.eq(Mux(draining, last_of_drain, beat.end)),
            self.quiet.eq(self.tail == 0),
        ]

        # The banks read one clock ahead of the results.
        ahead = upcoming
        for j in range(columns):
            self._bank(m, j, now, ahead)
            if j + 1 < columns:
                ahead = now.address
                later = Signal(step, name=f"step_{j + 1}")
                m.d.sync += later.eq(now)
                now = later
        return m

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

    def _bank(self, m: Module, j: int, now: data.View, ahead: Value) -> None:
        """The bank of column j: its step of this clock, and the address of the next one."""
        depth = self.array.accumulator_depth
        bank = Memory(shape=self.word[j].shape(), depth=depth, init=[])
        m.submodules[f"accumulator_{j}"] = bank
        write_port = bank.write_port()
        read_port = bank.read_port(transparent_for=(write_port,))
        total = self.sums[j] + Mux(now.accumulate, read_port.data, 0)
        m.d.comb += [
            read_port.addr.eq(ahead),
            self.word[j].eq(total),
            self.write[j].eq(now.valid),
            write_port.addr.eq(now.address),
            write_port.data.eq(self.word[j]),
            write_port.en.eq(now.store),
        ]
