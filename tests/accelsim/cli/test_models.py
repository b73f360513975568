"""Every command takes files of models as it takes networks by name."""

import json

import pytest

from tests.models import FOLDER, manifest

ONNX = next(model.path for model in manifest() if model.name == "orig_tfl_mlperf_kws_int8")
TFLITE = FOLDER / "tflite" / "mlperf_kws_int8.tflite"
LAYER = "functional_1/dense/BiasAdd"
MACS = 2_656_768


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["explain", TFLITE, "--layer", LAYER], "768 dense multiply-accumulates"),
        (["csynth", ONNX, "--layer", f"{LAYER}_prequant"], "768 multiplies"),
        (["compare", ONNX, "--hardware", "tiny", "--hardware", "edge"], "(edge, assumed)"),
        (["study", TFLITE], "FuSe half"),
        (["run", ONNX, "--variant", "fuse_half"], "4 concat"),
        (
            ["run", TFLITE, "--timing", "scalesim", "--dataflow", "os", "--array", "8x8"],
            "SCALE-Sim",
        ),
        (["run", ONNX, TFLITE, "--array", "8x8,16x16"], f"{MACS:,}"),
    ],
)
def test_tables(command, says, accelsim):
    outcome = accelsim(*command)
    assert (outcome.status, outcome.err) == (0, "")
    assert says in outcome.out


def test_files(accelsim, tmp_path):
    """What one command writes, another reads."""
    sweep = tmp_path / "sweep.toml"
    sweep.write_text(f'networks = ["{ONNX}", "{TFLITE}"]\n[array]\nsize = ["8x8", "16x16"]\n')
    made = {
        "film.png": ["film", TFLITE, "--layer", LAYER, "--array", "4x4"],
        "trace.json": ["trace", ONNX, "--hardware", "tiny"],
        "points": ["sweep", sweep],
        "rtl": ["rtl", "--array", "2x2", "--layer", f"{TFLITE}:{LAYER}"],
    }
    for name, command in made.items():
        assert accelsim(*command, "-o", tmp_path / name).status == 0, name
        assert (tmp_path / name).exists()
    result = tmp_path / "result.json"
    accelsim("run", ONNX, "--hardware", "tiny", "--fidelity", "golden", "--json", result)
    assert json.loads(result.read_text())["total_macs"] == MACS
    assert all(each["exact"] for each in json.loads(result.read_text())["certificates"])
    assert accelsim("report", result, "-o", tmp_path / "page.html").status == 0
    assert "conv2d_1/Conv2D1" in (tmp_path / "page.html").read_text()


def test_a_variant_of_a_file_has_no_values(accelsim):
    outcome = accelsim("run", ONNX, "--variant", "fuse_half", "--compare", "onnxruntime")
    assert outcome.status == 2
    assert "a variant of a network from a file has costs only" in outcome.err
