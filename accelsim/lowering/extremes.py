"""The fewest and the most clocks of products one behind another, over all ways to share pixels.

An image has so many pixels, and every region any number of them; the clocks of a sequence follow
from those numbers alone, by engines.base.Joint. Both extremes are exact: what a sequence still
takes depends on how many regions and pixels are left and on the drain of the pass before, and on
that only through the larger of it and the load of what comes next. So the best of what follows is
known for every number of regions and of pixels and for every load, from the last region on.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.engines.base import Joint
from accelsim.kernels import kernel

Int = npt.NDArray[np.int64]

NEVER = -1  # clocks of what cannot be


class Extreme(NamedTuple):
    """Clocks of a sequence, and the pixels of every region of every image that take them."""

    cycles: int
    counts: tuple[tuple[int, ...], ...]


class _Products(NamedTuple):
    """Products of 1, 2, 3, ... pixels, as Joints.

    loads : int64[loads], distinct.
    place, inner, drain, end : int64[pixels + 1], of so many pixels; `place` is that of the load.
    """

    loads: Int
    place: Int
    inner: Int
    drain: Int
    end: Int


class _Rest(NamedTuple):
    """What an image may still take.

    clocks : int64[regions + 1, pixels + 1, loads], from the first capture on, where so many regions
        and pixels are left and the next product has that load; NEVER where it cannot.
    counts : int64, shaped likewise, the pixels of the first of these regions.
    """

    clocks: Int
    counts: Int


def extreme(joints: Sequence[Joint], regions: int, images: int, most: bool) -> Extreme:
    """The most clocks, or the fewest, of so many images, their regions one behind another.

    joints : of the product of 1, 2, ... pixels, up to all those of an image.
    """
    pixels = len(joints)
    load, inner, drain, end = np.array([(0, 0, 0, 0), *joints], np.int64).T.copy()
    loads, place = np.unique(load[1:], return_inverse=True)
    products = _Products(loads, np.concatenate([[0], place]), inner, drain, end)
    rests: list[_Rest] = []
    later = np.empty(0, np.int64)
    more = 0  # clocks of images that are like the one behind them
    while len(rests) < images:
        rests.append(_Rest(*_left(products, regions, later, most)))
        behind, later = later, rests[-1].clocks[regions, pixels]
        if each := _same(behind, later, int(end.max())):
            more = each * (images - len(rests))
            rests += rests[-1:] * (images - len(rests))
    cycles, _ = _next(products, later, 0, most)
    cycles += more
    drained, chosen = 0, []
    for rest in reversed(rests):
        counts, left = [], pixels
        for still in range(regions, 0, -1):
            count = 0
            if left:
                _, next_load = _next(products, rest.clocks[still, left], drained, most)
                count = int(rest.counts[still, left, next_load])
            if count:
                drained, left = int(drain[count]), left - count
            counts.append(count)
        chosen.append(tuple(counts))
    return Extreme(cycles, tuple(chosen))


def _same(behind: Int, later: Int, longest: int) -> int:
    """The clocks of every image before two of which the first takes these more; 0 if that is open.

    With so much behind it that no product ends after all of it, what an image adds does not depend
    on how much that is, but on the differences between loads alone.
    """
    known = behind[behind != NEVER]
    steps = (later - behind)[behind != NEVER] if len(known) else known
    settled = len(known) > 0 and known.min() >= longest and (steps == steps[0]).all()
    return int(steps[0]) if settled else 0


def _next(products: _Products, clocks: Int, drained: int, most: bool) -> tuple[int, int]:
    """The best clocks behind such a drain, and the place of the load with which they begin."""
    every = [
        (max(load, drained) + rest, place)
        for place, (load, rest) in enumerate(zip(products.loads, clocks, strict=True))
        if rest != NEVER
    ]
    cycles, place = max(every) if most else min(every)
    return int(cycles), place


@kernel
def _left(products: _Products, regions: int, later: Int, most: bool) -> tuple[Int, Int]:
    """A _Rest. `later` are the clocks of the images behind this one, by load; none of the last."""
    loads, place, inner, drain, end = products
    pixels = len(place) - 1
    clocks = np.full((regions + 1, pixels + 1, len(loads)), NEVER)
    counts = np.zeros(clocks.shape, np.int64)
    for rest in range(1, regions + 1):
        clocks[rest] = clocks[rest - 1]  # the region has no pixels
        for left in range(1, pixels + 1):
            for count in range(1 if rest > 1 else left, left + 1):
                total = end[count]
                if count < left or len(later) > 0:
                    follow = clocks[rest - 1, left - count] if count < left else later
                    best = NEVER
                    for which in range(len(loads)):
                        if follow[which] != NEVER:
                            each = max(loads[which], drain[count]) + follow[which]
                            if best == NEVER or (each > best if most else each < best):
                                best = each
                    total = max(total, inner[count] + best)
                which = place[count]
                old = clocks[rest, left, which]
                if old == NEVER or (total > old if most else total < old):
                    clocks[rest, left, which] = total
                    counts[rest, left, which] = count
    return clocks, counts
