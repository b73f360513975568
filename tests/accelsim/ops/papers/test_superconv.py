"""SuperConv: masks of one kernel, summed, beside the kernel that they fold into."""

from dataclasses import replace

import numpy as np
import pytest

from accelsim.errors import ShapeError
from accelsim.graph.calibrate import draw as draw_real
from accelsim.ir import INPUT, Layer, Network
from accelsim.ops import Conv2d, GlobalPool
from accelsim.ops.papers.base import Trained, golden
from accelsim.ops.papers.superconv import SuperConv
from accelsim.weights import load_weights, seeded_weights
from tests.accelsim.ops.papers.folds import both, draw, draw_input
from tests.naive import operators as naive

ALL = ("full", "column", "row", "centre")
CASES = [
    SuperConv(4, (3, 3), padding=1, masks=ALL),
    SuperConv(4, (5, 5), padding=2, masks=ALL),
    SuperConv(4, (3, 3), (2, 2), 1, masks=("row", "full")),
    SuperConv(4, (5, 5), (2, 2), "same_tf", masks=ALL),
    SuperConv(6, (3, 3), padding=1, groups=6),
    SuperConv(6, (5, 5), (2, 1), 1, groups=2, masks=ALL),  # less padding than half a kernel
    SuperConv(4, (5, 5), padding=0, masks=("full", "centre")),
    SuperConv(4, (3, 3), padding=1, dilation=(2, 2), masks=ALL),
    SuperConv(4, (3, 3), padding=1, masks=("full",)),
]


@pytest.mark.parametrize("op", CASES, ids=str)
def test_branches_add_up_to_the_folded_kernel(op):
    summed, folded = both(replace(op, form="train"), op, (6, 9, 8))
    assert np.array_equal(summed, folded)


@pytest.mark.parametrize("k", [3, 5])
def test_branches_equal_naive_loops_with_masked_kernels(k):
    """Every branch convolves with M_b K, a kernel of the whole size."""
    op = SuperConv(2, (k, k), padding=k // 2, masks=ALL, form="train")
    network, half = op.network((3, 8, 7)), k // 2
    trained, x = draw(network), draw_input((3, 8, 7))
    masks = {name: np.zeros((k, k), int) for name in ALL}
    masks["full"][:] = 1
    masks["column"][:, half] = 1
    masks["row"][half] = 1
    masks["centre"][1:-1, 1:-1] = 1
    expected = 0
    for name, mask in masks.items():
        part = trained[f"superconv_{name}"]
        kernel = trained["superconv_full"].kernel * mask
        sums = naive.conv2d(x, kernel, (1, 1), (half,) * 4)
        expected = expected + sums * part.scale[:, None, None] + part.offset[:, None, None]
    assert np.array_equal(golden(network, trained, x), expected)


def test_without_norms_the_fold_is_the_sum_of_the_masks():
    op = SuperConv(1, (3, 3), padding=1, masks=ALL)
    kernel = np.arange(9).reshape(1, 1, 3, 3)
    trained = {f"s_{mask}": Trained(kernel) for mask in ALL}
    (folded,) = op.fold("s", trained).values()
    assert np.array_equal(folded.kernel, kernel * [[1, 2, 1], [2, 4, 2], [1, 2, 1]])
    assert not folded.offset.any()


def test_the_masks_share_their_weights():
    """Co Ci / g k^2 and two parameters of every norm, while all branches are computed."""
    network = SuperConv(64, (3, 3), padding=1, form="train").network((64, 56, 56))
    assert network.total_params == 36_864 + 2 * 3 * 64
    assert network.total_macs == 192_675_840  # as ACB's
    plain = SuperConv(64, (3, 3), padding=1).network((64, 56, 56))
    assert (plain.total_params, plain.total_macs) == (36_928, 115_605_504)


def test_tied_weights_are_parts_of_one_kernel(tmp_path):
    network = SuperConv(2, (3, 3), padding=1, masks=ALL, form="train").network((2, 5, 5))
    layers = {each.name.partition("_")[2]: each for each in network.layers}
    np.savez(tmp_path / "w.npz", superconv_full=np.arange(36, dtype=np.int8).reshape(2, 2, 3, 3))
    from_file = replace(network, weights_file=str(tmp_path / "w.npz"))
    for kernels in (
        {name: draw_real(network, layer, 0).kernel for name, layer in layers.items()},
        {name: seeded_weights(network).kernel(layer) for name, layer in layers.items()},
        {name: load_weights(from_file).kernel(layer) for name, layer in layers.items()},
    ):
        whole = kernels["full"]
        assert np.array_equal(kernels["column"], whole[:, :, :, 1:2])
        assert np.array_equal(kernels["row"], whole[:, :, 1:2])
        assert np.array_equal(kernels["centre"], whole[:, :, 1:2, 1:2])
        assert len(np.unique(whole)) > 9


@pytest.mark.parametrize(
    ("tied", "kernel"), [("b", (3, 3)), ("x", (3, 3)), ("a", (5, 3)), ("pool", (3, 3))]
)
def test_what_a_layer_is_tied_to_has_its_kernel_inside(tied, kernel):
    layers = (
        Layer("pool", GlobalPool(), (INPUT,)),
        Layer("a", Conv2d(2, (3, 3), padding="same"), (INPUT,)),
        Layer("b", Conv2d(2, kernel, padding="same"), (INPUT,), tied=tied),
    )
    with pytest.raises(ShapeError, match=rf"tied must name .* not '{tied}' .* \(layer b\)"):
        Network("n", (2, 5, 5), layers)


@pytest.mark.parametrize(
    ("masks", "shown"),
    [(("row",), r"\['row'\]"), (("full", "full"), "."), (("full", "cross"), "."), ((), r"\[\]")],
)
def test_mistakes(masks, shown):
    message = "masks must be different ones of full, column, row, centre .* one is full, not"
    with pytest.raises(ShapeError, match=rf"^{message} {shown}"):
        SuperConv(4, (3, 3), masks=masks)
