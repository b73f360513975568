"""What the parts of the array tell each other, clock by clock.

The sequencer sends a frame to the edge of row 0, which travels down the rows; below the last row
its token tells the result port what comes out of the columns.
"""

from amaranth.hdl import unsigned
from amaranth.lib import data

from accelsim.hardware import SystolicArray


def token_layout(array: SystolicArray) -> data.StructLayout:
    """What a frame means for the result port, R clocks after row 0 of the array."""
    return data.StructLayout(
        {
            "beat": 1,  # a row of partial sums leaves (ws, is)
            "start": 1,  # ... the first of its pass
            "end": 1,  # last results of a pass, or none where it keeps its sums
            "last": 1,  # ... and of a sequence
            "accumulate": 1,
            "emit": 1,
            "drain": unsigned(array.rows.bit_length()),  # results captured for the drain, or 0
            "columns": unsigned(array.columns.bit_length()),
        }
    )


def frame_layout(array: SystolicArray) -> data.StructLayout:
    """What the sequencer tells the edge of row 0; row i hears it i clocks later."""
    tap = unsigned(max(1, (array.max_taps - 1).bit_length()))
    return data.StructLayout(
        {
            "valid": 1,  # the row banks deliver operands
            "rows": unsigned(array.rows.bit_length()),  # rows that take part
            "from_top": 1,  # ... counted from the top (ws, is), else from the bottom
            "first": 1,
            "capture": 1,
            "stationary": 1,
            "half_speed": 1,
            "swap": 1,
            "shift_operands": 1,
            "tap_write": 1,
            "tap_read": 1,
            "tap_in": tap,
            "tap_out": tap,
            "token": token_layout(array),
        }
    )


def load_layout(array: SystolicArray) -> data.StructLayout:
    """Loading of a stationary tile: `beat` rows are already in; not delayed from row to row."""
    beat = unsigned(max(1, (array.rows - 1).bit_length()))
    return data.StructLayout({"loading": 1, "beat": beat})
