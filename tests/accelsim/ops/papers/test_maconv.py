"""MAConv: two layers and the kernel that they are, and why each is padded along its axis alone."""

from dataclasses import replace

import numpy as np
import pytest

from accelsim.errors import ShapeError
from accelsim.ops.papers.base import golden
from accelsim.ops.papers.maconv import MaConv
from tests.accelsim.ops.papers.folds import both, draw, draw_input
from tests.naive import operators as naive

CASES = [
    MaConv(4, (3, 3), padding=1),
    MaConv(4, (3, 3), (2, 2), 1, norm=True),
    MaConv(4, (5, 5), (2, 1), 1, bias=True, hidden=7),
    MaConv(4, (3, 5), padding="same_tf", stride=(1, 2), hidden=3),
    MaConv(6, (3, 3), padding=1, groups=6),
    MaConv(4, (3, 3), padding=(0, 2, 1, 3), groups=2, hidden=6),
    MaConv(4, (3, 3), padding=2, dilation=(2, 1)),
    MaConv(4, (3, 3), padding=1, parallel=True),
    MaConv(4, (5, 5), (2, 2), 2, groups=2, parallel=True),
    MaConv(4, (2, 2), padding="same"),
]


@pytest.mark.parametrize("op", CASES, ids=str)
def test_the_layers_equal_the_folded_kernel(op):
    """At borders too."""
    stacked, folded = both(replace(op, form="train"), op, (6, 9, 8))
    assert np.array_equal(stacked, folded)


def test_the_train_form_equals_naive_loops():
    op = MaConv(3, (3, 3), padding=1, hidden=4, form="train")
    network, x = op.network((2, 6, 5)), draw_input((2, 6, 5))
    trained = draw(network, low=-3, high=4)
    a, b = trained["maconv_ver"].kernel, trained["maconv"].kernel
    between = naive.conv2d(x, a, (1, 1), (1, 1, 0, 0))
    expected = naive.conv2d(between, b, (1, 1), (0, 0, 1, 1))
    assert np.array_equal(golden(network, trained, x), expected)
    kernel = np.zeros((3, 2, 3, 3), int)
    for o, c, i, j, h in np.ndindex(3, 2, 3, 3, 4):
        kernel[o, c, i, j] += b[o, h, 0, j] * a[h, c, i, 0]
    assert np.array_equal(op.fold("maconv", trained)["maconv"].kernel, kernel)


def test_something_added_between_the_layers_would_not_fold_at_the_border():
    """Zeros of the padding are none where the layer before adds something."""
    op = MaConv(2, (3, 3), padding=1, form="train")
    network, x = op.network((2, 7, 7)), draw_input((2, 7, 7))
    trained = draw(network)
    offset = np.array([5, -3])
    moved = trained | {"maconv_ver": trained["maconv_ver"]._replace(offset=offset)}
    found = golden(network, moved, x) - golden(network, trained, x)
    constant = trained["maconv"].kernel.sum(axis=(2, 3)) @ offset
    assert (found[:, :, 1:-1] == constant[:, None, None]).all()
    assert (found[:, :, [0, -1]] != constant[:, None, None]).any()
    first, last = network.layers
    assert (first.bias, first.norm) == (False, False)
    assert first.op.padding == (1, 1, 0, 0)
    assert last.op.padding == (0, 0, 1, 1)


def test_costs():
    """h Ci k + Co h k weights; run as the convolution."""
    train = MaConv(64, (3, 3), padding=1, hidden=32, form="train").network((64, 56, 56))
    assert train.total_params == 32 * 64 * 3 + 64 * 32 * 3
    assert train.total_macs == train.total_params * 56 * 56
    run = MaConv(64, (3, 3), padding=1).network((64, 56, 56))
    assert (run.total_params, run.total_macs) == (36_864, 115_605_504)
    beside = MaConv(64, (3, 3), padding=1, norm=True, parallel=True)
    assert beside.network((64, 56, 56)).total_params == 36_864 + 64  # norms become a bias
    trained = replace(beside, form="train").network((64, 56, 56))
    assert trained.total_params == 2 * 64 * 64 * 3 + 36_864 + 4 * 64


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MaConv(4, (1, 3)), r"kernel must have several rows and columns, not \[1, 3\]"),
        (lambda: MaConv(4, (3, 3), hidden=0), "hidden must be a whole number from 1 to 65536"),
        (lambda: MaConv(4, (3, 3), parallel=1), "parallel must be true or false, not 1"),
        (
            lambda: MaConv(4, (3, 3), groups=2, hidden=3, form="train").network((4, 5, 5)),
            "groups must divide the 3 output channels",
        ),
    ],
)
def test_mistakes(make, message):
    with pytest.raises(ShapeError, match=f"^{message}"):
        make()
