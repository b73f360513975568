"""Why layers take their cycles: parts that add up, and reasons that are worked out by hand."""

from dataclasses import replace
from itertools import product

import pytest

from accelsim import networks
from accelsim.engines import ENGINES, systolic_array
from accelsim.errors import NetworkError, UnsupportedError
from accelsim.explanations import IDLE, PADDING, PRODUCTS, SURPLUS, explain, parts_of, reason_of
from accelsim.hardware import PRESETS, DepthwiseEngine, Hardware, SystolicArray, find_preset
from accelsim.ir import INPUT, Layer, Network
from accelsim.ops import Conv2d, Depthwise, Linear, Pool
from accelsim.report.explain import why
from accelsim.request import Request
from accelsim.simulation import simulate


def one(op, channels=8, side=10):
    return Network("one", (channels, side, side), (Layer("x", op, (INPUT,)),))


def parts(made):
    return {(part.kind, part.name): part.multiplier_clocks for part in made.parts}


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_parts_add_up_for_every_layer_on_every_engine(preset):
    """To multipliers x cycles; products are what the network says, whatever runs them."""
    ran = set()
    for name in ("mobilenet_v3_small", "resnet18"):
        network = networks.get(name, "baseline", (64, 64))
        for layer in simulate(network, preset.hardware).layers:
            if layer.not_modelled:
                continue
            made = explain(network, layer.name, preset.hardware)
            found = parts(made)
            multipliers = preset.hardware.engine(layer.engine).multipliers
            assert sum(found.values()) == multipliers * layer.cycles
            assert found[PRODUCTS, ""] == network.live_macs(network.layer(layer.name))
            assert min(found.values()) > 0
            assert made.ways[0].cycles == made.cycles == layer.cycles
            ran.add(layer.engine)
    assert ran == {engine.name for engine in preset.hardware.engines}


def test_every_engine_is_in_a_preset():
    assert {each.name for each in ENGINES} == {
        engine.name for preset in PRESETS for engine in preset.hardware.engines
    }


def test_every_tap_is_a_product_with_the_map_or_with_padding():
    """Naively, of a 3 x 3 kernel on a padded 5 x 5 map, 3 channels, on an array of one element."""
    network = one(Depthwise((3, 3)), 3, 5)
    found = parts(explain(network, "x", Hardware(SystolicArray(1, 1)), "os"))
    inside = outside = 0
    for y, x, i, j in product(range(5), range(5), range(-1, 2), range(-1, 2)):
        if y + i in range(5) and x + j in range(5):
            inside += 3
        else:
            outside += 3
    assert found[PRODUCTS, ""] == inside
    assert found[PADDING, ""] == outside
    assert SURPLUS not in {kind for kind, _ in found}


def test_a_depthwise_layer_by_im2col_has_one_column_and_a_short_k():
    """100 pixels on 8 rows: 12 passes of 8 and one of 4 a channel, each 9 clocks and 8 results."""
    made = explain(one(Depthwise((3, 3)), 2), "x", Hardware(SystolicArray(8, 16)), "os")
    assert {each.name: each.trips for each in made.passes} == {
        "os m=8 n=1 k=9": 2 * 12,
        "os m=4 n=1 k=9": 2,
    }
    found = parts(made)
    assert found[IDLE, "column"] == 2 * 100 * 9 * 15  # beside every product
    assert found[IDLE, "row"] == 2 * 9 * 4 * 16  # rows that have no pixel, in all columns
    assert why(made.reason) == "one column filled"
    short = explain(one(Depthwise((1, 3)), 2), "x", Hardware(SystolicArray(16, 1)), "os")
    assert why(short.reason) == "short K: results bound"


@pytest.mark.parametrize(
    ("op", "design", "dataflow", "said"),
    [
        (Conv2d(3, (3, 3)), SystolicArray(8, 32), "os", "few rows filled (3 of 8)"),
        (Conv2d(3, (1, 1)), SystolicArray(8, 32), "ws", "few columns filled (3 of 32)"),
        (Conv2d(3, (3, 3)), SystolicArray(32, 3), "os", "multipliers are busy"),
        (Conv2d(64, (1, 1)), SystolicArray(64, 64, overlap=False), "ws", "fills and drains"),
        (Depthwise((9, 9)), SystolicArray(1, 1), "os", "multipliers are busy"),
        (Linear(64, flatten=True), SystolicArray(8, 8), "os", "surplus products"),
        (Depthwise((3, 3)), SystolicArray(8, 8), "rows", "values come up"),
        (Linear(200, flatten=True), SystolicArray(32, 32), "ws", "short streams: stationary load"),
    ],
    ids=str,
)
def test_reasons(op, design, dataflow, said):
    made = explain(one(op), "x", Hardware(design), dataflow)
    assert why(made.reason) == said
    request = Request(one(op), Hardware(design), dataflow)
    assert reason_of(request, request.network.layers[0]) == made.reason


def test_lanes_of_the_depthwise_engine():
    design = Hardware(SystolicArray(8, 8), depthwise=DepthwiseEngine(32, 4))
    made = explain(one(Depthwise((10, 10), padding=0)), "x", design, depthwise_on="engine")
    assert why(made.reason) == "few lanes filled (8 of 32)"
    narrow = Hardware(SystolicArray(8, 8), depthwise=DepthwiseEngine(32, 4, results_per_clock=4))
    made = explain(one(Depthwise((1, 3)), 32), "x", narrow, depthwise_on="engine")
    assert why(made.reason) == "wait for the result port"


@pytest.mark.parametrize(
    ("depthwise_on", "engines"), [("array", {"array"}), ("engine", {"depthwise"})]
)
def test_a_depthwise_layer_is_tried_where_it_may_run(depthwise_on, engines):
    hardware = Hardware(SystolicArray(4, 4), depthwise=DepthwiseEngine(2, 4))
    network = Network(
        "two",
        (8, 9, 9),
        (Layer("dw", Depthwise((3, 3)), (INPUT,)), Layer("x", Conv2d(4, (1, 1)), ("dw",))),
    )
    for layer, allowed in (("dw", engines), ("x", {"array"})):
        made = explain(network, layer, hardware, "ws", depthwise_on)
        assert {way.engine for way in made.ways} == allowed, layer
        assert made.ways[0].cycles == made.cycles


def test_ways_are_what_the_layer_takes_in_them():
    network, design = networks.mobilenet_v2(), find_preset("flexible").hardware
    made = explain(network, "b1.dw", design)
    assert {way.dataflow for way in made.ways} == {"os", "ws", "is", "rows", None}
    for way in made.ways:
        place = "engine" if way.dataflow is None else "array"
        choice = {"dataflow": way.dataflow or "auto", "depthwise_on": place}
        alone = simulate(network, design, layers="b1.dw", **choice)
        assert (alone.total_cycles, alone.layers[0].engine) == (way.cycles, way.engine)
    assert [way.cycles for way in made.ways] == sorted(way.cycles for way in made.ways)


def test_a_way_that_is_none_says_why():
    ways = explain("mobilenet_v2", "stem", "mobile").ways
    assert [way.refusal for way in ways if way.cycles is None] == [
        "rows runs depthwise convolutions, not 3 channels in 1 group"
    ]


def test_without_a_layer_it_is_the_one_that_loses_the_most():
    result = simulate("efficientnet_b0", "mobile")
    lost = {layer.name: layer.cycles * (1 - layer.utilization) for layer in result.layers}
    assert explain("efficientnet_b0", None, "mobile").layer == max(lost, key=lost.get) == "b2.dw"


def test_engines_lose_cycles_whatever_their_multipliers():
    """By multiplier clocks b2.expand on the array, with 256 times as many, would lose more."""
    design = Hardware(SystolicArray(64, 64), depthwise=DepthwiseEngine(2, 8))
    result = simulate("efficientnet_b0", design, depthwise_on="engine")
    lost = {layer.name: layer.cycles * (1 - layer.utilization) for layer in result.layers}
    made = explain("efficientnet_b0", None, design, depthwise_on="engine")
    assert made.layer == max(lost, key=lost.get) == "b13.dw"


def test_it_prints_in_a_sentence():
    made = explain(one(Linear(8, flatten=True), 8, 1), "x", Hardware(SystolicArray(1, 1)), "os")
    assert str(made) == (
        "one baseline, layer x (linear) on engine array of array 1x1: 69 cycles; "
        "92.8 % products, 7.2 % drain"
    )


def test_memory_is_one_number():
    made = explain("resnet50", "fc", "mobile")
    layer = simulate("resnet50", "mobile").layers[-1]
    assert (made.memory_cycles, made.cycles) == (layer.memory_cycles, layer.cycles)
    assert explain("resnet50", "fc", Hardware(SystolicArray(8, 8))).memory_cycles is None


def test_refusals():
    with pytest.raises(NetworkError, match=r"no layer 'b1\.dq'; .* did you mean b1.dw"):
        explain("mobilenet_v2", "b1.dq", "mobile")
    with pytest.raises(UnsupportedError, match=r"layer b3.add \(add\) runs on the host"):
        explain("mobilenet_v2", "b3.add", "mobile")
    with pytest.raises(UnsupportedError, match="one has no layer that runs on an engine"):
        explain(one(Pool("max", (2, 2))), None, "mobile")


def test_an_engine_that_does_not_say_what_passes_use():
    """What is idle is then one part, of the same multiplier clocks."""
    request = Request(one(Conv2d(3, (1, 1))), Hardware(SystolicArray(8, 32)), "ws")
    lowered = request.lower(request.network.layers[0])
    engine = systolic_array.ENGINE
    silent = replace(engine, registers=replace(engine.registers, used=None))
    known = parts_of(lowered)
    unknown = parts_of(replace(lowered, model=silent))
    idle = sum(part.multiplier_clocks for part in known if part.kind == IDLE)
    assert [part for part in unknown if part.kind == IDLE] == [(IDLE, "multiplier", idle)]
    assert {part for part in known if part.kind != IDLE} < {*unknown}
