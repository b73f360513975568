"""Masks: kernels of which only some taps exist, against the same kernels with their zeros."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import accelsim as ax
from accelsim.errors import FileError, ShapeError
from accelsim.importers import load
from accelsim.ops import Conv2d, Depthwise, Linear, Pointwise
from accelsim.ops.geometry import convolve
from accelsim.ops.masks import Mask
from accelsim.quantised import with_values
from tests.accelsim.ops.test_ops import ints
from tests.naive import operators as naive

CROSS = ((0, 1, 0), (1, 1, 1), (0, 1, 0))


def stored(kernel, live):
    """The values of the live taps: output channel by output channel, as a file has them."""
    return np.array(
        [kernel[place] for place in product(*map(range, kernel.shape)) if live[place]],
        kernel.dtype,
    )


@st.composite
def masked(draw, depthwise=False):
    """A layer, the shape of its map, and its live taps [k, c / groups, fh, fw]."""
    groups = draw(st.sampled_from((1, 1, 2, 3)))
    depth, filters = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    if depthwise:
        groups, depth = draw(st.integers(1, 6)), 1
    kernel = draw(st.sampled_from(((1, 1), (3, 3), (2, 3), (1, 4))))
    shape = groups * filters, depth, *kernel
    kinds = ("scattered", "by blocks", "one tap", "rows of zeros", "equal groups", "all")
    kind = draw(st.sampled_from(kinds))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 16)))
    live = rng.random(shape) < 0.5
    if kind == "by blocks":
        live[:] = live[:1]
    if kind == "equal groups":
        live = np.tile(live[:filters], (groups, 1, 1, 1))
    if kind == "rows of zeros":
        live[rng.random(len(live)) < 0.5] = False
    if kind == "one tap":
        live[:] = False
    if kind == "all":
        live[:] = True
    live.flat[rng.integers(live.size)] = True
    stride, dilation = draw(st.tuples(*[st.integers(1, 2)] * 2)), (1, draw(st.integers(1, 2)))
    padding = draw(st.sampled_from((0, 1, (1, 0, 2, 1))))
    size = draw(st.integers(3, 7)), draw(st.integers(7, 9))
    if depthwise:
        op = Depthwise(kernel, stride, padding, dilation, filters, mask=Mask.of(live))
    else:
        op = Conv2d(len(live), kernel, stride, padding, dilation, groups, Mask.of(live))
    return op, (groups * depth, *size), live


@settings(max_examples=60, deadline=None)
@given(st.one_of(masked(), masked(depthwise=True)), st.integers(0, 99))
def test_values_are_those_of_the_kernel_with_its_zeros(case, seed):
    op, shape, live = case
    x, kernel = ints(seed, *shape), ints(seed + 1, *live.shape) * live
    sides = (op.padding,) * 4 if isinstance(op.padding, int) else op.padding
    groups = shape[0] // live.shape[1]
    expected = naive.conv2d(x, kernel, op.stride, sides, op.dilation, groups)
    weights = stored(kernel, live)
    assert op.weight_shape(shape) == weights.shape
    assert op.out_shape(shape) == expected.shape
    assert np.array_equal(op.golden(weights, x), expected)
    assert op.macs(shape) == weights.size * expected[0].size
    made = np.zeros(expected.shape, np.int64)
    for piece in op.lower(shape):
        sums = convolve(piece.conv, piece.take_weights(weights), piece.take_input(x))
        piece.put(sums, made)
    assert np.array_equal(made, expected)


@given(masked())
def test_a_piece_has_the_outputs_of_one_set_of_live_taps(case):
    op, shape, live = case
    pieces = op.lower(shape)
    made = [output for piece in pieces for output in piece.outputs]
    assert sorted(made) == [output for output, taps in enumerate(live) if taps.any()]
    for piece in pieces:
        for output in piece.outputs:
            assert np.array_equal(np.flatnonzero(live[output]), piece.conv.places)
    keys = [(live[each.outputs[0]].tobytes(), each.conv.k // each.conv.groups) for each in pieces]
    assert len(set(keys)) == len(keys)


def test_blocks_of_channels():
    taps = np.array([[[[1, 0]], [[0, 1]]], [[[0, 0]], [[1, 1]]]])
    expected = np.zeros((5, 3, 1, 2), bool)
    expected[:3, :2, 0, 0] = expected[:3, 2:, 0, 1] = expected[3:, 2:] = True
    for outputs, inputs in (((3, 2), (2, 1)), (3, 2)):
        mask = Mask.of_blocks(taps, outputs, inputs)
        assert np.array_equal(mask.live(5, 3), expected)
    assert Mask.of(expected) == Mask.of_blocks(taps, (3, 2), (2, 1))
    assert np.array_equal(Mask.everywhere(CROSS).live(2, 3), np.broadcast_to(CROSS, (2, 3, 3, 3)))


def test_a_large_mask_is_small():
    rng = np.random.default_rng(0)
    blocks = rng.random((32, 16, 3, 3)) < 0.1
    mask = Mask.of(blocks.repeat(16, axis=0).repeat(32, axis=1))
    assert mask == Mask.of_blocks(blocks, (16,) * 32, (32,) * 16)
    op = Conv2d(512, (3, 3), padding=1, mask=mask)
    assert op.weight_shape((512, 4, 4)) == (512 * blocks.sum(),)
    assert hash(op) == hash(Conv2d(512, (3, 3), padding=1, mask=mask))


def test_a_layer_counts_its_live_taps_alone(tmp_path):
    file = tmp_path / "cross.toml"
    file.write_text(
        'name = "n"\ninput = [4, 9, 9]\n[[layer]]\nname = "conv"\nop = "conv2d"\nbias = true\n'
        "out_channels = 3\nkernel = [3, 3]\npadding = 1\nmask = [[0,1,0],[1,1,1],[0,1,0]]\n"
    )
    network = load(file)
    assert network.layers[0].op == Conv2d(3, (3, 3), padding=1, mask=CROSS)
    assert (network.total_params, network.total_macs) == (3 * 4 * 5 + 3, 3 * 4 * 5 * 81)
    assert network.total_live_macs == 3 * 4 * (81 + 4 * 72)
    result = ax.simulate(network, "tiny", fidelity="cycle")
    assert result.layers[0].macs == network.total_macs
    assert result.values_equal


def test_a_network_in_int8_has_scales_of_all_channels():
    """Output channels without a live tap, the last one too, are their biases."""
    live = np.ones((4, 3, 3, 3), bool)
    live[1] = live[3] = False
    b = ax.Builder("rows", (8, 8), channels=3)
    b.add("conv", Conv2d(4, (3, 3), mask=Mask.of(live)), norm=True, activation="relu")
    b.add("next", Conv2d(2, (3, 3), mask=CROSS), bias=True)
    result = ax.simulate(b.network(), "tiny", fidelity="cycle")
    assert result.values_equal


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        ("[[1, 2, 0]]", "mask must be rows of 0 and 1, all equally long, not"),
        ("[[1], [1, 0]]", "mask must be rows of 0 and 1, all equally long, not"),
        ("3", "mask must be rows of 0 and 1, all equally long, not 3"),
        ("[[1, 1, 1]]", "mask must have the 3 x 3 taps of the kernel, not 1 x 3"),
        ("[[0, 0, 0], [0, 0, 0], [0, 0, 0]]", "mask must have a live tap"),
        ("{outputs = 2}", "mask must be a table of taps, and"),
        ("{taps = [[1]], rows = 2}", "mask must be a table of taps, and"),
        ("{taps = [[1]]}", "mask must be blocks of outputs of blocks of inputs of rows of 0 and"),
        (
            "{taps = [[[[1,1,1],[1,1,1],[1,1,1]]]], outputs = 0}",
            "mask must have a whole number of at least 1 as outputs, or a list of such, not 0",
        ),
        (
            "{taps = [[[[1,1,1],[1,1,1],[1,1,1]]]], outputs = 2}",
            "mask must have taps of 2 blocks of output channels, not of 1",
        ),
        (
            "{taps = [[[[1,1,1],[1,1,1],[1,1,1]]]], inputs = [4]}",
            "mask must be of the 2 input channels that a kernel has, not of 4",
        ),
    ],
)
def test_a_mask_that_does_not_fit_is_one_sentence(mask, said, tmp_path):
    file = tmp_path / "wrong.toml"
    file.write_text(
        'name = "n"\ninput = [2, 9, 9]\n[[layer]]\nname = "conv"\nop = "conv2d"\n'
        f"out_channels = 3\nkernel = [3, 3]\nmask = {mask}\n"
    )
    with pytest.raises(FileError, match=r"wrong.toml:8") as error:
        load(file)
    assert said in str(error.value)
    assert str(error.value).endswith("(layer conv)")


def test_a_mask_is_of_one_kernel():
    with pytest.raises(ShapeError, match="mask must be of one kernel for all channels"):
        Depthwise(kernels=((3, 3), (1, 1)), mask=CROSS)
    with pytest.raises(ShapeError, match="as many blocks of inputs"):
        Mask((3, 3), ((1, 2), (1,)))
    with pytest.raises(ShapeError, match="not an array"):
        Mask.of(np.full((2, 2, 3, 3), 2))


def test_sums_of_very_many_products_are_bounded_channel_by_channel():
    """Where any int8 could exceed int32, the weights themselves say what a sum can be."""
    channels = 1 << 17
    live = np.ones((3, channels, 1, 1), bool)
    live[0, ::2] = live[1] = False
    b = ax.Builder("deep", (1, 1), channels=channels)
    b.add("it", Pointwise(3, mask=Mask.of(live)))
    network = with_values(b.network())
    (node,) = network.graph.nodes
    w = network.graph.constants[node.inputs[1]].values.astype(int)
    sums = np.abs(w[: channels // 2]).sum(), np.abs(w[channels // 2 :]).sum()
    (layer,) = network.layers
    assert layer.factors.most_sum == max(sums) * max(map(abs, layer.factors.x))
    assert ax.simulate(b.network(), "tiny", fidelity="golden").total_macs == 3 * channels // 2


@pytest.mark.parametrize("batch", [1, 2])
def test_masks_beside_all_that_is_folded(batch):
    """Norms before and behind, scales of layers, and every operator that has a mask."""
    rng = np.random.default_rng(0)

    def some(*shape):
        return Mask.of(rng.random(shape) < 0.4)

    b = ax.Builder("folds", (8, 8), channels=4)
    b.add("a", Conv2d(6, (3, 3), mask=some(6, 4, 3, 3)), prenorm=True, bias=True, activation="relu")
    b.add("b", Depthwise((3, 2), multiplier=2, mask=some(12, 1, 3, 2)), norm=True)
    b.add("c", Pointwise(8, groups=2, mask=some(8, 6, 1, 1)), norm=True, layer_scale=True)
    b.add("d", Linear(3, flatten=True, mask=some(3, 8 * 36, 1, 1)), bias=True)
    network = b.network()
    result = ax.simulate(network, "tiny", fidelity="cycle", batch=batch)
    assert result.values_equal
    assert result.total_cycles == ax.simulate(network, "tiny", batch=batch).total_cycles
    weights = sum(
        layer.op.mask.live(*shape).sum()
        for layer, shape in zip(network.layers, ((6, 4), (12, 1), (8, 6), (3, 8 * 36)), strict=True)
    )
    others = (6 + 2 * 4) + 2 * 12 + (2 + 1) * 8 + 3
    assert network.total_params == weights + others
