"""AXI4-Stream around a design: its standard names, data in whole bytes, reset active when low."""

import inspect
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from amaranth.hdl import ClockDomain, ClockSignal, Instance, Module, ResetSignal
from amaranth.lib.wiring import Component, In, Member, Out

from rtl.flow.manual import table
from rtl.flow.ports import CLOCK, RESET, Port, ports
from rtl.flow.verilog import TOP, verilog

WRAPPER = "axi_stream"
FILE = f"{WRAPPER}.sv"
AXI_CLOCK, AXI_RESET = "aclk", "aresetn"


class AxiStream(NamedTuple):
    """A stream of the design as AXI4-Stream has it.

    name : of the stream in the design; its payload is the low bits of the data.
    bits : of the payload.  has_ready : whether the design may let a word wait.
    """

    name: str
    is_input: bool
    bits: int
    has_ready: bool

    @property
    def axi_name(self) -> str:
        """What its ports begin with, such as s_axis_commands or m_axis_results."""
        return f"{'s' if self.is_input else 'm'}_axis_{self.name.replace('__', '_')}"

    @property
    def axi_ports(self) -> tuple[str, str, str]:
        """Names of data, valid and ready."""
        name = self.axi_name
        return f"{name}_tdata", f"{name}_tvalid", f"{name}_tready"

    @property
    def data_bits(self) -> int:
        """Of the data: whole bytes."""
        return -(-self.bits // 8) * 8


def axi_streams(wires: list[Port]) -> list[AxiStream]:
    """The streams among the ports of a design."""
    names = {port.name for port in wires}
    return [
        AxiStream(name, port.is_input, port.bits, f"{name}__ready" in names)
        for port in wires
        if (name := port.name.removesuffix("__payload")) != port.name
    ]


def others(wires: list[Port]) -> list[Port]:
    """Ports that belong to no stream, clock and reset left out."""
    streams = {stream.name for stream in axi_streams(wires)}
    return [
        port
        for port in wires
        if port.name not in (CLOCK, RESET) and port.name.rpartition("__")[0] not in streams
    ]


class Wrapper(Component):
    """The module `core` behind AXI4-Stream ports.

    s_axis_*_tdata, _tvalid, _tready : streams into the core; a payload is the low bits of tdata,
        whose other bits mean nothing. tready is 1 where the core is always ready.
    m_axis_*_tdata, _tvalid, _tready : streams from it; the other bits of tdata are 0.
    aclk, aresetn : clock, and synchronous reset, active when low.
    Other ports are those of the core.
    """

    def __init__(self, top: Component) -> None:
        self._wires = ports(top)
        self._streams = axi_streams(self._wires)
        super().__init__({AXI_CLOCK: In(1), AXI_RESET: In(1)} | dict(self._members()))

    def _members(self) -> Iterator[tuple[str, Member]]:
        for stream in self._streams:
            forward, back = (In, Out) if stream.is_input else (Out, In)
            ends = forward(stream.data_bits), forward(1), back(1)
            yield from zip(stream.axi_ports, ends, strict=True)
        for port in others(self._wires):
            yield port.name, (In if port.is_input else Out)(port.bits)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.domains.sync = domain = ClockDomain()
        m.d.comb += [
            domain.clk.eq(getattr(self, AXI_CLOCK)),
            domain.rst.eq(~getattr(self, AXI_RESET)),
        ]
        wires = {CLOCK: ClockSignal(), RESET: ResetSignal()}
        wires |= {port.name: getattr(self, port.name) for port in others(self._wires)}
        for stream in self._streams:
            data, valid, ready = (getattr(self, port) for port in stream.axi_ports)
            wires |= {
                f"{stream.name}__payload": data[: stream.bits],
                f"{stream.name}__valid": valid,
            }
            if stream.has_ready:
                wires[f"{stream.name}__ready"] = ready
            else:
                m.d.comb += ready.eq(1)
        connected = {
            f"{'i' if port.is_input else 'o'}_{port.name}": wires[port.name] for port in self._wires
        }
        m.submodules.core = Instance(TOP, **connected)
        return m


def wrapped(wires: list[Port], connected: Mapping[str, str]) -> dict[str, str]:
    """What the ports of the wrapper get where those of the core got the expressions."""
    connections = {AXI_CLOCK: connected[CLOCK], AXI_RESET: f"~{connected[RESET]}"}
    for stream in axi_streams(wires):
        name, padding = stream.name, stream.data_bits - stream.bits
        data = connected[f"{name}__payload"]
        if padding:
            high = f"{padding}'d0" if stream.is_input else f"{name}__padding"
            data = f"{{{high}, {data}}}"
        ready = connected[f"{name}__ready"] if stream.has_ready else f"{name}__ready"
        valid = connected[f"{name}__valid"]
        ends = (data, valid, ready)
        connections |= zip(stream.axi_ports, ends, strict=True)
    return connections | {port.name: connected[port.name] for port in others(wires)}


def further_wires(wires: list[Port]) -> list[Port]:
    """Outputs of the wrapper that the core has not, called as `wrapped` does."""
    found = []
    for stream in axi_streams(wires):
        padding = stream.data_bits - stream.bits
        if padding and not stream.is_input:
            found.append(Port(f"{stream.name}__padding", False, padding))
        if not stream.has_ready:
            found.append(Port(f"{stream.name}__ready", False, 1))
    return found


def page(wires: list[Port]) -> str:
    """The section of core.md."""
    rows = [
        (
            f"`{stream.name}`",
            f"`{stream.axi_name}`",
            str(stream.bits),
            str(stream.data_bits),
            "" if stream.has_ready else "always 1",
        )
        for stream in axi_streams(wires)
    ]
    head = ("stream", "ports begin with", "bits of the payload", "bits of tdata", "tready")
    return f"\n## AXI4-Stream\n\n```text\n{inspect.getdoc(Wrapper)}\n```\n\n{table(head, rows)}\n"


def parameters(top: Component) -> dict[str, Any]:
    """What parameters.json says of the wrapper."""
    return {
        "module": WRAPPER,
        "file": FILE,
        "clock": AXI_CLOCK,
        "reset": AXI_RESET,
        "streams": {
            stream.name: {
                "ports": stream.axi_name,
                "payload_bits": stream.bits,
                "data_bits": stream.data_bits,
                "always_ready": not stream.has_ready,
            }
            for stream in axi_streams(ports(top))
        },
    }


def axi_verilog(top: Component) -> str:
    """Verilog of the module `axi_stream` around the module `core` of another file."""
    return verilog(Wrapper(top), name=WRAPPER, outside=((TOP, top),))
