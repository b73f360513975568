"""The ports of a component and the layout of their payloads, read from its signature."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from amaranth.hdl import Shape, Signal, Value
from amaranth.lib import data
from amaranth.lib.wiring import Component, In

CLOCK, RESET = "clk", "rst"


class Port(NamedTuple):
    """One port of the Verilog of a component; its name is the path in the signature."""

    name: str
    is_input: bool
    signal: Signal

    @property
    def bits(self) -> int:
        """Width of the port."""
        return len(self.signal)


def ports(component: Component) -> Iterator[Port]:
    """Every port but clock and reset."""
    for path, member, value in component.signature.flatten(component):
        signal = Value.cast(value)
        if isinstance(signal, Signal):  # the constant ready of a stream is not a port
            yield Port("__".join(map(str, path)), member.flow == In, signal)


class Field(NamedTuple):
    """One scalar of a payload: its bits are [offset + bits - 1 : offset]."""

    name: str
    offset: int
    bits: int
    signed: bool


def payload(component: Any, stream: str) -> list[Field]:
    """The scalars of a stream's payload, lowest bits first."""
    return list(_scalars(getattr(component, stream).payload.shape(), "", 0))


def _scalars(shape: Any, name: str, offset: int) -> Iterator[Field]:
    if isinstance(shape, data.Layout):
        for key, field in shape:
            inner = f"{name}[{key}]" if isinstance(key, int) else f"{name}.{key}".lstrip(".")
            yield from _scalars(field.shape, inner, offset + field.offset)
    else:
        plain = Shape.cast(shape)
        yield Field(name, offset, plain.width, plain.signed)
