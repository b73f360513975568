"""Command words, the NamedTuples of accelsim.passes as Amaranth layouts, and addresses."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple, get_type_hints

from amaranth.hdl import Const, Format, Shape, ShapeCastable, Value, signed, unsigned
from amaranth.lib import data

from accelsim.passes import enumerations, signed_fields, widths


@dataclass(frozen=True)
class Words(ShapeCastable):
    """So many bits that stand for the words of an enumeration, which waves show."""

    words: type[IntEnum]
    bits: int

    def as_shape(self) -> Shape:
        return unsigned(self.bits)

    def __call__(self, target: Any) -> Value:
        return Value.cast(target)

    def const(self, init: Any) -> Const:
        return Const(int(init or 0), self.bits)

    def from_bits(self, raw: int) -> int:
        return raw

    def format(self, value: Any, spec: str) -> Any:
        return Format.Enum(value, {int(each): each.name.lower() for each in self.words})


def layout(record: type) -> data.StructLayout:
    """StructLayout with the fields of a pass record, first field lowest, nested as the record."""
    inner = get_type_hints(record)
    words = enumerations(record)
    fields: dict[str, Any] = {}
    for name, width in widths(record).items():
        if isinstance(width, dict):
            fields[name] = layout(inner[name])
        elif name in words:
            fields[name] = Words(words[name], width)
        else:
            fields[name] = signed(width) if name in signed_fields(record) else unsigned(width)
    return data.StructLayout(fields)


def address_bits(depth: int) -> int:
    """Width of an address in a memory of `depth` words."""
    return max(1, (depth - 1).bit_length())


def values(record: NamedTuple) -> dict[str, Any]:
    """A record as the nested dict that initialises its layout."""
    return {
        name: values(value) if hasattr(value, "_fields") else int(value)
        for name, value in zip(record._fields, record, strict=True)
    }
