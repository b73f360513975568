"""A core: the systolic array, the memories that feed its ports, sequencer and result memory.

A host fills the operand banks, sends commands, and reads result words, at any pace and in any
order. A sequence is the commands up to the one with `last` set. Nothing in here ever waits once it
is under way: a pass starts when its ports are free, its command is there, and so is room for all of
its results. What is late moves the start of a pass, and nothing else.
"""

from amaranth.hdl import Const, Module, Mux, Signal, Value, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from accelsim.hardware import SystolicArray
from accelsim.passes import ArrayCommand
from rtl.engines.systolic_array.accumulators import Accumulators
from rtl.engines.systolic_array.commands import Commands
from rtl.engines.systolic_array.grid import Grid
from rtl.engines.systolic_array.retirement import Retirement
from rtl.engines.systolic_array.sequencer import Sequencer
from rtl.lib.banks import OperandBanks
from rtl.lib.counters import COUNTER_BITS, TOTAL_BITS
from rtl.lib.delay import delayed
from rtl.lib.results import ResultMemory
from rtl.lib.waits import Gate, command_layout, progress_ports

# Clocks from the one in which a command is taken, or a unit has made progress, to the first operand
# of the pass that waited for it; and from the one in which a result word has been handed over.
LEAD = Commands.LATENCY + Sequencer.LATENCY
ROOM_LEAD = Commands.ROOM_LATENCY + Sequencer.LATENCY
# Clocks from the last result of a sequence to the first operand of the next, whose first pass may
# start in the clock after the one in which the end is known.
PAUSE = Sequencer.LATENCY + 1
# Clocks from a result at the port to its word before the host: the sum with what it is added to,
# then the result memory.
TO_READER = 1 + ResultMemory.LATENCY


class Core(wiring.Component):
    """One systolic array with its memories behind stream ports.

    commands : ArrayCommands; the last of a sequence has `last` set. Those of the next sequence
        may follow at once; they start when this one is over.
    left_fill, top_fill : words for the row banks and the column banks, {address, data}.
    results : result words in order, one value per column.
    busy_cycles : clocks from the first operand at an array port to the last result at the result
        port, of the sequence under way or of the last one, waiting included.
    stall_cycles : clocks among them in which the next command of the sequence was missing and the
        array could have begun to load a stationary tile, or in which room for the results of the
        next pass was missing and it could have started otherwise.
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
        self.queue = Commands(array, units)
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
        self._connect(m)
        self._run_sequence(m)
        self._count_read(m)
        if self.units:
            self._count_passes(m)
        return m

    def _connect(self, m: Module) -> None:
        """The engine between its memories."""
        grid, left, top, memory = self.grid, self.left_banks, self.top_banks, self.memory
        sequencer, accumulators = self.sequencer, self.accumulators
        m.submodules.queue = self.queue
        m.submodules.sequencer = sequencer
        m.submodules.accumulators = accumulators
        m.submodules.grid = grid
        m.submodules.left_banks = left
        m.submodules.top_banks = top
        m.submodules.memory = memory

        wiring.connect(m, wiring.flipped(self.commands), self.queue.i)
        wiring.connect(m, wiring.flipped(self.left_fill), left.fill)
        wiring.connect(m, wiring.flipped(self.top_fill), top.fill)
        wiring.connect(m, memory.results, wiring.flipped(self.results))
        m.d.comb += [
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
            memory.write.eq(accumulators.write),
            memory.word.eq(accumulators.word),
        ]

    def _run_sequence(self, m: Module) -> None:
        """A sequence: from its first command to the result of the last."""
        sequencer, accumulators, memory = self.sequencer, self.accumulators, self.memory
        queue, head = self.queue, self.queue.o
        under_way = Signal()  # a pass of a sequence has started
        all_started = Signal()  # and so has the last one
        finishing = Signal()  # the last one has finished in column 0
        done = Signal()
        gates = self._gates(m) if self.units else {"coming": Const(1), "staying": Const(1)}
        m.d.comb += [
            # A command that moves on has started, or there was none.
            queue.coming_opens.eq(
                gates["coming"] & ~Mux(all_started, ~done, head.valid & head.payload.last)
            ),
            queue.staying_opens.eq(gates["staying"] & ~(all_started & ~done)),
            # Without its Wait, which is the highest bits.
            Value.cast(sequencer.commands.payload).eq(head.payload),
            Value.cast(sequencer.waiting).eq(Mux(head.valid, head.payload, queue.coming)),
            sequencer.command.eq(queue.command),
            sequencer.commands.valid.eq(queue.may_start),
            head.ready.eq(sequencer.commands.ready & ~queue.holds),
            queue.handed.eq(memory.handed),
            done.eq((accumulators.last | finishing) & (accumulators.tail == 0)),
            self.idle.eq(~under_way),
        ]
        with m.If(accumulators.last):
            m.d.sync += finishing.eq(1)
        with m.If(sequencer.starting):
            m.d.sync += [under_way.eq(1), all_started.eq(head.payload.last)]
        with m.If(done):
            m.d.sync += [under_way.eq(0), all_started.eq(0), finishing.eq(0)]
        might = Mux(head.valid, ~queue.has_room & sequencer.commands.ready, sequencer.may_load)
        self._count_clocks(m, under_way, done, under_way & ~all_started & might)

    def _count_clocks(self, m: Module, under_way: Value, done: Value, stalls: Value) -> None:
        """Busy clocks are counted from the first operand to the last result."""
        starting = self.sequencer.starting
        active = Signal()
        begins = delayed(m, "begins", starting, Sequencer.LATENCY - 1)
        with m.If(begins):
            m.d.sync += active.eq(1)
        with m.If(done):
            m.d.sync += active.eq(0)
        # A clock later, as the decision to start a pass takes all of its own.
        first, stalled = Signal(), Signal()
        m.d.sync += [first.eq(starting & ~under_way), stalled.eq(stalls)]
        with m.If(first):
            m.d.sync += [self.busy_cycles.eq(0), self.stall_cycles.eq(0)]
        with m.Else():
            m.d.sync += [
                self.busy_cycles.eq(self.busy_cycles + active),
                self.stall_cycles.eq(self.stall_cycles + stalled),
            ]

    def _gates(self, m: Module) -> dict[str, Value]:
        """Whether what the coming command, or the one that stays, waits for has happened.

        The progress of others takes as long as a command does.
        """
        queue = self.queue
        progress = delayed(m, "progress", self.progress, Commands.LATENCY - 1)
        gates = {"staying": queue.o.payload.wait, "coming": queue.coming.wait}
        opens: dict[str, Value] = {}
        for name, wait in gates.items():
            m.submodules[f"gate_{name}"] = gate = Gate(self.units)
            m.d.comb += [gate.wait.eq(wait), Value.cast(gate.progress).eq(progress)]
            opens[name] = gate.open
        return opens

    def _count_read(self, m: Module) -> None:
        """The last row or column reads max(R, C) clocks after the sequencer asks."""
        reads = Signal(max(self.array.rows, self.array.columns))
        m.d.sync += [
            reads.eq((reads << 1) | self.sequencer.read_done),
            self.passes_read.eq(self.passes_read + reads[-1]),
        ]

    def _count_passes(self, m: Module) -> None:
        """Passes that have started, their first operand at a port, and those that have retired."""
        m.submodules.retirement = retirement = Retirement(self.array.columns)
        m.d.comb += [
            retirement.finished.eq(self.accumulators.finished),
            retirement.tail.eq(self.accumulators.tail),
        ]
        begins = delayed(m, "starts", self.sequencer.starting, Sequencer.LATENCY)
        m.d.sync += [
            self.started.eq(self.started + begins),
            self.retired.eq(self.retired + retirement.passes),
        ]
