"""What specifications say with: free inputs that stay, and what hardware has inside."""

from typing import Any

from amaranth.hdl import Assert, Assume, Const, Cover, Module, Mux, Signal, Value
from amaranth.lib import wiring


def past(m: Module, value: Value, clocks: int = 1) -> Signal:
    """What a value was so many clocks ago, 0 before there was one; for outside of any `m.If`."""
    for _ in range(clocks):
        before = Signal(value.shape(), name="past")
        m.d.sync += before.eq(value)
        value = before
    return value


def stays(m: Module, value: Value) -> None:
    """A free input is the same in every clock, so that what is said of it is said of any value."""
    m.d.comb += Assume(~past(m, Const(1)) | (value == past(m, value)))


def waits(m: Module, stream: Any) -> None:
    """What is offered on a stream is offered until it is taken."""
    offered = past(m, stream.valid & ~stream.ready)
    m.d.comb += Assume(~offered | (stream.valid & (stream.payload == past(m, stream.payload))))


def results_come(m: Module, dut: Any, words: Value, longest: int) -> None:
    """A core that owes results has the next one after so many clocks at most, and that happens.

    words : results of the command that is offered.
    """
    owed, waited = Signal(8), Signal(range(longest + 2))
    accepts = dut.commands.valid & dut.commands.ready
    takes = dut.results.valid & dut.results.ready
    m.d.sync += [
        owed.eq(owed + Mux(accepts, words, 0) - takes),
        waited.eq(Mux(dut.results.valid | (owed == 0), 0, waited + 1)),
    ]
    m.d.comb += [
        Assert(waited <= longest),
        Assert((owed != 0) | ~dut.results.valid),
        Cover(waited == longest),
    ]


class Inside:
    """A component as the submodule `dut` of a specification, open to it.

    Invariants that help an induction speak of registers that are nobody else's business.
    """

    def __init__(self, m: Module, component: wiring.Component) -> None:
        self._module = component.elaborate(None)
        component._MustUse__used = True  # or Amaranth warns that nobody elaborates it
        m.submodules.dut = self._module

    def __getattr__(self, name: str) -> Signal:
        """The signal of that name in its source."""
        (found,) = (signal for signal in self._module._driving if signal.name == name)
        return found

    def word(self, m: Module, memory: str, address: Value) -> Value:
        """What a memory holds at an address."""
        port = self._module.submodules[memory].read_port(domain="comb")
        m.d.comb += port.addr.eq(address)
        return port.data
