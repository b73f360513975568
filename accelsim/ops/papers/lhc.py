"""Learnable heterogeneous convolution (arXiv 2301.05440): taps that differ from block to block.

Blocks are of `cgo` output channels by `cgi` input channels. What is trained beside the weights are
effects, of every tap of a block (free shapes, kernels of any size) or of every one of 15 shapes of
3 x 3 taps (rigid ones); a tap is live where its effect is above 0, and of shapes the one with the
greatest effect is taken, the first of several. The convolution multiplies with weights times mask:
where it is trained that is a dense kernel, which is what the layers of the train form have, and run
are live taps alone. Of a depthwise layer, which the authors leave as it is, a block is of `cgo`
output channels, each of which reads but one. Effects are no parameters here. Without any at hand,
masks are drawn for each layer, so that as many taps are live as the density says, to the nearest
whole tap of a block; of rigid shapes to the nearest that can be made of them.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from itertools import count
from operator import or_
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from accelsim.checks import FLAG, one_of, whole
from accelsim.errors import ShapeError
from accelsim.ir import Layer, Network, Operator, Shape
from accelsim.ops.conv2d import Conv2d
from accelsim.ops.depthwise import Depthwise
from accelsim.ops.geometry import Array
from accelsim.ops.masks import Bools, Mask
from accelsim.ops.papers.base import (
    INFERENCE,
    IRREGULAR,
    SHARE,
    TRAIN,
    ConvolutionOperator,
    Cost,
    Key,
    Paper,
    Trained,
    read_flag,
    read_share,
    read_whole,
)
from accelsim.ops.papers.convolutions import as_convolution

FREE, RIGID = "free", "rigid"

# No tap, the one in the middle, lines, corners, halves, all.
_SHAPES = """
... ... ... ..x .x. x.. xx. .xx ... ... xxx ... xx. .xx xxx
... .x. xxx .x. .x. .x. xx. .xx xx. .xx xxx xxx xx. .xx xxx
... ... ... x.. .x. ..x ... ... xx. .xx ... xxx xx. .xx xxx
"""
SHAPES: Bools = np.array(
    [[[tap == "x" for tap in row] for row in line.split()] for line in _SHAPES.split("\n")[1:-1]]
).transpose(1, 0, 2)
_COUNTS = SHAPES.sum(axis=(1, 2))
_MEDIUM = 4  # taps
_STEPS = 40  # of a bisection


@dataclass(frozen=True)
class Lhc(ConvolutionOperator):
    """A convolution of which every block of channels has only some taps.

    shapes : free, any taps; or rigid, one of 15 shapes of 3 x 3 taps.
    density : share of the taps that are live.
    cgi, cgo : input and output channels of a block.
    seed : of the masks.

    groups are 1, or one for each input channel. In formulas, live are the live taps of the kernel:
    density*Co*(Ci/g)*k^2, to a tap of a block.
    """

    name: ClassVar[str] = "lhc"
    paper: ClassVar[Paper] = Paper(
        "Zhao, Wu, Zhang",
        "Learnable Heterogeneous Convolution: Learning both topology and strength",
        "Neural Networks 2021",
        "2301.05440",
    )
    cost_class: ClassVar[str] = IRREGULAR
    target: ClassVar[str] = (
        "dense convolutions but the first, with depthwise also depthwise ones; "
        "of 3 x 3 where shapes are rigid"
    )
    keys: ClassVar[Mapping[str, Key]] = {
        "shapes": Key(str, one_of((FREE, RIGID))),
        "density": Key(read_share, SHARE),
        "cgi": Key(read_whole, whole(1, 65536)),
        "cgo": Key(read_whole, whole(1, 65536)),
        "seed": Key(read_whole, whole(0, 999_999_999)),
        "depthwise": Key(read_flag, FLAG, "false"),
    }
    cost: ClassVar[Mapping[str, Cost]] = {
        TRAIN: Cost("Co*(Ci/g)*k^2", "Co*(Ci/g)*k^2*HWo"),
        INFERENCE: Cost("live", "live*HWo"),
    }
    shapes: str = FREE
    density: float = 0.1
    cgi: int = 32
    cgo: int = 16
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.shapes == RIGID and self.kernel != (3, 3):
            raise ShapeError(
                f"kernel must be [3, 3], of which rigid shapes are, not {list(self.kernel)}"
            )

    def mask(self, name: str, channels: int) -> Mask:
        """Of the layer of that name, on so many input channels of a group."""
        live = (rigid if self.shapes == RIGID else free)(self.effects(name, channels))
        return Mask.of_blocks(live, self.cgo, self.cgi)

    def expand(self, name: str, inputs: tuple[str, ...], shape: Shape) -> tuple[Layer, ...]:
        """NAME, a convolution with a mask; in the train form with the zeros in its kernel."""
        channels = self._each(shape)
        mask = self.mask(name, channels) if self.form == INFERENCE else None
        about = self.kernel, self.stride, self.padding, self.dilation
        op: Operator = Conv2d(self.out_channels, *about, mask=mask)
        if self.groups > 1:
            op = Depthwise(*about, self.out_channels // self.groups, mask=mask)
        return (self.last(name, op, *inputs),)

    def words(self, shape: Shape) -> dict[str, int]:
        """The live taps of the kernel: density*Co*(Ci/g)*k^2, to the nearest tap of a block."""
        channels = self._each(shape)
        mask = self.mask(self.name, channels)
        return {"live": int(mask.live(self.out_channels, channels).sum())}

    def _each(self, shape: Shape) -> int:
        """Input channels of a group; ShapeError unless it is dense or depthwise."""
        if self.groups not in (1, shape[0]) or self.out_channels % self.groups:
            raise ShapeError(
                f"groups must be 1, or the {shape[0]} input channels if these divide the "
                f"{self.out_channels} output channels, not {self.groups}"
            )
        return shape[0] // self.groups

    def fold(self, name: str, trained: Mapping[str, Trained]) -> dict[str, Trained]:
        """The values of the live taps; ShapeError where another is not 0."""
        (layer,) = trained.values()
        mask = self.mask(name, np.shape(layer.kernel)[1])
        return {name: layer._replace(kernel=packed(mask, layer.kernel))}

    @classmethod
    def replaces(cls, network: Network, layer: Layer, **keys: Any) -> bool:
        """Whether it is dense, or depthwise if asked for, and not the network's first."""
        every = (each for each in network.layers if as_convolution(network, each))
        conv = as_convolution(network, layer)
        if conv is None or layer is next(every):
            return False
        if conv.groups > 1:
            depthwise = conv.groups == network.in_shapes(layer)[0][0]
            if not (depthwise and keys.get("depthwise", False)):
                return False
        return keys.get("shapes", FREE) == FREE or conv.kernel == (3, 3)

    @classmethod
    def of(cls, network: Network, layer: Layer, **keys: Any) -> Self:
        """With the attributes of a convolution, dense or depthwise."""
        return super().of(network, layer, **{k: v for k, v in keys.items() if k != "depthwise"})

    def effects(self, name: str, channels: int) -> Array:
        """Drawn for the layer of that name: what `free` or `rigid` make its mask of."""
        sizes = -(-self.out_channels // self.cgo), -(-channels // self.cgi)
        taps = sizes[0] * sizes[1] * self.kernel[0] * self.kernel[1]
        live = max(1, round(self.density * taps))
        if self.shapes == RIGID:
            return _with_taps(self._draw(name, (*sizes, len(SHAPES))), live)
        drawn = self._draw(name, (*sizes, *self.kernel))
        ranks = np.argsort(np.argsort(drawn, axis=None, kind="stable"))
        effects: Array = live - ranks.reshape(drawn.shape)
        return effects

    def _draw(self, name: str, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
        """Numbers of [0, 1), which follow from seed, name and shape on every platform."""
        key = hashlib.sha256(f"{self.seed} {name} {shape}".encode()).digest()
        bits = np.random.PCG64(int.from_bytes(key, "little")).random_raw(int(np.prod(shape)))
        return (bits >> np.uint64(11)).reshape(shape) / 2.0**53


def free(effects: Array) -> Bools:
    """bool[blocks of outputs, blocks of inputs, fh, fw]: the taps with effects above 0, not at it.

    effects : of such shape.
    """
    live: Bools = effects > 0
    return live


def rigid(effects: Array) -> Bools:
    """bool[blocks of outputs, blocks of inputs, 3, 3]: the shapes of the greatest effects.

    effects : [blocks of outputs, blocks of inputs, 15]; of several greatest the first.
    """
    live: Bools = SHAPES[effects.argmax(axis=-1)]
    return live


def packed(mask: Mask, kernel: Array) -> Array:
    """The live values of [k, c / groups, fh, fw]; ShapeError where another is not 0."""
    values = np.asarray(kernel)
    live = mask.live(*values.shape[:2])
    if values[~live].any():
        raise ShapeError("kernel must be 0 where its mask has no tap")
    kept: Array = values[live]
    return kept


def _with_taps(effects: Array, total: int) -> Array:
    """Effects of shapes of which the greatest have so many taps in all, or as near as can be.

    All get in favour of larger or of smaller shapes until their taps are about so many. Then some
    blocks, of medium shapes if there are any, take others, which make up for the rest.
    """
    flat = effects.reshape(-1, len(SHAPES))
    low, high = -2.0 * SHAPES[0].size, 2.0 * SHAPES[0].size  # no tap anywhere, all taps
    for _ in range(_STEPS):
        middle = (low + high) / 2
        enough = _COUNTS[(flat + middle * _COUNTS).argmax(axis=1)].sum() >= total
        low, high = (low, middle) if enough else (middle, high)
    flat = flat + high * _COUNTS
    counts = _COUNTS[flat.argmax(axis=1)]
    order = np.argsort(-abs(counts - _MEDIUM), kind="stable")
    tried = (_changes(counts[order], near) for near in _near(total))
    sums, left = next(each for each in tried if each is not None)
    for place in order[len(order) - len(sums) + 1 :]:
        sums.pop()
        by_effect = np.argsort(-flat[place], kind="stable")
        shape = next(each for each in by_effect if _has(sums[-1], left - int(_COUNTS[each])))
        flat[place, shape] = flat[place].max() + 1
        left -= int(_COUNTS[shape])
    made: Array = flat.reshape(effects.shape)
    return made


def _near(total: int) -> Iterator[int]:
    """The number, and those around it, the nearest first, none of which is below 1."""
    for distance in count():
        yield from (each for each in (total - distance, total + distance) if each > 0)


def _changes(counts: Array, total: int) -> tuple[list[int], int] | None:
    """Taps that so many last blocks must have, for a total, and what none, one, ... can have.

    The latter in the bits of a number each. None where not even all can make up for the rest.
    """
    sums, left = [1], total - int(counts.sum())
    for taps in counts[::-1]:
        if _has(sums[-1], left):
            break
        left += int(taps)
        sums.append(reduce(or_, (sums[-1] << int(each) for each in set(_COUNTS))))
    return (sums, left) if _has(sums[-1], left) else None


def _has(sums: int, taps: int) -> bool:
    return taps >= 0 and bool(sums >> taps & 1)
