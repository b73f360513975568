"""A core: the systolic array, the memories that feed its ports, sequencer and result memory.

A host fills the operand banks, sends commands, and reads result words, at any pace. A sequence is
the commands up to the one with `last` set. Inside, one clock-enable freezes everything where a
command is needed that is not there, or where the result memory is full; so waiting adds stall
clocks and changes neither values nor busy clocks.
"""

from amaranth.hdl import EnableInserter, Module, Mux, Signal, Value, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from accelsim.hardware import SystolicArray
from accelsim.passes import ArrayCommand
from rtl.engines.systolic_array.accumulators import Accumulators
from rtl.engines.systolic_array.grid import Grid
from rtl.engines.systolic_array.retirement import Retirement
from rtl.engines.systolic_array.sequencer import Sequencer
from rtl.lib.banks import OperandBanks
from rtl.lib.counters import COUNTER_BITS, TOTAL_BITS
from rtl.lib.results import ResultMemory
from rtl.lib.waits import COUNT_BITS, Gate, command_layout, progress_ports


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

    def __init__(self, array: SystolicArray, shared: bool = False, units: int = 0) -> None:
        """With `shared` the elements are one module; with `units` passes wait for them."""
        self.array, self.units = array, units
        self.grid = Grid(array, shared=shared)
        bits = array.operands.bits
        self.left_banks = OperandBanks(array.rows, array.bank_depth, bits)
        self.top_banks = OperandBanks(array.columns, array.bank_depth, bits)
        total = signed(array.operands.accumulator_bits)
        self.memory = ResultMemory(total, array.columns, array.result_depth)
        self.sequencer = Sequencer(array, self.left_banks.address_bits)
        self.accumulators = Accumulators(array)
        super().__init__(
            {
                "commands": In(stream.Signature(command_layout(ArrayCommand, units))),
                "left_fill": In(self.left_banks.fill.signature.flip()),
                "top_fill": In(self.top_banks.fill.signature.flip()),
                "results": Out(self.memory.results.signature),
                "busy_cycles": Out(COUNTER_BITS),
                "stall_cycles": Out(COUNTER_BITS),
                "passes_read": Out(TOTAL_BITS),
                "idle": Out(1),
            }
            | progress_ports(units)
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        go = Signal()  # the clock-enable of the engine
        self._connect(m, go)
        self._run_sequence(m, go)
        self._count_read(m, go)
        if self.units:
            self._count_passes(m, go)
        return m

    def _connect(self, m: Module, go: Signal) -> None:
        """The engine between its memories."""
        grid, left, top, memory = self.grid, self.left_banks, self.top_banks, self.memory
        sequencer, accumulators = self.sequencer, self.accumulators
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
            left.read.eq(sequencer.left_read),
            left.address.eq(sequencer.left_address),
            top.read.eq(sequencer.top_read),
            top.address.eq(sequencer.top_address),
            grid.left.eq(left.word),
            grid.top.eq(top.word),
            grid.frame.eq(sequencer.frame),
            grid.load.eq(sequencer.load),
            accumulators.token.eq(grid.token),
            accumulators.results_remaining.eq(grid.results_remaining),
            accumulators.sums.eq(grid.result),
            memory.write.eq(Mux(go, accumulators.write, 0)),
            memory.word.eq(accumulators.word),
        ]

    def _run_sequence(self, m: Module, go: Signal) -> None:
        """A sequence: from its first command to the result of the last."""
        sequencer, accumulators, memory = self.sequencer, self.accumulators, self.memory
        active = Signal()  # operands or results are under way
        last = Signal()  # last command seen
        passes_in_flight = Signal(COUNT_BITS)  # started, and with results still to come
        still_in_flight = Signal.like(passes_in_flight)
        done = Signal()
        held = Signal(range(memory.depth + 1))  # words in the result memory, begun ones included
        m.d.sync += held.eq(held + memory.write[0] - memory.handed)
        valid = self.commands.valid & ~last
        if self.units:
            valid = valid & self._gate_open(m)
        m.d.comb += [
            still_in_flight.eq(passes_in_flight - accumulators.finished),
            sequencer.quiet.eq((still_in_flight == 0) & accumulators.quiet),
            done.eq(active & last & (still_in_flight == 0) & accumulators.quiet),
            # Without its Wait, which is the highest bits.
            Value.cast(sequencer.commands.payload).eq(self.commands.payload),
            sequencer.commands.valid.eq(valid),
            self.commands.ready.eq(sequencer.commands.ready & go),
            go.eq(
                ~((held == memory.depth) & accumulators.write[0])
                & ~(active & ~last & sequencer.needs & ~self.commands.valid)
            ),
            self.idle.eq(~active & ~last),
        ]
        with m.If(go):
            m.d.sync += passes_in_flight.eq(still_in_flight + sequencer.starting)
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

    def _gate_open(self, m: Module) -> Value:
        """What the command at the head of the queue waits for has happened."""
        m.submodules.gate = gate = Gate(self.units)
        m.d.comb += [gate.wait.eq(self.commands.payload.wait), gate.progress.eq(self.progress)]
        return gate.open

    def _count_read(self, m: Module, go: Signal) -> None:
        """The last row or column reads max(R, C) clocks after the sequencer asks."""
        reads = Signal(max(self.array.rows, self.array.columns))
        with m.If(go):
            m.d.sync += reads.eq((reads << 1) | self.sequencer.read_done)
            m.d.sync += self.passes_read.eq(self.passes_read + reads[-1])

    def _count_passes(self, m: Module, go: Signal) -> None:
        """Passes that have started, their first operand at a port, and those that have retired.

        The first operand is there a clock after the sequencer starts its pass.
        """
        m.submodules.retirement = retirement = EnableInserter(go)(Retirement(self.array.columns))
        begins = Signal()
        m.d.comb += [
            retirement.finished.eq(self.accumulators.finished),
            retirement.tail.eq(self.accumulators.tail),
        ]
        with m.If(go):
            m.d.sync += [
                begins.eq(self.sequencer.starting),
                self.started.eq(self.started + begins),
                self.retired.eq(self.retired + retirement.passes),
            ]
