"""SPConv: its merged kernel, its fusion beside the paper's equations, and its published costs."""

from dataclasses import replace

import numpy as np
import pytest

import accelsim as ax
from accelsim import networks
from accelsim.errors import NetworkError, ShapeError
from accelsim.ir import INPUT, Layer, Network
from accelsim.networks.variants import apply
from accelsim.ops import Conv2d, GlobalPool, Linear
from accelsim.ops.papers.base import Trained, golden
from accelsim.ops.papers.spconv import SpConv
from tests.accelsim.ops.papers import dynamic
from tests.naive import operators as naive

CASES = {
    "half": (SpConv(6, (3, 3), padding=1), (8, 6, 7)),
    "quarter": (SpConv(4, (3, 3), padding="same", alpha=0.25), (8, 5, 6)),
    "strided": (SpConv(6, (3, 3), (2, 2), 1), (8, 6, 8)),
    "most": (SpConv(2, (3, 3), (2, 2), 1, alpha=0.7), (7, 4, 4)),  # 4 of 7
}
ARRAY = ax.Hardware(ax.SystolicArray(5, 4))
GATES = "beta", "gamma"
PARTS = "group", "point", "minor"


def average(x):
    """Of 2 x 2, by loops."""
    c, h, w = x.shape
    out = np.zeros((c, h // 2, w // 2))
    for k, i, j in np.ndindex(*out.shape):
        out[k, i, j] = x[k, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].sum() / 4
    return out


def branches(op, shape, x, kernels, convolve):
    """Sums of the three convolutions of the paper, before any norm."""
    first = int(op.alpha * shape[0])
    some, rest = x[:first], x[first:]
    pool = average if op.stride == (2, 2) else np.asarray
    return (
        convolve(some, kernels["group"], op.stride, (1, 1, 1, 1), groups=2),
        convolve(pool(some), kernels["point"]),
        convolve(pool(rest), kernels["minor"]),
    )


def drawn(op, shape, rng, multiple):
    first, k = int(op.alpha * shape[0]), op.out_channels
    shapes = (k, first // 2, 3, 3), (k, first, 1, 1), (k, shape[0] - first, 1, 1)
    kernels = dict(zip(PARTS, (dynamic.integers(rng, *each) for each in shapes), strict=True))
    kernels["point"] = kernels["point"] * multiple
    return kernels


@pytest.mark.parametrize("name", CASES)
def test_the_merged_kernel_is_both_convolutions(name):
    """On integers, exactly: quarters of the average where there is a stride, of multiples of 4."""
    op, shape = CASES[name]
    rng = np.random.default_rng(5)
    kernels = drawn(op, shape, rng, 4 if op.stride == (2, 2) else 1)
    scale, offset, other, bias = (dynamic.integers(rng, op.out_channels) for _ in range(4))
    trained = {
        "spconv_group": Trained(kernels["group"]),
        "spconv_point": Trained(kernels["point"]),
        "spconv_major": Trained(np.empty(0), scale, offset),
        "spconv_minor": Trained(kernels["minor"], other, bias),
    }
    train = replace(op, form="train")
    folded = train.fold("spconv", trained)
    assert folded["spconv_major"].kernel.dtype == np.int64
    gates = {f"spconv_{each}": dynamic.integers(rng, op.out_channels, 1, 1) for each in GATES}
    x = rng.integers(-64, 64, shape)
    group, point, minor = branches(op, shape, x, kernels, dynamic.convolve)
    major = (group + point) * scale[:, None, None] + offset[:, None, None]
    minor = minor * other[:, None, None] + bias[:, None, None]
    expected = gates["spconv_beta"] * major + gates["spconv_gamma"] * minor
    assert np.array_equal(golden(train.network(shape), trained, x, gates), expected)
    assert np.array_equal(golden(op.network(shape), folded, x, gates), expected)


def test_the_taps_of_the_merged_kernel():
    """Full where the groups are; one in the centre elsewhere, or the four of the average."""
    for op, across in (
        (SpConv(2, (3, 3), padding=1), [0, 0, 0, 0, 7, 0, 0, 0, 0]),
        (SpConv(2, (3, 3), (2, 2), 1), [0, 0, 0, 0, 7, 7, 0, 7, 7]),
    ):
        of_a_tap = 28 if op.stride == (2, 2) else 7
        trained = {
            "a_group": Trained(np.arange(1, 19).reshape(2, 1, 3, 3) * 100),
            "a_point": Trained(np.full((2, 2, 1, 1), of_a_tap)),
            "a_major": Trained(np.empty(0)),
            "a_minor": Trained(np.ones((2, 2, 1, 1), int)),
        }
        full = [[100 * (9 * g + i + 1) + across[i] for i in range(9)] for g in range(2)]
        live = [tap for tap in across if tap]
        assert op.fold("a", trained)["a_major"].kernel.tolist() == [
            *full[0],
            *live,
            *live,
            *full[1],
        ]


def definition(op, shape, weights, x):
    """The result from the equations of the paper; real weights have the norms in them."""
    kernels = {each: weights[f"spconv_{each}"].kernel.astype(np.float64) for each in PARTS}
    group, point, minor = branches(op, shape, x, kernels, dynamic.convolve)
    major = dynamic.affine(weights["spconv_major"], group + point)
    minor = dynamic.affine(weights["spconv_minor"], minor)
    pairs = zip(major.mean(axis=(1, 2)), minor.mean(axis=(1, 2)), strict=True)
    fused = np.array([dynamic.softmax(np.array(pair)) for pair in pairs])
    return fused[:, 0, None, None] * major + fused[:, 1, None, None] * minor


@pytest.mark.parametrize("name", CASES)
def test_the_layers_are_the_equations(name):
    """On reals but for float32; in int8 within 5 hundredths of the range.

    Rounded are both branches, their means and weights, and the sum.
    """
    op, shape = CASES[name]
    network = replace(op, form="train", norm=True, activation="relu").network(shape)
    weights, x, made = dynamic.on_reals(network)
    fused = definition(op, shape, weights, x)
    expected = np.maximum(dynamic.affine(weights["spconv"], fused), 0)
    assert np.allclose(made, expected, rtol=1e-4, atol=1e-4)
    assert expected.max() > 0.5
    assert np.abs(dynamic.on_integers(network) - expected).max() < 0.05 * expected.max()


def test_the_weights_of_the_fusion_add_up_to_one():
    op, shape = CASES["half"]
    network = op.network(shape)
    result = ax.simulate(network, ARRAY, fidelity="golden", keep=True)
    assert result.values_equal is None
    kinds = {each: result.values.tensors[f"spconv_{each}"].astype(int) for each in GATES}
    assert all(values.shape == (1, 6, 1, 1) for values in kinds.values())
    order = np.argsort(kinds["beta"].ravel(), kind="stable")
    assert (np.diff(kinds["gamma"].ravel()[order]) <= 0).all()


# 64 channels of 56 x 56, with two batch norms and a bias where it is trained.
@pytest.mark.parametrize(
    ("alpha", "params", "macs"),
    [(1 / 2, 13_632, 41_746_432), (1 / 4, 9_024, 27_295_744), (1 / 8, 6_720, 20_070_400)],
)
def test_costs(alpha, params, macs):
    op = SpConv(64, (3, 3), padding=1, alpha=alpha, form="train")
    network = op.network((64, 56, 56))
    assert (network.total_params, network.total_macs) == (params, macs)
    run = replace(op, form="inference").network((64, 56, 56))
    # The centre of a group's taps is in the group: half of the 1 x 1 of the first channels.
    half = 64 * int(alpha * 64) // 2
    assert run.total_macs == macs - half * 56 * 56
    assert run.total_params == params - half - 3 * 64


# Millions of parameters, and of multiply-accumulates of convolutions and fully connected layers
# alone, of which the authors publish a little more: their figures hold other operations as well.
@pytest.mark.parametrize(
    ("name", "alpha", "params", "macs"),
    [
        ("resnet50", "1/2", 18_345_448, 2_907_439_104),  # published 18.34 M
        ("resnet20", "1/2", 102_330, 14_926_464),  # 0.10 M
        ("resnet20", "1/4", 68_922, 9_912_960),  # 0.071 M
    ],
)
def test_published_networks(name, alpha, params, macs):
    plain = networks.get(name)
    network = networks.get(name, f"spconv:alpha={alpha}", form="train")
    added = {"params": 0, "macs": 0}
    for layer in plain.layers:
        op, (shape,) = layer.op, plain.in_shapes(layer)[:1]
        if not isinstance(op, Conv2d) or op.kernel != (3, 3) or layer.name == "stem":
            continue
        k, c, (_, h, w) = op.out_channels, shape[0], plain.shape(layer.name)
        share = {"1/2": c // 2, "1/4": c // 4}[alpha]
        weights = k * (share // 2) * 9 + k * share + k * (c - share) - k * c * 9
        added["params"] += weights + 5 * k
        added["macs"] += weights * h * w
    assert network.total_params == plain.total_params + added["params"] == params
    assert network.total_macs == plain.total_macs + added["macs"] == macs


def test_vgg_of_the_paper():
    """12 of its 13 convolutions; 512 features before the classes: 5.6 M parameters (README)."""
    layers = [
        replace(layer, bias=False, norm=True) if isinstance(layer.op, Conv2d) else layer
        for layer in networks.get("vgg16_cifar").layers
    ]
    *first, last = layers
    assert isinstance(last.op, Linear)
    hidden = Layer("hidden", Linear(512), last.inputs, bias=True, activation="relu")
    vgg = Network("vgg", (3, 32, 32), (*first, hidden, replace(last, inputs=("hidden",))))
    found = apply(vgg, "spconv:form=train")
    assert round(found.total_params / 1e6, 3) == 5.610
    assert round(found.total_macs / 1e6, 2) == 114.50
    assert sum(isinstance(each.op, GlobalPool) for each in found.layers) >= 2 * 12
    sixteenth = apply(vgg, "spconv:alpha=1/16,form=train")
    # Published less computed is the same for all others: 55.14 M looks like a misprint of 50.14 M.
    assert round(sixteenth.total_macs / 1e6 + 118.27 - 114.50, 2) == 50.14


@pytest.mark.parametrize("dataflow", ["os", "ws", "is"])
@pytest.mark.parametrize("form", ["train", "inference"])
def test_every_level_and_a_batch(form, dataflow):
    layers = (
        Layer("stem", Conv2d(8, (3, 3), padding=1), (INPUT,), norm=True, activation="relu"),
        Layer("a", Conv2d(8, (3, 3), (2, 2), 1), ("stem",), norm=True, activation="relu"),
        Layer("b", Conv2d(6, (3, 3), padding=1), ("a",), bias=True),
    )
    network = apply(Network("n", (3, 8, 6), layers), f"spconv:alpha=1/4,form={form}")
    for batch in (1, 2):
        schedule, reference, cycle = (
            ax.simulate(network, ARRAY, dataflow, f, batch=batch)
            for f in ("schedule", "golden", "cycle")
        )
        assert cycle.values_equal
        assert cycle.total_cycles == schedule.total_cycles
        assert np.array_equal(cycle.output, reference.output)


def test_what_does_not_fit_stays_and_is_named():
    layers = (
        Layer("stem", Conv2d(8, (3, 3), padding=1), (INPUT,)),
        Layer("odd", Conv2d(8, (3, 3), (2, 2), 1), ("stem",)),
        Layer("fits", Conv2d(8, (3, 3), padding=1), ("odd",)),
    )
    with pytest.warns(ax.AccelsimWarning, match=r"even numbers of rows .* 7 and 8 \(layer odd\)"):
        network = apply(Network("n", (3, 7, 8), layers), "spconv")
    assert network.layer("odd") == layers[1]
    with pytest.raises(NetworkError, match=r"spconv replaces dense 3 x 3 .*mobilenet_v1 has none"):
        networks.get("mobilenet_v1", "spconv")
    with pytest.raises(NetworkError, match=r"key alpha .* must be a number above 0 and .*, not 1"):
        networks.get("resnet18", "spconv:alpha=1")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SpConv(4, (5, 5)), r"kernel must be 3 x 3, not \[5, 5\]"),
        (lambda: SpConv(4, (3, 3), (1, 2)), r"stride must be 1 or 2 along both axes, not \[1, 2\]"),
        (lambda: SpConv(4, (3, 3), dilation=(2, 2)), r"dilation must be 1, not \[2, 2\]"),
        (lambda: SpConv(4, (3, 3), groups=2), "groups must be 1, not 2"),
        (lambda: SpConv(5, (3, 3)), "out_channels must be even, not 5"),
        (lambda: SpConv(4, (3, 3), alpha=1.0), "alpha must be a number above 0 and below 1, not 1"),
        (
            lambda: SpConv(4, (3, 3), padding=1, alpha=0.25).network((4, 4, 4)),
            "alpha must give an even number of the 4 channels, of at least 2, not 1",
        ),
        (
            lambda: SpConv(4, (3, 3)).network((4, 4, 4)),
            r"padding must be 1 at all sides, not \[0, 0, 0, 0\]",
        ),
        (
            lambda: SpConv(4, (3, 3), (2, 2), 1).network((4, 4, 5)),
            "stride 2 needs even numbers of rows and columns, not 4 and 5",
        ),
    ],
)
def test_mistakes(make, message):
    with pytest.raises(ShapeError, match=f"^{message}"):
        make()


def test_naive_loops_agree_with_the_convolutions_of_these_tests():
    rng = np.random.default_rng(0)
    x, w = dynamic.integers(rng, 4, 7, 6), dynamic.integers(rng, 6, 2, 3, 3)
    found = dynamic.convolve(x, w, (2, 1), (1, 0, 2, 1), groups=2)
    assert np.array_equal(found, naive.conv2d(x, w, (2, 1), (1, 0, 2, 1), groups=2))
