"""The super-kernel: its equations, what is decided, and both as a variant."""

import math
from dataclasses import replace

import numpy as np
import pytest

from accelsim import networks
from accelsim.errors import AccelsimWarning, NetworkError, ShapeError
from accelsim.ir import INPUT, Layer, Network
from accelsim.networks.variants import apply
from accelsim.ops import Add, Depthwise, Pointwise, SqueezeExcite
from accelsim.ops.papers.base import Trained, golden
from accelsim.ops.papers.super_kernel import (
    Decision,
    SuperKernel,
    Thresholds,
    decide,
    effective,
)
from tests.accelsim.ops.papers.folds import draw, draw_input


def by_hand(w, t5, t50, t100, may_skip):
    """The two equations, value by value: W_eff, and what is decided."""
    channels = len(w)
    norm = lambda values: math.sqrt(sum(v * v for v in values))  # noqa: E731
    inside = lambda i, j: 1 <= i <= 3 and 1 <= j <= 3  # noqa: E731
    cells = list(np.ndindex(channels, 5, 5))
    five = norm(w[c, 0, i, j] for c, i, j in cells if not inside(i, j)) - t5 >= 0
    w_k = {(c, i, j): w[c, 0, i, j] if five or inside(i, j) else 0 for c, i, j in cells}
    half = (channels + 1) // 2
    d100 = norm(v for (c, _, _), v in w_k.items() if c >= half) - t100 >= 0
    d50 = norm(v for (c, _, _), v in w_k.items() if c < half) - t50 >= 0 or not may_skip
    made = np.zeros(w.shape)
    for (c, i, j), v in w_k.items():
        made[c, 0, i, j] = v * d50 * (1 if c < half else d100)
    if not d50:
        return made, Decision(0, "none")
    return made, Decision(5 if five else 3, "all" if d100 else "half")


@pytest.mark.parametrize("channels", [4, 5])
@pytest.mark.parametrize("may_skip", [False, True])
@pytest.mark.parametrize("t5", [0, 1000])
@pytest.mark.parametrize("t50", [0, 1000])
@pytest.mark.parametrize("t100", [0, 1000])
def test_decisions_and_effective_kernels(channels, may_skip, t5, t50, t100):
    w = np.random.default_rng(0).integers(-9, 10, (channels, 1, 5, 5))
    thresholds = Thresholds(t5, t50, t100)
    expected, decision = by_hand(w, t5, t50, t100, may_skip)
    assert np.array_equal(effective(w, thresholds, may_skip), expected)
    assert decide(w, thresholds, may_skip) == decision


def test_a_norm_that_is_its_threshold_is_enough():
    """I(0) = 1: a ring of zeros passes a threshold of 0, and 3-4-5 one of 5."""
    w = np.zeros((2, 1, 5, 5), int)
    assert decide(w, Thresholds()) == (5, "all")
    w[0, 0, 0, 0], w[0, 0, 4, 4] = 3, 4
    assert decide(w, Thresholds(ring=5)).size == 5
    assert decide(w, Thresholds(ring=5.0001)).size == 3


@pytest.mark.parametrize("stride", [(1, 1), (2, 2)], ids=str)
@pytest.mark.parametrize("padding", ["same", "same_tf", 1, 0])
@pytest.mark.parametrize("share", ["all", "half"])
@pytest.mark.parametrize("size", [3, 5])
def test_what_is_run_equals_the_masked_kernel(size, share, padding, stride):
    """The layer with W_eff, at borders too; channels that are not run are zero there."""
    op = SuperKernel(5, (5, 5), stride, padding, groups=5, norm=True, size=size, share=share)
    train, run, shape = replace(op, form="train").network((5, 9, 8)), op, (5, 9, 8)
    trained = draw(train)
    whole = trained["super_kernel"]
    limits = Thresholds(
        *(1e9 * (kept != asked) for kept, asked in ((size, 5), (0, 0), (share, "all")))
    )
    masked = whole._replace(kernel=effective(whole.kernel, limits).astype(int))
    x = draw_input(shape)
    expected = golden(train, {"super_kernel": masked}, x)
    folded = run.fold("super_kernel", trained)
    found = golden(run.network(shape), folded, x)
    kept = 5 if share == "all" else 3
    assert np.array_equal(found, expected[:kept])
    assert not masked.kernel[kept:].any()
    assert folded["super_kernel"].kernel.shape == (kept, 1, size, size)


def block(*, kernel=(3, 3), gates=False, others=()):
    """Expand, depthwise, gates if asked for, project."""
    layers = [
        Layer("expand", Pointwise(12), (INPUT,), norm=True),
        Layer("dw", Depthwise(kernel), ("expand",), norm=True, activation="relu"),
    ]
    if gates:
        layers += SqueezeExcite(4).expand("se", ("dw",), (12, 9, 9))
    layers += [Layer("project", Pointwise(6), (layers[-1].name,)), *others]
    return Network("n", (6, 9, 9), tuple(layers))


def test_a_network_with_super_kernels():
    plain = networks.mobilenet_v2()
    train = networks.get("mobilenet_v2", "super_kernel", form="train")
    run = networks.mobilenet_v2("super_kernel:size=3")
    channels = sum(plain.shape(x.name)[0] for x in plain.layers if isinstance(x.op, Depthwise))
    assert train.total_params - plain.total_params == channels * (25 - 9)
    assert (run.total_params, run.total_macs) == (plain.total_params, plain.total_macs)
    assert networks.mobilenet_v2("super_kernel").total_params == train.total_params


def test_half_the_expansion_is_no_longer_made():
    network = apply(block(), "super_kernel:size=3,share=half")
    assert network.shape("expand") == network.shape("dw") == (6, 9, 9)
    assert network.shape("project") == (6, 9, 9)
    assert network.total_params == 6 * 6 + 12 + 6 * 9 + 12 + 6 * 6
    assert apply(block(), "super_kernel:share=half,form=train").shape("dw") == (12, 9, 9)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (block(gates=True), r"inputs of scale: .* \(layer se\) \(layer dw\)"),
        (block(others=(Layer("x", Pointwise(3), ("expand",)),)), "no other layer reads expand"),
        (
            Network("n", (6, 9, 9), (Layer("dw", Depthwise((3, 3)), (INPUT,)),)),
            "share half needs an expansion before the layer, not input",
        ),
        (
            block(others=(Layer("sum", Add(), ("dw", "expand")),)),
            "no other layer reads expand",
        ),
    ],
)
def test_half_where_it_does_not_fit(network, message):
    with pytest.raises(NetworkError, match=message):
        apply(network, "super_kernel:share=half")


def test_what_ends_in_the_layer_would_become_narrower():
    network = block()
    network = Network("n", network.input, network.layers[:2])
    with pytest.raises(
        NetworkError, match=r"what dw makes, \[12, 9, 9\], would become \[6, 9, 9\]"
    ):
        apply(network, "super_kernel:share=half")


def test_other_kernels_stay():
    with pytest.raises(NetworkError, match="super_kernel replaces depthwise layers of 3 x 3 and 5"):
        apply(block(kernel=(7, 7)), "super_kernel")
    padded = Layer("dw2", Depthwise((3, 3), padding=0), ("project",))
    with pytest.warns(AccelsimWarning, match="padding 0 is of one kernel size"):
        apply(block(others=(padded,)), "super_kernel")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SuperKernel(4, (5, 5), groups=2), "groups must be the 4 channels of a depthwise"),
        (lambda: SuperKernel(4, (3, 3), groups=4), "size must be at most 3, not 5"),
        (lambda: SuperKernel(4, (4, 4), groups=4), "kernel must be square, odd and above 1"),
        (lambda: SuperKernel(4, (5, 5), groups=4, size=4), "size must be 3 or 5, not 4"),
        (lambda: SuperKernel(4, (5, 5), groups=4, share="x"), "share must be one of all, half"),
        (
            lambda: SuperKernel(4, (5, 5), groups=4).network((6, 9, 9)),
            "groups must be the 6 channels, not 4",
        ),
        (
            lambda: SuperKernel(4, (5, 5), groups=4).fold(
                "n", {"n": Trained(np.ones((4, 1, 3, 3)))}
            ),
            r"kernel of layer n must have \[5, 5\] rows and columns, not \[3, 3\]",
        ),
    ],
)
def test_mistakes(make, message):
    with pytest.raises(ShapeError, match=f"^{message}"):
        make()
