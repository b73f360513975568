"""Real models: their multiply-accumulates, parameters and outputs are those of the manifest."""

import numpy as np
import pytest

from accelsim.graph.evaluate import evaluate
from accelsim.importers import load
from tests.models import Model, manifest

MODELS = {model.name: model for model in manifest()}
SIZES = {"orig_gh_yunet_n_dynamic": (320, 320)}  # the file leaves it open
FLOAT = [name for name, model in MODELS.items() if model.kind == "float"]


@pytest.fixture(params=FLOAT)
def model(request: pytest.FixtureRequest) -> Model:
    return MODELS[request.param]


def test_counts_are_those_of_the_manifest(model: Model) -> None:
    network = load(model.path, sizes=SIZES.get(model.name))
    assert network.total_macs == model.entry["macs"]


def test_outputs_of_reals_are_onnxruntimes(model: Model) -> None:
    network = load(model.path, sizes=SIZES.get(model.name))
    for sample in model.samples()[:1]:
        made = evaluate(network.graph, sample.inputs)
        assert list(made) == model.entry["output_names"]
        for name, expected in sample.outputs.items():
            assert made[name].dtype == expected.dtype
            np.testing.assert_allclose(
                made[name], expected, rtol=0, atol=model.entry["tolerance"]["atol"]
            )
