"""Networks of 8-bit integers: their values are onnxruntime's, bit for bit."""

import numpy as np
import pytest

from accelsim.graph.evaluate import evaluate
from accelsim.graph.network import GraphNetwork
from accelsim.importers import load
from tests.models import Model, manifest

MODELS = {model.name: model for model in manifest()}
QUANTISED = [name for name, model in MODELS.items() if model.kind in ("exact", "near")]
NEAR = 2  # steps of an output behind operators on reals


@pytest.fixture(params=QUANTISED)
def model(request: pytest.FixtureRequest) -> Model:
    return MODELS[request.param]


def step_of(network: GraphNetwork, name: str) -> float:
    """What an output's integers stand for."""
    graph = network.graph
    kind = graph.type(name)
    if kind.quantisation is not None:
        return 1
    (node,) = (node for node in graph.nodes if name in node.outputs)
    assert node.kind == "DequantizeLinear"
    return float(graph.constants[node.inputs[1]].values)


def test_real_models(model: Model) -> None:
    network = load(model.path)
    assert network.total_macs == model.entry["macs"]
    for sample in model.samples():
        made = evaluate(network.graph, sample.inputs)
        for name, expected in sample.outputs.items():
            assert made[name].dtype == expected.dtype
            if model.kind == "exact":
                assert np.array_equal(made[name], expected)
            else:
                difference = np.abs(made[name].astype(float) - expected)
                assert difference.max() <= NEAR * step_of(network, name)
