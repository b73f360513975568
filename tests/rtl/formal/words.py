"""What specifications say with: free inputs that stay, and what hardware has inside."""

from typing import Any

from amaranth.hdl import Assume, Module, Signal, Value
from amaranth.lib import wiring


def stays(m: Module, value: Value) -> None:
    """A free input is the same in every clock, so that what is said of it is said of any value."""
    before, running = Signal.like(value, name="before"), Signal(name="running")
    m.d.sync += [before.eq(value), running.eq(1)]
    m.d.comb += Assume(~running | (value == before))


def waits(m: Module, stream: Any) -> None:
    """What is offered on a stream is offered until it is taken."""
    before, offered = Signal.like(stream.payload, name="before"), Signal(name="offered")
    m.d.sync += [before.eq(stream.payload), offered.eq(stream.valid & ~stream.ready)]
    m.d.comb += Assume(~offered | (stream.valid & (stream.payload == before)))


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
