"""What the parts of the depthwise engine hand to each other."""

from typing import NamedTuple

from amaranth.hdl import Value, signed, unsigned
from amaranth.lib import data

from accelsim.hardware import DepthwiseEngine
from accelsim.passes import DepthwiseCommand
from rtl.lib.layout import address_bits, layout

# Rows and columns of the input that pixels look at; the engine's limits leave room for a tile
# that begins at the last output.
COORDINATE_BITS = layout(DepthwiseCommand)["bottom"].width
# Row or column of a tap relative to the pixel's: kernel times dilation on one side, padding on
# the other.
OFFSET = signed(COORDINATE_BITS)


def beats_shape(engine: DepthwiseEngine) -> unsigned:
    """Shape of a number of result words of a tile."""
    return unsigned((-(-engine.lanes // engine.result_lanes)).bit_length())


def entry_layout(engine: DepthwiseEngine) -> data.StructLayout:
    """An entry of the tap memory.

    word, shift : where pixel 0's value lies relative to the tile, the word modulo the addresses of
        a bank.  weights : one per lane.
    """
    return data.StructLayout(
        {
            "word": unsigned(address_bits(engine.bank_depth)),
            "shift": unsigned(address_bits(engine.pixels)),
            "weights": data.ArrayLayout(signed(engine.operands.bits), engine.lanes),
        }
    )


def map_fill_layout(engine: DepthwiseEngine) -> data.StructLayout:
    """A word of the stream that fills the banks, operands lane by lane.

    address : of the word in every bank.  part : with a fill port of F operands, which F of the
        word's operands these are.
    """
    count = engine.fill_port or engine.multipliers
    fields = {"address": unsigned(address_bits(engine.bank_depth))}
    if engine.fill_port:
        fields["part"] = unsigned(address_bits(-(-engine.multipliers // count)))
    operands = data.ArrayLayout(signed(engine.operands.bits), count)
    return data.StructLayout(fields | {"data": operands})


def tap_fill_layout(engine: DepthwiseEngine) -> data.StructLayout:
    """A word of the stream that fills the tap memory: where it goes, and the entry."""
    address = unsigned(address_bits(engine.tap_depth))
    return data.StructLayout({"address": address, "entry": entry_layout(engine)})


def tile_layout(engine: DepthwiseEngine) -> data.StructLayout:
    """P output pixels of a pass.

    y, x : of every pixel, the row and column of the input that tap 0 would read without padding.
    word : of the banks, where the first pixel's value lies; taps count from there.
    end : the last tile of its pass.
    """
    coordinates = data.ArrayLayout(unsigned(COORDINATE_BITS), engine.pixels)
    return data.StructLayout(
        {
            "command": layout(DepthwiseCommand),
            "y": coordinates,
            "x": coordinates,
            "word": unsigned(address_bits(engine.bank_depth)),
            "end": 1,
        }
    )


def step_layout(engine: DepthwiseEngine) -> data.StructLayout:
    """What a tap means behind the lanes' multipliers.

    first : starts the sums of a tile.
    beats : ends them, for so many result words; otherwise 0.
    end : ends its pass.  last : ends the sequence.
    """
    return data.StructLayout({"first": 1, "beats": beats_shape(engine), "end": 1, "last": 1})


def slot_layout(engine: DepthwiseEngine) -> data.StructLayout:
    """One clock of the issue stage.

    valid : a tap is issued.  address : its entry in the tap memory.  word : of its tile.
    mask : pixels whose value lies in the map.
    """
    return data.StructLayout(
        {
            "valid": 1,
            "address": unsigned(address_bits(engine.tap_depth)),
            "word": unsigned(address_bits(engine.bank_depth)),
            "mask": unsigned(engine.pixels),
            "step": step_layout(engine),
        }
    )


class Pixel(NamedTuple):
    """Row and column of an output pixel, in rows and columns of the input."""

    y: Value
    x: Value
