"""Random depthwise convolutions and engines for them, every kernel class among them."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from hypothesis import strategies as st

from accelsim.dataflows import Dataflow, Plan
from accelsim.hardware import DepthwiseEngine
from accelsim.ir import Conv, Live

SMALL_KERNELS = (
    *((1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (1, 2), (7, 1), (1, 11), (3, 5), (6, 2), (7, 7)),
)
LARGE_KERNELS = ((31, 31), (51, 5), (5, 51), (13, 13), (1, 31), (31, 1), (27, 27))


@st.composite
def convolutions(draw, kernels=SMALL_KERNELS, most_channels=9, most_size=14):
    """Convs of any stride up to 4, dilation up to 8 and padding, of at least one output."""
    fh, fw = draw(st.sampled_from(kernels))
    sh, sw = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    dh, dw = draw(st.tuples(*[st.sampled_from((1, 1, 1, 2, 3, 5, 8))] * 2))
    pads = st.integers(0, 6) | st.integers(0, max(fh, fw) // 2)
    top, bottom, left, right = draw(st.tuples(pads, pads, pads, pads))
    reach_h, reach_w = dh * (fh - 1) + 1, dw * (fw - 1) + 1
    h = draw(st.integers(max(1, reach_h - top - bottom), max(most_size, reach_h - top - bottom)))
    w = draw(st.integers(max(1, reach_w - left - right), max(most_size, reach_w - left - right)))
    c, multiplier = draw(st.integers(1, most_channels)), draw(st.sampled_from((1, 1, 1, 2)))
    oh, ow = (h + top + bottom - reach_h) // sh + 1, (w + left + right - reach_w) // sw + 1
    images = draw(st.sampled_from((1, 1, 1, 2, 4)))
    return Conv(c, h, w, c * multiplier, oh, ow, fh, fw, sh, sw, dh, dw, top, left, c, images)


@st.composite
def lists(draw, most_channels=3):
    """Convs of which some taps are live, most of several outputs a row: small and large kernels."""
    sides = []
    for most in draw(st.sampled_from(((5, 5), (5, 5), (5, 5), (1, 9), (9, 1), (13, 13), (31, 31)))):
        size, f = draw(st.integers(1, 9)), draw(st.integers(max(1, most - 2), most))
        s, d = draw(st.sampled_from((1, 1, 1, 2, 3))), draw(st.sampled_from((1, 1, 1, 2, 3)))
        reach = d * (f - 1) + 1
        before = draw(st.integers(0, reach - 1))
        outputs = draw(st.integers(1, 9))
        sides.append((size, outputs, f, s, d, before))
    (h, oh, fh, sh, dh, pt), (w, ow, fw, sw, dw, pl) = sides
    c, multiplier = draw(st.integers(1, most_channels)), draw(st.sampled_from((1, 1, 2)))
    axes = fh, fw, sh, sw, dh, dw, pt, pl
    conv = Conv(c, h, w, c * multiplier, oh, ow, *axes, c, draw(st.sampled_from((1, 1, 2))))
    return draw(sparse(st.just(conv)))


@st.composite
def sparse(draw, convs):
    """The same with any of their taps: few or many, those of some rows and columns, none at all."""
    conv = draw(convs)
    places = st.integers(0, conv.fh * conv.fw - 1)
    kind = draw(st.sampled_from(("few", "any", "some rows and columns", "none")))
    if kind == "few":
        taps = draw(st.sets(places, min_size=1, max_size=9))
    elif kind == "any":
        density = draw(st.floats(0.1, 1))
        taps = set(np.flatnonzero(_random(draw).random(conv.fh * conv.fw) < density).tolist())
    elif kind == "some rows and columns":
        rows = draw(st.sets(st.integers(0, conv.fh - 1), min_size=1))
        columns = draw(st.sets(st.integers(0, conv.fw - 1), min_size=1))
        taps = {row * conv.fw + column for row in rows for column in columns}
    else:
        taps = set()
    return conv._replace(live=(Live(1, tuple(sorted(taps))),))


def _random(draw) -> np.random.Generator:
    return np.random.default_rng(draw(st.integers(0, 1 << 30)))


@st.composite
def engines(draw, most=8, fill=True):
    """Engines up to most x most, with any result port, some with a narrow fill port."""
    lanes, pixels = draw(st.tuples(st.integers(1, most), st.integers(1, most)))
    results = pixels * draw(st.integers(1, lanes))
    port = draw(st.just(0) | st.integers(1, lanes * pixels)) if fill else 0
    return DepthwiseEngine(
        lanes, pixels, results, port, bank_depth=1 << 17, tap_depth=1 << 11, max_padding=255
    )


def operands(rng: np.random.Generator, conv: Conv):
    """Input of the Conv and weights as its kernel_shape, extreme values among them."""
    values = np.array([-128, 127, 0, 1, -1], np.int8)
    x = rng.integers(-128, 128, conv.in_shape).astype(np.int8)
    w = rng.integers(-128, 128, conv.kernel_shape).astype(np.int8)
    for array in (x, w):
        extreme = rng.random(array.shape) < 0.2
        array[extreme] = rng.choice(values, int(extreme.sum()))
    return x, w


def whole_kernel(conv: Conv, w):
    """int8[k, 1, fh, fw] of a depthwise convolution, with zeros for taps that are not live."""
    if conv.live is None:
        return w
    whole = np.zeros((conv.k, 1, conv.fh, conv.fw), np.int8)
    (run,) = conv.live
    for at, tap in enumerate(run.taps):
        whole[:, 0, tap // conv.fw, tap % conv.fw] = w[:, at]
    return whole


def plans_of(dataflow: Dataflow, conv: Conv, sizes: Any) -> Iterator[Plan]:
    """Every plan that a dataflow offers for a convolution."""
    for _, tiling in dataflow.tilings(conv, sizes):
        yield Plan(dataflow.body(conv, sizes, tiling), tiling)
