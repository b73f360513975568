"""Words in waves: what the bits of a field stand for, such as the names of opcodes.

Amaranth's simulator records them by itself. Simulators of Verilog know bits only, so that the words
are added to the VCD that they have recorded, as variables beside those of the bits.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from amaranth.hdl import Format, Fragment, Signal, Value
from amaranth.hdl._ast import Slice
from amaranth.lib.wiring import Component

from rtl.flow.verilog import TOP


class Field(NamedTuple):
    """Bits of a signal that stand for words.

    name : below that of the signal.  low, bits : where they lie in it.
    words : by the value of the bits.
    """

    name: str
    low: int
    bits: int
    words: Mapping[int, str]

    def word(self, value: str) -> str:
        """The word for the bits of the whole signal; x or a number where there is none."""
        part = value[len(value) - self.low - self.bits : len(value) - self.low]
        if part.strip("01"):
            return "x"
        number = int(part, 2)
        return self.words.get(number, str(number))


Fields = Mapping[tuple[str, ...], tuple[Field, ...]]  # by the path of the signal below the core


def find_fields(component: Component) -> Fields:
    """The fields of the signals of a component and its parts, by instances and name."""
    design = Fragment.get(component, None).prepare()
    return {
        (*information.name[1:], name): found
        for information in design.fragments.values()
        for signal, name in information.signal_names.items()
        if isinstance(signal, Signal) and (found := tuple(_fields(signal._format, "")))
    }


def _fields(form: Any, name: str) -> Iterator[Field]:
    if isinstance(form, Format.Struct):
        for inner, each in form._fields.items():
            yield from _fields(each, f"{name}.{inner}")
    elif isinstance(form, Format.Array):
        for index, each in enumerate(form._fields):
            yield from _fields(each, f"{name}[{index}]")
    elif isinstance(form, Format.Enum):
        low, bits = _place(form._value)
        yield Field(name, low, bits, form._variants)


def _place(value: Value) -> tuple[int, int]:
    """Lowest bit in its signal, and width."""
    low, bits = 0, len(value)
    while isinstance(value, Slice):
        low, value = low + value.start, value.value
    return low, bits


# --- in a VCD file


class _Shown(NamedTuple):
    """A field and the code of its variable."""

    field: Field
    code: str


def add_words(source: Path, target: Path, fields: Fields) -> None:
    """Copy a VCD file of the Verilog, with variables of words for the fields."""
    with source.open() as old, target.open("w") as new:
        shown, bits = _copy_declarations(old, new, fields)
        last: dict[str, str] = {}
        for line in old:
            new.write(line)
            if line[0] not in "bB01xzXZ":
                continue
            value, code = line[1:].split() if line[0] in "bB" else (line[0], line[1:].strip())
            if code in shown:
                fill = "0" if value[0] in "01" else value[0]
                whole = value.rjust(bits[code], fill)
                for field, variable in shown[code]:
                    word = field.word(whole)
                    if last.get(variable) != word:
                        last[variable] = word
                        new.write(f"s{word} {variable}\n")


def _copy_declarations(
    old: TextIO, new: TextIO, fields: Fields
) -> tuple[dict[str, list[_Shown]], dict[str, int]]:
    """The fields of every code that has some, and the bits of these codes."""
    shown: dict[str, list[_Shown]] = {}
    bits: dict[str, int] = {}
    scopes: list[str] = []
    for line in old:
        new.write(line)
        match line.split():
            case ["$scope", _, name, *_]:
                scopes.append(name)
            case ["$upscope", *_]:
                scopes.pop()
            case ["$var", _, size, code, name, *_] if TOP in scopes:
                path = (*scopes[scopes.index(TOP) + 1 :], name)
                for field in fields.get(path, ()):
                    if field.low + field.bits <= int(size):
                        variable = _code(shown)
                        shown.setdefault(code, []).append(_Shown(field, variable))
                        bits[code] = int(size)
                        new.write(f"$var string 1 {variable} {name}{field.name} $end\n")
            case ["$enddefinitions", *_]:
                break
    return shown, bits


def _code(shown: Mapping[str, list[_Shown]]) -> str:
    """A code for another variable; those of simulators are shorter."""
    return f"word_{sum(map(len, shown.values()))}"
