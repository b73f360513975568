"""The ports of a component and the layout of their payloads, read from its signature."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from amaranth.hdl import Shape, Signal, Value
from amaranth.lib import data
from amaranth.lib.wiring import Component, In

CLOCK, RESET = "clk", "rst"


class Port(NamedTuple):
    """One port of the Verilog of a component."""

    name: str
    is_input: bool
    bits: int

    def prefixed(self, prefix: str) -> str:
        """Its name where several cores share clock and reset."""
        return self.name if self.name in (CLOCK, RESET) else prefix + self.name


def signals(component: Component) -> Iterator[tuple[str, bool, Signal]]:
    """Path in the signature, whether it is an input, and signal of every port but the clock's."""
    for path, member, value in component.signature.flatten(component):
        signal = Value.cast(value)
        if isinstance(signal, Signal):  # the constant ready of a stream is not a port
            yield "__".join(map(str, path)), member.flow == In, signal


def ports(component: Component) -> list[Port]:
    """Every port, clock and reset first."""
    clock = [Port(CLOCK, True, 1), Port(RESET, True, 1)]
    return clock + [
        Port(name, is_input, len(signal)) for name, is_input, signal in signals(component)
    ]


def streams(component: Component) -> list[str]:
    """Names of the streams into a component, in the order of its signature."""
    return [
        name
        for name, member in component.signature.members.items()
        if member.is_signature and member.flow == In
    ]


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


class CoreOfDesign(NamedTuple):
    """A core of a design, its sizes, and the prefix of its ports: none where it is the only one."""

    prefix: str
    sizes: Any
    core: Any
