"""What the parts of the depthwise engine hand to each other."""

from typing import NamedTuple

from amaranth.hdl import Value, signed, unsigned
from amaranth.lib import data

from accelsim.hardware import DepthwiseEngine
from accelsim.passes import DepthwiseCommand
from rtl.lib.layout import address_bits, layout
from rtl.lib.waits import waits_layout

# Rows and columns of the input that pixels look at; the engine's limits leave room for a tile
# that begins at the last output.
COORDINATE_BITS = layout(DepthwiseCommand)["bottom"].width
# Row or column of a pixel for which a tap lies at the edge of the map: padding on one side, kernel
# times dilation on the other.
EDGE = signed(COORDINATE_BITS)
FAR_EDGE = signed(COORDINATE_BITS + 1)  # that and the size of the map


def fill_layout() -> data.StructLayout:
    """What a loader fills for a command."""
    command = layout(DepthwiseCommand)
    return data.StructLayout({name: command[name].shape for name in ("words", "parts", "entries")})


def noted_layout(units: int = 0) -> data.StructLayout:
    """Those fields of a command that decide about its pass."""
    command = layout(DepthwiseCommand)
    work = command["work"].shape
    return data.StructLayout(
        {
            "opcode": work["opcode"].shape,
            "oh": work["oh"].shape,
            "row_tiles": command["row_tiles"].shape,
            "fill": fill_layout(),
            "last": 1,
        }
        | waits_layout(units)
    )


def extent_layout() -> data.StructLayout:
    """How many tiles a pass has, prepared so that their generator compares nothing.

    one_row, one_tile : no other row of tiles, no other tile in a row.
    tiles_left, rows_left : tiles in a row behind the first, and rows, less two: the sign says
        whether there are none behind the next.
    """
    fields = noted_layout()
    return data.StructLayout(
        {
            "one_row": 1,
            "one_tile": 1,
            "tiles_left": signed(1 + fields["row_tiles"].width),
            "rows_left": signed(1 + fields["oh"].width),
        }
    )


def decided_layout(units: int = 0) -> data.StructLayout:
    """What decides about a pass: its tiles, its fill, and whether it ends a sequence."""
    fields = {"extent": extent_layout(), "fill": fill_layout(), "last": 1}
    return data.StructLayout(fields | waits_layout(units))


def kept_layout() -> data.StructLayout:
    """A command, and the step from one of its tiles to the next that goes on in the next row."""
    return data.StructLayout(
        {
            "command": layout(DepthwiseCommand),
            "over_y": unsigned(COORDINATE_BITS),
            "over_x": signed(COORDINATE_BITS + 1),
        }
    )


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


def place_layout(engine: DepthwiseEngine) -> data.StructLayout:
    """A tile as the generator knows it: P output pixels of a pass, by the first of them.

    y, x : the row and column of the input that tap 0 of the first pixel would read without
        padding.  ahead_y, ahead_x : of the pixel behind the last one, wherever that is.
    word : of the banks, where the first pixel's value lies; taps count from there.
    begins, ends : the first and the last tile of its pass.
    """
    return data.StructLayout(
        {
            "command": layout(DepthwiseCommand),
            "y": unsigned(COORDINATE_BITS),
            "x": unsigned(COORDINATE_BITS),
            "ahead_y": unsigned(COORDINATE_BITS),
            "ahead_x": unsigned(COORDINATE_BITS),
            "word": unsigned(address_bits(engine.bank_depth)),
            "begins": 1,
            "ends": 1,
        }
    )


def pixels_layout(engine: DepthwiseEngine) -> data.StructLayout:
    """The pixels of a tile: their rows and columns, and whether they are outputs."""
    coordinates = data.ArrayLayout(unsigned(COORDINATE_BITS), engine.pixels)
    return data.StructLayout({"y": coordinates, "x": coordinates, "inside": engine.pixels})


def counts_layout(engine: DepthwiseEngine) -> data.StructLayout:
    """How many taps of a tile meet the map.

    rows, columns : of the kernel, behind the first, less two, so that the sign says whether there
        are none behind the next: -2 where there are none at all.
    one_row, one_column, one : whether it has no other, and whether both hold.
    """
    fields = layout(DepthwiseCommand)["work"].shape
    return data.StructLayout(
        {
            "rows": signed(1 + fields["fh"].width),
            "columns": signed(1 + fields["fw"].width),
            "one_row": 1,
            "one_column": 1,
            "one": 1,
        }
    )


def where_layout(engine: DepthwiseEngine) -> data.StructLayout:
    """Where the taps of a tile lie that meet the map.

    y, x : the pixels from that row and column on are in the map for the first tap, as far as top
        and left are concerned.
    entry : of the first tap, counted from those of its pass.
    row_gap : entries from the last of a kernel row to the next.
    met : there are any; else entry is 0.
    """
    entry = unsigned(address_bits(engine.tap_depth))
    row_gap = layout(DepthwiseCommand)["work"].shape["fw"].shape
    return data.StructLayout({"y": EDGE, "x": EDGE, "entry": entry, "row_gap": row_gap, "met": 1})


def reach_layout(engine: DepthwiseEngine) -> data.StructLayout:
    """The taps of a tile: those between the first and the last that meet the map anywhere in it."""
    return data.StructLayout({"counts": counts_layout(engine), "where": where_layout(engine)})


def head_layout(engine: DepthwiseEngine) -> data.StructLayout:
    """What a tile begins and ends.

    beats : result words.  begins, ends : the first and the last tile of its pass.  last : the tile
        ends a sequence.
    """
    return data.StructLayout(
        {"beats": beats_shape(engine), "begins": 1, "ends": 1, "last": 1},
    )


def order_layout(engine: DepthwiseEngine) -> data.StructLayout:
    """A tile as the issue stage decides about it."""
    return data.StructLayout({"head": head_layout(engine), "counts": counts_layout(engine)})


def size_layout(engine: DepthwiseEngine) -> data.StructLayout:
    """What is known at once of where a tile lies: of its command, and its word."""
    work = layout(DepthwiseCommand)["work"].shape
    return data.StructLayout(
        {
            **{name: work[name].shape for name in ("h", "w", "dh", "dw")},
            "taps": unsigned(address_bits(engine.tap_depth)),
            "word": unsigned(address_bits(engine.bank_depth)),
        }
    )


def tile_layout(engine: DepthwiseEngine) -> data.StructLayout:
    """Where a tile lies, and its first tap.

    top, bottom, left, right : the pixels from that row on, and before that row, and so on, are in
        the map for the first tap.
    row_gap : entries from the last of a kernel row to the next.
    address : of the first entry.  word : of the banks.
    """
    work = layout(DepthwiseCommand)["work"].shape
    return data.StructLayout(
        {
            "top": EDGE,
            "bottom": FAR_EDGE,
            "left": EDGE,
            "right": FAR_EDGE,
            "dh": work["dh"].shape,
            "dw": work["dw"].shape,
            "row_gap": work["fw"].shape,
            "address": unsigned(address_bits(engine.tap_depth)),
            "word": unsigned(address_bits(engine.bank_depth)),
            "pixels": pixels_layout(engine),
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
    """
    return data.StructLayout(
        {
            "valid": 1,
            "address": unsigned(address_bits(engine.tap_depth)),
            "word": unsigned(address_bits(engine.bank_depth)),
            "step": step_layout(engine),
        }
    )


class Pixel(NamedTuple):
    """Row and column of an output pixel, in rows and columns of the input."""

    y: Value
    x: Value
