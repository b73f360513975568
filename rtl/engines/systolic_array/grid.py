"""The grid of processing elements, and the edge cells on its left.

Control bits enter row i i clocks after row 0 and travel right with the data, so that element
(i, j) does at clock t what element (0, 0) did at t - i - j.
"""

from functools import reduce
from operator import or_

from amaranth.hdl import (
    ClockSignal,
    Const,
    Instance,
    Module,
    Mux,
    ResetSignal,
    Signal,
    Value,
    signed,
    unsigned,
)
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from accelsim.hardware import SystolicArray
from accelsim.hardware.systolic_array import PRODUCT_REGISTERS
from rtl.engines.systolic_array.element import FLAG_BITS, Element, Flags, Wires
from rtl.engines.systolic_array.frame import frame_layout, load_layout, token_layout
from rtl.lib.delay import delayed


class Grid(wiring.Component):
    """R x C processing elements and the edge cells on their left.

    frame : from the sequencer, a clock before the edge cell of row 0 uses it.  load : for that.
    left : operands of row i for its edge cell, i clocks after row 0.
    top : operands of column j, j clocks after column 0, which takes them a clock after `left` has
        those of row 0: the edge cells are registers.
    token : the frame's token, four clocks before its results are on `result[0]`.
    results_remaining : of the drain that is on `result[0]` four clocks later, still to leave then.
    result : bottom of column j, j clocks after column 0.

    With `shared` the elements are instances of one module, `processing_element`, to be supplied
    beside this one: far less text for large arrays, but Amaranth's simulator cannot run it.
    """

    def __init__(self, array: SystolicArray, shared: bool = False) -> None:
        self.array, self.shared = array, shared
        operand = signed(array.operands.bits)
        total = signed(array.operands.accumulator_bits)
        super().__init__(
            {
                "frame": In(frame_layout(array)),
                "load": In(load_layout(array)),
                "left": In(data.ArrayLayout(operand, array.rows)),
                "top": In(data.ArrayLayout(operand, array.columns)),
                "token": Out(token_layout(array)),
                "results_remaining": Out(unsigned(array.rows.bit_length())),
                "result": Out(data.ArrayLayout(total, array.columns)),
            }
        )
        operands = array.operands
        self.elements = [
            [
                Element(operands.bits, operands.accumulator_bits, f"_{i}_{j}")
                for j in range(array.columns)
            ]
            for i in range(array.rows if not shared else 0)
        ]
        self.taps: list[Signal] = []
        self._remaining = Signal.like(self.results_remaining, name="remaining")

    def elaborate(self, platform: object) -> Module:
        m = Module()
        rows, columns = self.array.rows, self.array.columns
        bits = self.array.operands.accumulator_bits
        b: list[Value] = [self.top[j] for j in range(columns)]
        s: list[Value] = [Const(0, signed(bits)) for _ in range(columns)]

        frame = self.frame
        for i in range(rows):
            before, frame = frame, Signal(frame_layout(self.array), name=f"frame_{i}")
            m.d.sync += frame.eq(before)
            a, w, f = self._edge(m, i, before, frame)
            for j in range(columns):
                right = self._element(m, i, j, Wires(a, b[j], w, s[j], f))
                a, b[j], w, s[j], f = right

        for j in range(columns):
            m.d.comb += self.result[j].eq(s[j])
        remaining = self._remaining
        with m.If(frame.token.drain != 0):
            m.d.sync += remaining.eq(frame.token.drain)
        with m.Elif(remaining != 0):
            m.d.sync += remaining.eq(remaining - 1)
        # Elements multiply before they add, and the result port is as far behind the edges.
        clocks = PRODUCT_REGISTERS - 2
        m.d.comb += [
            Value.cast(self.token).eq(delayed(m, "token", frame.token, clocks)),
            self.results_remaining.eq(delayed(m, "remaining", remaining, clocks - 1)),
        ]
        return m

    def _edge(
        self, m: Module, i: int, before: data.View, frame: data.View
    ) -> tuple[Signal, Signal, Signal]:
        """Edge cell of row i: what enters it in the next clock, from operand, tap and frame.

        What must be compared or decoded of the frame is so a clock before, in registers.
        """
        rows, taps = self.array.rows, self.array.max_taps
        operand = signed(self.array.operands.bits)
        value = Signal(operand, name=f"value_{i}")
        a = Signal(operand, name=f"a_{i}", reset_less=True)
        w = Signal(operand, name=f"w_{i}", reset_less=True)
        f = Signal(Flags, name=f"f_{i}")
        buffer = Signal(data.ArrayLayout(operand, taps), name=f"taps_{i}", reset_less=True)
        self.taps.append(buffer)
        used = Signal(name=f"used_{i}")
        # The tap that is written, and the one that leaves, each by a bit of its own.
        writes, leaves = Signal(taps, name=f"writes_{i}"), Signal(taps, name=f"leaves_{i}")
        m.d.comb += value.eq(Mux(used, self.left[i], 0))
        m.d.sync += [
            used.eq(before.valid & Mux(before.from_top, before.rows > i, before.rows >= rows - i)),
            writes.eq(Mux(before.tap_write, 1 << before.tap_in, 0)),
            leaves.eq(Mux(before.tap_read, 1 << before.tap_out, 0)),
            a.eq(Mux(frame.tap_write, 0, value)),
            w.eq(reduce(or_, (Mux(leaves[t], buffer[t], 0) for t in range(taps)))),
            f.first.eq(frame.first),
            f.capture.eq(frame.capture),
            f.stationary.eq(frame.stationary),
            f.half_speed.eq(frame.half_speed),
            f.swap.eq(frame.swap),
            # Loads start with the skew and stop together; drains start together and stop with it.
            f.shift_operands.eq(frame.shift_operands | (self.load.loading & (self.load.beat >= i))),
            f.shift_shadow.eq(self._remaining > rows - i),
        ]
        for t in range(taps):
            with m.If(writes[t]):
                m.d.sync += buffer[t].eq(value)
        return a, w, f.as_value()

    def _element(self, m: Module, i: int, j: int, wires: Wires) -> Wires:
        """Element (i, j) behind its inputs; returns its outputs."""
        if not self.shared:
            element = self.elements[i][j]
            element.clock(m, wires)
            return element.outputs
        operand = signed(self.array.operands.bits)
        total = signed(self.array.operands.accumulator_bits)
        shapes = Wires(operand, operand, operand, total, unsigned(FLAG_BITS))
        outputs = Wires(
            *(Signal(shape, name=f"{name}_{i}_{j}") for name, shape in shapes._asdict().items())
        )
        m.submodules[f"pe_{i}_{j}"] = Instance(
            "processing_element",
            i_clk=ClockSignal("sync"),
            i_rst=ResetSignal("sync"),
            **{f"i_{name}_i": value for name, value in wires._asdict().items()},
            **{f"o_{name}_o": value for name, value in outputs._asdict().items()},
        )
        return outputs
