"""Which taps of a kernel exist: those of blocks of output channels by blocks of input channels.

What a mask leaves out is zero, is stored nowhere, and is no parameter and no multiply-accumulate.
"""

from abc import abstractmethod
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import accumulate
from math import prod
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from accelsim.checks import is_tuple, show, whole
from accelsim.errors import ShapeError
from accelsim.ir import Piece, Shape, live_runs
from accelsim.numerics import Int8
from accelsim.ops.base import Convolution
from accelsim.ops.geometry import Array, Pair, convolve

Blocks = int | tuple[int, ...] | None
Bools = npt.NDArray[np.bool_]

_KEYS = ("taps", "outputs", "inputs")


@dataclass(frozen=True)
class Mask:
    """The live taps of the blocks of a kernel [k, c / groups, fh, fw].

    kernel : (fh, fw).
    taps : of every block of output channels, of every block of the input channels of a group, a
        number whose bit row * fw + column says whether that tap is live.
    outputs, inputs : channels of a block: one number for all, of which the last may have fewer, or
        one for each; None for a single block of all channels.
    """

    kernel: Pair
    taps: tuple[tuple[int, ...], ...]
    outputs: Blocks = None
    inputs: Blocks = None

    def __post_init__(self) -> None:
        for sizes, what in ((self.outputs, "outputs"), (self.inputs, "inputs")):
            if not (sizes is None or whole(1).allows(sizes) or is_tuple(sizes, whole(1))):
                raise ShapeError(
                    f"mask must have a whole number of at least 1 as {what}, or a list of such, "
                    f"not {show(sizes)}"
                )
        area = prod(self.kernel)
        widths = {len(row) for row in self.taps}
        if len(widths) != 1 or not all(0 <= bits < 1 << area for row in self.taps for bits in row):
            raise ShapeError(
                f"mask must have as many blocks of inputs for each of outputs, each with bits of "
                f"{area} taps, not {show(self.taps)}"
            )
        if not any(map(any, self.taps)):
            raise ShapeError("mask must have a live tap; a layer without any multiplies nothing")

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        """Of a mask that can have very many blocks and is a part of many keys; in every process."""
        return hash((self.kernel, self.taps, self.outputs or 0, self.inputs or 0))

    @classmethod
    def everywhere(cls, taps: Any) -> "Mask":
        """One mask for all channels, from [fh, fw] of 0 and 1."""
        return cls.of_blocks(np.asarray(taps)[None, None])

    @classmethod
    def of_blocks(cls, taps: Any, outputs: Blocks = None, inputs: Blocks = None) -> "Mask":
        """From [blocks of outputs, blocks of inputs, fh, fw] of 0 and 1; ShapeError for others."""
        rows = _bools(taps, 4)
        bits = [[_number(taps) for taps in row.reshape(len(row), -1)] for row in rows]
        return cls(rows.shape[2:], tuple(map(tuple, bits)), outputs, inputs)

    @classmethod
    def of(cls, live: Any) -> "Mask":
        """From the taps of a whole kernel, [k, c / groups, fh, fw] of 0 and 1."""
        taps = _bools(live, 4)
        outputs, inputs = _runs(taps, 0), _runs(taps, 1)
        firsts = np.ix_(*([0, *accumulate(sizes[:-1])] for sizes in (outputs, inputs)))
        return cls.of_blocks(taps[firsts], outputs, inputs)

    def live(self, outputs: int, inputs: int) -> Bools:
        """bool[k, c / groups, fh, fw], of so many channels; ShapeError where blocks do not fit."""
        fh, fw = self.kernel
        numbers = np.array(self.taps, object)
        bits = (numbers[..., None] >> np.arange(fh * fw, dtype=object)) & 1
        blocks = bits.astype(np.bool_).reshape(*numbers.shape, fh, fw)
        k, c = self._blocks(outputs, inputs)
        return blocks.repeat(k, axis=0).repeat(c, axis=1)

    def pieces(self, whole: Piece) -> tuple[Piece, ...]:
        """The parts of a Conv that has all taps: one for every set of live taps of outputs.

        Output channels without a live tap are in none. In groups, a piece has as many channels of
        one group as of another.
        """
        return _pieces(self, whole)

    def _blocks(self, outputs: int, inputs: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        counts = len(self.taps), len(self.taps[0])
        return (
            _resolve("output", self.outputs, outputs, counts[0]),
            _resolve("input", self.inputs, inputs, counts[1]),
        )


MaskLike = Mask | tuple[Any, ...] | dict[str, Any] | None


def as_mask(value: Any, kernel: Pair | None) -> Mask | None:
    """What an attribute `mask` says, for a kernel of one shape; ShapeError where that is nothing.

    Rows of 0 and 1 are one mask for all channels; a table has `taps` of blocks, [blocks of outputs,
    blocks of inputs, fh, fw], and how many channels they have, `outputs` and `inputs`.
    """
    if value is None:
        return None
    if kernel is None:
        raise ShapeError("mask must be of one kernel for all channels, not of several kernels")
    if isinstance(value, dict):
        if "taps" not in value or any(key not in _KEYS for key in value):
            raise ShapeError(
                f"mask must be a table of taps, and where they have blocks outputs and inputs, "
                f"not of {', '.join(value) or 'nothing'}"
            )
        sizes = (_tuple(value.get(key)) for key in _KEYS[1:])
        mask = Mask.of_blocks(value["taps"], *sizes)
    else:
        mask = value if isinstance(value, Mask) else Mask.everywhere(_bools(value, 2))
    if mask.kernel != kernel:
        raise ShapeError(
            f"mask must have the {kernel[0]} x {kernel[1]} taps of the kernel, not "
            f"{mask.kernel[0]} x {mask.kernel[1]}"
        )
    return mask


class Masked(Convolution, Protocol):
    """A Convolution that may have a mask; a file of ops/ adds `unmasked`.

    With one, weights are int8[live taps]: the kernels of the output channels one after another,
    each by input channel and then by tap.
    """

    mask: Any

    @abstractmethod
    def unmasked(self, *inputs: Shape) -> tuple[Piece, ...]:
        """The layer with all taps of its kernels; ShapeError where shapes do not fit."""

    def lower(self, *inputs: Shape) -> tuple[Piece, ...]:
        """The layer with all taps, or a Piece for every set of live taps."""
        pieces = self.unmasked(*inputs)
        return pieces if self.mask is None else self.mask.pieces(*pieces)

    def out_shape(self, *inputs: Shape) -> Shape:
        """Output shape; ShapeError where shapes do not fit."""
        k, oh, ow = super().out_shape(*inputs)
        return (k if self.mask is None else self.unmasked(*inputs)[0].conv.k), oh, ow

    def golden(self, weights: Int8, *inputs: Int8) -> Array:
        """int32[c, h, w], or float32 of reals: with a mask, of the kernel with its zeros."""
        if self.mask is None:
            return super().golden(weights, *inputs)
        (whole,) = self.unmasked(*(each.shape for each in inputs))
        x, kernel = self.operands(inputs, weights)
        k, depth, *_ = whole.conv.kernel_shape
        live = self.mask.live(k, depth)
        dense = np.zeros(live.shape, kernel.dtype)
        dense[live] = kernel.ravel()
        return convolve(whole.conv, dense, whole.take_input(x))

    def dense_shape(self, *inputs: Shape) -> tuple[int, ...]:
        """Shape of the weights without a mask, with the zeros among them."""
        return replace(self, mask=None).weight_shape(*inputs)  # type: ignore[type-var]

    def pack(self, kernel: Array) -> Array | None:
        """The weights of a kernel with its zeros; None where another is not 0.

        kernel : [k, c / groups, ...].
        """
        live = self.mask.live(*kernel.shape[:2]).reshape(kernel.shape)
        kept: Array = kernel[live]
        return None if kernel[~live].any() else kept


def _bools(value: Any, axes: int) -> Bools:
    """0 and 1, True and False, as bool of so many axes."""
    try:
        taps = np.asarray(value)
    except ValueError:  # rows of different lengths
        taps = np.empty(0, object)
    if taps.ndim != axes or not taps.size or taps.dtype.kind not in "bi" or {*taps.flat} - {0, 1}:
        of = "rows" if axes == 2 else "blocks of outputs of blocks of inputs of rows"
        raise ShapeError(f"mask must be {of} of 0 and 1, all equally long, not {_brief(value)}")
    return taps.astype(np.bool_)


def _brief(value: Any) -> str:
    """Of an array its shape, as it may be large."""
    return f"an array {list(value.shape)}" if isinstance(value, np.ndarray) else show(_tuple(value))


def _number(taps: Bools) -> int:
    """The bits of the taps, the first of which is the lowest."""
    return int.from_bytes(np.packbits(taps, bitorder="little").tobytes(), "little")


def _tuple(value: Any) -> Any:
    return tuple(map(_tuple, value)) if isinstance(value, list) else value


def _runs(taps: Bools, axis: int) -> tuple[int, ...]:
    """Lengths of the runs of equal channels along an axis."""
    rows = np.moveaxis(taps, axis, 0).reshape(taps.shape[axis], -1)
    changes = np.flatnonzero((rows[1:] != rows[:-1]).any(axis=1)) + 1
    return tuple(int(size) for size in np.diff([0, *changes, len(rows)]))


def _resolve(side: str, sizes: Blocks, count: int, blocks: int) -> tuple[int, ...]:
    """Channels of every block; ShapeError unless they are those of the layer."""
    if sizes is None:
        found: tuple[int, ...] = (count,)
    elif isinstance(sizes, int):
        full, rest = divmod(count, sizes)
        found = (sizes,) * full + ((rest,) if rest else ())
    else:
        found = sizes
    if sum(found) != count:
        raise ShapeError(
            f"mask must be of the {count} {side} channels that a kernel has, not of {sum(found)}"
        )
    if len(found) != blocks:
        raise ShapeError(
            f"mask must have taps of {len(found)} blocks of {side} channels, not of {blocks}"
        )
    return found


@lru_cache(maxsize=1 << 10)
def _pieces(mask: Mask, whole: Piece) -> tuple[Piece, ...]:
    conv, groups = whole.conv, whole.conv.groups
    k, depth = conv.k // groups, conv.c // groups
    outputs, inputs = mask._blocks(conv.k, depth)
    rows = [row for row, size in zip(mask.taps, outputs, strict=True) for _ in range(size)]
    sizes = [
        sum(taps.bit_count() * size for taps, size in zip(row, inputs, strict=True)) for row in rows
    ]
    bounds = list(accumulate(sizes, initial=0))
    having: dict[tuple[int, ...], list[list[int]]] = defaultdict(
        lambda: [[] for _ in range(groups)]
    )
    for output, row in enumerate(rows):
        if any(row):
            having[row][output // k].append(output)
    pieces = []
    for row, by_group in having.items():
        live = live_runs(zip(inputs, row, strict=True), prod(mask.kernel))
        for count in sorted({len(each) for each in by_group} - {0}):
            which = [group for group, each in enumerate(by_group) if len(each) == count]
            made = [output for group in which for output in by_group[group]]
            channels = whole.channels
            if len(which) < groups:
                read = channels or range(conv.c)
                channels = tuple(read[g * depth + i] for g in which for i in range(depth))
            part = conv._replace(c=len(which) * depth, k=len(made), groups=len(which), live=live)
            weights = tuple((bounds[output], bounds[output + 1]) for output in made)
            pieces.append(Piece(part, channels, tuple(made), weights))
    return tuple(pieces)
