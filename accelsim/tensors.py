"""The types of what runs along the edges of a network.

A map is (c, h, w) of integers; what they stand for is its scale and zero point, where a network has
them.
"""

import math
from dataclasses import dataclass

import numpy as np

from accelsim.checks import is_tuple, whole
from accelsim.errors import NetworkError, ShapeError, UnsupportedError

Shape = tuple[int, int, int]
DTYPES = ("int8", "uint8", "int16", "uint16", "int32")
MOST_SIDE = 1 << 16  # rows, and columns, of a map
MOST_CHANNELS = 1 << 24  # a kernel that a layer makes may have one for every value
OPERAND_DTYPE = (
    "int8"  # of maps of our own networks, and what engines multiply unless factors say otherwise
)


@dataclass(frozen=True)
class Tensor:
    """The type of a map: an integer q of it stands for scale (q - zero_point).

    shape : (c, h, w), each at least 1, c at most MOST_CHANNELS, h and w at most MOST_SIDE.
    dtype : one of DTYPES.
    scale : above 0; None where the network does not say it.
    zero_point : the integer that stands for 0, a value of the dtype.
    """

    shape: Shape
    dtype: str = "int8"
    scale: float | None = None
    zero_point: int = 0

    def __post_init__(self) -> None:
        shape = self.shape
        if not is_tuple(shape, whole(1), 3):
            raise ShapeError(
                "shape must be three whole numbers of at least 1, channels, rows and columns, "
                f"not {shape!r}"
            )
        check_extent("maps", shape)
        if self.dtype not in DTYPES:
            raise NetworkError(f"dtype must be one of {', '.join(DTYPES)}, not {self.dtype!r}")
        scale, zero_point = self.scale, self.zero_point
        if scale is not None and not (isinstance(scale, int | float) and 0 < scale < math.inf):
            raise NetworkError(f"scale must be above 0 and finite, not {scale!r}")
        limits = np.iinfo(self.dtype)
        if not whole(int(limits.min), int(limits.max)).allows(zero_point):
            raise NetworkError(
                f"zero_point must be a whole number from {limits.min} to {limits.max}, as "
                f"{self.dtype} is, not {zero_point!r}"
            )


def check_extent(what: str, shape: Shape) -> None:
    """ShapeError where a shape exceeds MOST_CHANNELS or MOST_SIDE; `what` is what has it."""
    if shape[0] > MOST_CHANNELS or max(shape[1:]) > MOST_SIDE:
        raise ShapeError(
            f"{what} must have at most {MOST_CHANNELS} channels and be at most {MOST_SIDE} a side, "
            f"not {list(shape)}"
        )


def check_operand(tensor: Tensor) -> None:
    """UnsupportedError unless engines can multiply the values of such a map.

    The message continues the name of the layer that reads it.
    """
    if tensor.dtype != OPERAND_DTYPE:
        raise UnsupportedError(
            f"reads a map of {tensor.dtype}, and engines take {OPERAND_DTYPE} only"
        )
