"""Real models register by register: outputs are those of their runtimes, in every bit."""

import numpy as np
import pytest

import accelsim as ax
from accelsim.arrays import read_npz
from accelsim.runtimes import compare
from tests.models import FOLDER, Model, manifest
from tests.models.tflite_reference import samples

MODELS = {model.name: model for model in manifest()}
# Those of MLPerf Tiny, person detection of TFLite Micro, and one of MCUNet's.
TINY = [
    *(f"orig_tfl_mlperf_{each}_int8" for each in ("kws", "vww96", "resnet8", "ad01", "strww")),
    "orig_tfl_tflm_person_detect_int8_repaired",
    "orig_tfl_tinyengine_detection",
]
OTHERS = [name for name, model in MODELS.items() if model.kind == "exact" and name not in TINY]
FLEXIBLE = ax.load_hardware("flexible")


def check(model: Model, inputs: int) -> None:
    """Registers make the expected outputs of so many inputs."""
    network = ax.load(model.path)
    for sample in model.samples()[:inputs]:
        result = ax.simulate(network, FLEXIBLE, fidelity="cycle", data=sample.inputs)
        assert result.values_equal
        made = result.values.outputs
        assert list(made) == model.entry["output_names"]
        for name, expected in sample.outputs.items():
            assert made[name].dtype == expected.dtype
            assert np.array_equal(made[name], expected), name
    assert "array" in {layer.engine for layer in result.layers}
    assert result.total_macs == model.entry["macs"]


@pytest.mark.parametrize("name", TINY)
def test_registers_make_the_outputs_of_onnxruntime(name: str) -> None:
    check(MODELS[name], 10)


@pytest.mark.full
@pytest.mark.parametrize("name", OTHERS)
def test_registers_make_the_outputs_of_onnxruntime_of_larger_models(name: str) -> None:
    check(MODELS[name], 1)


@pytest.mark.parametrize(
    "stem",
    [
        *(f"mlperf_{each}_int8" for each in ("kws", "vww96", "resnet8", "ad01", "strww")),
        "tflm_person_detect_int8",
        "tinyengine_detection",
    ],
)
def test_registers_make_the_outputs_of_litert(stem: str) -> None:
    """Whose values, by its reference kernels, stand beside the files."""
    path = FOLDER / "tflite" / f"{stem}.tflite"
    network = ax.load(path)
    expected = read_npz(path.with_suffix(".npz"), "tensor")
    for number, inputs in enumerate(samples(FOLDER, network)[:3]):
        result = ax.simulate(network, FLEXIBLE, fidelity="cycle", data=inputs)
        assert result.values_equal
        for place, name in enumerate(network.graph.outputs):
            assert np.array_equal(result.values.outputs[name], expected[f"ref_{number}_{place}"])


@pytest.mark.parametrize(
    "name",
    [
        "orig_tfl_mlperf_kws_int8",
        "real_mnist_cntk.qop_u8u8_pt",
        pytest.param("real_yunet_s.qdq_s8s8_pc", marks=pytest.mark.full),
        pytest.param("orig_tfl_mlperf_resnet8_int8", marks=pytest.mark.full),
    ],
)
def test_all_tensors_of_integers_are_compared_and_equal(name: str) -> None:
    model = MODELS[name]
    network = ax.load(model.path)
    data = model.samples()[0].inputs
    values = ax.simulate(network, FLEXIBLE, data=data, keep=True).values
    comparison = compare("onnxruntime", model.path, network, values)
    assert not comparison.wrong
    assert not comparison.reals
    compared = {each.name for each in comparison.differences}
    made = {name for node in network.graph.nodes if node.program for name in node.outputs}
    assert made <= compared
    assert all(each.allowed == 0 for each in comparison.differences)
    assert dict(comparison.oracle.options) == model.entry["reference_options"]
