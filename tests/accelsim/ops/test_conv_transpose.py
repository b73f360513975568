"""Transposed convolutions: what they compute, and the plain convolutions that engines run."""

import json

import numpy as np
import pytest
from hypothesis import assume, given, settings

import accelsim as ax
from accelsim import sweep
from accelsim.errors import ShapeError, UnsupportedError
from accelsim.hardware import THIRD_PARTY, third_party_design
from accelsim.ir import INPUT, Layer, Network, inserted_macs
from accelsim.ops import ConvTranspose2d
from accelsim.ops.geometry import convolve
from accelsim.report import hls, table
from accelsim.reuse import moved
from accelsim.weights import seeded_input, seeded_weights
from tests.accelsim import onnx_oracle
from tests.accelsim.ops.transposed import networks
from tests.naive import operators as naive

ARRAY = ax.Hardware(ax.SystolicArray(16, 16))


def one(shape, *args, **attributes):
    return Network("one", shape, (Layer("it", ConvTranspose2d(*args, **attributes), (INPUT,)),))


def data(network):
    """The operator, its input and its weights."""
    (layer,) = network.layers
    return layer.op, seeded_input(network), seeded_weights(network).kernel(layer)


def sides(op):
    return op.padding if isinstance(op.padding, tuple) else (op.padding,) * 4


UNET = one((1024, 28, 28), 512, (2, 2), (2, 2))


@settings(max_examples=50)
@given(networks(most=4))
def test_golden_equals_naive_loops(network):
    op, x, weights = data(network)
    rest = op.stride, sides(op), op.output_padding, op.dilation, op.groups
    expected = naive.conv_transpose2d(x, weights, *rest)
    found = op.golden(weights, x)
    assert found.dtype == np.int32
    assert found.shape == network.shape("it") == expected.shape
    assert np.array_equal(found, expected)


@settings(max_examples=50)
@given(networks())
def test_golden_equals_onnxruntime(network):
    """Which takes no more output padding than the stride allows; sums are exact in float32."""
    op, x, weights = data(network)
    assume(all(extra < step for extra, step in zip(op.output_padding, op.stride, strict=True)))
    attributes = {
        "strides": op.stride,
        "dilations": op.dilation,
        "group": op.groups,
        "output_padding": op.output_padding,
        "pads": [sides(op)[side] for side in (0, 2, 1, 3)],
    }
    reals = x[None].astype(np.float32), weights.astype(np.float32)
    expected = onnx_oracle.run("ConvTranspose", *reals, attributes=attributes)[0]
    assert np.array_equal(op.golden(weights, x), expected)


@settings(max_examples=80)
@given(networks())
def test_pieces_make_the_whole_without_the_zeros(network):
    """Every output at most once; the products of pieces with values are all there are."""
    op, x, weights = data(network)
    pieces = op.lower(x.shape)
    values, kernel = op.operands([x], weights)
    out, written = np.zeros(network.shape("it"), np.int32), np.zeros(network.shape("it"), np.int32)
    for piece in pieces:
        conv = piece.conv
        sums = convolve(conv, piece.take_weights(kernel), piece.take_input(values))
        piece.put(sums, out)
        piece.put(np.ones_like(sums), part := np.zeros_like(written))
        written += part
        assert (conv.sh, conv.sw) == (1, 1)
    assert written.max() == 1
    assert np.array_equal(out, op.golden(weights, x))
    products = op.golden(np.ones_like(weights), np.ones_like(x)).sum()
    (layer,) = network.layers
    assert network.live_macs(layer) == products <= network.macs(layer)
    assert network.macs(layer) == x[0].size * weights.size


@settings(max_examples=60)
@given(networks())
def test_the_convolution_with_zeros_gives_the_same(network):
    op, x, weights = data(network)
    whole, shape = op.with_zeros(x.shape)
    outputs = network.shape("it")
    assert whole.out_shape(shape) == outputs
    assert whole.macs(shape) == np.prod(outputs) * weights.size // op.out_channels
    executed = sum(piece.conv.macs for piece in op.lower(x.shape))
    assert inserted_macs(op, (x.shape,)) == whole.macs(shape) - executed >= 0
    (_, h, w), (sh, sw) = x.shape, op.stride
    inserted = np.zeros((len(x), (h - 1) * sh + 1, (w - 1) * sw + 1), np.int8)
    inserted[:, ::sh, ::sw] = x
    cut = [
        max(0, before - d * (k - 1))
        for before, d, k in zip(sides(op)[::2], op.dilation, op.kernel, strict=True)
    ]
    seen = inserted[:, cut[0] : cut[0] + shape[1], cut[1] : cut[1] + shape[2]]
    assume(network.live_macs(network.layers[0]))  # else all of it is cut off
    assert seen.shape == shape
    _, kernel = op.operands([x], weights)
    assert np.array_equal(whole.golden(kernel, seen), op.golden(weights, x))


def test_by_hand():
    """Values 1 and 2 a stride apart, each times 1, 10 and 100; then cut at both ends."""
    x, weights = np.array([[[1, 2]]], np.int8), np.array([[[[1, 10, 100]]]], np.int8)
    for padding, extra, expected in (
        (0, 0, [1, 10, 102, 20, 200]),
        (0, 1, [1, 10, 102, 20, 200, 0]),
        ((0, 0, 1, 1), 0, [10, 102, 20]),
        ((0, 0, 3, 0), 1, [20, 200, 0]),
    ):
        op = ConvTranspose2d(1, (1, 3), (1, 2), padding, (0, extra))
        assert op.golden(weights, x).ravel().tolist() == expected


def test_phases_of_a_stride_of_two():
    """A 3 x 3 kernel is a 1 x 1, two of 1 x 2 and 2 x 1, and a 2 x 2, as papers draw it."""
    pieces = ConvTranspose2d(4, (3, 3), (2, 2), 1, (1, 1)).lower((4, 5, 5))
    assert [(p.conv.fh, p.conv.fw) for p in pieces] == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert {(p.conv.oh, p.conv.ow) for p in pieces} == {(5, 5)}
    assert pieces[3].writes == (range(1, 10, 2), range(1, 10, 2))
    (whole,) = ConvTranspose2d(4, (3, 3), padding=1).lower((4, 5, 5))
    assert (whole.reads, whole.taps, whole.writes) == (None, None, None)


def test_rows_that_no_tap_reaches_are_zero_and_have_no_piece():
    op = ConvTranspose2d(2, (1, 1), (4, 3))
    (piece,) = op.lower((3, 2, 5))
    assert (piece.conv.macs, op.macs((3, 2, 5))) == (60, 60)
    out = op.golden(np.ones((3, 2, 1, 1), np.int8), np.ones((3, 2, 5), np.int8))
    assert out.shape == (2, 5, 13)
    assert out.sum() == 60
    assert (out[:, ::4, ::3] == 3).all()


def test_where_no_tap_reaches_any_output_zeros_are_computed():
    """The four values land outside what is kept; the layer still runs, and has its bias."""
    network = one((2, 2, 2), 3, (1, 1), (4, 4), 1)
    op, x, weights = data(network)
    assert network.shape("it") == (3, 3, 3)
    assert not op.golden(weights, x).any()
    (piece,) = op.lower(x.shape)
    assert (piece.conv.macs, piece.conv.live_macs) == (6, 0)
    cost = ax.simulate(network, ARRAY, fidelity="cycle").layers[0]
    assert (cost.values_equal, cost.macs, cost.live_macs, cost.utilization) == (True, 24, 0, 0)


def test_unet():
    """Figures of the 2 x 2 layers of a U-Net (arXiv 1505.04597), padded: 28 x 28, 1024 to 512."""
    (layer,) = UNET.layers
    assert UNET.macs(layer) == UNET.live_macs(layer) == 28 * 28 * 4 * 1024 * 512 == 1_644_167_168
    assert UNET.total_params == 2_097_152
    cost = ax.simulate(UNET, ARRAY).layers[0]
    with_zeros = 56 * 56 * 4 * 1024 * 512
    assert cost.macs + cost.skipped_macs == with_zeros == 6_576_668_672
    made = ax.explain(UNET, "it", ARRAY)
    assert made.with_zeros.macs == with_zeros
    # Four pieces of a quarter each: the zeros would have taken four times the clocks.
    assert cost.cycles == made.cycles
    assert made.with_zeros.cycles / made.cycles == pytest.approx(4, rel=1e-3)
    assert json.loads(json.dumps(made.to_dict()))["with_zeros"] == made.with_zeros._asdict()
    assert cost.utilization > 0.999


def test_tables_show_both_figures():
    result = ax.simulate(UNET, ARRAY)
    shown = table.layers(result, 1000)
    row = dict(zip(shown.columns, shown.rows[0], strict=True))
    assert (row["MACs"], row["skipped"]) == ("1,644,167,168", "4,932,501,504")
    assert table.INSERTED in table.notes(result, None)
    assert any(
        "4,932,501,504 are skipped" in line for line in hls.notes(ax.csynth(UNET, "it", ARRAY))
    )


def test_plain_layers_have_no_figure_with_zeros():
    plain = Network("n", (2, 5, 5), (Layer("it", ax.ops.Conv2d(2, (3, 3)), (INPUT,)),))
    made = ax.explain(plain, "it", ARRAY)
    assert made.with_zeros is None
    assert "with_zeros" not in made.to_dict()
    assert table.INSERTED not in table.notes(ax.simulate(plain, ARRAY), None)


def test_a_convolution_with_zeros_that_no_engine_runs():
    """Its sums are longer than those of the pieces, and exceed the accumulators."""
    operands = ax.Operands(accumulator_bits=20)
    narrow = ax.Hardware(ax.SystolicArray(4, 4, operands=operands))
    made = ax.explain(one((8, 3, 3), 2, (4, 4), (4, 4)), "it", narrow)
    assert made.with_zeros.cycles is None
    assert made.with_zeros.macs == 12 * 12 * 16 * 8 * 2


def test_off_chip_the_map_is_read_once():
    """Not once for each of the nine pieces; nothing stays on chip, and the output leaves."""
    network = one((4, 6, 5), 3, (5, 4), (3, 3), groups=1)
    assert len(network.layers[0].op.lower(network.input)) == 9
    (found,) = moved(network, 1, 1 << 20)
    assert found.read == 4 * 6 * 5 + 4 * 3 * 5 * 4
    assert found.write == np.prod(network.shape("it"))


@settings(max_examples=30)
@given(networks())
def test_utilisation_is_a_share_and_the_bound_a_bound(network):
    design = ax.Hardware(ax.SystolicArray(3, 5), depthwise=ax.DepthwiseEngine(2, 4))
    for place in ("array", "auto"):
        cost = ax.simulate(network, design, depthwise_on=place).layers[0]
        engine = design.engine(cost.engine)
        assert cost.utilization == cost.live_macs / (engine.multipliers * cost.cycles)
        assert cost.utilization <= cost.busy_utilization <= 1
        assert 1 <= cost.bound_cycles <= cost.cycles
        made = ax.explain(network, "it", design, depthwise_on=place)
        assert sum(part.multiplier_clocks for part in made.parts) == made.multiplier_clocks
        assert all(part.multiplier_clocks > 0 for part in made.parts)
        assert cost.live_macs <= made.with_zeros.macs - cost.skipped_macs


@pytest.mark.parametrize("engine", THIRD_PARTY, ids=lambda engine: engine.name)
@pytest.mark.parametrize("groups", [1, 4])
def test_third_party_engines_run_the_pieces(engine, groups):
    network = one((4, 5, 6), 4, (3, 4), (2, 2), 1, groups=groups)
    design = third_party_design(engine, None if engine.runs_all else ax.SystolicArray(4, 4))
    cost = ax.simulate(network, design).layers[0]
    assert cost.cycles >= cost.bound_cycles > 0
    if groups == 4:
        assert cost.engine == engine.name
    golden = ax.simulate(network, design, fidelity="golden")
    assert golden.output.shape == network.shape("it")


def test_a_sweep_says_the_same(tmp_path):
    (tmp_path / "up.toml").write_text(
        'name = "up"\ninput = [3, 5, 4]\n[[layer]]\nname = "it"\nop = "conv_transpose2d"\n'
        "out_channels = 3\nkernel = [4, 3]\nstride = [2, 3]\npadding = 1\ngroups = 3\n"
    )
    (tmp_path / "spec.toml").write_text(
        f'networks = ["{tmp_path}/up.toml"]\n[array]\nrows = [2, 4]\ncolumns = [4]\n'
    )
    sweep.run(tmp_path / "spec.toml", tmp_path / "out")
    for row in sweep.load(tmp_path / "out").to_dicts():
        design = ax.Hardware(ax.SystolicArray(row["rows"], row["columns"]))
        result = ax.simulate(tmp_path / "up.toml", design)
        columns = "total_cycles", "total_macs", "total_live_macs", "total_skipped_macs"
        assert [row[each] for each in columns] == [getattr(result, each) for each in columns]
        assert row["total_skipped_macs"] > 0


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        (
            {"output_padding": (2, 0)},
            r"output_padding must be smaller than the stride \[2, 2\] or .* \[1, 1\], not \[2, 0\]",
        ),
        ({"stride": (1, 3), "output_padding": (0, 3)}, "output_padding must be smaller"),
        ({"output_padding": 1}, "output_padding must be two whole numbers of at least 0"),
        ({"output_padding": (0, -1)}, "output_padding must be two whole numbers of at least 0"),
        (
            {"padding": "same"},
            "padding must be a whole number of at least 0 or four .*, not 'same'",
        ),
        ({"padding": -1}, "padding must be a whole number of at least 0 or four"),
        ({"kernel": (0, 1)}, r"kernel must be two whole numbers of at least 1, .* not \[0, 1\]"),
        ({"stride": 2}, "stride must be two whole numbers of at least 1"),
        ({"dilation": (0, 1)}, "dilation must be two whole numbers of at least 1"),
        ({"groups": 0}, "groups must be a whole number of at least 1"),
        ({"out_channels": 0}, "out_channels must be a whole number of at least 1"),
        ({"groups": 3}, "groups must divide the 4 input channels, not be 3"),
        ({"groups": 4}, "groups must divide the 6 output channels, not be 4"),
        (
            {"padding": (3, 2, 0, 0)},
            "padding must leave a row of 4 and a column of 4, not cut off 5 and 0",
        ),
        ({"padding": 2}, "padding must leave a row of 4 and a column of 4, not cut off 4 and 4"),
    ],
)
def test_refusals(attributes, message):
    given = {"out_channels": 6, "kernel": (2, 2), "stride": (2, 2)} | attributes
    with pytest.raises(ShapeError, match=f"^{message}"):
        one((4, 2, 2), **given)


def test_output_padding_may_fill_a_dilation():
    """As in PyTorch and by ONNX's definition; onnxruntime does not take it."""
    op = ConvTranspose2d(1, (2, 1), (1, 1), 0, (2, 0), (3, 1))
    out = op.golden(np.array([[[[2], [5]]]], np.int8), np.array([[[1], [3]]], np.int8))
    assert out.ravel().tolist() == [2, 6, 0, 5, 15, 0, 0]


def test_a_sum_that_could_exceed_int32_is_refused():
    op = ConvTranspose2d(1, (2, 2), (1, 2))
    x = np.zeros((2**16, 1, 1), np.int8)
    with pytest.raises(UnsupportedError, match="131072 products up to 16384 can exceed int32"):
        op.golden(np.full((2**16, 1, 2, 2), -128, np.int8), x)


@pytest.mark.parametrize(
    ("op", "folds"),
    [
        (ConvTranspose2d(2, (1, 1)), True),
        (ConvTranspose2d(2, (2, 2), (2, 2)), False),
        (ConvTranspose2d(2, (3, 3), padding=1), False),
        (ConvTranspose2d(2, (1, 1), output_padding=(1, 0), dilation=(2, 1)), False),
    ],
)
def test_a_norm_of_the_input_folds_only_where_all_outputs_have_the_same_taps(op, folds):
    layer = Layer("it", op, (INPUT,), prenorm=True)
    if folds:
        assert Network("n", (2, 3, 3), (layer,)).total_params == 4 + 4
        return
    with pytest.raises(ShapeError, match=r"prenorm folds only into a layer .* \(layer it\)"):
        Network("n", (2, 3, 3), (layer,))


def test_pieces_in_places_of_others_are_seen(monkeypatch):
    """Registers compute what the pieces say, golden what the definition says."""
    network = one((2, 4, 3), 2, (2, 2), (2, 2))
    assert ax.simulate(network, ARRAY, fidelity="cycle").values_equal
    lower = ConvTranspose2d.lower

    def exchanged(op, *shapes):
        first, second, *others = lower(op, *shapes)
        first, second = (a._replace(writes=b.writes) for a, b in ((first, second), (second, first)))
        return first, second, *others

    monkeypatch.setattr(ConvTranspose2d, "lower", exchanged)
    other = one((2, 4, 3), 2, (2, 2), (2, 2), output_padding=(1, 0))  # not lowered before
    assert ax.simulate(other, ARRAY, fidelity="cycle").values_equal is False
