"""Graphs at the fidelities golden and cycle: values, cycles, what goes in, what is refused."""

from dataclasses import replace

import numpy as np
import pytest

import accelsim as ax
from accelsim.errors import NetworkError, UnsupportedError
from accelsim.graph.network import as_network
from accelsim.graph.types import Graph, TensorType
from accelsim.hardware import Operands
from tests.accelsim.graph import graphs

DESIGN = ax.Hardware(ax.SystolicArray(4, 3), depthwise=ax.DepthwiseEngine(2, 4))
NARROW = ax.Hardware(ax.SystolicArray(4, 3, operands=Operands(8)))


def uint8(rng, shape):
    return rng.integers(0, 256, shape, np.uint8)


def by_loops(x, network):
    """What the graph made by hand makes of its input, from its definition."""
    w, d = (network.graph.constants[name].values.astype(int) for name in "wd")
    zeros = np.array(graphs.W_ZERO)
    padded = np.pad(x.astype(int), ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=graphs.X_ZERO)
    c = np.empty((len(x), 4, 3, 6), np.uint8)
    for n, k, i, j in np.ndindex(c.shape):
        window = padded[n, :, 2 * i : 2 * i + 3, j : j + 3] - graphs.X_ZERO
        total = (window * (w[k] - zeros[k])).sum() + 1000 * k
        c[n, k, i, j] = min(max(round(total / 2**9) + graphs.C_ZERO, 0), 255)
    inner = np.pad(c.astype(int) - graphs.C_ZERO, ((0, 0), (0, 0), (1, 1), (1, 1)))
    y = np.empty(c.shape, np.int8)
    for n, k, i, j in np.ndindex(c.shape):
        total = (inner[n, k, i : i + 3, j : j + 3] * d[k, 0]).sum()
        y[n, k, i, j] = max(min(max(round(total / 2**8) - 10, -128), 127), 0)
    return {"y": y, "c": c}


@pytest.mark.parametrize("images", [1, 2])
@pytest.mark.parametrize("fidelity", ["golden", "cycle"])
def test_values_are_those_of_loops(images, fidelity):
    network = graphs.quantised(images)
    x = uint8(np.random.default_rng(3), (images, 3, 5, 6))
    result = ax.simulate(network, DESIGN, fidelity=fidelity, data={"x": x})
    expected = by_loops(x, network)
    for name, values in expected.items():
        made = result.values.outputs[name]
        assert made.dtype == values.dtype
        assert np.array_equal(made, values), name
        assert len(np.unique(made)) > 15
    assert np.array_equal(result.output, expected["y"])
    assert [layer.cycles for layer in result.layers] == [
        layer.cycles for layer in ax.simulate(network, DESIGN).layers
    ]
    assert result.values_equal is (True if fidelity == "cycle" else None)
    assert result.batch == images


def test_sums_that_registers_make_go_on(monkeypatch):
    """A fault in the array shows in the layer, in all behind it and in the output."""
    from accelsim.lowering import Lowered

    network = graphs.quantised()
    right = ax.simulate(network, DESIGN, fidelity="cycle")
    measure = Lowered.measure

    def faulty(self, stream, *more):
        done = measure(self, stream, *more)
        return done._replace(words=done.words + 512) if self.engine == "array" else done

    monkeypatch.setattr(Lowered, "measure", faulty)
    wrong = ax.simulate(network, DESIGN, fidelity="cycle")
    assert [layer.values_equal for layer in wrong.layers] == [False, True, None]
    assert not np.array_equal(right.output, wrong.output)


def test_images_beyond_the_tensors_run_side_by_side():
    """A batch of 4 of a graph of 2 images is two runs; layers are priced, and run, with all 4."""
    network = graphs.quantised()
    result = ax.simulate(network, DESIGN, fidelity="cycle", batch=4, keep=True)
    assert result.values_equal
    assert result.total_cycles == ax.simulate(network, DESIGN, batch=4).total_cycles
    runs = result.values.inputs["x"]
    assert runs.shape == (2, 2, 3, 5, 6)
    for x, y in zip(runs, result.values.outputs["y"], strict=True):
        assert np.array_equal(by_loops(x, network)["y"], y)
    assert not np.array_equal(*runs)


@pytest.mark.parametrize(
    ("batch", "data", "says"),
    [
        (3, None, "tensors of hand hold 2 images; with values, batch must be a multiple of that"),
        (4, {}, "data are the tensors that hand takes, a batch of 2; batch must be that, not 4"),
    ],
)
def test_batches_that_do_not_fit_are_refused(batch, data, says):
    with pytest.raises(UnsupportedError, match=says):
        ax.simulate(graphs.quantised(), DESIGN, fidelity="golden", batch=batch, data=data)


def test_layers_may_end_before_the_graph():
    network = graphs.quantised()
    x = uint8(np.random.default_rng(3), (2, 3, 5, 6))
    result = ax.simulate(network, DESIGN, fidelity="cycle", layers="conv", data={"x": x})
    assert np.array_equal(result.output, by_loops(x, network)["c"])
    assert result.values.outputs is None
    whole = ax.simulate(network, DESIGN, layers="conv", data={"x": x}, keep=True)
    assert whole.fidelity == "golden"
    assert np.array_equal(whole.values.outputs["y"], by_loops(x, network)["y"])
    assert list(whole.values.tensors) == ["c", "e", "y"]


def test_two_computed_operands():
    network = graphs.attention()
    result = ax.simulate(network, DESIGN, fidelity="cycle")
    a, b = (result.values.inputs[name].astype(int) for name in "ab")
    heads = [a[0, h : h + 3, 0].T @ b[0, h : h + 3, 0] for h in (0, 3)]
    expected = np.concatenate([each.T for each in heads]).reshape(1, 8, 1, 4)
    assert np.array_equal(result.values.outputs["s"], expected)
    assert result.values_equal


def test_eight_bits_take_int8_without_zero_points_only():
    says = "layer conv .* values from -255 to 255.*; operands must be of at least 9 bits, not 8"
    with pytest.raises(UnsupportedError, match=says):
        ax.simulate(graphs.quantised(), NARROW)
    assert ax.simulate(graphs.attention(), NARROW, fidelity="cycle").values_equal


def test_accumulators_are_as_wide_as_the_operands_ask_for():
    """27 products up to 131 x 255 take 20 bits and a sign; what is known of it is 2^20 at most."""

    def design(bits):
        operands = Operands(9, bits)
        return ax.Hardware(ax.SystolicArray(4, 3, operands=operands))

    assert 27 * 131 * 255 < 2**20 - 1
    assert ax.simulate(graphs.quantised(), design(21), fidelity="cycle").values_equal
    with pytest.raises(UnsupportedError, match="27 products of its values, which may exceed"):
        ax.simulate(graphs.quantised(), design(20))


def test_weights_say_what_the_widest_sums_can_be():
    """A layer of a million products of uint8, which int32 cannot hold unless weights are small."""
    from accelsim.graph.types import Constant, Node, Products, View
    from accelsim.ops import Linear

    depth = 1 << 20

    def network(weight):
        view = View((0, 1, 2, 3), (1, depth, 1, 1))
        out = View((0, 1, 2, 3), (1, 2, 1, 1))
        work = Products(Linear(2), view, View((0, 1), (2, depth)), out)
        constant = Constant(
            TensorType((2, depth), "int8"), lambda: np.full((2, depth), weight, np.int8)
        )
        types = {
            "x": TensorType((1, depth, 1, 1), "uint8"),
            "y": TensorType((1, 2, 1, 1), "int32"),
        }
        node = Node("fc", "QLinearMatMul", work, ("x", "w", "", "", ""), ("y",))
        return as_network(Graph("wide", ("x",), ("y",), (node,), types, {"w": constant}))

    x = np.full((1, depth, 1, 1), 255, np.uint8)
    result = ax.simulate(network(8), DESIGN, fidelity="golden", data={"x": x})
    assert result.output.ravel().tolist() == [255 * 8 * depth] * 2
    with pytest.raises(UnsupportedError, match="may exceed accumulators of 32 bits"):
        ax.simulate(network(9), DESIGN)


def test_reals_run_in_no_register():
    from tests.accelsim.graph.test_evaluate import float_graph

    network = as_network(float_graph(np.random.default_rng(1))[0])
    says = "layer conv of probe multiplies reals, and engines multiply integers; .* quantize"
    with pytest.raises(UnsupportedError, match=says):
        ax.simulate(network, DESIGN, fidelity="cycle")
    result = ax.simulate(network, DESIGN, fidelity="golden")
    assert result.output.dtype == np.float32
    assert result.to_dict()["output"]["dtype"] == "float32"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({}, r"input x of hand is missing; it is uint8 \[2, 3, 5, 6\]"),
        ({"X": 0}, "hand has no input 'X'; its inputs are x; did you mean x"),
        ({"x": np.zeros((2, 3, 5, 6), np.int8)}, r"must be uint8 \[2, 3, 5, 6\], not int8 \[2, 3"),
        ({"x": np.zeros((3, 5, 6), np.uint8)}, r"must be uint8 .*, not uint8 \[3, 5, 6\]"),
    ],
)
def test_data_are_exactly_what_the_graph_takes(data, says):
    with pytest.raises(NetworkError, match=says):
        ax.simulate(graphs.quantised(), DESIGN, data=data)


def test_data_need_values_and_tensors():
    with pytest.raises(UnsupportedError, match="fidelity schedule computes no values"):
        ax.simulate(graphs.quantised(), DESIGN, fidelity="schedule", keep=True)


def test_weights_are_read_for_values_only():
    network = graphs.quantised()
    constants = {
        name: replace(each, read=lambda: pytest.fail("weights were read")) if name in "wd" else each
        for name, each in network.graph.constants.items()
    }
    network = as_network(replace(network.graph, constants=constants))
    assert ax.simulate(network, DESIGN).to_dict()["weights_sha256"] is None
    digest = ax.simulate(graphs.quantised(), DESIGN, fidelity="golden").weights_sha256
    assert digest == ax.simulate(graphs.quantised(), DESIGN, fidelity="cycle").weights_sha256


def test_what_follows_from_the_seed_is_the_same_everywhere():
    result = ax.simulate(graphs.quantised(), DESIGN, fidelity="golden", seed=7)
    x = result.values.inputs["x"]
    assert x.ravel()[:4].tolist() == [2, 49, 127, 139]
    other = ax.simulate(graphs.quantised(), DESIGN, fidelity="golden", seed=8)
    assert not np.array_equal(x, other.values.inputs["x"])
    assert int(x.min()) < 8
    assert int(x.max()) > 247


def test_nodes_that_work_on_other_batches_are_refused():
    one, two = graphs.quantised(1).graph, graphs.quantised(2).graph
    nodes = (one.nodes[0], two.nodes[1])
    with pytest.raises(NetworkError, match="node conv of hand works on a batch of 1 and node deep"):
        as_network(replace(two, nodes=nodes, outputs=("c",)))


@pytest.mark.parametrize("layer", ["conv", "deep"])
def test_a_layer_runs_through_the_rtl_and_its_program(layer):
    from rtl.flow.cosim import level
    from rtl.flow.post import post_level

    x = {"x": uint8(np.random.default_rng(3), (2, 3, 5, 6))}
    network = graphs.quantised()
    run_rtl = level(DESIGN, "amaranth", None)
    run_post = post_level(lambda what, done: None)
    done = ax.cosim(network, layer, DESIGN, run_rtl, data=x, run_post=run_post)
    assert done.values_equal
    assert done.cycles_equal
    steps = ("Bias", "Requantise", "Clamp") if layer == "conv" else ("Requantise", "Clamp")
    dtype = "uint8" if layer == "conv" else "int8"
    assert done.output == (dtype, 2 * 4 * 3 * 6, steps, True, True)
    assert done.to_dict("amaranth")["output"]["equal"] is True

    def faulty(sequence):
        done = run_rtl(sequence)
        done.words[0, 0] += 1 << 12
        return done

    wrong = ax.cosim(network, layer, DESIGN, faulty, data=x)
    assert not wrong.rtl_equal
    assert not wrong.output.equal
    assert not wrong.output.on_rtl
    assert not wrong.values_equal

    def faulty_unit(program, sums):
        made = run_post(program, sums)
        made[0, 1, 2, 3] ^= 1
        return made

    wrong = ax.cosim(network, layer, DESIGN, run_rtl, data=x, run_post=faulty_unit)
    assert wrong.rtl_equal
    assert not wrong.output.equal


def test_data_for_a_layer_need_tensors():
    layers = ax.LayerList("two", (ax.Layer("a", ax.ops.Pointwise(3), ()),), ((2, 4, 4),))
    with pytest.raises(UnsupportedError, match="two is a list of independent layers"):
        ax.cosim(layers, "a", DESIGN, pytest.fail, data={})
