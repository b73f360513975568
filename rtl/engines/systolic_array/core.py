"""A core: the systolic array, the memories that feed its ports, sequencer and result memory.

A host fills the operand banks, sends commands, and reads result words, at any pace. A sequence is
the commands up to the one with `last` set. Inside, one clock-enable freezes everything where a
command is needed that is not there, or where the result memory is full; so waiting adds stall
clocks and changes neither values nor busy clocks.
"""

from amaranth.hdl import EnableInserter, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from accelsim.hardware import SystolicArray
from accelsim.passes import ArrayCommand
from rtl.engines.systolic_array.parts import Grid, Sequencer, token_layout
from rtl.lib.banks import OperandBanks
from rtl.lib.layout import layout
from rtl.lib.results import ResultMemory

COUNTER_BITS = 48


class Accumulators(wiring.Component):
    """Result port with one accumulator bank per column, for the partial sums of ws and is.

    token : of the frame whose results are on `sums[0]` in the next clock.
    rem : results still to leave of the current drain.
    sums : bottom of column j, j clocks after column 0.
    write, word : column j's result of this clock, likewise skewed.
    finished : the last results of a pass are on column 0.  quiet : no result comes after this
        clock from what column 0 has delivered so far.
    """

    def __init__(self, array: SystolicArray) -> None:
        self.array = array
        word = data.ArrayLayout(signed(array.operands.accumulator_bits), array.columns)
        super().__init__(
            {
                "token": In(token_layout(array)),
                "rem": In(unsigned(array.rows.bit_length())),
                "sums": In(word),
                "write": Out(array.columns),
                "word": Out(word),
                "finished": Out(1),
                "quiet": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        columns, depth = self.array.columns, self.array.accumulator_depth
        address = unsigned(max(1, (depth - 1).bit_length()))
        step = data.StructLayout({"valid": 1, "store": 1, "accumulate": 1, "address": address})
        token = self.token

        # Column 0: what its result in the next clock (beats) or now (drains) is.
        beat, drain_columns, drain_end = Signal(token.shape()), Signal.like(token.columns), Signal()
        m.d.sync += beat.eq(token)
        with m.If(token.drain != 0):
            m.d.sync += [drain_columns.eq(token.columns), drain_end.eq(token.end)]
        index, upcoming = Signal(address), Signal(address)
        m.d.comb += upcoming.eq(Mux(token.start, 0, index + 1))
        with m.If(token.beat):
            m.d.sync += index.eq(upcoming)
        draining = self.rem != 0
        now = Signal(step)
        m.d.comb += [
            now.valid.eq(draining | (beat.beat & beat.emit)),
            now.store.eq(beat.beat & ~beat.emit),
            now.accumulate.eq(beat.beat & beat.accumulate),
            now.address.eq(index),
        ]

        # The result of the last used column comes `tail` clocks later.
        width = Mux(draining, drain_columns, beat.columns)
        tail, less, rest = (Signal.like(token.columns) for _ in range(3))
        late = (draining | beat.beat) & (width - 1 > less)
        m.d.comb += [less.eq(Mux(tail != 0, tail - 1, 0)), rest.eq(Mux(late, width - 1, less))]
        m.d.sync += tail.eq(rest)
        m.d.comb += [
            self.finished.eq(Mux(draining, (self.rem == 1) & drain_end, beat.beat & beat.end)),
            self.quiet.eq(rest == 0),
        ]

        ahead = upcoming
        for j in range(columns):
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
            if j + 1 < columns:
                ahead = now.address
                later = Signal(step, name=f"step_{j + 1}")
                m.d.sync += later.eq(now)
                now = later
        return m


class Core(wiring.Component):
    """One systolic array with its memories behind stream ports.

    commands : ArrayCommands; the last of a sequence has `last` set.
    left_fill, top_fill : words for the row banks and the column banks, {address, data}.
    results : result words in order, one value per column.
    busy_cycles : clocks, stalls left out, from the first operand at an array port to the last
        result at the result port, of the sequence under way or of the last one.
    stall_cycles : clocks frozen meanwhile.
    passes_read : passes whose operands have been read from every bank; from then on their words
        may be overwritten.  idle : no sequence is under way.
    """

    def __init__(self, array: SystolicArray, shared: bool = False) -> None:
        self.array = array
        self.grid = Grid(array, shared=shared)
        bits = array.operands.bits
        self.left_banks = OperandBanks(array.rows, array.bank_depth, bits)
        self.top_banks = OperandBanks(array.columns, array.bank_depth, bits)
        self.memory = ResultMemory(signed(array.operands.accumulator_bits), array.columns)
        super().__init__(
            {
                "commands": In(stream.Signature(layout(ArrayCommand))),
                "left_fill": In(self.left_banks.fill.signature.flip()),
                "top_fill": In(self.top_banks.fill.signature.flip()),
                "results": Out(self.memory.results.signature),
                "busy_cycles": Out(COUNTER_BITS),
                "stall_cycles": Out(COUNTER_BITS),
                "passes_read": Out(32),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        array = self.array
        go = Signal()  # the clock-enable of the engine
        sequencer = Sequencer(array, self.left_banks.address_bits)
        accumulators = Accumulators(array)
        grid, left, top, memory = self.grid, self.left_banks, self.top_banks, self.memory
        m.submodules.sequencer = EnableInserter(go)(sequencer)
        m.submodules.accumulators = EnableInserter(go)(accumulators)
        m.submodules.grid = grid
        m.submodules.left_banks = left
        m.submodules.top_banks = top
        m.submodules.memory = memory

        wiring.connect(m, wiring.flipped(self.left_fill), left.fill)
        wiring.connect(m, wiring.flipped(self.top_fill), top.fill)
        wiring.connect(m, memory.results, wiring.flipped(self.results))
        m.d.comb += [
            grid.en.eq(go),
            left.en.eq(go),
            top.en.eq(go),
            memory.en.eq(go),
            left.read.eq(sequencer.left_read),
            left.address.eq(sequencer.left_address),
            top.read.eq(sequencer.top_read),
            top.address.eq(sequencer.top_address),
            grid.left.eq(left.word),
            grid.top.eq(top.word),
            grid.frame.eq(sequencer.frame),
            grid.load.eq(sequencer.load),
            accumulators.token.eq(grid.token),
            accumulators.rem.eq(grid.rem),
            accumulators.sums.eq(grid.result),
            memory.write.eq(accumulators.write),
            memory.word.eq(accumulators.word),
        ]

        # A sequence: from its first command to the result of the last.
        active, last = Signal(), Signal()  # operands or results are under way; last command seen
        flight, ahead = Signal(16), Signal(16)  # passes that still owe results
        done = Signal()
        m.d.comb += [
            ahead.eq(flight - accumulators.finished),
            sequencer.quiet.eq((ahead == 0) & accumulators.quiet),
            done.eq(active & last & (ahead == 0) & accumulators.quiet),
            sequencer.commands.payload.eq(self.commands.payload),
            sequencer.commands.valid.eq(self.commands.valid & ~last),
            self.commands.ready.eq(sequencer.commands.ready & go),
            go.eq(
                ~(memory.full & memory.write[0])
                & ~(active & ~last & sequencer.needs & ~self.commands.valid)
            ),
            self.idle.eq(~active & ~last),
        ]
        with m.If(go):
            m.d.sync += flight.eq(ahead + sequencer.starting)
            with m.If(sequencer.starting):
                m.d.sync += [active.eq(1), last.eq(self.commands.payload.last)]
                with m.If(~active):
                    m.d.sync += [self.busy_cycles.eq(0), self.stall_cycles.eq(0)]
            with m.If(active):
                m.d.sync += self.busy_cycles.eq(self.busy_cycles + 1)
            with m.If(done):
                m.d.sync += [active.eq(0), last.eq(0)]
        with m.Elif(active):
            m.d.sync += self.stall_cycles.eq(self.stall_cycles + 1)

        # The last row or column reads max(R, C) clocks after the sequencer asks.
        reads = Signal(max(array.rows, array.columns))
        with m.If(go):
            m.d.sync += reads.eq((reads << 1) | sequencer.read_done)
            m.d.sync += self.passes_read.eq(self.passes_read + reads[-1])
        return m
