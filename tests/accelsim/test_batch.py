"""Batches: all levels agree, image by image, and figures are those of so many images."""

import json
import re

import numpy as np
import pytest

from accelsim.errors import UnsupportedError
from accelsim.forward import step_of
from accelsim.hardware import DepthwiseEngine, Hardware, SystolicArray
from accelsim.ir import INPUT, MOST_IMAGES, Layer, Network
from accelsim.ops import Depthwise, DynamicDepthwise, Linear, Pointwise
from accelsim.simulation import simulate
from accelsim.weights import seeded_input, seeded_weights
from tests.accelsim.test_simulate import PROBE

KINDS = Network(
    "kinds",
    PROBE.input,
    (
        *PROBE.layers,
        Layer("kernels", Linear(11 * 3 * 2), ("fc",)),
        Layer("dynamic", DynamicDepthwise((3, 2), (2, 1)), ("dw", "kernels"), activation="relu"),
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


def test_images_are_their_own_and_the_first_is_that_of_one():
    batch = simulate(KINDS, ARRAY, fidelity="golden", batch=3, seed=5).output
    assert np.array_equal(batch[0], simulate(KINDS, ARRAY, fidelity="golden", seed=5).output)
    images = [seeded_input(KINDS, 5, image) for image in range(3)]
    assert np.array_equal(images[0], seeded_input(KINDS, 5))
    assert len({image.tobytes() for image in images}) == 3
    layer, weights = KINDS.layer("last"), seeded_weights(KINDS, 5)
    for image, output in enumerate(batch):
        assert np.array_equal(output, step_of(KINDS, layer, weights, 5, image).output.values)


def test_counts_are_of_the_batch():
    one, four = simulate(KINDS, BOTH), simulate(KINDS, BOTH, batch=4)
    for single, layer in zip(one.layers, four.layers, strict=True):
        assert (layer.macs, layer.live_macs) == (4 * single.macs, 4 * single.live_macs)
        assert layer.params == single.params
        assert layer.cycles <= 4 * single.cycles
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
    with pytest.raises(UnsupportedError, match="fuseconv-2020 is a model of one image; batch must"):
        simulate(PROBE, ARRAY, timing="fuseconv-2020", batch=2)
