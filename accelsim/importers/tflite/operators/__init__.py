"""What the operators of TFLite compute, as nodes of a Graph: one rule each, listed here.

Values are those of TFLite's reference kernels.
"""

from collections.abc import Mapping

from accelsim.importers.tflite.build import Rule
from accelsim.importers.tflite.operators import (
    activations,
    arithmetic,
    products,
    reductions,
    shapes,
)

_TWO = (
    *("ADD", "SUB", "MUL", "DIV", "POW", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "PRELU"),
    *("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "ARG_MAX", "ARG_MIN"),
    *("EXPAND_DIMS", "GATHER", "MIRROR_PAD", "PAD", "SPLIT", "TILE", "TRANSPOSE"),
    *("EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "LOGICAL_AND", "LOGICAL_OR"),
    *("FLOOR_DIV", "FLOOR_MOD", "GATHER_ND", "BROADCAST_TO", "FILL", "REVERSE_V2"),
    *("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "BATCH_MATMUL"),
)
# How many inputs an operator has, least and most; those that are not listed have one.
INPUTS: Mapping[str, tuple[int, int]] = {
    **dict.fromkeys(_TWO, (2, 2)),
    **dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"), (2, 3)),
    **dict.fromkeys(("CONCATENATION", "PACK"), (1, 1 << 16)),
    "PADV2": (3, 3),
    "RESHAPE": (1, 2),
    "SELECT": (3, 3),
    "SELECT_V2": (3, 3),
    "SLICE": (3, 3),
    "SPLIT_V": (3, 3),
    "STRIDED_SLICE": (4, 4),
    "TRANSPOSE_CONV": (3, 4),
}
RULES: Mapping[str, Rule] = {
    **activations.RULES,
    **arithmetic.RULES,
    **products.RULES,
    **reductions.RULES,
    **shapes.RULES,
}
