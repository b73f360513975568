"""Networks of 8-bit integers: their values are onnxruntime's, bit for bit."""

from pathlib import Path

import numpy as np
import pytest

import accelsim as ax
from accelsim.graph.evaluate import evaluate, walk
from accelsim.graph.network import GraphNetwork
from accelsim.importers import load
from accelsim.ir import INPUT, Layer, Network
from accelsim.networks import get
from accelsim.networks.variants import apply
from accelsim.ops import Conv2d, Depthwise, Pointwise
from tests.accelsim.importers.onnx.export import export
from tests.accelsim.importers.onnx.nets import FORMS, NETS, Quantised, quantise, quantised
from tests.models import Model, manifest

MODELS = {model.name: model for model in manifest()}
QUANTISED = [name for name, model in MODELS.items() if model.kind in ("exact", "near")]
NEAR = 2  # steps of an output behind operators on reals


def step_of(network: GraphNetwork, name: str) -> float:
    """What an output's integers stand for."""
    graph = network.graph
    kind = graph.type(name)
    if kind.quantisation is not None:
        return 1
    (node,) = (node for node in graph.nodes if name in node.outputs)
    assert node.kind == "DequantizeLinear"
    return float(graph.constants[node.inputs[1]].values)


def _check_model(model: Model, samples: int) -> None:
    network = load(model.path)
    assert network.total_macs == model.entry["macs"]
    for sample in model.samples()[:samples]:
        made = evaluate(network.graph, sample.inputs)
        for name, expected in sample.outputs.items():
            assert made[name].dtype == expected.dtype
            if model.kind == "exact":
                assert np.array_equal(made[name], expected)
            else:
                difference = np.abs(made[name].astype(float) - expected)
                assert difference.max() <= NEAR * step_of(network, name)


@pytest.mark.parametrize("name", QUANTISED)
def test_real_models(name: str) -> None:
    _check_model(MODELS[name], 1)


@pytest.mark.full
@pytest.mark.parametrize("name", QUANTISED)
def test_real_models_on_all_inputs(name: str) -> None:
    _check_model(MODELS[name], 10)


REALS = ("leftovers", "patches")  # have operators that the runtime leaves on reals
FEW = 0.005  # of a tensor behind these may be a step away
SOME = (
    ("images", "operators_u8u8"),
    ("images", "pairs_s8s8"),
    ("two_images", "pairs_u8s8"),
    ("leftovers", "pairs_u8u8"),
    ("leftovers", "operators_s8s8"),
    ("patches", "pairs_s8s8"),
    ("mixtures", "pairs_u8u8"),
    ("mixtures", "pairs_s8s8"),
    ("rows", "pairs_s8s8_symmetric"),
    ("vectors", "operators_u8s8"),
    ("vectors", "pairs_u8u8"),
)


def _compare(probe: Quantised, only_integers: bool) -> None:
    """Every tensor that the file has as integers, and the outputs."""
    expected = probe.expected()
    network = load(probe.path)
    compared = 0
    for node, (values,) in walk(network.graph, (probe.given,)):
        for name in (each for each in node.outputs if each in expected):
            made, wanted = values[name], expected[name]
            assert made.dtype == wanted.dtype
            assert made.shape == wanted.shape
            if only_integers:
                assert np.array_equal(made, wanted), name
            elif made.dtype == np.float32:
                np.testing.assert_allclose(made, wanted, rtol=1e-5, atol=1e-6)
            else:
                away = np.abs(made.astype(int) - wanted)
                assert away.max() <= 1
                assert (away > 0).mean() <= FEW
            compared += 1
    assert compared >= len(expected) - 2
    assert all(each.exact for each in network.certificates.values())


@pytest.mark.parametrize(("kind", "form"), SOME)
def test_every_tensor_of_integers(kind: str, form: str, tmp_path: Path) -> None:
    _compare(quantised(tmp_path, kind, form, 1), kind not in REALS)


@pytest.mark.full
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", NETS)
def test_every_tensor_of_many_networks(kind: str, form: str, tmp_path: Path) -> None:
    for seed in range(5):
        _compare(quantised(tmp_path, kind, form, seed), kind not in REALS)


WHOLE = (
    ("mobilenet_v3_small", "baseline", 64, "pairs_s8s8"),
    ("mobilenet_v3_small", "xsep", 64, "pairs_u8u8"),
    ("mobilenet_v2", "fuse_half", 32, "operators_u8u8"),
    ("mixnet_s", "baseline", 32, "pairs_u8u8"),
)
DYNAMIC = Network(
    "dynamic",
    (3, 16, 16),
    (
        Layer("stem", Conv2d(8, (3, 3), (2, 2), 1), (INPUT,), norm=True, activation="relu"),
        Layer("conv", Conv2d(8, (3, 3), padding=1), ("stem",), norm=True, activation="relu"),
        Layer("dw", Depthwise((3, 3), (2, 2)), ("conv",), norm=True, activation="relu"),
        Layer("pw", Pointwise(6), ("dw",), norm=True),
    ),
)
INPUT_DEPENDENT = (
    ("odconv", "pairs_u8u8"),
    ("odconv:n=2", "pairs_s8s8"),
    ("mdconv:hidden=8", "operators_u8u8"),
    ("spconv:form=train", "pairs_u8u8"),
    ("gmconv:source=runtime", "pairs_s8s8"),
)


@pytest.mark.parametrize(("variant", "form"), INPUT_DEPENDENT)
def test_operators_that_depend_on_their_input(variant: str, form: str, tmp_path: Path) -> None:
    """Attentions, kernels that they mix or scale, and what is fused, tensor by tensor."""
    export(apply(DYNAMIC, variant), tmp_path / "plain.onnx")
    rng, path = np.random.default_rng(2), tmp_path / "probe.onnx"
    probe = quantise(tmp_path / "plain.onnx", path, (1, 3, 16, 16), form, rng, "input")
    _compare(probe, True)
    result = ax.simulate(path, "flexible", fidelity="cycle", data=probe.given)
    assert result.values_equal


LARGE = (
    ("mobilenet_v2", "baseline", "operators_u8u8"),
    ("mobilenet_v2", "fuse_full", "pairs_s8s8"),
    ("mobilenet_v3_small", "baseline", "operators_u8u8"),
    ("resnet18", "baseline", "pairs_s8s8"),
    ("mixnet_s", "baseline", "operators_u8u8"),
    ("efficientnet_b0", "baseline", "pairs_s8s8"),
)


def _whole(name: str, variant: str, side: int, form: str, folder: Path) -> None:
    plain, path = folder / "plain.onnx", folder / f"{name}.onnx"
    export(get(name, variant, (side, side)), plain)
    rng = np.random.default_rng(2)
    probe = quantise(plain, path, (1, 3, side, side), form, rng, "input")
    _compare(probe, True)
    result = ax.simulate(path, "flexible", fidelity="cycle", data=probe.given)
    assert result.values_equal  # registers make every sum


@pytest.mark.parametrize(("name", "variant", "side", "form"), WHOLE)
def test_networks_of_ours(name: str, variant: str, side: int, form: str, tmp_path: Path) -> None:
    _whole(name, variant, side, form, tmp_path)


@pytest.mark.full
@pytest.mark.parametrize(("name", "variant", "form"), LARGE)
def test_large_networks_of_ours(name: str, variant: str, form: str, tmp_path: Path) -> None:
    _whole(name, variant, 128, form, tmp_path)
