"""LHC: masks of effects, their density, what they cost, and where the operator fits."""

from dataclasses import replace

import numpy as np
import pytest

import accelsim as ax
from accelsim import networks
from accelsim.errors import NetworkError, ShapeError
from accelsim.ir import Layer
from accelsim.networks.variants import apply
from accelsim.ops import Conv2d
from accelsim.ops.papers.base import golden
from accelsim.ops.papers.lhc import SHAPES, Lhc, free, rigid
from tests.accelsim.ops.papers.folds import draw, draw_input
from tests.naive import operators as naive

CASES = [
    Lhc(8, (3, 3), padding=1, cgi=2, cgo=4, density=0.3),
    Lhc(8, (3, 3), (2, 2), 1, cgi=4, cgo=3, density=0.5, bias=True, norm=True),
    Lhc(5, (5, 5), (1, 2), "same", cgi=1, cgo=1, density=0.2),
    Lhc(4, (1, 1), cgi=2, cgo=2, density=0.6),
    Lhc(8, (3, 3), padding=1, cgi=2, cgo=2, density=0.4, shapes="rigid"),
    Lhc(8, (3, 3), (2, 1), dilation=(1, 2), cgi=3, cgo=4, shapes="rigid", norm=True),
    Lhc(4, (3, 3), density=1.0),
    Lhc(6, (3, 3), padding=1, groups=6, cgo=2, density=0.4, norm=True),
    Lhc(12, (5, 3), (2, 1), "same", groups=6, cgo=4, density=0.3, bias=True),
    Lhc(6, (3, 3), groups=6, cgo=1, density=0.4, shapes="rigid"),
]


def taps_of(mask):
    return [[number.bit_count() for number in row] for row in mask.taps]


def test_the_fifteen_shapes():
    """No two alike; taps as the authors' code has them: 0, 1, lines, corners, halves, all."""
    assert SHAPES.shape == (15, 3, 3)
    assert SHAPES.sum(axis=(1, 2)).tolist() == [0, 1, 3, 3, 3, 3, 4, 4, 4, 4, 6, 6, 6, 6, 9]
    assert len({each.tobytes() for each in SHAPES}) == 15
    for first, last in ((2, 6), (6, 10), (10, 14)):  # lines, corners and halves, turned around
        kinds = {each.tobytes() for each in SHAPES[first:last]}
        turned = {np.ascontiguousarray(np.rot90(each)).tobytes() for each in SHAPES[first:last]}
        assert kinds == turned


def test_a_tap_is_live_above_0_and_not_at_it():
    effects = np.array([[[[0.0, 1e-300, -1e-300]]]])
    assert free(effects).tolist() == [[[[False, True, False]]]]


def test_of_equal_shapes_the_first_is_taken():
    effects = np.zeros((1, 2, 15))
    effects[0, 0, [4, 9, 14]] = 1
    made = rigid(effects)
    assert np.array_equal(made[0, 0], SHAPES[4])
    assert np.array_equal(made[0, 1], SHAPES[0])


@pytest.mark.parametrize("op", CASES, ids=str)
def test_live_taps_are_the_kernel_with_its_zeros(op):
    """Exactly, on every pixel, and as naive loops of the product of weights and mask."""
    shape = (6, 9, 8)
    trained_op = replace(op, form="train")
    train, network = trained_op.network(shape), op.network(shape)
    trained = draw(train)
    live = op.mask("lhc", 6 // op.groups).live(op.out_channels, 6 // op.groups)
    weights = trained["lhc"].kernel * live
    trained["lhc"] = trained["lhc"]._replace(kernel=weights)
    folded = trained_op.fold("lhc", trained)
    x = draw_input(shape)
    found = golden(network, folded, x)
    sums = naive.conv2d(x, weights, op.stride, op.sides(shape), op.dilation, op.groups)
    assert np.array_equal(found, trained["lhc"].apply(sums))
    assert np.array_equal(golden(train, trained, x), found)
    assert network.total_macs == live.sum() * sums[0].size


def test_weights_that_the_mask_leaves_out_are_refused():
    op = Lhc(8, (3, 3), form="train")
    with pytest.raises(ShapeError, match="kernel must be 0 where its mask has no tap"):
        op.fold("lhc", draw(op.network((8, 5, 5))))


@pytest.mark.parametrize("shapes", ["free", "rigid"])
@pytest.mark.parametrize("density", [0.004, 0.1, 0.37, 0.5, 0.75, 1.0])
def test_the_density_is_met_to_the_nearest_tap(shapes, density):
    for outputs, inputs in ((64, 64), (160, 96), (512, 256)):
        op = Lhc(outputs, (3, 3), shapes=shapes, density=density)
        taps = taps_of(op.mask("layer", inputs))
        whole = 9 * len(taps) * len(taps[0])
        assert sum(map(sum, taps)) == max(1, round(density * whole))
        if shapes == "rigid":
            assert {each for row in taps for each in row} <= {0, 1, 3, 4, 6, 9}


def test_what_no_shapes_make_up_is_met_as_near_as_can_be():
    """Of one block 2 taps are as near to 1 as to 3; of two, 17 of 18 to neither 16 nor 18."""
    for density, blocks, expected in ((2 / 9, 1, 1), (8 / 9, 1, 9), (17 / 18, 2, 18)):
        op = Lhc(16 * blocks, (3, 3), shapes="rigid", density=density)
        assert sum(map(sum, taps_of(op.mask("layer", 32)))) == expected


def test_masks_differ_between_layers_and_seeds_and_are_always_the_same():
    op = Lhc(64, (3, 3))
    masks = [op.mask("a", 64), op.mask("b", 64), replace(op, seed=1).mask("a", 64)]
    assert len(set(masks)) == 3
    assert masks[0] == Lhc(64, (3, 3)).mask("a", 64)


# CIFAR's VGG-16 of the authors' code, and 64 channels of 56 x 56 with 3 x 3.
def test_the_costs_of_vgg_16():
    plain = networks.get("vgg16_cifar")
    assert (plain.total_params, plain.total_macs) == (14_719_818, 313_201_664)
    network = apply(plain, "lhc:density=0.1")
    params = macs = 0
    bits = 0
    for before, after in zip(plain.layers, network.layers, strict=True):
        if not isinstance(after.op, Conv2d) or after.op.mask is None:
            assert before == after
            params += plain.params(before)
            macs += plain.macs(before)
            continue
        c, h, w = plain.in_shapes(before)[0]
        taps = 9 * (c // 32) * (before.op.out_channels // 16)
        live = round(0.1 * taps) * 16 * 32
        bits += taps
        params += live + before.op.out_channels
        macs += live * h * w
    assert bits == 28_728
    assert bits * 16 * 32 == 14_708_736
    assert (network.total_params, network.total_macs) == (params, macs)
    assert round(network.total_params / 1e6, 2) == 1.48


def test_the_unit_layer():
    network = Lhc(64, (3, 3), padding=1).network((64, 56, 56))
    assert network.total_params == 7 * 16 * 32  # of 72 taps of blocks, a tenth
    assert network.total_macs == 7 * 16 * 32 * 56 * 56
    train = Lhc(64, (3, 3), padding=1, form="train").network((64, 56, 56))
    assert (train.total_params, train.total_macs) == (36_864, 115_605_504)


def test_where_it_fits():
    plain = networks.get("resnet20")
    first, second = plain.layers[0], plain.layers[1]
    assert not Lhc.replaces(plain, first)
    assert Lhc.replaces(plain, second)
    mobile = networks.get("mobilenet_v1")
    pointwise = next(each for each in mobile.layers if each.op.name == "pointwise")
    depthwise = next(each for each in mobile.layers if each.op.name == "depthwise")
    assert Lhc.replaces(mobile, pointwise)
    assert not Lhc.replaces(mobile, pointwise, shapes="rigid")
    assert not Lhc.replaces(mobile, depthwise)
    assert Lhc.replaces(mobile, depthwise, depthwise=True)
    assert Lhc.replaces(mobile, depthwise, depthwise=True, shapes="rigid")
    masked = replace(second, op=Lhc(16, (3, 3)).network((16, 32, 32)).layers[0].op)
    assert not Lhc.replaces(replace(plain, layers=(first, masked)), masked)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Lhc(4, (3, 3), groups=2).network((4, 9, 9)),
            "groups must be 1, or the 4 input channels if these divide the 4 output channels, not",
        ),
        (lambda: Lhc(6, (3, 3), groups=4).network((4, 9, 9)), "groups must be 1, .* the 6 output"),
        (lambda: Lhc(4, (5, 5), shapes="rigid"), r"kernel must be \[3, 3\], of which rigid"),
        (lambda: Lhc(4, (3, 3), density=0), "density must be a number above 0 and at most 1"),
        (lambda: Lhc(4, (3, 3), density=1.5), "density must be a number above 0 and at most 1"),
        (lambda: Lhc(4, (3, 3), density="x"), "density must be a number above 0 and at most 1"),
        (lambda: Lhc(4, (3, 3), cgi=0), "cgi must be a whole number from 1 to 65536, not 0"),
        (lambda: Lhc(4, (3, 3), shapes="round"), "shapes must be one of free, rigid, not 'round'"),
    ],
)
def test_mistakes(make, message):
    with pytest.raises(ShapeError, match=f"^{message}"):
        make()


@pytest.mark.parametrize("density", ["0", "1.1", "-1", "nan", "1e1", "1e-400", "1/0", "a", "."])
def test_wrong_densities_of_a_variant(density):
    with pytest.raises(NetworkError, match=r"key density of variant lhc must be a number above 0"):
        networks.get("resnet20", f"lhc:density={density}")


def test_a_layer_of_a_name_has_a_mask_of_its_own():
    made = apply(networks.get("resnet20"), "lhc")
    masks = [each.op.mask for each in made.layers if isinstance(each, Layer) and is_masked(each)]
    assert len(masks) == 18
    assert len(set(masks)) > 9


def test_depthwise_layers_of_a_network():
    """Of blocks of 16 channels, each of which has a tenth of its taps, together to a tap."""
    plain = networks.get("mobilenet_v1")
    network = apply(plain, "lhc:depthwise=true,density=0.1")
    for before, after in zip(plain.layers, network.layers, strict=True):
        if before.op.name == "depthwise":
            blocks = plain.in_shapes(before)[0][0] // 16
            assert network.params(after) - plain.params(before) == (
                16 * round(0.9 * blocks) - 16 * 9 * blocks
            )
            assert len(after.op.mask.taps) == blocks
    only = apply(plain, "lhc:density=0.1")
    assert all(each.op.mask is None for each in only.layers if each.op.name == "depthwise")


@pytest.mark.parametrize("size", [14, 28])
@pytest.mark.parametrize("kernel", [5, 7, 9, 15, 31])
def test_a_tenth_of_depthwise_kernels_takes_a_tenth_of_the_clocks(kernel, size):
    """At most 1.25 x the live taps of every tile of 16 channels and 7 pixels."""
    op = Lhc(64, (kernel, kernel), padding=kernel // 2, groups=64)
    network = op.network((64, size, size))
    design = ax.Hardware(ax.SystolicArray(16, 16), depthwise=ax.DepthwiseEngine(16, 7, 112))
    (cost,) = ax.simulate(network, design, depthwise_on="engine").layers
    live = op.words((64, size, size))["live"]
    assert live == 16 * round(0.1 * 4 * kernel * kernel)
    assert cost.engine == "depthwise"
    assert cost.cycles <= 1.25 * live // 16 * size * size / 7


@pytest.mark.parametrize("channels", [64, 256])
def test_a_tenth_of_dense_kernels_on_an_array(channels):
    """At most 1.5 x the live products, in blocks of the 16 columns of the array."""
    network = Lhc(channels, (3, 3), padding=1).network((channels, 14, 14))
    (cost,) = ax.simulate(network, ax.Hardware(ax.SystolicArray(16, 16))).layers
    assert cost.cycles <= 1.5 * network.total_macs / 256


def test_depthwise_levels_agree():
    """In every value and clock, also with channels that have no live tap at all."""
    network = Lhc(12, (5, 5), padding=2, groups=12, cgo=3, density=0.05).network((12, 9, 9))
    design = ax.Hardware(ax.SystolicArray(4, 4), depthwise=ax.DepthwiseEngine(3, 4))
    for where in ("engine", "array"):
        result = ax.simulate(network, design, fidelity="cycle", depthwise_on=where)
        assert result.values_equal
        golden = ax.simulate(network, design, fidelity="golden", depthwise_on=where)
        assert np.array_equal(result.output, golden.output)
        assert result.total_cycles == golden.total_cycles


def is_masked(layer):
    return getattr(layer.op, "mask", None) is not None
