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

RULES: Mapping[str, Rule] = {
    **activations.RULES,
    **arithmetic.RULES,
    **products.RULES,
    **reductions.RULES,
    **shapes.RULES,
}
