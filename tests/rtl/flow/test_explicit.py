"""What is made explicit computes the same, is silent under lint, and names what is not used."""

import random

import pytest
from amaranth.hdl import Array, Cat, Module, Shape, signed
from amaranth.lib.wiring import Component, In, Out
from amaranth.sim import Simulator

from rtl.flow import rtlil
from rtl.flow.explicit import explicit
from rtl.flow.rtlil import Slice
from rtl.flow.verilog import verilog
from tests.rtl.linting import lint
from tests.rtl.yosys import evaluate


class Widths(Component):
    """Operands of all widths meet; of many a value only some bits are needed."""

    a: In(7)
    b: In(3)
    s: In(signed(5))
    t: In(signed(9))
    sum: Out(9)
    difference: Out(signed(6))
    product: Out(signed(14))
    low_product: Out(4)
    left: Out(12)
    right: Out(3)
    part: Out(2)
    chosen: Out(5)
    tests: Out(8)
    high: Out(4)
    held: Out(4)

    def elaborate(self, platform):
        m = Module()
        wide = (self.a * self.t + self.b)[5:9]
        m.d.comb += [
            self.sum.eq(self.a + self.b),
            self.difference.eq(self.s - self.b),
            self.product.eq(self.s * self.t),
            self.low_product.eq(self.a * self.b),
            self.left.eq(self.a << self.b),
            self.right.eq(self.t >> self.b),
            self.part.eq(self.a.word_select(self.b, 2)),
            self.chosen.eq(
                Array([self.a, self.s, self.b + 1, -self.s, 9, self.a ^ self.s])[self.b]
            ),
            self.tests.eq(
                Cat(
                    self.s < self.b,
                    self.a >= self.b,
                    self.s == self.t,
                    self.a != self.s,
                    self.t <= -1,
                    ~self.a.any(),
                    self.a.bool() | self.s.bool(),
                    (self.b * 3) > self.a,
                )
            ),
            self.high.eq(wide),
        ]
        m.d.sync += self.held.eq(wide)  # the Verilog of a core has a clock
        return m


PORTS = Widths.__annotations__.items()
INPUTS = [name for name, member in PORTS if member.flow is In]
OUTPUTS = [name for name, member in PORTS if member.flow is Out and name != "held"]


def by_amaranth(vectors):
    component = Widths()
    found = []

    async def run(context):
        for vector in vectors:
            for name, value in zip(INPUTS, vector, strict=True):
                context.set(getattr(component, name), value)
            await context.delay(1e-9)
            found.append([context.get(getattr(component, name)) for name in OUTPUTS])

    simulation = Simulator(component)
    simulation.add_testbench(run)
    simulation.run()
    return found


@pytest.fixture(scope="module")
def text():
    return verilog(Widths())


def test_operands_of_all_widths_are_silent(text, tmp_path):
    lint(text, tmp_path)
    assert text.count("assign unused = & { 1'h0, ") == 1


def test_they_compute_the_same(text, tmp_path):
    rng = random.Random(7)
    limits = ((0, 127), (0, 7), (-16, 15), (-256, 255))
    vectors = [[rng.choice((*pair, rng.randint(*pair))) for pair in limits] for _ in range(100)]
    (tmp_path / "core.sv").write_text(text)
    bits = {name: Shape.cast(member.shape).width for name, member in PORTS}
    given = [dict(zip(INPUTS, vector, strict=True)) for vector in vectors]
    returned = evaluate(tmp_path, given, {name: bits[name] for name in OUTPUTS})
    expected = [
        {name: value % (1 << bits[name]) for name, value in zip(OUTPUTS, values, strict=True)}
        for values in by_amaranth(vectors)
    ]
    assert returned == expected


SOURCE = """\
attribute \\top 1
module \\core
  wire width 4 input 1 \\d
  wire output 2 \\q
  attribute \\init 6'x
  wire width 6 \\r
  cell $dff $1
    parameter \\CLK_POLARITY 1'1
    parameter \\WIDTH 4
    connect \\CLK \\d [0]
    connect \\D { \\d [3:2] 2'x }
    connect \\Q { \\r [5:4] \\r [1:0] }
  end
  connect \\q \\r [4]
end
"""


def test_files_are_read_as_they_are_written():
    (module,) = rtlil.read(SOURCE)
    assert module.cells[0].ports["\\D"] == ("xx", Slice("\\d", 2, 2))
    again = rtlil.write([module])
    assert rtlil.write(rtlil.read(again)) == again


def test_wires_have_what_is_driven_or_read_and_the_rest_is_named():
    (module,) = rtlil.read(explicit(SOURCE))
    assert {name: wire.bits for name, wire in module.wires.items()} == {
        "\\d": 4,
        "\\q": 1,
        "\\r": 2,
        "\\r_from_4": 2,
        "\\unused": 1,
    }
    assert module.cells[0].ports["\\D"] == ("00", Slice("\\d", 2, 2))
    assert module.wires["\\r_from_4"].attributes == ["  attribute \\init 2'xx"]
    dropped = module.cells[-1].ports["\\A"]
    bits = {(part.wire, part.low + bit) for part in dropped[:-1] for bit in range(part.bits)}
    assert bits == {("\\d", 1), ("\\r", 0), ("\\r", 1), ("\\r_from_4", 1)}


@pytest.mark.parametrize(
    ("text", "bits"),
    [("4'01", "0001"), ("3'x", "xxx"), ("2'10", "10"), ("0'", ""), ("-1", "1" * 32)],
)
def test_constants_may_be_shorter_than_they_are_wide(text, bits):
    assert rtlil.constant(text) == bits
