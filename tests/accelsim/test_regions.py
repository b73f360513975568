"""Convolutions with a kernel for every region: both ways, the cycles of any data, at all levels."""

import json
from collections import Counter
from dataclasses import replace
from itertools import product
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import accelsim as ax
from accelsim import sweep
from accelsim.engines.base import Joint
from accelsim.errors import FileError, ShapeError, UnsupportedError
from accelsim.forward import batched, operands
from accelsim.graph.evaluate import evaluate
from accelsim.ir import INPUT, Layer, LayerList, Network
from accelsim.lowering import lower, parse_dataflows, regions
from accelsim.lowering.extremes import extreme
from accelsim.ops import Conv2d, GlobalPool, Linear, RegionConv, Resize
from accelsim.quantised import with_values
from accelsim.report import explain as explain_report
from accelsim.report import hls, side_by_side, table
from accelsim.saved import load_result
from tests.accelsim.sweep.specs import simulated, spec
from tests.accelsim.values import on_layer

ARRAY = ax.Hardware(ax.SystolicArray(5, 4, accumulator_depth=16))

KINDS = {
    "plain": RegionConv(6, (3, 3), 3, padding=1),
    "grouped": RegionConv(6, (3, 2), 3, padding=(1, 1, 0, 1), groups=2),
    "each": RegionConv(4, (3, 3), 3, padding=1, groups=4),
    "point": RegionConv(5, (1, 1), 3),
}


def several(way):
    """Every kind, its kernels made by other layers or constant; the last at half the size."""
    layers = [
        Layer("guide", Conv2d(3, (3, 3), padding=1), (INPUT,), bias=True),
        Layer("pool", GlobalPool(), (INPUT,)),
    ]
    for name, op in KINDS.items():
        op = replace(op, way=way)
        size = 3 * op.out_channels * 4 // op.groups * op.kernel[0] * op.kernel[1]
        layers += [
            Layer(f"{name}_kernels", Linear(size), ("pool",), bias=True),
            Layer(name, op, (INPUT, "guide", f"{name}_kernels"), bias=True, norm=True),
            Layer(f"{name}_constant", op, (INPUT, "guide"), norm=True, activation="relu"),
        ]
    layers += [
        Layer("small", Resize((4, 3)), ("guide",)),
        Layer("last", RegionConv(2, (3, 3), 3, (2, 2), 1, way=way), ("plain", "small")),
    ]
    return Network("several", (4, 7, 6), tuple(layers))


def of_regions(counts, shape, channels=1):
    """Inputs of an image in which regions have so many pixels, here and there."""
    regions = np.repeat(np.arange(len(counts)), counts)
    np.random.default_rng(sum(counts)).shuffle(regions)
    guide = (np.arange(len(counts))[:, None] == regions).astype(np.int8)
    return np.ones(shape, np.int8), guide.reshape(len(counts), channels, -1)


def shares(pixels, regions):
    """All ways to share pixels between regions."""
    if regions == 1:
        return [(pixels,)]
    return [
        (first, *rest)
        for first in range(pixels + 1)
        for rest in shares(pixels - first, regions - 1)
    ]


@st.composite
def demands(draw):
    """A layer, the shapes of its inputs, a design, and what it may use."""
    size = st.integers(1, 3)
    groups, regions = draw(st.sampled_from([1, 1, 2])), draw(size)
    c, k = groups * draw(size), groups * draw(st.integers(1, 5))
    kernel = draw(st.sampled_from([(1, 1), (3, 3), (1, 2)]))
    h, w = draw(st.integers(1, 3)), draw(st.integers(2, 3))
    stride = draw(st.sampled_from([(1, 1), (2, 1)]))
    op = RegionConv(k, kernel, regions, stride, "same", groups=groups)
    shape = c, h, w
    guide = regions, -(-h // stride[0]), w
    kernels = (regions * k * c // groups * kernel[0] * kernel[1], 1, 1)
    shapes = (shape, guide, kernels) if draw(st.booleans()) else (shape, guide)
    sides = draw(st.integers(1, 7)), draw(st.integers(1, 7))
    array = ax.SystolicArray(*sides, accumulator_depth=8, overlap=draw(st.integers(0, 3)) > 0)
    dataflow = draw(st.sampled_from(["os", "ws", "is", "os,ws,is"]))
    return op, shapes, ax.Hardware(array), parse_dataflows(dataflow)


def lowered_as(way, op, shapes, design, allowed, images=1):
    names = tuple(f"in{place}" for place in range(len(shapes)))
    layer = Layer("it", replace(op, way=way), names)
    return layer, lower(layer, shapes, design, allowed, images)


@settings(max_examples=40, deadline=None)
@given(demands(), st.sampled_from([1, 1, 1, 2]))
def test_extremes_are_those_of_all_shares(demand, images):
    op, shapes, design, allowed = demand
    if images > 1:
        op = replace(op, regions=min(op.regions, 2))
        size = op.regions * shapes[2][0] // shapes[1][0] if len(shapes) > 2 else 0
        shapes = shapes[0], (op.regions, *shapes[1][1:]), *([(size, 1, 1)] if size else [])
    _, made = lowered_as("bucket", op, shapes, design, allowed, images)
    every = [
        of_regions(counts, shapes[0], shapes[1][1])
        for counts in shares(shapes[1][1] * shapes[1][2], op.regions)
    ]
    cycles = [made.on(inputs).cycles for inputs in product(every, repeat=images)]
    assert (min(cycles), max(cycles)) == (made.cycles_min, made.cycles_max)
    assert made.cycles == made.cycles_max  # of no data, those that take the most


def sequence_of(joints, counts):
    """Clocks of products of so many pixels each, one behind another."""
    total = None
    for count in counts:
        if count:
            total = joints[count - 1] if total is None else total.then(joints[count - 1])
    return total.load + total.end


@pytest.mark.parametrize("most", [True, False])
@pytest.mark.parametrize("seed", range(12))
def test_extremes_of_any_joints(seed, most):
    """Of products that take anything, the best of all ways to share pixels, tried one by one."""
    rng = np.random.default_rng(seed)
    pixels, regions, images = (int(rng.integers(*ends)) for ends in ((1, 6), (1, 4), (1, 4)))
    joints = [
        Joint(*(int(rng.integers(1, limit)) for limit in (3 + seed % 3, 9, 9, 30)))
        for _ in range(pixels)
    ]
    best = max if most else min
    every = product(shares(pixels, regions), repeat=images)
    expected = best(sequence_of(joints, sum(counts, ())) for counts in every)
    found = extreme(joints, regions, images, most)
    assert found.cycles == expected == sequence_of(joints, sum(found.counts, ()))
    assert [sum(image) for image in found.counts] == [pixels] * images


@pytest.mark.parametrize("most", [True, False])
@pytest.mark.parametrize("seed", range(6))
def test_extremes_of_many_images_are_found_from_the_last_on(seed, most):
    """Images that are like the ones behind them are not computed, and taken as if they were."""
    rng = np.random.default_rng(seed)
    joints = [Joint(*(int(rng.integers(1, end)) for end in (4, 9, 9, 60))) for _ in range(5)]
    found = extreme(joints, 3, 40, most)
    assert found.cycles == sequence_of(joints, sum(found.counts, ()))
    with patch("accelsim.lowering.extremes._same", lambda *_: 0):
        assert extreme(joints, 3, 40, most).cycles == found.cycles


def test_what_ends_late_but_moves_on_soon_pays_only_in_front_of_many_images():
    """Two pixels together end late: 26 clocks of the last images apart, 101 in one product."""
    joints = [Joint(1, 4, 1, 20), Joint(1, 0, 1, 100)]
    found = extreme(joints, 2, 40, most=False)
    apart, together = (1, 1), (2, 0)
    some = [sequence_of(joints, together * early + apart * (40 - early)) for early in range(41)]
    assert found.cycles <= min(some) < some[0]
    assert found.cycles == sequence_of(joints, sum(found.counts, ()))
    assert found.counts[-1] == apart
    assert found.counts[0] in (together, together[::-1])


@pytest.mark.parametrize("shape", [(2, 2, 3), (4, 3, 3), (1, 4, 3)])
def test_the_dataflow_is_that_of_the_fewest_cycles_at_most(shape):
    op, guide = RegionConv(5, (3, 3), 2, padding=1), (2, *shape[1:])
    for sides in ((3, 8), (8, 3), (6, 6)):
        design = ax.Hardware(ax.SystolicArray(*sides))
        alone = {
            name: lowered_as("bucket", op, (shape, guide), design, parse_dataflows(name))[1]
            for name in ("os", "ws", "is")
        }
        _, made = lowered_as("bucket", op, (shape, guide), design, parse_dataflows("os,ws,is"))
        least = min(each.cycles_max for each in alone.values())
        assert made.cycles_max == least == alone[made.dataflow].cycles_max
        assert made.cycles_min == alone[made.dataflow].cycles_min


@settings(max_examples=40, deadline=None)
@given(demands(), st.integers(1, 2), st.integers(0, 99))
def test_registers_make_the_golden_sums(demand, images, seed):
    op, shapes, design, allowed = demand
    rng = np.random.default_rng(seed)
    every = [
        tuple(rng.integers(-128, 128, shape, np.int8) for shape in shapes) for _ in range(images)
    ]
    weights = rng.integers(-128, 128, op.weight_shape(*shapes) or 0, np.int8)
    golden = batched([op.golden(weights, *inputs) for inputs in every])
    for way in ("bucket", "expand"):
        layer, made = lowered_as(way, op, shapes, design, allowed, images)
        there = made.on(every)
        sequence = there.sequence(*operands(layer, every, weights))
        run = there.measure(sequence)
        assert np.array_equal(sequence.output(run.words), golden)
        assert run.busy_cycles == there.cycles
        assert made.cycles_min <= there.cycles <= made.cycles_max
        assert (there.way, there.dataflow) == (made.way, made.dataflow)


@pytest.mark.parametrize(
    ("dataflow", "way", "batch"),
    [
        *((dataflow, "bucket", 1) for dataflow in ("os", "ws", "is")),
        ("auto", "bucket", 2),
        ("auto", "expand", 2),
    ],
)
def test_every_level_agrees(dataflow, way, batch):
    net = several(way)
    schedule, golden, cycle = (
        ax.simulate(net, ARRAY, dataflow, f, batch=batch, seed=4)
        for f in ("schedule", "golden", "cycle")
    )
    assert cycle.values_equal
    assert [x.cycles for x in cycle.layers] == [x.cycles for x in golden.layers]
    assert np.array_equal(golden.output, cycle.output)
    for before, after in zip(schedule.layers, golden.layers, strict=True):
        assert before.cycles == before.cycles_max
        assert (before.cycles_min, before.cycles_max) == (after.cycles_min, after.cycles_max)
        assert after.cycles_min <= after.cycles <= after.cycles_max
        assert (before.way, before.dataflow) == (after.way, after.dataflow)
        varies = way == "bucket" and before.op == "region_conv"
        assert (after.cycles_min < after.cycles_max) == varies
    whole = with_values(net, 4)
    for number, output in zip(range(batch), golden.output.reshape(batch, 2, 4, 3), strict=True):
        (alone,) = evaluate(whole.graph, whole.seeded(4, number)).values()
        assert np.array_equal(output, alone[0])  # each image with its own regions and kernels


def test_cycles_of_given_data_are_those_of_its_regions():
    net = several("bucket")
    done = on_layer(net, "plain", 4)
    regions = Counter(done.inputs[1].argmax(axis=0).ravel().tolist())
    counts = [regions[region] for region in range(3)]
    assert min(counts) > 0  # or the test would see less
    golden = ax.simulate(net, ARRAY, "os", "golden", seed=4)
    cost = next(layer for layer in golden.layers if layer.name == "plain")
    shapes = net.in_shapes(net.layer("plain"))
    made = lower(net.layer("plain"), shapes, ARRAY, parse_dataflows("os"))
    assert cost.cycles == made.on([of_regions(counts, shapes[0], shapes[1][1])]).cycles
    # 36 products of at most 5 rows and 4 columns each, one behind another, but for the last.
    passes = sum(-(-count // 5) for count in counts) * 2
    assert 36 * passes < cost.cycles < 36 * passes + 20


def test_given_data_decide_the_cycles():
    """Those of the regions that an image has, whether from a seed or from a user."""
    net = several("bucket")
    shapes = net.in_shapes(net.layer("plain"))
    made = lower(net.layer("plain"), shapes, ARRAY, parse_dataflows("os"))
    images = {
        "flat": np.full((1, 4, 7, 6), 90, np.int8),
        "seeded": np.random.default_rng(2).integers(-128, 128, (1, 4, 7, 6), np.int8),
    }
    found = {}
    for name, image in images.items():
        golden, cycle = (
            ax.simulate(net, ARRAY, "os", f, data={INPUT: image}, keep=True)
            for f in ("golden", "cycle")
        )
        guide = golden.values.tensors["guide"][0]
        counts = [int((guide.argmax(axis=0) == region).sum()) for region in range(3)]
        (cost,) = (layer for layer in golden.layers if layer.name == "plain")
        assert cost.cycles == made.on([of_regions(counts, shapes[0], shapes[1][1])]).cycles
        assert [x.cycles for x in cycle.layers] == [x.cycles for x in golden.layers]
        assert cycle.values_equal
        found[name] = cost.cycles
    assert found["flat"] < found["seeded"]  # one region has nearly all


def test_ties_go_to_the_first():
    op = RegionConv(1, (1, 1), 3)
    guide = np.array([[[1, -5, 3, 127]], [[1, -5, 4, 127]], [[0, -4, 4, 127]]], np.int8)
    kernels = np.array([1, 10, 100], np.int8).reshape(3, 1, 1, 1)
    sums = op.golden(kernels, np.ones((1, 1, 4), np.int8), guide)
    assert sums.ravel().tolist() == [1, 100, 10, 1]


@pytest.mark.parametrize("way", ["bucket", "expand"])
@pytest.mark.parametrize("counts", [(0, 0, 12), (12, 0, 0), (5, 0, 7), (1, 10, 1)])
def test_regions_without_pixels(way, counts):
    op, shapes = RegionConv(4, (3, 3), 3, padding=1), ((2, 3, 4), (3, 3, 4))
    layer, made = lowered_as(way, op, shapes, ARRAY, parse_dataflows("os"))
    x, guide = of_regions(counts, shapes[0], 3)
    weights = np.arange(-108, 108, dtype=np.int8).reshape(12, 2, 3, 3)
    there = made.on([(x, guide)])
    sequence = there.sequence(*operands(layer, [(x, guide)], weights))
    run = there.measure(sequence)
    assert np.array_equal(sequence.output(run.words), op.golden(weights, x, guide))
    assert run.busy_cycles == there.cycles
    if way == "bucket":  # what has no pixels has no passes
        assert len(sequence.parts) == sum(count > 0 for count in counts)


def test_one_region_costs_what_its_convolution_does():
    shapes = (3, 6, 5), (1, 6, 5)
    plain = Layer("it", Conv2d(6, (3, 3), padding=1), ("in0",))
    for dataflow in ("os", "ws", "is"):
        allowed = parse_dataflows(dataflow)
        dense = lower(plain, shapes[:1], ARRAY, allowed)
        _, made = lowered_as("expand", RegionConv(6, (3, 3), 1, padding=1), shapes, ARRAY, allowed)
        assert (made.cycles, made.live_macs, made.bound) == (
            dense.cycles,
            dense.live_macs,
            dense.bound,
        )
        assert made.cycles_min == made.cycles_max
        _, bucket = lowered_as(
            "bucket", RegionConv(6, (3, 3), 1, padding=1), shapes, ARRAY, allowed
        )
        assert bucket.cycles_min == bucket.cycles_max  # all pixels are in the only region


def test_the_way_is_that_of_the_fewest_cycles_at_most():
    """Few pixels for many regions: a column of all kernels takes less than a product for each."""
    allowed = parse_dataflows("os")
    design = ax.Hardware(ax.SystolicArray(16, 16))
    for op, shapes, way in (
        (RegionConv(2, (1, 1), 8), ((4, 2, 2), (8, 2, 2)), "expand"),
        (RegionConv(16, (3, 3), 8, padding=1), ((4, 16, 16), (8, 16, 16)), "bucket"),
    ):
        most = {
            each: lowered_as(each, op, shapes, design, allowed)[1].cycles_max
            for each in ("auto", "expand", "bucket")
        }
        assert most["auto"] == min(most.values()) == most[way] < max(most.values())
        assert lowered_as("auto", op, shapes, design, allowed)[1].way == way


def test_counts_are_those_of_one_kernel_a_pixel():
    net = several("expand")
    result = ax.simulate(net, ARRAY, "os")
    cost = next(layer for layer in result.layers if layer.name == "plain_constant")
    assert cost.macs == 6 * 4 * 9 * 42
    assert cost.params == 3 * 6 * 4 * 9 + 2 * 6
    assert net.params(net.layer("plain")) == 3 * 6
    dense = Layer("it", Conv2d(6, (3, 3), padding=1), (INPUT,))
    assert cost.live_macs == Network("dense", net.input, (dense,)).total_live_macs
    assert cost.utilization == cost.live_macs / (20 * cost.cycles)  # thrown away does not count
    assert cost.busy_utilization > 3 * cost.utilization * 0.99


def test_independent_layers():
    op = RegionConv(4, (3, 3), 2, padding=1, way="bucket")
    net = LayerList("list", (Layer("it", op, ()),), (((3, 5, 4), (2, 5, 4)),))
    cycle = ax.simulate(net, ARRAY, "os", "cycle", seed=3, batch=2)
    (cost,) = cycle.layers
    assert cycle.values_equal
    assert cost.cycles_min <= cost.cycles <= cost.cycles_max


def test_explanations_traces_and_films_are_of_what_takes_the_most():
    net = several("bucket")
    for name in ("plain", "last"):
        most = ax.simulate(net, ARRAY, "os", layers=name).layers[0].cycles_max
        assert ax.csynth(net, name, ARRAY, "os").report.latency_cycles == most
        explained = ax.explain(net, name, ARRAY, "os")
        assert explained.cycles == most
        assert sum(part.multiplier_clocks for part in explained.parts) == 20 * most
        assert ax.trace(net, ARRAY, name, "os").cycles == most
        assert ax.film(net, name, ARRAY, "os").cycles == most
    expanded = ax.explain(several("expand"), "plain", ARRAY, "os")
    assert sum(part.multiplier_clocks for part in expanded.parts) == 20 * expanded.cycles
    assert {part.kind for part in expanded.parts} >= {"products", "surplus"}


def test_commands_say_of_which_data_their_cycles_are():
    bucket, expand = several("bucket"), several("expand")
    most = ax.simulate(bucket, ARRAY, "os", layers="plain").layers[0]
    between = f"by bucket, in {most.cycles_min:,} to {most.cycles_max:,} cycles; here are those"
    explained, made = (
        ax.explain(bucket, "plain", ARRAY, "os"),
        ax.csynth(bucket, "plain", ARRAY, "os"),
    )
    for notes, data in (
        (explain_report.notes(explained, worst=False), explained.to_dict()),
        (hls.notes(made), made.to_dict()),
    ):
        assert any(between in note for note in notes)
        assert data["way"] == "bucket"
        assert (data["cycles_min"], data["cycles_max"]) == (most.cycles_min, most.cycles_max)
    made = ax.csynth(expand, "plain", ARRAY, "os")
    assert any("by expand, whatever the data" in note for note in hls.notes(made))
    assert not {"way", "cycles_min"} & {*ax.csynth(expand, "guide", ARRAY, "os").to_dict()}
    for of_data, words in ((False, "and are the most for any data"), (True, "those of this data")):
        (note,) = table.region_notes(ax.simulate(bucket, ARRAY, "os").layers, of_data)
        assert words in note
    assert table.region_notes(ax.simulate(bucket, ARRAY, "os", layers="guide").layers) == []
    others = ax.Hardware(ax.SystolicArray(8, 8))
    notes = side_by_side.notes(ax.compare(bucket, [ARRAY, others], dataflow="os"))
    assert any("are the most for any data" in note for note in notes)


def test_sweeps_have_the_most_cycles(tmp_path):
    text = """
    networks = ["shufflenet_v2_x0_5"]
    variants = ["drconv:m=2,nw=2"]
    inputs = ["32x32"]
    [array]
    rows = [8]
    columns = [8, 16]
    """
    sweep.run(spec(tmp_path, text), tmp_path / "out")
    for row in sweep.load(tmp_path / "out").to_dicts():
        result = simulated(row)
        assert row["total_cycles"] == result.total_cycles == result.total_cycles_max
        assert result.total_cycles > result.total_cycles_min


def test_tables_and_files_show_the_range(tmp_path):
    result = ax.simulate(several("bucket"), ARRAY, "os")
    cost = next(layer for layer in result.layers if layer.name == "plain")
    shown = table.layers(result, 1000)
    place = shown.columns.index("any data")
    row = next(row for row in shown.rows if row[0] == "plain")
    assert row[place] == f"{cost.cycles_min:,} to {cost.cycles_max:,}"
    assert next(row for row in shown.rows if row[0] == "guide")[place] == "-"
    assert any("9 bucket; cycles of bucket" in note for note in table.notes(result, None))
    data = result.to_dict()
    assert data["total_cycles_max"] == data["total_cycles"] > data["total_cycles_min"]
    fixed = ax.simulate(several("expand"), ARRAY, "os")
    assert "any data" not in table.layers(fixed, 1000).columns
    assert fixed.total_cycles_min == fixed.total_cycles_max == fixed.total_cycles
    path = tmp_path / "result.json"
    path.write_text(json.dumps(data))
    assert load_result(path).layers == result.layers
    for layer in data["layers"]:
        for key in ("cycles_min", "cycles_max", "way"):
            del layer[key]
    path.write_text(json.dumps(data | {"total_cycles_min": data["total_cycles"]}))
    assert load_result(path).total_cycles_min == result.total_cycles  # as older files have it
    data["layers"][0]["cycles_min"] = 1 << 40
    path.write_text(json.dumps(data))
    with pytest.raises(FileError, match=r"cycles must be from cycles_min to cycles_max \(layer"):
        load_result(path)


GUIDE = (3, 7, 6)
BAD = (
    (lambda: RegionConv(4, (3, 3), 0), (), "regions must be a whole number of at least 1, not 0"),
    (lambda: RegionConv(4, (3, 3), 257), (), "regions must be at most 256, not 257"),
    (lambda: RegionConv(4, (3, 3), 2, way="gather"), (), "way must be one of auto, expand, bucket"),
    (
        lambda: RegionConv(4, (3, 3), 3),
        ((4, 7, 6),),
        "inputs of region_conv: it takes 2 inputs, a map and its guide, or 3 .* not 1",
    ),
    (
        lambda: RegionConv(4, (3, 3), 3),
        ((4, 7, 6), GUIDE),
        r"the second is the guide, \[3, 5, 4\], a channel for each region, not \[3, 7, 6\]",
    ),
    (
        lambda: RegionConv(4, (3, 3), 2, padding=1),
        ((4, 7, 6), GUIDE),
        r"the second is the guide, \[2, 7, 6\], .* not \[3, 7, 6\]",
    ),
    (
        lambda: RegionConv(4, (3, 3), 3, padding=1),
        ((4, 7, 6), GUIDE, (144, 1, 1)),
        r"the third is the kernels of 432 values, not \[144, 1, 1\]",
    ),
)


@pytest.mark.parametrize(("make", "shapes", "message"), BAD)
def test_what_does_not_fit_is_refused(make, shapes, message):
    with pytest.raises(ShapeError, match=message):
        make().out_shape(*shapes)


def test_what_runs_nowhere_is_refused():
    net = several("bucket")
    with pytest.raises(UnsupportedError, match=r"layer plain runs .* by bucket \(rows: rows runs"):
        ax.simulate(net, ARRAY, "rows", layers="plain")
    alone = RegionConv(4, (1, 1), 3, groups=4, way="bucket"), ((4, 3, 3), (3, 3, 3))
    with pytest.raises(UnsupportedError, match=r"layer it runs .* \(rows: how products of several"):
        lowered_as("bucket", *alone, ARRAY, parse_dataflows("rows"))
    square = ax.Hardware(ax.SystolicArray(4, 4))
    with pytest.raises(
        UnsupportedError, match=r"does not cover kernels that differ .*\(layer plai"
    ):
        ax.simulate(net, square, timing="fuseconv-2020", layers="plain")
    both = ax.Hardware(ax.SystolicArray(4, 4), depthwise=ax.DepthwiseEngine(3, 4))
    cost = ax.simulate(net, both, layers="each").layers[0]
    assert cost.engine == "array"  # other kernels at every pixel are no work of that engine


def test_large_maps_are_expanded(monkeypatch):
    assert regions.MOST_PIXELS == 16_384  # as the operator and the documentation say
    monkeypatch.setattr(regions, "MOST_PIXELS", 170)
    op, allowed = RegionConv(8, (1, 1), 2), parse_dataflows("os")
    ways = []
    for pixels in (170, 171):
        shapes = (4, 1, pixels), (2, 1, pixels)
        ways.append(lowered_as("auto", op, shapes, ARRAY, allowed)[1].way)
    assert ways == ["bucket", "expand"]
    message = "layer it has the way bucket, .* at most 170 pixels, not 171; expand takes any"
    with pytest.raises(UnsupportedError, match=message):
        lowered_as("bucket", op, shapes, ARRAY, allowed)
