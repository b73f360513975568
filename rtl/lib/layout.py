"""Command words, the NamedTuples of accelsim.passes as Amaranth layouts, and addresses."""

from typing import Any, NamedTuple

from amaranth.hdl import unsigned
from amaranth.lib import data

from accelsim.passes import widths


def layout(record: type) -> data.StructLayout:
    """StructLayout with the fields of a pass record, first field lowest, nested as the record."""
    return _struct(widths(record))


def address_bits(depth: int) -> int:
    """Width of an address in a memory of `depth` words."""
    return max(1, (depth - 1).bit_length())


def _struct(fields: dict[str, Any]) -> data.StructLayout:
    return data.StructLayout(
        {
            name: _struct(width) if isinstance(width, dict) else unsigned(width)
            for name, width in fields.items()
        }
    )


def values(record: NamedTuple) -> dict[str, Any]:
    """A record as the nested dict that initialises its layout."""
    return {
        name: values(value) if hasattr(value, "_fields") else int(value)
        for name, value in zip(record._fields, record, strict=True)
    }
