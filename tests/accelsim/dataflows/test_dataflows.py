"""Every plan of every dataflow computes its convolution, within the limits of the array."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.dataflows import DATAFLOWS, Plan
from accelsim.dataflows.array import split
from accelsim.dataflows.base import gather
from accelsim.dataflows.im2col import seen
from accelsim.engines import systolic_array
from accelsim.errors import UnsupportedError
from accelsim.hardware import SystolicArray
from accelsim.ir import Conv
from accelsim.passes import ArrayCommand, ArrayPass, Opcode, addresses, columns
from tests.naive import array_passes

BY_NAME = {
    dataflow.name: dataflow for dataflow in DATAFLOWS if dataflow.engine == SystolicArray.name
}
TAKE_ALL = ("os", "ws", "is")  # every conv; others may refuse, as rows does where banks are small
LEFT, TOP = addresses(ArrayCommand)
LAST = columns(ArrayCommand)["last"]


def naive_conv(conv, x, w):
    """int64[k, oh, ow] by the definition of a convolution, tap by tap; of images each by itself."""
    if conv.n > 1:
        return np.stack([naive_conv(conv._replace(n=1), image, w) for image in x])
    out = np.zeros((conv.k, conv.oh, conv.ow), np.int64)
    channels, outputs = conv.c // conv.groups, conv.k // conv.groups
    for k, oy, ox in np.ndindex(out.shape):
        for c, ky, kx in np.ndindex(channels, conv.fh, conv.fw):
            y = oy * conv.sh + ky * conv.dh - conv.pt
            z = ox * conv.sw + kx * conv.dw - conv.pl
            if 0 <= y < conv.h and 0 <= z < conv.w:
                source = k // outputs * channels + c
                out[k, oy, ox] += int(x[source, y, z]) * int(w[k, c, ky, kx])
    return out


@st.composite
def convs(draw, most=7, channels=4):
    """Small convolutions of every kind, kernels larger than the map included."""
    kind = draw(st.sampled_from(["dense", "grouped", "depthwise", "depthwise"]))
    small = st.integers(1, 3)
    if kind == "dense":
        groups, c, k = 1, draw(st.integers(1, channels)), draw(st.integers(1, channels))
    elif kind == "grouped":
        groups = draw(small)
        c, k = groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 2))
    else:
        groups = c = draw(st.integers(1, channels))
        k = c * draw(st.sampled_from([1, 1, 1, 2]))
    sides = []
    for _ in range(2):
        size, f = draw(st.integers(1, most)), draw(st.integers(1, 5))
        s, d = draw(st.integers(1, 4)), draw(st.integers(1, 4))
        reach = d * (f - 1) + 1
        before, after = draw(st.integers(0, reach)), draw(st.integers(0, reach))
        after += max(0, reach - size - before - after)
        sides.append((size, (size + before + after - reach) // s + 1, f, s, d, before))
    (h, oh, fh, sh, dh, pt), (w, ow, fw, sw, dw, pl) = sides
    images = draw(st.sampled_from((1, 1, 2, 3, 4)))
    return Conv(c, h, w, k, oh, ow, fh, fw, sh, sw, dh, dw, pt, pl, groups, images)


arrays = st.builds(
    SystolicArray,
    rows=st.integers(1, 9),
    columns=st.integers(1, 9),
    max_taps=st.sampled_from([8, 5, 3]),
    accumulator_depth=st.sampled_from([256, 7, 2, 1]),
    overlap=st.booleans(),
    bank_depth=st.sampled_from([1024, 1024, 65, 40, 20, 7, 2]),
)


def check_limits(array, p):
    stationary = p.opcode in (Opcode.WS, Opcode.IS)
    assert 1 <= p.n <= array.columns
    assert 1 <= (p.k if stationary else p.m) <= array.rows
    assert 1 <= p.m <= 65535
    assert 1 <= p.k <= 65535
    if stationary:
        assert p.m <= array.accumulator_depth or (p.emit and not p.accumulate)
    half = array.bank_depth // 2
    if p.opcode != Opcode.ROWS:
        assert (p.taps, p.streams, p.fires) == (0, 1, 1)
        assert max(p.k, p.m if stationary else 0) <= half
        assert p.m <= array.most_streamed or not p.emit or not stationary
        return
    assert p.streams * (p.taps + p.k) + (p.fires - 1) * p.n <= half
    assert p.m * p.fires <= array.most_fired
    assert 1 <= p.taps <= array.max_taps
    assert 1 <= p.streams <= 255
    assert p.k >= 2
    assert p.n - 1 <= p.k <= p.n + p.taps - 1
    if p.fires > 1:
        assert (p.streams, p.fires <= 65535) == (1, True)
        assert (p.accumulate, p.emit) == (0, 1)
        assert p.n >= max(p.m, p.taps + 1)


def check(conv, array, name, seed=0):
    dataflow = BY_NAME[name]
    rng = np.random.default_rng(seed)
    x = rng.integers(-128, 128, conv.in_shape).astype(np.int8)
    w = rng.integers(-128, 128, (conv.k, conv.c // conv.groups, conv.fh, conv.fw)).astype(np.int8)
    expected = naive_conv(conv, x, w).ravel()
    # Taps, a window, and zeros for the taps: a bank that holds less may be too small for rows.
    small = array.bank_depth // 2 < 3 * max(conv.fh, conv.fw) + 1
    try:
        candidates = list(dataflow.tilings(conv, array))
    except UnsupportedError:
        assert small
        assert name not in TAKE_ALL
        return
    for clocks, tiling in candidates:
        plan = Plan(dataflow.body(conv, array, tiling), tiling)
        assert clocks == systolic_array.ENGINE.cycles(array, plan.body)
        systolic_array.ENGINE.check(array, plan.body)
        program = dataflow.program(conv, array, plan)
        for row in program.commands.tolist():
            check_limits(array, ArrayPass(*row[:9]))
        # Every output is written exactly once.
        assert np.array_equal(np.sort(program.dest[program.dest >= 0]), np.arange(expected.size))
        assert program.commands[:-1, LAST].sum() == 0
        assert program.commands[-1, LAST] == 1
        left, top = program.operands(x, w, array)
        assert left.dtype == top.dtype == np.int16
        assert (left.shape[1], top.shape[1]) == (array.rows, array.columns)
        operands = left.astype(int), top.astype(int)
        results = array_passes.result_words(array, program.commands, *operands)
        assert len(results) == len(program.dest)
        assert np.array_equal(
            gather(program.dest, results.astype(np.int32), expected.size), expected
        )


@pytest.mark.parametrize("name", BY_NAME)
@settings(max_examples=60, deadline=None)
@given(conv=convs(), array=arrays, seed=st.integers(0, 99))
def test_program_is_the_convolution(name, conv, array, seed):
    if name == "rows" and (max(conv.fh, conv.fw) > array.max_taps or not conv.depthwise):
        with pytest.raises(UnsupportedError, match="rows runs"):
            list(BY_NAME[name].tilings(conv, array))
    else:
        check(conv, array, name, seed)


@pytest.mark.parametrize("name", ["os", "ws", "is", "rows"])
@pytest.mark.parametrize("bank_depth", [2, 9, 30])
def test_a_layer_is_cut_to_its_banks(name, bank_depth):
    """K of 45 products and 30 outputs in passes of one to fifteen words."""
    conv = Conv(5, 7, 8, 5, 5, 6, 3, 3, groups=5 if name == "rows" else 1)
    for overlap in (True, False):
        check(conv, SystolicArray(4, 5, bank_depth=bank_depth, overlap=overlap), name)


EDGES = {
    "one output": Conv(1, 1, 1, 1, 1, 1, groups=1),
    "kernel larger than the map": Conv(2, 2, 1, 2, 2, 1, 5, 3, pt=2, pl=1, groups=2),
    "stride beyond the kernel": Conv(3, 9, 9, 3, 3, 3, 2, 2, 4, 3, groups=3),
    "only padding in a window": Conv(1, 3, 3, 1, 9, 9, 2, 2, pt=4, pl=4, groups=1),
    "dilated and strided": Conv(2, 11, 13, 2, 4, 4, 3, 3, 3, 2, 2, 4, 2, 1, groups=2),
    "multiplier": Conv(2, 5, 6, 6, 5, 6, 3, 3, pt=1, pl=1, groups=2),
    "fully connected": Conv(37, 1, 1, 11, 1, 1),
    "row of taps": Conv(5, 7, 9, 5, 7, 9, 1, 3, pl=1, groups=5),
    "column of taps, strided": Conv(5, 9, 7, 5, 5, 4, 3, 1, 2, 2, pt=1, groups=5),
    "more results than there is room for": Conv(1, 3, 150, 1, 3, 150, 1, 3, pl=1, groups=1),
    "long lines": Conv(1, 2, 40, 1, 2, 40, 1, 3, pl=1, groups=1),
    "single tap": Conv(2, 5, 5, 2, 5, 5, groups=2),
    "fully connected, three images": Conv(37, 1, 1, 11, 1, 1, n=3),
    "depthwise, four images": Conv(2, 5, 6, 4, 5, 6, 3, 3, pt=1, pl=1, groups=2, n=4),
}


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (5, 1), (4, 4), (3, 7), (9, 2)])
@pytest.mark.parametrize(
    ("name", "edge"),
    [(x, y) for x in BY_NAME for y in EDGES if x != "rows" or EDGES[y].depthwise],
)
def test_edges(name, edge, size):
    array = SystolicArray(*size, accumulator_depth=3)
    check(EDGES[edge], array, name)
    check(EDGES[edge], replace(array, overlap=False), name)


@given(st.integers(1, 300), st.integers(1, 70), st.integers(1, 80))
def test_split_is_least(total, most, other):
    """No other cut into as few parts costs less."""
    runs = split(total, most, other)
    sizes = [size for count, size in runs for _ in range(count)]
    assert sum(sizes) == total
    assert max(sizes) <= most
    assert min(sizes) >= 1
    assert len(sizes) == -(-total // most)
    # Each part costs at least `other`, and together at least `total`; both bounds are met.
    assert sum(max(size, other) for size in sizes) == max(total, len(sizes) * other)


@given(*[st.integers(1, 12)] * 4)
def test_inputs_of_a_block_are_counted_once(block, kernel, stride, dilation):
    inputs = {i * stride + t * dilation for i in range(block) for t in range(kernel)}
    assert seen(block, kernel, stride, dilation) == len(inputs)


def test_what_half_a_bank_cannot_hold_is_refused():
    """A line needs its taps and two values at least; os adds them up a product at a time."""
    conv = Conv(2, 5, 5, 2, 5, 5, 3, 3, pt=1, pl=1, groups=2)
    array = SystolicArray(4, 4, bank_depth=9)
    with pytest.raises(
        UnsupportedError,
        match=r"rows cannot run kernel 3x3 .* and bank_depth 9; more",
    ):
        list(BY_NAME["rows"].tilings(conv, array))
    check(conv, array, "os")
    check(conv, replace(array, bank_depth=10), "rows")
