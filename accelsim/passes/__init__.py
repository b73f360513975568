"""The commands of the engines: one immutable record per piece of work.

A record is a NamedTuple whose fields are Annotated with their width, so the same definition is
hashable (cost tables), goes into Numba kernels, and becomes the command word of the RTL.
"""

from accelsim.passes.base import (
    Address,
    Bits,
    Body,
    Repeat,
    Wait,
    addresses,
    check_earliest,
    columns,
    earliest_starts,
    enumerations,
    largest,
    meanings,
    outside,
    widths,
)
from accelsim.passes.depthwise import (
    NO_WRAP,
    DepthwiseCommand,
    DepthwiseLayout,
    DepthwiseOpcode,
    DepthwisePass,
    DepthwiseWords,
    depthwise_command,
    depthwise_results,
    depthwise_words,
)
from accelsim.passes.post import Rule
from accelsim.passes.systolic_array import (
    STATIONARY,
    ArrayCommand,
    ArrayPass,
    ArrayWords,
    Opcode,
    array_words,
    check_sums,
    misplaced,
    result_words,
)

__all__ = [
    "NO_WRAP",
    "STATIONARY",
    "Address",
    "ArrayCommand",
    "ArrayPass",
    "ArrayWords",
    "Bits",
    "Body",
    "DepthwiseCommand",
    "DepthwiseLayout",
    "DepthwiseOpcode",
    "DepthwisePass",
    "DepthwiseWords",
    "Opcode",
    "Repeat",
    "Rule",
    "Wait",
    "addresses",
    "array_words",
    "check_earliest",
    "check_sums",
    "columns",
    "depthwise_command",
    "depthwise_results",
    "depthwise_words",
    "earliest_starts",
    "enumerations",
    "largest",
    "meanings",
    "misplaced",
    "outside",
    "result_words",
    "widths",
]
