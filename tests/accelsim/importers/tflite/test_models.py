"""Models that others made, against the outputs of TFLite's reference kernels (tests/models)."""

from pathlib import Path

import numpy as np
import pytest

from accelsim.arrays import read_npz
from accelsim.importers import load
from accelsim.importers.tflite.read import repaired
from tests.models.tflite_reference import FOLDER, TOLERANCE, checksum, ours, samples

FILES = sorted(FOLDER.glob("*.tflite"))
REALS = {"mlperf_resnet8_float"}
COUNTS = {  # of the MLPerf Tiny benchmark; the layers of its models multiplied by hand
    "mlperf_kws_int8": 2_656_768,
    "mlperf_vww96_int8": 7_489_664,
    "mlperf_resnet8_int8": 12_501_632,
    "mlperf_ad01_int8": 264_192,
}


def test_all_models_are_here():
    assert len(FILES) >= 9
    assert {path.stem for path in FILES} >= COUNTS.keys() | REALS


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_value_is_that_of_the_reference_kernels(path: Path):
    network = load(path)
    expected = read_npz(path.with_suffix(".npz"), "tensor")
    for number, feeds in enumerate(
        samples(FOLDER.parent, network)[: 1 if "detect" in path.stem else 3]
    ):
        made = ours(network, feeds)
        for place, name in enumerate(network.graph.outputs):
            values, wanted = made[name], expected[f"ref_{number}_{place}"]
            assert (values.dtype, values.shape) == (wanted.dtype, wanted.shape)
            if path.stem in REALS:
                assert np.abs(values - wanted).max() <= TOLERANCE * np.abs(wanted).max()
            else:
                assert np.array_equal(values, wanted), name
        if number == 0 and path.stem not in REALS:
            names = expected["tensors"].tolist()
            assert len(names) > 3
            found = {name: checksum(made[name]) for name in names}
            assert found == dict(zip(names, expected["checksums"].tolist(), strict=True))


@pytest.mark.parametrize(("stem", "macs"), COUNTS.items())
def test_multiply_accumulates_are_those_of_mlperf_tiny(stem, macs):
    assert load(FOLDER / f"{stem}.tflite").total_macs == macs


def test_reports_say_that_default_kernels_round_otherwise():
    (caveat,) = load(FOLDER / "mlperf_kws_int8.tflite").caveats
    assert "XNNPACK, round CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED in another way" in caveat
    assert load(FOLDER / "mlperf_resnet8_float.tflite").caveats == ()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_axes_that_vectors_have_not_are_repaired(path):
    data = path.read_bytes()
    wrong = [(a, b) for a, b in zip(data, repaired(data), strict=True) if a != b]
    assert wrong == ([(3, 0)] * 14 if path.stem == "tflm_person_detect_int8" else [])
