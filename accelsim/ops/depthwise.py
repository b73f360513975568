"""Depthwise convolution, also with kernels whose shape differs from channel to channel."""

from dataclasses import dataclass
from itertools import accumulate
from typing import ClassVar

from accelsim.checks import Requirement, check, is_tuple
from accelsim.errors import ShapeError
from accelsim.ir import Conv, Piece, Shape
from accelsim.ops.geometry import (
    PAIR,
    Padding,
    Pair,
    check_channels,
    check_padding,
    check_pair,
    check_whole,
    make_conv,
    take_map,
    take_part,
)
from accelsim.ops.masks import Masked, MaskLike, as_mask

KERNELS = Requirement(
    "a list of two whole numbers of at least 1 for every channel",
    lambda value: is_tuple(value, PAIR),
)


@dataclass(frozen=True)
class Depthwise(Masked):
    """Each channel by itself: output channel c multiplier + j sees input channel c only.

    kernel : one shape for all channels; weights are int8[k, 1, fh, fw].
    padding : as of conv2d, but "same" if not given, so that kernels of any shapes fit together.
    multiplier : output channels per input channel.
    kernels : instead of `kernel`, one shape per channel; weights are int8[n], the channels' kernels
        one after the other, each row by row.
    channels : (first, stop) of the input channels that are read; all of them if None.
    mask : the taps of `kernel` that exist, as ops.masks.as_mask takes them; None for all.
    """

    name: ClassVar[str] = "depthwise"
    depthwise: ClassVar[bool] = True
    kernel: Pair | None = None
    stride: Pair = (1, 1)
    padding: Padding = "same"
    dilation: Pair = (1, 1)
    multiplier: int = 1
    kernels: tuple[Pair, ...] | None = None
    channels: Pair | None = None
    mask: MaskLike = None

    def __post_init__(self) -> None:
        if (self.kernel is None) == (self.kernels is None):
            raise ShapeError("kernel or kernels must be given, one of the two")
        if self.kernel is not None:
            check_pair("kernel", self.kernel)
        else:
            check("kernels", self.kernels, KERNELS, ShapeError)
        check_pair("stride", self.stride)
        check_padding(self.padding)
        check_pair("dilation", self.dilation)
        check_whole("multiplier", self.multiplier)
        if self.channels is not None:
            check_channels(self.channels)
        object.__setattr__(self, "mask", as_mask(self.mask, self.kernel))

    def unmasked(self, *inputs: Shape) -> tuple[Piece, ...]:
        """One Conv, or one for every kernel shape in the order of first use."""
        c, h, w = take_map(self.name, inputs)
        first, stop = take_part("channels", self.channels or (0, c), c)
        if self.kernel is not None:
            read = None if self.channels is None else tuple(range(first, stop))
            return (Piece(self._conv((stop - first, h, w), self.kernel), read),)
        assert self.kernels is not None
        if len(self.kernels) != stop - first:
            raise ShapeError(
                f"kernels must be one for each of the {stop - first} channels, "
                f"not {len(self.kernels)}"
            )
        sizes = [self.multiplier * fh * fw for fh, fw in self.kernels]
        bounds = list(accumulate(sizes, initial=0))
        pieces = []
        for kernel in dict.fromkeys(self.kernels):
            which = [i for i, other in enumerate(self.kernels) if other == kernel]
            pieces.append(
                Piece(
                    self._conv((len(which), h, w), kernel),
                    channels=tuple(first + i for i in which),
                    outputs=tuple(
                        i * self.multiplier + j for i in which for j in range(self.multiplier)
                    ),
                    weights=tuple((bounds[i], bounds[i + 1]) for i in which),
                )
            )
        return tuple(pieces)

    def _conv(self, shape: Shape, kernel: Pair) -> Conv:
        return make_conv(
            shape,
            shape[0] * self.multiplier,
            kernel,
            self.stride,
            self.padding,
            self.dilation,
            groups=shape[0],
        )
