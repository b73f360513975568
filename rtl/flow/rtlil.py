"""Yosys's intermediate language after its clean-up: modules, their wires, cells and connections.

Only what is left then is known: no processes, and memories are cells.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple


class Slice(NamedTuple):
    """Bits of a wire, from `low` on."""

    wire: str
    low: int
    bits: int


Signal = tuple[Slice | str, ...]  # parts, lowest first; a constant is its bits, highest first


@dataclass
class Wire:
    """A wire of a module, or a port where `options` say so."""

    name: str
    bits: int
    options: str  # such as `input 3` and `signed`
    attributes: list[str]

    @property
    def direction(self) -> str:
        """One of input, output, and nothing for what is no port."""
        found = re.search(r"\b(input|output)\b", self.options)
        return found[1] if found else ""

    def lines(self) -> Iterator[str]:
        yield from self.attributes
        yield f"  wire width {self.bits} {self.options}{self.name}"


@dataclass
class Cell:
    """A cell, whose type is the name of a module where it is a part.

    attributes : of a memory; those of other cells are left out.
    """

    type: str
    name: str
    parameters: dict[str, str]
    ports: dict[str, Signal]
    attributes: list[str] = field(default_factory=list)

    def number(self, parameter: str) -> int:
        """Value of a parameter that is a number; 0 where the cell has none."""
        text = self.parameters.get(parameter, "0").rpartition("'")[2]
        return int(text)

    def lines(self) -> Iterator[str]:
        yield from self.attributes
        yield f"  cell {self.type} {self.name}"
        yield from (f"    parameter {name} {value}" for name, value in self.parameters.items())
        yield from (f"    connect {name} {written(signal)}" for name, signal in self.ports.items())
        yield "  end"


@dataclass
class Module:
    """A module; `attributes` stand in front of it."""

    name: str
    attributes: list[str]
    wires: dict[str, Wire] = field(default_factory=dict)
    cells: list[Cell] = field(default_factory=list)
    connections: list[tuple[Signal, Signal]] = field(default_factory=list)
    made: int = 0

    def lines(self) -> Iterator[str]:
        yield from self.attributes
        yield f"module {self.name}"
        for wire in self.wires.values():
            yield from wire.lines()
        for cell in self.cells:
            yield from cell.lines()
        for target, value in self.connections:
            yield f"  connect {written(target)} {written(value)}"
        yield "end"

    def new_name(self) -> str:
        """A name that the module has not."""
        self.made += 1
        return f"$explicit${self.made}"

    def new_wire(self, bits: int) -> Signal:
        """All of a wire that the module has not."""
        name = self.new_name()
        self.wires[name] = Wire(name, bits, "", [])
        return (Slice(name, 0, bits),)


# --- signals


def width(signal: Signal) -> int:
    """Bits of a signal."""
    return sum(len(part) if isinstance(part, str) else part.bits for part in signal)


def cut(signal: Signal, low: int, bits: int) -> Signal:
    """So many bits of a signal, from `low` on; fewer where it ends before."""
    parts: list[Slice | str] = []
    for part in signal:
        size = len(part) if isinstance(part, str) else part.bits
        first, end = max(low, 0), min(low + bits, size)
        if first < end:
            if isinstance(part, str):
                parts.append(part[size - end : size - first])
            else:
                parts.append(Slice(part.wire, part.low + first, end - first))
        low -= size
    return tuple(parts)


def extended(signal: Signal, bits: int, signed: bool) -> Signal:
    """The signal as so many bits: its highest repeated where it is signed, else zeros."""
    have = width(signal)
    if have >= bits:
        return cut(signal, 0, bits)
    if signed and have:
        return (*signal, *cut(signal, have - 1, 1) * (bits - have))
    return (*signal, "0" * (bits - have))


def slices(signal: Signal) -> Iterator[Slice]:
    """Its parts that are not constant."""
    return (part for part in signal if not isinstance(part, str))


def written(signal: Signal) -> str:
    """A signal as it stands in a file."""
    parts = [
        f"{len(part)}'{part}"
        if isinstance(part, str)
        else f"{part.wire} [{part.low + part.bits - 1}:{part.low}]"
        for part in reversed(signal)
    ]
    return parts[0] if len(parts) == 1 else f"{{ {' '.join(parts)} }}"


_PART = re.compile(r"(\d+'[01xz-]*)|([\\$]\S+)(?: \[(\d+)(?::(\d+))?\])?|(-?\d+)")


def _signal(text: str, wires: dict[str, Wire]) -> Signal:
    parts: list[Slice | str] = []
    for given, wire, high, low, number in _PART.findall(text):
        if wire:
            first, last = int(low or high or 0), int(high or wires[wire].bits - 1)
            parts.append(Slice(wire, first, last - first + 1))
        else:
            parts.append(constant(given or number))
    return tuple(reversed(parts))


def constant(text: str) -> str:
    """The bits of a constant, of which the file may leave out those that repeat the highest."""
    bits, is_short, digits = text.partition("'")
    if not is_short:
        return f"{int(text) & 0xFFFFFFFF:032b}"
    fill = digits[0] if digits.startswith(("x", "z", "-")) else "0"
    return digits.rjust(int(bits), fill)


# --- files


def read(text: str) -> list[Module]:
    """The modules of a file."""
    modules: list[Module] = []
    attributes: list[str] = []
    lines = iter(text.splitlines())
    for line in lines:
        match line.split(maxsplit=2):
            case ["attribute", *_]:
                attributes.append(line)
                continue
            case ["module", name]:
                modules.append(Module(name, attributes))
            case ["wire", *_]:
                _, *options, name = line.split()
                wire = _wire(options, name, attributes)
                modules[-1].wires[name] = wire
            case ["cell", type_, name]:
                modules[-1].cells.append(_cell(type_, name, lines, modules[-1].wires, attributes))
            case ["connect", *_]:
                target, value = _two(line.strip().removeprefix("connect "))
                wires = modules[-1].wires
                modules[-1].connections.append((_signal(target, wires), _signal(value, wires)))
        attributes = []
    return modules


def _wire(options: list[str], name: str, attributes: list[str]) -> Wire:
    bits = 1
    if "width" in options:
        at = options.index("width")
        bits = int(options[at + 1])
        del options[at : at + 2]
    return Wire(name, bits, "".join(f"{option} " for option in options), attributes)


def _cell(
    type_: str, name: str, lines: Iterator[str], wires: dict[str, Wire], attributes: list[str]
) -> Cell:
    parameters: dict[str, str] = {}
    ports: dict[str, Signal] = {}
    for line in lines:
        match line.split(maxsplit=2):
            case ["parameter", what, value]:
                parameters[what] = value
            case ["parameter", *_]:  # signed
                _, _, what, value = line.split(maxsplit=3)
                parameters[what] = value
            case ["connect", what, value]:
                ports[what] = _signal(value, wires)
            case ["end"]:
                break
    return Cell(type_, name, parameters, ports, attributes if type_ == "$mem_v2" else [])


def _two(text: str) -> tuple[str, str]:
    """The two signals of a connection."""
    found = re.fullmatch(r"(\{.*?\}|[\\$]\S+(?: \[[\d:]+\])?) (.*)", text)
    assert found is not None
    return found[1], found[2]


def write(modules: Iterable[Module]) -> str:
    """A file of modules."""
    return "\n".join(line for module in modules for line in module.lines()) + "\n"
