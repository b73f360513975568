"""Weights that are stored sparse, against what a naive loop has stored."""

import numpy as np
import pytest

from accelsim.errors import FileError
from accelsim.graph.evaluate import evaluate
from accelsim.importers import load
from tests.models.tflite_builder import Op, Sparse, T, build


def stored(dense: np.ndarray) -> tuple[np.ndarray, Sparse]:
    """Rows of blocks of 2 x 1 values, of which those of zeros are left out."""
    rows, columns = dense.shape
    values, segments, indices = [], [0], []
    for row in range(0, rows, 2):
        for column in range(columns):
            if dense[row : row + 2, column].any():
                indices.append(column)
                values += dense[row : row + 2, column].tolist()
        segments.append(len(indices))
    levels = [rows // 2, (segments, indices), 2]
    return np.array(values, np.float16), Sparse([0, 1, 2], [0], levels)


def network(tmp_path, values: np.ndarray, sparse: Sparse):
    tensors = {
        "x": T((3, 5)),
        "stored": T((8, 5), "float16", values=values, sparse=sparse),
        "half": T((8, 5), "float16"),
        "w": T((8, 5)),
        "y": T((3, 8)),
    }
    operators = [
        Op("DENSIFY", ("stored",), ("half",)),
        Op("DEQUANTIZE", ("half",), ("w",)),
        Op("FULLY_CONNECTED", ("x", "w"), ("y",)),
    ]
    path = tmp_path / "net.tflite"
    path.write_bytes(build(tensors, operators))
    return load(path)


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_sparse_weights_are_those_that_were_stored(tmp_path, share):
    rng = np.random.default_rng(3)
    dense = rng.normal(size=(8, 5)).astype(np.float16) * (rng.random((8, 5)) < share)
    dense[0, 4] = 1
    made = network(tmp_path, *stored(dense))
    assert [node.kind for node in made.graph.nodes] == ["FULLY_CONNECTED"]
    x = rng.normal(size=(3, 5)).astype(np.float32)
    expected = x @ dense.astype(np.float32).T
    np.testing.assert_allclose(evaluate(made.graph, {"x": x})["y"], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "change",
    [
        {"order": [0, 1, 7]},
        {"blocks": [5]},
        {"levels": [4, ([0, 1, 1, 1], [4]), 2]},
        {"levels": [4, ([0, 1, 1, 1, 9], [4]), 2]},
        {"levels": [4, ([0, 1, 0, 1, 1], [4]), 2]},
        {"levels": [4, ([0, 1, 1, 1, 1], [9]), 2]},
        {"levels": [1 << 30, ([0, 1, 1, 1, 1], [4]), 2]},
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, change):
    dense = np.zeros((8, 5), np.float16)
    dense[0, 4] = 1
    values, sparse = stored(dense)
    with pytest.raises(FileError, match="is a damaged TFLite file"):
        network(tmp_path, values, sparse._replace(**change))
