"""What is false is refuted, and what can never happen is no proof."""

import pytest
from amaranth.hdl import Assert, Assume, Cover, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from tests.rtl.formal.proof import RefutedError, prove


class Count(wiring.Component):
    """A counter of steps from 0 to 9 and from there to 0, and what is claimed of it."""

    def __init__(self, claim, allowed=lambda step: 1):
        self.claim, self.allowed = claim, allowed
        super().__init__({"step": In(1)})

    def elaborate(self, platform):
        m = Module()
        count = Signal(4)
        with m.If(self.step):
            m.d.sync += count.eq(count + 1)
            with m.If(count == 9):
                m.d.sync += count.eq(0)
        m.d.comb += [Assume(self.allowed(self.step)), self.claim(count)]
        m.d.comb += Assert(count < 16)
        return m


def test_what_is_true():
    prove(Count(lambda count: Assert(count <= 9)), 1)
    prove(Count(lambda count: Cover(count == 9)), 10)


def test_what_is_false_after_some_clocks():
    with pytest.raises(RefutedError, match=r"(?s)Assert\(count != 3\).*\ncount +0 1 2 3\n"):
        prove(Count(lambda count: Assert(count != 3)), 4, induction=0)
    prove(Count(lambda count: Assert(count != 3)), 3, induction=0)


def test_what_is_true_but_does_not_follow_from_the_clock_before():
    with pytest.raises(RefutedError, match=r"(?s)Assert\(count != 12\).*\ncount +b c\n"):
        prove(Count(lambda count: Assert(count != 12)), 1)
    prove(Count(lambda count: Assert(count != 12), allowed=lambda step: step), 4, induction=4)


@pytest.mark.parametrize("depth", [5, 9])
def test_what_does_not_happen_in_time(depth):
    with pytest.raises(RefutedError, match=rf"not happen in {depth} clocks: .*Cover\(count == 9\)"):
        prove(Count(lambda count: Cover(count == 9)), depth)


def test_what_inputs_do_not_allow():
    with pytest.raises(RefutedError, match="not happen"):
        prove(Count(lambda count: Cover(count == 1), allowed=lambda step: ~step), 5)
