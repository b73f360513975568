"""The processing element of the systolic array, which serves all modes of accelsim.passes.Opcode.

It has wires to its four neighbours only: operands, taps and control bits come from the left,
operands and sums from above.
"""

from typing import NamedTuple

from amaranth.hdl import Cat, Module, Mux, Shape, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out


class Flags(data.Struct):
    """Control bits of an element for one clock; sums need the first four only."""

    first: 1  # start a sum
    capture: 1  # hand the sum to the shadow register
    stationary: 1  # the partial sum passes down (ws, is)
    shift_shadow: 1  # shadow registers move down
    half_speed: 1  # operands move right at half speed (rows)
    swap: 1  # take the stationary operand that has been loaded
    shift_operands: 1  # operands move down


class SumFlags(data.Struct):
    """Those of the control bits that a sum needs."""

    first: 1
    capture: 1
    stationary: 1
    shift_shadow: 1


FLAG_BITS = Shape.cast(Flags).width
SUM_FLAG_BITS = Shape.cast(SumFlags).width
SUM_FLAGS = data.ArrayLayout(SumFlags, 3)  # those of y and z, of p, of q


class Wires(NamedTuple):
    """The five wires into, or out of, an element."""

    a: Value
    b: Value
    w: Value
    s: Value
    f: Value


class Element:
    """One processing element: a multiply-accumulate in five clocks.

    a : operand from the left.  b : operand from above, or second half of the a chain in rows.
    w : stationary operand, or tap on its way right.  x : what a is multiplied with.
    f : control bits, those of a and x.
    y, z : a and x, a clock later.  p : their product.  q : that product, as it is added.
    g : control bits of the sums with y and z, p and q, in this order.
    acc : sum.  s : shadow, or partial sum.

    The registers y, z and p are those of a multiplier block, which is far from what is in front of
    it and behind it: so each way has a clock of its own.

    A plain set of registers, not a Component: Amaranth's simulator runs a grid of them as one
    process instead of waking one per element, several times a clock.
    """

    def __init__(self, operand_bits: int, accumulator_bits: int, place: str = "") -> None:
        operand, total = signed(operand_bits), signed(accumulator_bits)
        product = signed(2 * operand_bits)
        self.a = Signal(operand, name=f"a{place}", reset_less=True)
        self.b = Signal(operand, name=f"b{place}", reset_less=True)
        self.w = Signal(operand, name=f"w{place}", reset_less=True)
        self.x = Signal(operand, name=f"x{place}", reset_less=True)
        self.y = Signal(operand, name=f"y{place}", reset_less=True)
        self.z = Signal(operand, name=f"z{place}", reset_less=True)
        self.p = Signal(product, name=f"p{place}", reset_less=True)
        self.q = Signal(product, name=f"q{place}", reset_less=True)
        self.acc = Signal(total, name=f"acc{place}", reset_less=True)
        self.s = Signal(total, name=f"s{place}", reset_less=True)
        self.f = Signal(Flags, name=f"f{place}")
        self.g = Signal(SUM_FLAGS, name=f"g{place}", reset_less=True)

    def clock(self, m: Module, i: Wires) -> None:
        """What happens in a clock: operands meet, those before multiply, a product is added."""
        f, coming, adding = Flags(i.f), self.g[1], self.g[2]
        # Three inputs to a bit, which fit into its LUT: a sum that starts finds a zero.
        total = Mux(adding.stationary, i.s, self.acc) + self.q
        m.d.sync += [
            self.a.eq(i.a),
            self.f.eq(f),
            Value.cast(self.g).eq(Cat(self.f.as_value()[:SUM_FLAG_BITS], self.g)),
            self.b.eq(Mux(f.half_speed, self.a, Mux(f.shift_operands, i.b, self.b))),
            self.w.eq(Mux(f.swap, self.b, Mux(f.stationary, self.w, i.w))),
            self.x.eq(Mux(f.stationary | f.half_speed, self.w, i.b)),
            self.y.eq(self.a),
            self.z.eq(self.x),
            self.p.eq(self.y * self.z),
            self.q.eq(self.p),
            self.s.eq(Mux(adding.capture, total, Mux(adding.shift_shadow, i.s, self.s))),
        ]
        with m.If(coming.first):
            m.d.sync += self.acc.eq(0)
        with m.Elif(~adding.stationary):
            m.d.sync += self.acc.eq(total)

    @property
    def outputs(self) -> Wires:
        """What its neighbours see: right (a, w, f) and below (b, s)."""
        a = Mux(self.f.half_speed, self.b, self.a)
        return Wires(a, self.b, self.w, self.s, self.f.as_value())


class ProcessingElement(wiring.Component):
    """An Element as a module of its own, of which Verilog can have many instances."""

    def __init__(self, operand_bits: int, accumulator_bits: int) -> None:
        operand, total = signed(operand_bits), signed(accumulator_bits)
        shapes = {"a": operand, "b": operand, "w": operand, "s": total, "f": FLAG_BITS}
        super().__init__(
            {f"{name}_i": In(shape) for name, shape in shapes.items()}
            | {f"{name}_o": Out(shape) for name, shape in shapes.items()}
        )
        self.element = Element(operand_bits, accumulator_bits)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self.element.clock(m, Wires(*(getattr(self, f"{n}_i") for n in Wires._fields)))
        for name, value in self.element.outputs._asdict().items():
            m.d.comb += getattr(self, f"{name}_o").eq(value)
        return m
