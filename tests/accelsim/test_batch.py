"""Batches: all levels agree, image by image, and figures are those of so many images."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from accelsim.c_synthesis import csynth
from accelsim.dataflows import rows, tap_serial
from accelsim.engines.activity import ElementState
from accelsim.errors import AccelsimError, FileError, UnsupportedError
from accelsim.explanations import explain
from accelsim.films import film
from accelsim.graph.evaluate import evaluate
from accelsim.hardware import DepthwiseEngine, Hardware, Memory, SystolicArray
from accelsim.importers import load
from accelsim.ir import INPUT, MOST_IMAGES, Conv, Layer, Network
from accelsim.ops import (
    ConvTranspose2d,
    Depthwise,
    DynamicDepthwise,
    Linear,
    Matmul,
    Pointwise,
    Resize,
)
from accelsim.quantised import with_values
from accelsim.report import study as study_report
from accelsim.report import table
from accelsim.report.page import html
from accelsim.report.plot_designs import side_by_side
from accelsim.report.plot_film import strip
from accelsim.report.several import one_workload, title, to_csv, totals
from accelsim.report.side_by_side import designs
from accelsim.request import Request
from accelsim.reuse import moved
from accelsim.saved import load_result, restore
from accelsim.side_by_side import compare
from accelsim.simulation import simulate
from accelsim.study.depthwise import depthwise_study
from accelsim.study.published import published_models
from accelsim.traces import trace
from tests.accelsim.test_simulate import PROBE

KINDS = Network(
    "kinds",
    PROBE.input,
    (
        *PROBE.layers,
        Layer("kernels", Linear(11 * 3 * 2), ("fc",)),
        Layer("dynamic", DynamicDepthwise((3, 2), (2, 1)), ("dw", "kernels"), activation="relu"),
        Layer("up", ConvTranspose2d(4, (3, 2), (2, 3), 1), ("dynamic",), bias=True),
        Layer("queries", Resize((5, 1)), ("up",)),
        Layer("keys", Resize((3, 1)), ("up",)),
        Layer("product", Matmul(2, transpose_b=True), ("queries", "keys")),
        Layer("last", Depthwise((5, 1), (1, 2), multiplier=2), ("dynamic",)),
    ),
)
ARRAY = Hardware(SystolicArray(5, 7, accumulator_depth=16))
BOTH = Hardware(SystolicArray(4, 4), depthwise=DepthwiseEngine(3, 4))


@pytest.mark.parametrize(
    ("design", "dataflow", "place"),
    [
        *((ARRAY, dataflow, "auto") for dataflow in ("auto", "os", "ws", "is", "rows,os")),
        (BOTH, "auto", "engine"),
    ],
    ids=["auto", "os", "ws", "is", "rows,os", "engine"],
)
@pytest.mark.parametrize("batch", [2, 3, 4])
def test_registers_agree_with_golden_and_schedule(batch, design, dataflow, place):
    schedule, golden, cycle = (
        simulate(KINDS, design, dataflow, fidelity, depthwise_on=place, batch=batch)
        for fidelity in ("schedule", "golden", "cycle")
    )
    assert cycle.values_equal
    assert [x.cycles for x in cycle.layers] == [x.cycles for x in schedule.layers]
    assert golden.layers == schedule.layers
    assert np.array_equal(golden.output, cycle.output)
    assert golden.output.shape == (batch, *KINDS.shape("last"))
    (compared,) = (each for each in table.value_notes(cycle) if "register by register" in each)
    sums = sum(np.prod(KINDS.shape(x.name)) for x in cycle.layers if not x.not_modelled)
    assert f"{batch * sums:,} sums, all equal to golden" in compared


def test_images_are_their_own_and_the_first_is_that_of_one():
    batch = simulate(KINDS, ARRAY, fidelity="golden", batch=3, seed=5).output
    assert np.array_equal(batch[0], simulate(KINDS, ARRAY, fidelity="golden", seed=5).output)
    whole = with_values(KINDS, 5)
    images = [whole.seeded(5, image)[INPUT] for image in range(3)]
    assert len({image.tobytes() for image in images}) == 3
    for image, output in zip(images, batch, strict=True):
        (alone,) = evaluate(whole.graph, {INPUT: image}).values()
        assert np.array_equal(output, alone[0])


def test_a_batch_of_the_network_is_computed_too():
    whole = replace(KINDS, batch=3)
    ours, theirs = (
        simulate(net, ARRAY, fidelity="golden", batch=n, seed=5).output
        for net, n in ((whole, None), (KINDS, 3))
    )
    assert np.array_equal(ours, theirs)


def test_images_share_nothing_but_their_weights_on_the_engine_and_in_rows():
    """Their channels are cut as so many channels of one image."""
    for c, batch in ((2, 3), (3, 4), (5, 2)):
        images = Conv(c, 7, 6, c, 7, 6, 3, 3, pt=1, pl=1, groups=c, n=batch)
        channels = images._replace(c=batch * c, k=batch * c, groups=batch * c, n=1)
        for dataflow, sizes in ((tap_serial, DepthwiseEngine(16, 3)), (rows, SystolicArray(6, 5))):
            found, expected = (list(dataflow.tilings(x, sizes)) for x in (images, channels))
            assert found == expected
            for _, tiling in found:
                bodies = (dataflow.body(x, sizes, tiling) for x in (images, channels))
                assert len(set(bodies)) == 1


def test_counts_are_of_the_batch():
    one, four = simulate(KINDS, BOTH), simulate(KINDS, BOTH, batch=4)
    for single, layer in zip(one.layers, four.layers, strict=True):
        assert (layer.macs, layer.live_macs) == (4 * single.macs, 4 * single.live_macs)
        assert layer.params == single.params
        assert layer.cycles <= 4 * single.cycles
    up, ups = (x.layers[KINDS.layers.index(KINDS.layer("up"))] for x in (one, four))
    assert ups.skipped_macs == 4 * up.skipped_macs > 0
    assert four.cycles_per_image == four.total_cycles / 4
    assert one.cycles_per_image == one.total_cycles
    assert str(four).startswith("kinds baseline, batch of 4 images, array 4x4")


def test_json_says_the_batch_where_there_is_one():
    one, four = (json.loads(json.dumps(simulate(KINDS, ARRAY, batch=n).to_dict())) for n in (1, 4))
    assert {key: four[key] for key in set(four) - set(one)} == {
        "batch": 4,
        "cycles_per_image": four["total_cycles"] / 4,
    }


@pytest.mark.parametrize("images", [1, 5, 64, 100])
def test_a_fully_connected_layer_is_a_product_of_as_many_rows(images):
    """1000 outputs of 2048 inputs on 64 x 64 in ws: 32 x 16 tiles of weights.

    Each tile loads in 64 clocks, behind which all images pass, so that it takes max(64, images);
    what the first load and the last drain add is less than 3 x 64. Work is 1000 x 2048 products an
    image: the share of multipliers grows with the images until a tile is hidden.
    """
    design = Hardware(SystolicArray(64, 64))
    fc = Network("fc", (2048, 1, 1), (Layer("fc", Linear(1000), (INPUT,)),))
    pixels = Network("fc", (2048, images, 1), (Layer("fc", Pointwise(1000), (INPUT,)),))
    for dataflow in ("os", "ws", "is", "auto"):
        layer = simulate(fc, design, dataflow, batch=images).layers[0]
        assert layer.cycles == simulate(pixels, design, dataflow).layers[0].cycles
        assert layer.utilization == images * 2048 * 1000 / (64 * 64 * layer.cycles)
    waiting = simulate(fc, design, "ws", batch=images).total_cycles
    tiles = 32 * 16 * max(64, images)
    assert tiles < waiting < tiles + 3 * 64 + images


@pytest.mark.parametrize("batch", [0, -1, MOST_IMAGES + 1, True, 2.0, "2"])
def test_what_is_no_batch_is_refused(batch):
    reason = f"batch must be a whole number from 1 to 65536, not {batch!r}"
    with pytest.raises(UnsupportedError, match=re.escape(reason)):
        simulate(KINDS, ARRAY, batch=batch)


def test_published_timings_are_of_one_image():
    """Nor does a report set them beside a batch."""
    refusals = [each.refusal for each in published_models(simulate(PROBE, ARRAY, batch=2))]
    assert refusals
    assert all("is a model of one image; batch must be 1, not 2" in each for each in refusals)
    with pytest.raises(UnsupportedError, match="fuseconv-2020 is a model of one image; batch must"):
        simulate(PROBE, ARRAY, timing="fuseconv-2020", batch=2)


def test_every_function_takes_a_batch():
    """Each says the cycles of `simulate`, of how many images they are, and nothing of one."""
    result = simulate(KINDS, BOTH, batch=3)
    (cost,) = (layer for layer in result.layers if layer.name == "dw")
    explained, synthesis = explain(KINDS, "dw", BOTH, batch=3), csynth(KINDS, "dw", BOTH, batch=3)
    seen = film(KINDS, "dw", BOTH, batch=3)
    assert explained.cycles == synthesis.report.latency_cycles == seen.cycles == cost.cycles
    assert explained.macs == synthesis.macs == cost.macs
    assert synthesis.live_macs == cost.live_macs
    assert sum(part.multiplier_clocks for part in explained.parts) == explained.multiplier_clocks
    (way,) = (way for way in explained.ways if way.dataflow == cost.dataflow)
    assert way.cycles == cost.cycles
    timeline, beside = trace(KINDS, BOTH, batch=3), compare(KINDS, [BOTH, ARRAY], batch=3)
    assert timeline.cycles == beside.totals[0].cycles == result.total_cycles
    assert timeline.to_dict()["otherData"]["batch"] == 3
    for made in (explained, synthesis, beside):
        assert made.to_dict()["batch"] == made.batch == 3
    assert "batch" not in explain(KINDS, "dw", BOTH).to_dict()
    assert "batch" not in trace(KINDS, BOTH).to_dict()["otherData"]


@pytest.mark.parametrize("name", ["dynamic", "product"])
def test_films_of_kernels_that_are_inputs(name):
    """Every product with a value of a map is a busy element, whichever image it is of."""
    cost = simulate(KINDS, ARRAY, "os", batch=3, layers=(name, name)).layers[0]
    seen = film(KINDS, name, ARRAY, "os", clocks=range(cost.cycles), batch=3)
    assert seen.count(ElementState.BUSY).sum() == cost.live_macs


def test_a_transposed_convolution_names_the_zeros_of_all_images():
    one, three = (explain(KINDS, "up", ARRAY, batch=n).with_zeros for n in (1, 3))
    assert three.macs == 3 * one.macs
    assert one.cycles < three.cycles <= 3 * one.cycles


def test_a_study_of_batches():
    engine = DepthwiseEngine(3, 4)
    points = depthwise_study("mobilenet_v1", [(8, 8)], engine, batch=2)
    for point in points:
        how = {"im2col": "os", "row_streams": "os,rows"}.get(point.way)
        if how:
            design = Hardware(SystolicArray(8, 8))
            assert point.cycles == simulate("mobilenet_v1", design, how, batch=2).total_cycles
    assert study_report.to_csv(points).startswith("network,way,")
    assert {row["batch"] for row in study_report.records(points)} == {2}
    *_, last = study_report.records(depthwise_study("mobilenet_v1", [(8, 8)], engine))
    assert "batch" not in last
    with pytest.raises(UnsupportedError, match="batch must be a whole number from 1 to 65536"):
        depthwise_study("mobilenet_v1", [(8, 8)], engine, batch=0)


def test_a_saved_result_keeps_its_batch(tmp_path):
    path = tmp_path / "result.json"
    result = simulate("mobilenet_v1", ARRAY, batch=3)
    path.write_text(json.dumps(result.to_dict()))
    saved = load_result(path)
    assert (saved.batch, saved.cycles_per_image) == (3, result.cycles_per_image)
    assert restore(saved) == result
    path.write_text(json.dumps(result.to_dict() | {"batch": 0}))
    with pytest.raises(FileError, match="batch must be a whole number from 1 to 65536, not 0"):
        load_result(path)


def test_a_report_says_what_an_image_takes(tmp_path):
    small = Network("small", (3, 4, 4), (Layer("a", Pointwise(5), (INPUT,)),))
    result = simulate(small, ARRAY, batch=3)
    (tmp_path / "small.json").write_text(json.dumps(result.to_dict()))
    page = html(load_result(tmp_path / "small.json"), None, None, ())
    assert f"<dd>{result.cycles_per_image:,.1f}</dd>" in page
    assert "batch of 3 images, timing rtl" in page


NETWORK = """
name = "own"
input = [4, 3, 3]
batch = 5
[[layer]]
name = "a"
op = "pointwise"
out_channels = 3
"""


def test_a_network_may_have_a_batch_of_its_own(tmp_path):
    (tmp_path / "own.toml").write_text(NETWORK)
    net = load(tmp_path / "own.toml")
    assert simulate(net, ARRAY).batch == 5
    assert simulate(net, ARRAY) == simulate(net, ARRAY, batch=5)
    points = depthwise_study(tmp_path / "own.toml", [(4, 4)], DepthwiseEngine(3, 4))
    assert {point.batch for point in points} == {5}
    assert simulate(net, ARRAY, batch=1).total_macs == net.total_macs == 4 * 3 * 9


def test_tables_of_several_results_tell_batches():
    one, four = (simulate(KINDS, ARRAY, batch=n) for n in (1, 4))
    header, *rows = to_csv([one, four]).splitlines()
    assert header.startswith("network,variant,input,batch,design,name")
    assert {row.split(",")[3] for row in rows} == {"1", "4"}
    assert to_csv([one]).startswith("network,variant,input,design,name")
    assert not one_workload([one, four])
    assert totals([one, four], 200).columns[0] == "batch"
    assert "batch of 4 images" in title([four, four])
    assert "batch" not in title([one, four]) + title([one, one])


def test_tables_of_several_results_say_what_an_image_takes():
    one, four = (simulate(KINDS, ARRAY, batch=n) for n in (1, 4))
    made = totals([one, four], 200)
    at = made.columns.index("cycles per image")
    assert [row[at] for row in made.rows] == [f"{one.total_cycles:,}.0", "1,612.5"]
    assert "cycles per image" not in totals([one, one], 200).columns
    both = compare(KINDS, [BOTH, ARRAY], batch=4)
    (shown,) = (row for row in designs(both, 200).summary if row[0] == "cycles per image")
    wanted = [f"{total.cycles / 4:,.1f}" for total in both.totals]
    assert [each.strip() for each in shown[2:]] == wanted
    alone = designs(compare(KINDS, [BOTH, ARRAY]), 200)
    assert not any(row[0] == "cycles per image" for row in alone.summary)


def test_the_table_says_what_an_image_takes():
    four = simulate(KINDS, ARRAY, batch=4)
    assert table.title(four).startswith("kinds baseline, batch of 4 images, array 5x7, timing")
    assert four.total_cycles == 6450  # 3.225 microseconds an image, at 500 MHz
    sentence = "All is of a batch of 4 images: 1,612.5 cycles and 0.00323 ms for each of them."
    assert sentence in table.notes(four, None)
    assert not table.per_image(simulate(KINDS, ARRAY))


def test_maps_move_for_every_image_and_weights_once():
    """Buffers that grow with the batch keep the same maps; weights that fit are read once."""
    net = simulate("mobilenet_v1", ARRAY).graph
    most = 1 << 40
    sizes = {layer.name: layer.op.weight_shape(*net.in_shapes(layer)) for layer in net.layers}
    for room in (1, 50_000, 1_000_000, most):
        one, five = moved(net, room, most), moved(net, 5 * room, most, batch=5)
        for layer, single, batch in zip(net.layers, one, five, strict=True):
            weights = int(np.prod(sizes[layer.name])) if sizes[layer.name] else 0
            assert batch.write == 5 * single.write
            assert batch.read - weights == 5 * (single.read - weights)
    memory = Memory(64, 64, 4)
    design = Hardware(SystolicArray(8, 8), memory=memory)
    result = simulate(net, design, batch=5)
    expected = moved(net, 64 << 10, 64 << 10, batch=5)
    assert [(x.offchip_read_bytes, x.offchip_write_bytes) for x in result.layers] == list(expected)


def test_a_batch_beyond_what_a_pass_holds_is_cut():
    """65,536 rows of a product, and as many maps of an engine whose banks hold one."""
    fc = Network("fc", (3, 1, 1), (Layer("fc", Linear(2), (INPUT,)),))
    dw = Network("dw", (1, 3, 3), (Layer("dw", Depthwise((3, 3)), (INPUT,)),))
    for dataflow in ("os", "ws", "is"):
        result = simulate(fc, ARRAY, dataflow, batch=MOST_IMAGES)
        assert result.total_cycles >= MOST_IMAGES * 2 / 7  # results leave a column each
    assert simulate(dw, ARRAY, "rows", batch=MOST_IMAGES).total_cycles >= MOST_IMAGES * 9 / 7
    few = Hardware(SystolicArray(2, 2), depthwise=DepthwiseEngine(2, 3, bank_depth=8))
    for design, net, dataflow in ((ARRAY, fc, "ws"), (ARRAY, fc, "is"), (few, dw, "auto")):
        cycle = simulate(net, design, dataflow, "cycle", depthwise_on="auto", batch=1500)
        assert cycle.values_equal
        assert cycle.total_cycles == simulate(net, design, dataflow, batch=1500).total_cycles


def test_values_beyond_their_indices_are_refused():
    """At fidelity schedule, which needs no indices, the same layer has its cycles."""
    net = Network("wide", (1 << 16, 1, 1), (Layer("fc", Linear(8), (INPUT,)),))
    request = Request(net, ARRAY, batch=1 << 15)
    lowered = request.lower(net.layers[0])
    assert lowered.cycles > 0
    nothing = np.empty(0, np.int8)
    with pytest.raises(AccelsimError, match=r"at most, not 2,148,007,936; a smaller batch"):
        lowered.sequence(nothing, nothing)


def test_pictures_name_the_batch():
    batch = "batch of 3 images"
    result = simulate(KINDS, BOTH, batch=3)
    for kind in ("layers", "roofline", "timeline"):
        titles = [axes.get_title(loc="left") for axes in result.plot(kind).axes]
        assert batch in " ".join(titles).replace("\n", " ")
    (bars,) = result.plot("stack").axes
    assert batch in bars.get_yticklabels()[0].get_text().replace("\n", " ")
    beside = side_by_side(compare(KINDS, [BOTH, ARRAY], batch=3))
    assert batch in beside.legends[0].get_title().get_text()
    (part,) = strip([film(KINDS, "dw", BOTH, batch=3)], 2).subfigs
    assert batch in part.get_suptitle().replace("\n", " ")
