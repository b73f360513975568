"""PSConv and PSGConv: their lattice, three convolutions beside one, what they cost."""

from dataclasses import replace

import numpy as np
import pytest

from accelsim import networks
from accelsim.errors import ShapeError
from accelsim.ops.papers.base import Trained, golden
from accelsim.ops.papers.psconv import PsConv, PsgConv
from tests.accelsim.ops.papers.folds import draw, draw_input

# Rows of blocks, as the configurations of the authors' detectors (d = 2) and their default have it.
LATTICES = {
    1: [[1, 1, 2, 1], [1, 1, 1, 2], [2, 1, 1, 1], [1, 2, 1, 1]],
    2: [[2, 1, 4, 1], [1, 2, 1, 4], [4, 1, 2, 1], [1, 4, 1, 2]],
    3: [[3, 1, 6, 1], [1, 3, 1, 6], [6, 1, 3, 1], [1, 6, 1, 3]],
}

CASES = [
    PsConv(4, (3, 3), padding=1),
    PsConv(8, (3, 3), (2, 2), 1, d=1),
    PsConv(8, (3, 3), (2, 1), 0, bias=True, norm=True),
    PsConv(4, (5, 5), padding=(2, 1, 0, 2), bias=True),
    PsConv(4, (3, 3), padding=1, d=3, norm=True),
    PsgConv(8, (3, 3), padding=1, groups=2),
    PsgConv(24, (3, 3), (2, 2), "same", groups=3, bias=True, norm=True),
]


def dilation(op, output, outputs, channel, channels):
    """By the lattice, of an output and an input channel of one group."""
    return LATTICES[op.d][output * 4 // outputs][channel * 4 // channels]


def by_definition(op, x, kernels):
    """The sum of all pairs of channels, each with its own dilation: naive loops."""
    top, bottom, left, right = op.sides(x.shape)
    k, (rows, columns) = op.kernel[0], x.shape[1:]
    outputs, channels = op.out_channels // op.groups, x.shape[0] // op.groups
    down = range(-top, rows + bottom - k + 1, op.stride[0])
    across = range(-left, columns + right - k + 1, op.stride[1])
    out = np.zeros((op.out_channels, len(down), len(across)), np.int64)
    for o in range(op.out_channels):
        group = o // outputs
        for c in range(channels):
            apart = dilation(op, o % outputs, outputs, c, channels)
            for y, row in enumerate(down):
                for z, column in enumerate(across):
                    for i in range(k):
                        for j in range(k):
                            # Taps lie around the pixel that an undilated kernel lies around.
                            at = row + k // 2 + (i - k // 2) * apart
                            to = column + k // 2 + (j - k // 2) * apart
                            if 0 <= at < rows and 0 <= to < columns:
                                value = x[group * channels + c, at, to]
                                out[o, y, z] += kernels[o, c, i, j] * value
    return out


def trained_of(op, shape):
    """Kernels of all three convolutions; the dense one is 0 where others have blocks."""
    train = replace(op, form="train").network(shape)
    trained = draw(train)
    dense = trained[f"{op.name}_dense"]
    kernel = dense.kernel.copy()
    outputs, channels = op.out_channels // op.groups, kernel.shape[1]
    for o in range(op.out_channels):
        for c in range(channels):
            if (o % outputs * 4 // outputs - c * 4 // channels) % 2 == 0:
                kernel[o, c] = 0
    trained[f"{op.name}_dense"] = dense._replace(kernel=kernel)
    if op.norm:
        rng = np.random.default_rng(5)
        scale, offset = rng.integers(-5, 6, (2, op.out_channels))
        trained[op.name] = Trained(trained[op.name].kernel, scale, offset)
    return train, trained


@pytest.mark.parametrize("d", LATTICES)
def test_the_lattice(d):
    assert PsConv(4, (3, 3), d=d).lattice.tolist() == LATTICES[d]


@pytest.mark.parametrize("op", CASES, ids=str)
def test_three_convolutions_are_the_one_that_runs(op):
    """Exactly, on every pixel; and both are the definition."""
    shape = (4 * op.groups, 9, 8)
    train, trained = trained_of(op, shape)
    folded = replace(op, form="train").fold(op.name, trained)
    x = draw_input(shape)
    network = op.network(shape)
    found = golden(network, folded, x)
    assert np.array_equal(golden(train, trained, x), found)
    (layer,) = network.layers
    assert folded[op.name].kernel.shape == layer.op.weight_shape(shape)
    kernels = folded[op.name].kernel.reshape(op.out_channels, 4, *op.kernel)
    sums = by_definition(op, x, kernels)
    assert np.array_equal(found, Trained(kernels, *folded[op.name][1:]).apply(sums))


@pytest.mark.parametrize("groups", [2, 4, 8])
def test_every_pair_of_channels_has_the_taps_of_one_dilation(groups):
    """The authors' code goes on by groups, where blocks are meant, to the mask of the next group.

    Unless these are four, some pairs have two sets of taps there, and others none.
    """
    op = PsgConv(8 * groups, (3, 3), padding=1, groups=groups)
    (layer,) = op.network((4 * groups, 12, 12)).layers
    live = layer.op.mask.live(8 * groups, 4)
    for o in range(8 * groups):
        for c in range(4):
            apart = dilation(op, o % 8, 8, c, 4)
            rows, columns = np.nonzero(live[o, c])
            assert len(rows) == 9
            assert {*rows.tolist()} == {*columns.tolist()} == {4 - apart, 4, 4 + apart}
    right, wrong = np.zeros((2, 8 * groups, 4), bool)
    for group in range(groups):  # where the dense part has its zeros, with `parts` and `groups`
        for block in range(4):
            for to in (block, (block + 2) % 4):
                right[group * 8 + 2 * block : group * 8 + 2 * block + 2, to] = True
                at = (block + group * groups) * 2
                wrong[at : at + 2, to] = True
    dense = np.array(
        [[dilation(op, o % 8, 8, c, 4) > 1 for c in range(4)] for o in range(8 * groups)]
    )
    assert np.array_equal(right, dense)
    assert np.array_equal(wrong, dense) == (groups == 4)


def test_a_dense_kernel_in_blocks_of_others_is_refused():
    op = PsConv(4, (3, 3), padding=1, form="train")
    with pytest.raises(ShapeError, match="kernel must be 0 in the dense convolution"):
        op.fold("psconv", draw(op.network((4, 5, 5))))


# 64 channels of 56 x 56, 3 x 3: the costs of the table of operators' units.
@pytest.mark.parametrize(
    ("form", "params", "macs"),
    [("train", 55_296, 173_408_256), ("inference", 36_864, 115_605_504)],
)
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_costs(form, params, macs, groups):
    kind = PsConv if groups == 1 else PsgConv
    op = kind(64, (3, 3), padding=1, groups=groups, form=form)
    network = op.network((64, 56, 56))
    assert (network.total_params, network.total_macs) == (params // groups, macs // groups)
    assert network.shape(op.name) == (64, 56, 56)


def test_resnet50_costs_what_it_did():
    """25.557 M parameters and 4.089 G multiply-accumulates, as without PSConv."""
    network = networks.get("resnet50", "psconv")
    assert (network.total_params, network.total_macs) == (25_557_032, 4_089_184_256)
    assert sum(getattr(each.op, "mask", None) is not None for each in network.layers) == 16


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PsConv(4, (3, 5)), r"kernel must be square, odd and above 1, not \[3, 5\]"),
        (lambda: PsConv(4, (3, 3), dilation=(2, 1)), r"dilation must be \[1, 1\], which d is of"),
        (lambda: PsConv(4, (3, 3), d=0), "d must be a whole number from 1 to 64, not 0"),
        (lambda: PsConv(6, (3, 3)).network((4, 5, 5)), "4 must divide the 6 output channels"),
        (lambda: PsConv(4, (3, 3)).network((3, 5, 5)), "4 must divide the 3 input channels"),
        (
            lambda: PsgConv(8, (3, 3), groups=2).network((4, 5, 5)),
            "4 must divide the 2 input channels of a group",
        ),
        (lambda: PsConv(4, (3, 3)).network((4, 2, 2)), "kernel reach"),
    ],
)
def test_mistakes(make, message):
    with pytest.raises(ShapeError, match=f"^{message}"):
        make()
