"""Lists of independent layers: as their layers are each in a network of its own."""

import json

import numpy as np
import pytest

from accelsim import Hardware, Layer, LayerList, Memory, Network, SystolicArray, networks, simulate
from accelsim.c_synthesis import csynth
from accelsim.cosimulation import stimulus
from accelsim.errors import FileError, NetworkError, ShapeError, UnsupportedError
from accelsim.explanations import explain
from accelsim.forward import step
from accelsim.hardware import DepthwiseEngine
from accelsim.importers import load
from accelsim.ir import INPUT
from accelsim.ops import Add, Concat, Conv2d, Depthwise, DynamicDepthwise, Pointwise
from accelsim.request import Request
from accelsim.reuse import moved
from accelsim.saved import load_result
from accelsim.side_by_side import compare
from accelsim.study.depthwise import depthwise_study
from accelsim.weights import seeded_weights

LAYERS = (
    Layer("conv", Conv2d(8, (3, 3), (2, 2)), (), bias=True, activation="relu"),
    Layer("dw", Depthwise((3, 3)), (), norm=True),
    Layer("point", Pointwise(6), ()),
    Layer("dynamic", DynamicDepthwise((3, 3)), ()),
    Layer("sum", Add(), ()),
    Layer("both", Concat(), ()),
)
MAPS = (
    (3, 12, 11),
    (8, 7, 9),
    ((10, 5, 5),),
    ((4, 6, 6), (36, 1, 1)),
    ((4, 3, 3), (4, 3, 3)),
    ((2, 3, 3), (5, 3, 3)),
)
LIST = LayerList("probe", LAYERS, MAPS)
DESIGN = Hardware(
    SystolicArray(6, 5), depthwise=DepthwiseEngine(2, 4), memory=Memory(1024, 1024, 2)
)


def alone(name):
    """A layer of the list as a network of one layer with one input."""
    layer = LIST.layer(name)
    ((shape,),) = [LIST.in_shapes(layer)]
    return Network(name, shape, (Layer(name, layer.op, (INPUT,), layer.bias, layer.norm),))


def test_every_layer_reads_maps_of_its_own():
    assert LIST.entries == {
        "conv.input": 0,
        "dw.input": 1,
        "point.input": 2,
        "dynamic.input1": 3,
        "dynamic.input2": 3,
        "sum.input1": 4,
        "sum.input2": 4,
        "both.input1": 5,
        "both.input2": 5,
    }
    assert [LIST.in_shapes(layer) for layer in LIST.layers[1:4]] == [((8, 7, 9),), MAPS[2], MAPS[3]]
    assert LIST.shape("conv") == (8, 5, 5)
    assert (LIST.input, LIST.size, LIST.variant) == (None, "-", "baseline")
    assert LIST.total_macs == 8 * 25 * 27 + 8 * 63 * 9 + 6 * 25 * 10 + 4 * 36 * 9
    assert LIST.total_params == (8 * 27 + 8) + (8 * 9 + 16) + 60
    assert LayerList("probe", LIST.layers, MAPS) == LIST


@pytest.mark.parametrize("name", ["conv", "dw", "point"])
def test_a_layer_costs_what_it_costs_as_a_network(name):
    fields = simulate(LIST, DESIGN).to_frame().columns
    (ours,) = simulate(LIST, DESIGN, layers=name).layers
    (one,) = simulate(alone(name), DESIGN).layers
    for field in fields:
        assert getattr(ours, field) == getattr(one, field), field


def test_registers_compute_the_golden_values_of_every_layer():
    result = simulate(LIST, DESIGN, fidelity="cycle", seed=3)
    ran = [layer.name for layer in result.layers if layer.values_equal]
    assert ran == ["conv", "dw", "point", "dynamic"]
    schedule = simulate(LIST, DESIGN)
    assert [x.cycles for x in result.layers] == [x.cycles for x in schedule.layers]
    last = simulate(LIST, DESIGN, fidelity="cycle", seed=3, layers="dw").output
    weights = seeded_weights(LIST, 3)
    assert np.array_equal(last, step(LIST, LIST.layer("dw"), weights, 3).sums)


def test_data_follow_from_seed_and_layer_alone():
    other = LayerList("other", LAYERS[1:2], MAPS[1:2])
    weights = seeded_weights(LIST, 5)
    (ours,) = step(LIST, LIST.layer("dw"), weights, 5).inputs
    (again,) = step(other, other.layer("dw"), weights, 5).inputs
    assert np.array_equal(ours, again)
    assert ours.min() < -100
    x, kernel = step(LIST, LIST.layer("dynamic"), weights, 5).inputs
    assert not np.array_equal(x.ravel()[:36], kernel.ravel()[:36])
    assert not np.array_equal(ours, step(LIST, LIST.layer("dw"), weights, 6).inputs[0])


def test_every_layer_moves_its_maps():
    """Read once with its weights, written once; what an alias addresses is not moved."""
    moved = [
        (layer.offchip_read_bytes, layer.offchip_write_bytes)
        for layer in simulate(LIST, DESIGN).layers
    ]
    assert moved == [
        (3 * 132 + 8 * 27, 8 * 25),
        (8 * 63 + 8 * 9, 8 * 63),
        (10 * 25 + 60, 6 * 25),
        (4 * 36 + 36, 4 * 36),
        (2 * 4 * 9, 4 * 9),
        (0, 0),
    ]


def test_maps_that_do_not_fit_are_moved_too():
    # 60 weights in two parts of 32 bytes, each past all of the map; or 7 parts of map and output,
    # 400 bytes in 64, each past all weights.
    assert moved(LIST, 64, 32)[2] == (min(60 + 2 * 250, 7 * 60 + 250), 150)


def test_other_commands_take_it(tmp_path):
    assert csynth(LIST, "dw", DESIGN)
    assert stimulus(LIST, "dynamic", DESIGN).title.startswith("layer dynamic of probe baseline")
    assert explain(LIST, "conv", DESIGN)
    assert [row.name for row in compare(LIST, [DESIGN, "mobile"]).rows] == [
        "conv",
        "dw",
        "point",
        "dynamic",
    ]
    ways = {
        point.way: point for point in depthwise_study(lambda _: LIST, [(4, 4)], DESIGN.depthwise)
    }
    assert ways["im2col"].depthwise_cycles > ways["engine"].depthwise_cycles
    result = simulate(LIST, DESIGN)
    (tmp_path / "result.json").write_text(json.dumps(result.to_dict()))
    assert load_result(tmp_path / "result.json").input is None


TOML = """\
name = "probe"
independent = true
[[layer]]
name = "conv"
op = "conv2d"
input = [3, 12, 11]
out_channels = 8
kernel = [3, 3]
stride = [2, 2]
bias = true
activation = "relu"
[[layer]]
name = "dynamic"
op = "dynamic_depthwise"
input = [[4, 6, 6], [36, 1, 1]]
kernel = [3, 3]
"""


def test_a_file_of_independent_layers(tmp_path):
    path = tmp_path / "list.toml"
    path.write_text(TOML)
    assert load(path) == LayerList("probe", (LAYERS[0], LAYERS[3]), (MAPS[0], MAPS[3]))
    path.write_text(TOML.replace("independent = true", 'independent = true\nweights = "w.npz"'))
    assert load(path).weights_file == str(tmp_path / "w.npz")
    path.write_text(TOML.replace("true", "false", 1).replace("input", "inputs"))
    with pytest.raises(FileError, match=r"list\.toml:1: input is missing"):
        load(path)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("= true", "= 1", ":2: independent must be true or false, not 1"),
        ("true\n", "true\ninput = [3, 4, 4]\n", ":3: input is one of every layer where indep"),
        ("input = [3, 12, 11]", 'inputs = ["input"]', r":6: unknown key inputs; .*\(layer conv\)"),
        ("input = [3, 12, 11]\n", "", r":3: input is missing \(layer conv\)"),
        ("[3, 12, 11]", "[3, 12]", r":6: input must be three .*, not \[3, 12\] \(layer conv\)"),
        ("[3, 12, 11]", "7", r":6: input must be three whole .*, not 7 \(layer conv\)"),
        ("[3, 12, 11]", "[[3, 12, 11], [0, 1, 1]]", r":6: input must be three .* not \[0, 1, 1\]"),
        ("[3, 12, 11]", "[3, 12, 99999]", r":6: input must have at most .* \(layer conv\)"),
        (
            "[3, 12, 11]",
            "[[3, 12, 11], [3, 12, 11]]",
            ":3: inputs of conv2d: .* of 216 values, .*",
        ),
        ("[3, 12, 11]", "[3, 2, 2]", r":8: kernel reach 3 .*\(layer conv\)"),
        ('"dynamic"', '"conv"', ":13: name conv is used twice"),
        ('"dynamic_depthwise"', '"fuse_pair"', r":14: op fuse_pair makes .* \(layer dynamic\)"),
    ],
)
def test_a_file_that_is_wrong(tmp_path, old, new, said):
    path = tmp_path / "list.toml"
    path.write_text(TOML.replace(old, new, 1))
    with pytest.raises(FileError, match=rf"list\.toml{said}"):
        load(path)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda: LayerList("net", LAYERS, MAPS[1:]),
            "maps of net are a tuple .* each of its 6 layers",
        ),
        (lambda: LayerList("net", LAYERS, 3), "maps of net are a tuple with the shapes .*, not 3"),
        (
            lambda: LayerList("net", LAYERS[:1], ((3, 12),)),
            r"shape must be three .* \(layer conv\)",
        ),
        (lambda: LayerList("net", LAYERS[:1], ((),)), r"shape must be three .* \(layer conv\)"),
        (lambda: LayerList("net", LAYERS[:1], ((3, 2, 2),)), r"kernel reach 3 .* \(layer conv\)"),
        (lambda: LayerList("net", LAYERS[4:5], MAPS[:1]), r"\(layer sum\)"),
        (lambda: LayerList("net", LAYERS[:1] * 2, MAPS[:1] * 2), "layer name conv is used twice"),
        (lambda: LayerList(3, LAYERS, MAPS), "the name of a network is a text, not 3"),
        (lambda: LayerList("net", (), ()), "layers of net must be at least one, not none"),
        (lambda: LayerList("net", "abc", MAPS), "layers of a network are a tuple, not 'abc'"),
        (
            lambda: LayerList("net", (Layer("a", Pointwise(2), ("input",)),), ((3, 2, 2),)),
            r"inputs of a layer of a list must be \(\).*not \('input',\) \(layer a\)",
        ),
        (
            lambda: networks.apply(LIST, "fuse_half"),
            "fuse_half replaces layers of a graph, and probe",
        ),
    ],
)
def test_what_is_no_list(make, said):
    with pytest.raises((NetworkError, ShapeError), match=said):
        make()


def test_no_values_go_through_it():
    with pytest.raises(UnsupportedError, match="golden takes values through a network, and probe"):
        Request(LIST, DESIGN, fidelity="golden")
