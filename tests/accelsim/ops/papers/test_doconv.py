"""DO-Conv: both compositions, groups, and the order in which the authors' code pairs them."""

from dataclasses import replace

import numpy as np
import pytest

from accelsim.errors import ShapeError
from accelsim.ops.papers.base import Trained, golden
from accelsim.ops.papers.doconv import DoConv, with_identity
from tests.accelsim.ops.papers.folds import both, draw, draw_input
from tests.naive import operators as naive

CASES = [
    DoConv(4, (3, 3), padding=1),
    DoConv(4, (3, 3), (2, 2), 1, norm=True),
    DoConv(4, (5, 5), padding=1, bias=True, d_mul=27),  # more than the taps
    DoConv(6, (3, 3), padding=1, groups=6),
    DoConv(6, (3, 3), (2, 1), "same_tf", groups=6, pairing="cyclic", norm=True),
    DoConv(4, (3, 3), padding=0, groups=2),
    DoConv(4, (1, 3), padding="same", dilation=(1, 2)),
]


@pytest.mark.parametrize("op", CASES, ids=str)
def test_features_composed_equal_kernels_composed(op):
    composed, folded = both(replace(op, form="train"), op, (6, 9, 8))
    assert np.array_equal(composed, folded)


def by_hand(d, w, groups, pairing):
    """W'[o, i, tap] with D[channel, tap, s] and W[o, i, s], value by value."""
    (channels, taps, products), (outputs, inputs, _) = d.shape, w.shape
    made = np.zeros((outputs, inputs, taps), int)
    for o in range(outputs):
        for i in range(inputs):
            channel = o // (outputs // groups) * inputs + i
            row = channel if pairing == "channel" else (o * inputs + i) % channels
            for tap in range(taps):
                made[o, i, tap] = sum(d[row, tap, s] * w[o, i, s] for s in range(products))
    return made


@pytest.mark.parametrize("pairing", ["channel", "cyclic"])
@pytest.mark.parametrize(("channels", "outputs", "groups"), [(4, 6, 1), (4, 6, 2), (4, 4, 4)])
def test_the_fold_equals_loops(channels, outputs, groups, pairing):
    op = DoConv(outputs, (3, 3), padding=1, groups=groups, pairing=pairing)
    rng = np.random.default_rng(0)
    d = rng.integers(-9, 9, (channels, 9, 9))
    w = rng.integers(-9, 9, (outputs, channels // groups, 9))
    kernel = d.transpose(0, 2, 1).reshape(-1, 1, 3, 3)
    trained = {"n_d": Trained(kernel), "n": Trained(w.reshape(outputs, -1, 1, 1))}
    (folded,) = op.fold("n", trained).values()
    expected = by_hand(d, w, groups, pairing)
    assert np.array_equal(folded.kernel.reshape(expected.shape), expected)


def test_the_pairings_differ_only_with_groups_that_are_not_channels():
    def differ(channels, outputs, groups):
        op = DoConv(outputs, (3, 3), padding=1, groups=groups, form="train")
        trained = draw(op.network((channels, 5, 5)))
        kernels = [
            replace(op, pairing=pairing, form="inference").fold("doconv", trained)["doconv"].kernel
            for pairing in ("channel", "cyclic")
        ]
        return not np.array_equal(*kernels)

    assert not differ(4, 6, 1)
    assert not differ(4, 4, 4)
    assert differ(4, 4, 2)
    assert differ(4, 8, 4)


def test_an_untrained_d_leaves_the_kernel():
    """D begins at 0, and the identity is added: W' is W."""
    op = DoConv(3, (3, 3), padding=1, d_mul=20)
    w = np.random.default_rng(1).integers(-9, 9, (3, 2, 20))
    kernel = with_identity(np.zeros((2, 9, 20), int)).reshape(-1, 1, 3, 3)
    trained = {"n_d": Trained(kernel), "n": Trained(w.reshape(3, -1, 1, 1))}
    (folded,) = op.fold("n", trained).values()
    assert np.array_equal(folded.kernel.reshape(3, 2, 9), w[:, :, :9] + w[:, :, 9:18])


def test_the_train_form_equals_naive_loops():
    op = DoConv(3, (3, 3), padding=1, form="train")
    network, x = op.network((2, 6, 5)), draw_input((2, 6, 5))
    trained = draw(network)
    d = trained["doconv_d"].kernel.reshape(2, 9, 9).transpose(0, 2, 1)
    w = trained["doconv"].kernel.reshape(3, 2, 9)
    kernel = by_hand(d, w, 1, "channel").reshape(3, 2, 3, 3)
    expected = naive.conv2d(x, kernel, (1, 1), (1, 1, 1, 1))
    assert np.array_equal(golden(network, trained, x), expected)


# 64 channels of 56 x 56, 3 x 3, D_mul 9: the costs of the table of operators' units.
@pytest.mark.parametrize(
    ("form", "params", "macs"),
    [("train", 42_048, 131_862_528), ("inference", 36_864, 115_605_504)],
)
def test_costs(form, params, macs):
    network = DoConv(64, (3, 3), padding=1, form=form).network((64, 56, 56))
    assert (network.total_params, network.total_macs) == (params, macs)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DoConv(4, (1, 1)), "kernel must be larger than 1 x 1"),
        (lambda: DoConv(4, (3, 3), d_mul=8), "d_mul must be at least 9, the taps of the kernel"),
        (lambda: DoConv(4, (3, 3), d_mul=0), "d_mul must be a whole number from 1 to 4096, not 0"),
        (lambda: DoConv(4, (3, 3), pairing="x"), "pairing must be one of channel, cyclic, not 'x'"),
        (lambda: DoConv(4, 3), "kernel must be two whole numbers"),
        (
            lambda: DoConv(4, (3, 3), groups=2, pairing="cyclic", form="train").network((4, 5, 5)),
            "pairing cyclic with 2 groups has no train form",
        ),
    ],
)
def test_mistakes(make, message):
    with pytest.raises(ShapeError, match=f"^{message}"):
        make()
