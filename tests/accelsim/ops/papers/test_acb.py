"""ACB: its fold, what it costs, and where it fits."""

from dataclasses import replace

import numpy as np
import pytest

from accelsim.errors import ShapeError
from accelsim.ops.papers.acb import Acb
from accelsim.ops.papers.base import Trained, golden
from tests.accelsim.ops.papers.folds import both, draw, draw_input
from tests.naive import operators as naive

CASES = [
    Acb(4, (3, 3), padding=1),
    Acb(4, (3, 3), (2, 2), 1),
    Acb(6, (3, 3), (2, 1), "same_tf", groups=3),
    Acb(6, (5, 5), padding=2, groups=6),
    Acb(6, (5, 5), (2, 2), 2, taps=3),
    Acb(4, (5, 5), padding=1),  # less than half a kernel: lines read a part of the map
    Acb(4, (5, 5), (2, 2), 0, taps=3),
    Acb(4, (3, 3), padding=0),
    Acb(4, (3, 3), padding=(0, 1, 1, 0)),
    Acb(4, (3, 3), padding=1, dilation=(2, 2)),
    Acb(4, (3, 3), (2, 2), 3, (2, 1), groups=2),
]


@pytest.mark.parametrize("op", CASES, ids=str)
def test_branches_add_up_to_the_folded_kernel(op):
    """Exactly, on every pixel, those of the border among them."""
    summed, folded = both(replace(op, form="train"), op, (6, 9, 8))
    assert np.array_equal(summed, folded)


@pytest.mark.parametrize(
    ("kernel", "taps", "padding"), [(3, 3, 1), (5, 5, 2), (5, 3, 2), (5, 5, 1)]
)
def test_branches_equal_naive_loops(kernel, taps, padding):
    """The three convolutions of the paper, each on windows around the same pixels."""
    op = Acb(2, (kernel, kernel), padding=padding, taps=taps, form="train")
    network = op.network((3, 8, 7))
    trained, x = draw(network), draw_input((3, 8, 7))
    expected, offset = 0, taps // 2 - kernel // 2 + padding
    shapes = {"square": (padding, padding), "ver": (offset, None), "hor": (None, offset)}
    for branch, (down, across) in shapes.items():
        cut, cropped = kernel // 2 - padding, x
        sides = [padding - kernel // 2 if side is None else side for side in (down, across)]
        if cut > 0:  # as in the authors' code: crop the other axis where padding is too little
            rows = slice(cut, -cut) if down is None else slice(None)
            columns = slice(cut, -cut) if across is None else slice(None)
            cropped = x[:, rows, columns]
        sides = [max(0, side) for side in sides]
        part = trained[f"acb_{branch}"]
        padded = (sides[0], sides[0], sides[1], sides[1])
        sums = naive.conv2d(cropped, part.kernel, (1, 1), padded)
        expected = expected + sums * part.scale[:, None, None] + part.offset[:, None, None]
    assert np.array_equal(golden(network, trained, x), expected)


def test_the_old_form_has_three_taps_beside_five_rows():
    op = Acb(1, (5, 5), padding=2, taps=3)
    assert op.branches == {"square": (5, 5), "ver": (3, 1), "hor": (1, 3)}
    ones = {"square": (1, 1, 5, 5), "ver": (1, 1, 3, 1), "hor": (1, 1, 1, 3)}
    trained = {f"a_{each}": Trained(np.ones(shape, int)) for each, shape in ones.items()}
    (folded,) = op.fold("a", trained).values()
    assert folded.kernel[0, 0].tolist() == [
        [1, 1, 1, 1, 1],
        [1, 1, 2, 1, 1],
        [1, 2, 3, 2, 1],
        [1, 1, 2, 1, 1],
        [1, 1, 1, 1, 1],
    ]


def test_reals_fold_too():
    op = Acb(4, (3, 3), padding=1, form="train")
    network = op.network((4, 6, 6))
    rng = np.random.default_rng(0)
    trained = {
        name: Trained(*(rng.normal(size=np.shape(each)) for each in part))
        for name, part in draw(network).items()
    }
    x = rng.normal(size=(4, 6, 6)).astype(np.float32)
    folded = golden(replace(op, form="inference").network(x.shape), op.fold("acb", trained), x)
    assert np.allclose(golden(network, trained, x), folded, atol=1e-4)


# 64 channels of 56 x 56, 3 x 3: the costs of the table of operators' units.
@pytest.mark.parametrize(
    ("form", "params", "macs"),
    [("train", 61_824, 192_675_840), ("inference", 36_928, 115_605_504)],
)
def test_costs(form, params, macs):
    network = Acb(64, (3, 3), padding=1, form=form).network((64, 56, 56))
    assert (network.total_params, network.total_macs) == (params, macs)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Acb(4, (3, 5)), r"kernel must be square, odd and above 1, not \[3, 5\]"),
        (lambda: Acb(4, (2, 2)), r"kernel must be square, odd and above 1, not \[2, 2\]"),
        (lambda: Acb(4, (1, 1)), r"kernel must be square, odd and above 1, not \[1, 1\]"),
        (lambda: Acb(4, (3, 3), taps=4), "taps must be 3 or 5, not 4"),
        (lambda: Acb(4, (3, 3), taps=5), "taps must be at most 3, those of the kernel, not 5"),
        (lambda: Acb(4, (3, 3), form="both"), "form must be one of inference, train, not 'both'"),
        (lambda: Acb(4, (3, 3)).network((4, 2, 2)), "kernel reach 3 is larger than the padded"),
    ],
)
def test_mistakes(make, message):
    with pytest.raises(ShapeError, match=f"^{message}"):
        make()
