"""Commands of the post-processing unit, which follows the sums of a layer."""

from enum import IntEnum


class Rule(IntEnum):
    """How integers times factors are rounded; accelsim.numerics says what each is."""

    ORT = 0  # onnxruntime's, in float32
    TFL_DOUBLE = 1  # TFLite's
    TFL_SINGLE = 2  # TFLite's, built to round once
