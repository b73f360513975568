"""Real models: their multiply-accumulates, parameters and outputs are those of the manifest."""

import numpy as np
import pytest

from accelsim.graph.evaluate import evaluate
from accelsim.importers import load
from tests.models import manifest

MODELS = {model.name: model for model in manifest()}
SIZES = {"orig_gh_yunet_n_dynamic": (320, 320)}  # the file leaves it open
FLOAT = [name for name, model in MODELS.items() if model.kind == "float"]
NOT_IN_THE_FILE = {"real_ultraface_slim320.qop_u8u8_pt": 25}  # counters of norms in training


@pytest.mark.parametrize("name", MODELS)
def test_counts_are_those_of_the_manifest(name: str) -> None:
    """Which counts scales and zero points too, unless their names end in a certain way."""
    model = MODELS[name]
    network = load(model.path, sizes=SIZES.get(name))
    assert network.total_macs == model.entry["macs"]
    counted = network.elements.values
    if not name.startswith("real_"):
        counted += network.elements.scales
    assert counted + NOT_IN_THE_FILE.get(name, 0) == model.entry["params"]


@pytest.mark.parametrize("name", FLOAT)
def test_outputs_of_reals_are_onnxruntimes(name: str) -> None:
    model = MODELS[name]
    network = load(model.path, sizes=SIZES.get(model.name))
    for sample in model.samples()[:1]:
        made = evaluate(network.graph, sample.inputs)
        assert list(made) == model.entry["output_names"]
        for name, expected in sample.outputs.items():
            assert made[name].dtype == expected.dtype
            np.testing.assert_allclose(
                made[name], expected, rtol=0, atol=model.entry["tolerance"]["atol"]
            )


def test_parameters_are_those_that_are_trained() -> None:
    """The same of a model of reals and of its integers: no scales, shapes or zero points."""
    of_reals = load(MODELS["orig_tfl_mlperf_resnet8_float"].path)
    of_integers = load(MODELS["orig_tfl_mlperf_resnet8_int8"].path)
    assert of_reals.total_params == of_integers.total_params == 77_706
    assert load(MODELS["orig_gh_mnist_cntk"].path).total_params == 5_994
