"""Networks of ours with values: in reals and in integers, beside onnxruntime."""

import numpy as np
import onnxruntime
import pytest

import accelsim as ax
from accelsim import quantised
from accelsim.graph import quantise as graph_quantise
from accelsim.graph.build import build
from accelsim.graph.calibrate import image, measure, normals, reals
from accelsim.graph.evaluate import evaluate, walk
from accelsim.ir import INPUT
from accelsim.quantised import with_values
from accelsim.runtimes import compare
from tests.accelsim.importers.onnx.export import export
from tests.accelsim.importers.onnx.nets import quantise

SIZE = (32, 32)
DESIGN = ax.Hardware(ax.SystolicArray(16, 16), depthwise=ax.DepthwiseEngine(4, 8))


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "mixnet_s"])
def test_reals_are_those_of_onnxruntime(name, tmp_path):
    network = ax.networks.get(name, input=SIZE)
    export(network, tmp_path / "float.onnx")
    graph = build(network, reals(network, 0, measure(network, 0).norms))
    x = image(network.input, 3)
    (ours,) = evaluate(graph, {INPUT: x}).values()
    session = onnxruntime.InferenceSession(tmp_path / "float.onnx")
    (theirs,) = session.run(None, {INPUT: x})
    assert np.abs(ours - theirs).max() <= 1e-4 * np.abs(theirs).max()


def test_registers_and_programs_make_what_onnxruntime_makes(tmp_path):
    """Of the same weights in a file, quantised by its own tool; layer by layer."""
    network = ax.networks.mobilenet_v2("fuse_half", SIZE)
    plain, file = tmp_path / "plain.onnx", tmp_path / "integers.onnx"
    export(network, plain)
    quantise(plain, file, (1, *network.input), "operators_u8u8", np.random.default_rng(2), INPUT)
    loaded = ax.load(file)
    assert loaded.total_macs == network.total_macs
    data = {INPUT: image(network.input, 20)}
    result = ax.simulate(loaded, DESIGN, fidelity="cycle", data=data, keep=True)
    assert result.values_equal
    found = compare("onnxruntime", file, loaded, result.values).differences
    assert len(found) > len(network.layers) / 2
    assert [each.name for each in found if each.different] == []


# --- without a file


def entropy(values):
    """Bits of information in an int8."""
    counts = np.bincount(values.view(np.uint8).ravel(), minlength=256)
    shares = counts[counts > 0] / values.size
    return -(shares * np.log2(shares)).sum()


def maps_of(network, seed=0, symmetric=False):
    """What the layers make of an image, by name."""
    whole = with_values(network, seed, symmetric)
    maps = {}
    for node, (run,) in walk(whole.graph, (whole.seeded(seed, 5),)):
        maps |= {name: run[name] for name in node.outputs if run[name].dtype == np.int8}
    return whole, maps


@pytest.mark.parametrize("name", ["mobilenet_v2", "convnextv2_atto", "shufflenet_v2_x1_0"])
def test_the_deepest_layers_are_not_constant(name):
    network = ax.networks.get(name, input=SIZE)
    _, maps = maps_of(network)
    for layer in network.layers[-8:]:
        assert entropy(maps[layer.name]) > 2.5, layer.name
    for layer in network.layers:
        assert np.mean(np.abs(maps[layer.name].astype(int)) >= 127) < 0.9, layer.name


# There is a smaller one of their family, of the same kinds of layers.
LARGE = (
    "convnext_small",
    "convnext_base",
    "convnext_large",
    "inception_next_small",
    "inception_next_base",
    "replknet_31l",
    "replknet_xl",
    "resnet101",
    "slak_small",
    "slak_base",
)


@pytest.mark.full
@pytest.mark.parametrize(
    "name", [d.__name__ for d in ax.networks.NETWORKS if d.__name__ not in LARGE]
)
def test_the_deepest_layers_of_no_network_are_constant(name):
    network = ax.networks.get(name, input=(9, 1) if name == "bert_base" else (64, 64))
    _, maps = maps_of(network)
    for layer in network.layers[-4:]:
        assert entropy(maps[layer.name]) > 2.5, layer.name


@pytest.mark.parametrize("symmetric", [False, True])
def test_integers_stand_for_the_reals(symmetric):
    """Of few layers, so that errors of rounding are small."""
    first = ax.ops.Conv2d(8, (3, 3), (2, 2), 1)
    layers = (
        ax.Layer("stem", first, (INPUT,), norm=True, activation="relu6"),
        ax.Layer("dw", ax.ops.Depthwise((3, 3)), ("stem",), norm=True, activation="hswish"),
        ax.Layer("up", ax.ops.ConvTranspose2d(6, (2, 2), (2, 2)), ("dw",), bias=True),
        ax.Layer("down", ax.ops.Pool("average", (2, 2)), ("up",)),
        ax.Layer("more", ax.ops.Pointwise(8), ("down",), norm=True, activation="silu"),
        ax.Layer("sum", ax.ops.Add(), ("more", "dw")),
        ax.Layer("gate", ax.ops.GlobalPool(), ("sum",), activation="sigmoid"),
        ax.Layer("scaled", ax.ops.Scale(), ("sum", "gate")),
        ax.Layer("wide", ax.ops.Concat(), ("scaled", "stem")),
        ax.Layer("turned", ax.ops.ChannelShuffle(4), ("wide",)),
        ax.Layer("norm", ax.ops.LayerNorm(), ("turned",)),
        ax.Layer("large", ax.ops.Resize(factor=(2, 1), mode="bilinear"), ("norm",)),
        ax.Layer("fc", ax.ops.Linear(7, flatten=True), ("large",), bias=True),
    )
    network = ax.Network("probe", (3, 12, 14), layers)
    whole, maps = maps_of(network, symmetric=symmetric)
    statistics = measure(network, 0)
    graph = build(network, reals(network, 0, statistics.norms))
    for node, (run,) in walk(graph, ({INPUT: image(network.input, 0, 5)},)):
        for name in node.outputs:
            if name in maps:
                kind = whole.graph.type(name).quantisation
                made = (maps[name].astype(float) - kind.zero_point) * kind.scale
                noise = np.mean((made - run[name]) ** 2) / np.mean(run[name] ** 2)
                assert noise < 0.2, name
                assert not symmetric or kind.zero_point == 0


def test_zero_points_are_real_and_registers_see_them():
    network = ax.networks.mobilenet_v3_small(input=SIZE)
    whole, _ = maps_of(network)
    points = {int(whole.graph.type(layer.name).quantisation.zero_point) for layer in network.layers}
    assert len(points) > 5
    ends = [layer.factors for layer in whole.layers if layer.op.lower(*whole.in_shapes(layer))]
    assert min(each.least for each in ends) < -128
    narrow = ax.Hardware(ax.SystolicArray(16, 16, operands=ax.Operands(8)))
    assert ax.simulate(network, narrow, fidelity="cycle", layers="stem..b2.dw").values_equal


def test_integers_of_a_file_of_weights_are_used_as_they_are(tmp_path):
    layers = (ax.Layer("a", ax.ops.Pointwise(4), (INPUT,), bias=True),)
    rng = np.random.default_rng(3)
    kernel = rng.integers(-128, 128, (4, 3, 1, 1), np.int8)
    np.savez(tmp_path / "w.npz", **{"a": kernel, "a.bias": np.array([1, -2, 300, 4000], np.int32)})
    network = ax.Network("given", (3, 5, 5), layers, weights_file=str(tmp_path / "w.npz"))
    graph = with_values(network).graph
    (node,) = graph.nodes
    assert np.array_equal(graph.constants[node.inputs[1]].values, kernel)
    kind = graph.type(INPUT).quantisation
    units = np.array([1, -2, 300, 4000]) / 128 / float(kind.scale)
    assert np.array_equal(node.program[0].values, np.rint(units))


def test_ranges_are_measured_once_and_again_where_their_file_is_broken(tmp_path, monkeypatch):
    monkeypatch.setenv("ACCELSIM_CACHE", str(tmp_path))
    layer = ax.Layer("a", ax.ops.Pointwise(4), (INPUT,), norm=True)
    network = ax.Network("kept", (3, 6, 6), (layer,))
    seen = []

    def fresh(seed=11):
        quantised._quantised.cache_clear()
        return with_values(network, seed, progress=lambda what, _: seen.append(what)).graph

    first = fresh()
    assert seen == ["range of a"]
    (file,) = tmp_path.iterdir()
    again = fresh()
    assert seen == ["range of a"]
    file.write_bytes(file.read_bytes()[:-30])
    broken = fresh()
    assert len(seen) == 2
    first, *others = (graph.nodes[0].program[0].values for graph in (first, again, broken))
    assert all(np.array_equal(first, other) for other in others)


def test_a_lost_zero_point_is_seen(monkeypatch):
    """A planted fault: the operands of a layer keep theirs."""
    network = ax.networks.mobilenet_v3_small(input=SIZE)
    _, right = maps_of(network)
    quantised._quantised.cache_clear()
    monkeypatch.setattr(graph_quantise._Quantiser, "_zero", lambda *_: "")
    _, wrong = maps_of(network)
    quantised._quantised.cache_clear()
    assert not np.array_equal(right["b1.dw"], wrong["b1.dw"])


def test_names_of_layers_that_meet_those_of_their_parts_are_refused():
    layers = (
        ax.Layer("a", ax.ops.Pointwise(4), (INPUT,), activation="relu"),
        ax.Layer("a/kernel", ax.ops.Pointwise(4), ("a",)),
    )
    network = ax.Network("names", (3, 4, 4), layers)
    with pytest.raises(ax.AccelsimError, match="node a/kernel makes 'a/kernel', which is another"):
        ax.simulate(network, DESIGN, fidelity="golden")


def test_lists_serve_as_tuples():
    layer = ax.Layer("a", ax.ops.Pointwise(4), [INPUT])
    assert ax.simulate(ax.Network("n", (3, 4, 4), [layer]), DESIGN, fidelity="cycle").values_equal


def test_a_file_of_weights_that_changes_is_read_again(tmp_path):
    layer = ax.Layer("a", ax.ops.Pointwise(4), (INPUT,))
    network = ax.Network("n", (3, 4, 4), (layer,), weights_file=str(tmp_path / "w.npz"))
    made = []
    for value in (3, -5):
        np.savez(tmp_path / "w.npz", a=np.full((4, 3, 1, 1), value, np.int8))
        graph = with_values(network).graph
        made.append(int(graph.constants[graph.nodes[0].inputs[1]].values.flat[0]))
    assert made == [3, -5]


def test_a_bias_before_a_norm_moves_no_mean():
    layer = ax.Layer("a", ax.ops.Pointwise(5), (INPUT,), bias=True, norm=True)
    network = ax.Network("n", (3, 9, 8), (layer,))
    graph = build(network, reals(network, 0, measure(network, 0).norms))
    seen = [evaluate(graph, {INPUT: image(network.input, 0, n)})["a"] for n in range(2)]
    betas = normals(0, "a.norm", (2, 5))[1] / 10
    assert np.abs(np.concatenate(seen).mean(axis=(0, 2, 3)) - betas).max() < 0.01
