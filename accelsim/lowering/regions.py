"""Convolutions with a kernel for every region of the map: two ways, and what they take.

expand   one Conv with the kernels of all regions, of whose results each pixel takes its own
bucket   for every region that has pixels, image by image, one matrix product: the patches of its
         pixels, in the order of rows, with its kernel

The clocks of `expand` are the same for all regions; those of `bucket` follow from the number of
pixels of each. Where the regions are not known, a layer stands for those that take the most; the
way and the dataflow are those of which this is the least, expand where both are equal, and stay the
same whatever the regions then are. The search for them grows with the square of the pixels, so that
maps of more than MOST_PIXELS are expanded.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.dataflows import Dataflow, Plan
from accelsim.dataflows.base import UNBOUNDED
from accelsim.dataflows.im2col import gemm
from accelsim.engines.base import Engine, Joint
from accelsim.errors import UnsupportedError
from accelsim.ir import Conv, Piece, Shape
from accelsim.lowering.lowered import Lowered, Part
from accelsim.numerics import Int8
from accelsim.ops.region_conv import BUCKET, EXPAND, RegionConv

MOST_PIXELS = 1 << 14  # whose buckets are counted: for more of them that takes minutes

# Plans of parts in the fastest of these dataflows; UnsupportedError says why there are none.
Planner = Callable[
    [tuple[Part, ...], Engine, Any, tuple[Dataflow, ...]], tuple[Dataflow, tuple[Plan, ...]]
]


class Regional(NamedTuple):
    """What a layer asks of an engine.

    op : its operator.
    conv : of one kernel and one image.
    images : of the batch.
    shared : whether they share the kernels.
    """

    op: RegionConv
    conv: Conv
    images: int
    shared: bool

    @property
    def pixels(self) -> int:
        """Outputs of a channel of an image."""
        return self.conv.oh * self.conv.ow

    @property
    def whole(self) -> Conv:
        """One kernel on all images."""
        return self.conv._replace(n=self.images)

    def kernels(self, weights: Int8) -> Int8:
        """int8[images, m, k, c / groups, fh, fw], or one for all images."""
        k, *rest = self.conv.kernel_shape
        return weights.reshape(-1, self.op.regions, k, *rest)


def regional(op: RegionConv, in_shapes: tuple[Shape, ...], images: int) -> Regional:
    """What a layer of such an operator asks for."""
    (piece,) = op.lower(*in_shapes)
    return Regional(op, piece.conv, images, shared=bool(op.weight_shape(*in_shapes)))


class Expanded(NamedTuple):
    """All kernels on all pixels, as one Conv; groups have the channels of all regions.

    regions : of every output pixel, image by image.
    """

    conv: Conv
    of: Regional
    regions: tuple[int, ...]

    @property
    def exact(self) -> tuple[Conv, ...]:
        """One kernel on all pixels."""
        return (self.of.whole,)

    def take_input(self, x: Int8) -> Int8:
        """The map of the Conv from the layer's."""
        return x.reshape(self.conv.in_shape)

    def take_weights(self, weights: Int8) -> Int8:
        """The kernel of the Conv from the layer's."""
        of, (k, *rest) = self.of, self.of.conv.kernel_shape
        groups = of.conv.groups
        by_group = of.kernels(weights).reshape(-1, of.op.regions, groups, k // groups, *rest)
        return by_group.swapaxes(1, 2).reshape(self.conv.kernel_shape)

    def put(self, result: npt.NDArray[Any], out: npt.NDArray[Any]) -> None:
        """Write what every pixel takes of the results into the layer's output."""
        of = self.of
        k, groups, images, pixels = of.conv.k, of.conv.groups, of.images, of.pixels
        every = result.reshape(images, groups, of.op.regions, k // groups, pixels)
        chosen = np.array(self.regions).reshape(images, 1, 1, 1, pixels)
        taken = np.take_along_axis(every, chosen, axis=2)
        out[...] = taken.reshape(out.shape)


class Gathered(NamedTuple):
    """The pixels of one region of one image: a Conv of 1 x 1 whose channels are their patches.

    pixels : places in the output, row ow + column.
    """

    conv: Conv
    of: Regional
    image: int
    region: int
    pixels: range | tuple[int, ...]

    @property
    def exact(self) -> tuple[Conv, ...]:
        """The Conv."""
        return (self.conv,)

    def take_input(self, x: Int8) -> Int8:
        """The patches, int8[c fh fw, 1, pixels], from the layer's map."""
        of = self.of
        image = x.reshape(of.images, -1)[self.image]
        values = np.concatenate([np.zeros(1, x.dtype), image])
        places = _patches(of.conv)[:, list(self.pixels)].swapaxes(1, 2)
        patches: Int8 = values[places]
        return patches.reshape(self.conv.in_shape)

    def take_weights(self, weights: Int8) -> Int8:
        """The kernel of the region from the layer's."""
        image = 0 if self.of.shared else self.image
        kernel: Int8 = self.of.kernels(weights)[image, self.region]
        return kernel.reshape(self.conv.kernel_shape)

    def put(self, result: npt.NDArray[Any], out: npt.NDArray[Any]) -> None:
        """Write the results into the layer's output, at the places of the pixels."""
        of = self.of
        every = out.reshape(of.images, of.conv.k, of.pixels)
        every[self.image, :, list(self.pixels)] = result.reshape(of.conv.k, -1).T


@lru_cache(maxsize=4)
def _patches(conv: Conv) -> npt.NDArray[np.int32]:
    """int32[groups, pixels, c / groups fh fw]: the values that every output sees, in (0, x)."""
    return gemm(conv._replace(k=conv.groups)).pixels


def _expanded(of: Regional, regions: tuple[int, ...]) -> Expanded:
    conv = of.conv
    k = of.op.regions * conv.k
    if of.shared:
        return Expanded(conv._replace(k=k, n=of.images), of, regions)
    each = conv._replace(c=of.images * conv.c, k=of.images * k, groups=of.images * conv.groups)
    return Expanded(each, of, regions)


def _gathered(of: Regional, image: int, region: int, pixels: range | tuple[int, ...]) -> Gathered:
    return Gathered(_product(of.conv, len(pixels)), of, image, region, pixels)


def _product(conv: Conv, pixels: int) -> Conv:
    """The product of so many patches."""
    depth = conv.c * conv.fh * conv.fw
    return Conv(depth, 1, pixels, conv.k, 1, pixels, groups=conv.groups)


def _buckets(of: Regional, regions: npt.NDArray[np.int64]) -> Iterator[Gathered]:
    """The products of all images, of int64[images, pixels]."""
    for image, here in enumerate(regions):
        for region in range(of.op.regions):
            if len(pixels := np.flatnonzero(here == region)):
                yield _gathered(of, image, region, tuple(pixels.tolist()))


@dataclass(frozen=True)
class LoweredRegions(Lowered):
    """A layer of regions as passes of an engine, for some regions.

    of : what it asks for.
    plan : what made its plans.
    """

    of: Regional = field(kw_only=True)
    plan: Planner = field(kw_only=True)

    def on(self, images: Sequence[Sequence[npt.NDArray[Any]]]) -> "LoweredRegions":
        """The same way and dataflow for the regions that the inputs of every image have."""
        regions = np.stack([self.of.op.regions_of(inputs[1]).ravel() for inputs in images])
        if self.way == EXPAND:
            (part,) = self.pieces
            assert isinstance(part, Expanded)
            return replace(self, pieces=(part._replace(regions=tuple(regions.ravel().tolist())),))
        parts = tuple(_buckets(self.of, regions))
        _, plans = self.plan(parts, self.model, self.sizes, (self.mapping,))
        return replace(self, pieces=parts, plans=plans)

    @property
    def _exact(self) -> list[Conv]:
        """One kernel on all pixels: what the layer asks for, in either way."""
        return [self.of.whole]


def lower_regions(
    of: Regional,
    model: Engine,
    sizes: Any,
    dataflows: tuple[Dataflow, ...],
    plan: Planner,
) -> LoweredRegions:
    """The layer in the way and the dataflow of which the most clocks are the fewest.

    It is that of regions that take the most. UnsupportedError says why it runs in none.
    """
    made: LoweredRegions | None = None
    refusal: UnsupportedError | None = None
    if of.op.way != BUCKET:
        try:
            made = _expand(of, model, sizes, dataflows, plan)
        except UnsupportedError as error:
            refusal = error
    if of.op.way == BUCKET and of.pixels > MOST_PIXELS:
        raise UnsupportedError(
            f"has the way {BUCKET}, whose clocks are known for maps of at most {MOST_PIXELS:,} "
            f"pixels, not {of.pixels:,}; {EXPAND} takes any (way)"
        )
    if of.op.way != EXPAND and of.pixels <= MOST_PIXELS:
        try:
            most = UNBOUNDED if made is None else made.cycles
            made = _bucket(of, model, sizes, dataflows, plan, most) or made
        except UnsupportedError as error:
            refusal = refusal or error
    if made is None:
        assert refusal is not None
        raise refusal
    return made


def _expand(
    of: Regional, model: Engine, sizes: Any, dataflows: tuple[Dataflow, ...], plan: Planner
) -> LoweredRegions:
    """All kernels on all pixels; of its results every pixel takes those of the first region."""
    parts = (_expanded(of, (0,) * (of.images * of.pixels)),)
    dataflow, plans = plan(parts, model, sizes, dataflows)
    about = model, sizes, dataflow, parts, plans, of.whole.out_shape
    return LoweredRegions(*about, way=EXPAND, of=of, plan=plan)


def _bucket(
    of: Regional,
    model: Engine,
    sizes: Any,
    dataflows: tuple[Dataflow, ...],
    plan: Planner,
    below: int,
) -> LoweredRegions | None:
    """A product for every region; its pixels follow each other, as many as take the most.

    None where they take no fewer clocks than `below`.
    """
    # It has a kernel, and what has no buckets starts without Numba.
    from accelsim.lowering.extremes import extreme

    best: tuple[int, Dataflow, Counts] | None = None
    tried = []
    refusals: dict[str, BaseException] = {}
    few = min(of.op.regions - 1, of.pixels - 1)  # regions of one pixel, beside one of all others
    counts = ((1,) * few + (of.pixels - few,),) * of.images
    for place, dataflow in enumerate(dataflows):
        try:
            made = _of_counts(of, model, sizes, dataflow, plan, counts)
        except UnsupportedError as error:
            refusals[dataflow.name] = error.__cause__ or error
        else:
            tried.append((made.cycles, place, dataflow))
    for least, _, dataflow in sorted(tried):
        if least >= (below if best is None else best[0]):
            break
        try:
            joints = _joints(of.conv, model, sizes, (dataflow,), plan)
        except UnsupportedError as error:
            refusals[dataflow.name] = error
            continue
        cycles, counts = extreme(joints, of.op.regions, of.images, most=True)
        if best is None or cycles < best[0]:
            best = cycles, dataflow, counts
    if best is None and below == UNBOUNDED:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in refusals.items())
        raise UnsupportedError(
            f"runs in none of the allowed dataflows by {BUCKET} ({reasons})"
        ) from next(iter(refusals.values()))
    if best is None or best[0] >= below:
        return None
    most, dataflow, counts = best
    joints = _joints(of.conv, model, sizes, (dataflow,), plan)
    least, _ = extreme(joints, of.op.regions, of.images, most=False)
    made = _of_counts(of, model, sizes, dataflow, plan, counts)
    return replace(made, extremes=(least, most))


Counts = tuple[tuple[int, ...], ...]  # pixels of every region of every image


def _of_counts(
    of: Regional, model: Engine, sizes: Any, dataflow: Dataflow, plan: Planner, counts: Counts
) -> LoweredRegions:
    """The products of regions of so many pixels, which follow each other."""
    parts = tuple(
        _gathered(of, image, region, range(*ends))
        for image, each in enumerate(counts)
        for region, ends in enumerate(pairwise(accumulate(each, initial=0)))
        if ends[0] < ends[1]
    )
    _, plans = plan(parts, model, sizes, (dataflow,))
    about = model, sizes, dataflow, parts, plans, of.whole.out_shape
    return LoweredRegions(*about, way=BUCKET, of=of, plan=plan)


@lru_cache(maxsize=64)
def _joints(
    conv: Conv, model: Engine, sizes: Any, dataflows: tuple[Dataflow, ...], plan: Planner
) -> list[Joint]:
    """How the product of 1, 2, ... pixels joins others in a dataflow, the only one of these.

    UnsupportedError where that is not known.
    """
    joints = []
    for count in range(1, conv.oh * conv.ow + 1):
        _, (planned,) = plan((Piece(_product(conv, count)),), model, sizes, dataflows)
        joint = None if model.joint is None else model.joint(sizes, planned.body)
        if joint is None:
            raise UnsupportedError("how products of several regions join each other is not known")
        joints.append(joint)
    return joints
