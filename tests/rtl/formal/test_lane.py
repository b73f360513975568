"""A lane of the depthwise engine, in arithmetic over what came to it, tap by tap."""

import pytest
from amaranth.hdl import Array, Assert, Assume, Cover, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from accelsim.hardware import DepthwiseEngine, Operands
from rtl.engines.depthwise import lanes
from tests.rtl.formal.proof import RefutedError, planted, prove
from tests.rtl.formal.words import Inside, past, stays
from tests.rtl.mutants import Mutant, load

ENGINE = DepthwiseEngine(1, 3, bank_depth=4, fill_port=2, operands=Operands(8, 16))
PIXELS, BITS, TOTAL_BITS = 3, 8, 16


class Words(wiring.Component):
    """Any operand of any word is at the shifter three clocks after its address, as it was written.

    What is written reaches the memories a clock later.

    odd, place, part : the operand that is followed.
    """

    def __init__(self, module):
        self.dut = module.LaneModule(ENGINE)
        inputs, _ = module.lane_layouts(ENGINE)
        super().__init__(
            {"i": In(inputs), "odd": In(1), "place": In(inputs["even"].shape)}
            | {"part": In(range(PIXELS))}
        )

    def elaborate(self, platform):
        m = Module()
        dut, i, inside = self.dut, self.i, Inside(m, self.dut)
        m.d.comb += dut.i.eq(i)
        for free in (self.odd, self.place, self.part):
            stays(m, free)
        m.d.comb += Assume(self.part < PIXELS)

        def either(name):
            return Mux(self.odd, i[f"{name}odd"], i[f"{name}even"])

        content = Signal(signed(BITS))
        written = {
            name: past(m, Value.cast(i[f"write_{name}"]))
            for name in ("even", "odd", "address", "data")
        }
        there = Array(Mux(self.odd, written["odd"], written["even"]))[self.part]
        writes = there & (written["address"] == self.place)
        with m.If(writes):
            m.d.sync += content.eq(written["data"].word_select(self.part, BITS))
        m.d.comb += [
            Assert(getattr(inside, f"written_{name}") == value) for name, value in written.items()
        ]
        even, odd = (
            Array(lane)[self.part].as_unsigned() for lane in (dut.lane.even[-1], dut.lane.odd[-1])
        )
        word = Mux(self.odd, odd, even).as_signed()
        kept = (
            Array(inside.word(m, name, self.place))[self.part].as_unsigned()
            for name in ("odd", "even")
        )
        asked = either("") == self.place
        m.d.comb += [
            Assert(Mux(self.odd, *kept).as_signed() == content),
            # Anything may come of a word that is written while it is read.
            Assert(~past(m, asked & ~writes, 3) | (word == past(m, content, 3))),
            Cover((word == -5) & past(m, asked, 3)),
        ]
        return m


class Sums(wiring.Component):
    """Sums of products of the words that were read; a product is added four clocks behind them."""

    def __init__(self, module):
        self.dut = module.LaneModule(ENGINE)
        inputs, _ = module.lane_layouts(ENGINE)
        super().__init__({"i": In(inputs)})
        self.weight_clocks = module.WEIGHT_STAGES

    def elaborate(self, platform):
        m = Module()
        dut, i = self.dut, self.i
        lane = dut.lane
        m.submodules.dut = dut
        m.d.comb += [dut.i.eq(i), Assume(i.shift < PIXELS)]
        steers = {name: past(m, i[name]) for name in ("odd_first", "shift", "mask")}
        m.d.comb += [Assert(getattr(lane, name) == value) for name, value in steers.items()]
        m.d.comb += Assert(lane.shift < PIXELS)
        weight = past(m, i.weight, self.weight_clocks)
        m.d.comb += Assert(lane.weights[-1] == weight)
        first, second = (
            [Mux(steers["odd_first"], one[p], other[p]) for p in range(PIXELS)]
            for one, other in ((lane.odd[-1], lane.even[-1]), (lane.even[-1], lane.odd[-1]))
        )
        read = Array([*first, *second])
        for p in range(PIXELS):
            value, operand = (
                Signal(signed(BITS), name=f"{name}_{p}") for name in ("value", "operand")
            )
            product, term = (
                Signal(signed(2 * BITS), name=f"{name}_{p}") for name in ("product", "term")
            )
            total, now = (
                Signal(signed(TOTAL_BITS), name=f"{name}_{p}") for name in ("total", "now")
            )
            m.d.sync += [
                value.eq(Mux(steers["mask"][p], read[steers["shift"] + p], 0)),
                operand.eq(value),
                product.eq(operand * weight),
                term.eq(product),
                total.eq(now),
            ]
            first = past(m, i.first)
            m.d.comb += now.eq(Mux(first, 0, total) + term)
            captured, moved = past(m, i.capture), past(m, i.move)
            m.d.comb += [
                Assert(lane.value[p] == value),
                Assert(lane.operand[p] == operand),
                Assert(lane.product[p] == product),
                Assert(lane.term[p] == term),
                Assert(lane.acc[p] == Mux(first, 0, total)),
                Assert(~captured | (dut.o[p] == total)),
                Assert(captured | ~moved | (dut.o[p] == past(m, i.next_shadow[p]))),
                Assert(captured | moved | (dut.o[p] == past(m, dut.o[p]))),
            ]
        return m


MUTANTS = (
    Mutant(
        "words exchanged",
        "Mux(self.odd_first, odd, even), Mux",
        "Mux(self.odd_first, even, odd), Mux",
    ),
    Mutant("shifted one too far", "values >> step * bits", "values >> (step + 1) * bits"),
    Mutant("outside of the map", "Mux(self.mask[p], values[p], 0)", "values[p]"),
    Mutant("a weight too early", "self.weights[-1]),", "self.weights[-2]),"),
    Mutant("sums go on", "Mux(i.first, 0, total)", "total"),
    Mutant("a capture is lost", "Mux(i.capture, total, moved)", "Mux(i.move, moved, total)"),
)


def test_words():
    prove(Words(lanes), 7, induction=4)


def test_sums():
    prove(Sums(lanes), 1, induction=1)


def test_a_planted_error_in_words_is_found(tmp_path, monkeypatch):
    mutant = Mutant(
        "even for odd",
        "self._bank(m, name, i[name], written)",
        'self._bank(m, name, i["even"], written)',
    )
    twin = load(lanes, mutant, tmp_path, monkeypatch)
    with pytest.raises(RefutedError):
        prove(Words(twin), 7, induction=0)


@planted(MUTANTS)
def test_planted_errors_in_sums_are_found(mutant, tmp_path, monkeypatch):
    twin = load(lanes, mutant, tmp_path, monkeypatch)
    with pytest.raises(RefutedError):
        prove(Sums(twin), 12, induction=0)
