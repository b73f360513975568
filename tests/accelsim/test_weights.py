"""Weights from seeds and files."""

import zipfile
from dataclasses import replace

import numpy as np
import pytest

from accelsim.errors import FileError
from accelsim.ir import Layer, Network
from accelsim.ops import Conv2d, Depthwise, GlobalPool, Linear, Pointwise
from accelsim.weights import load_weights, read_weights, seeded_input, seeded_weights

STEM = Layer("stem", Conv2d(4, (3, 3)), ("input",), norm=True)
A = Layer("a", Depthwise(kernels=((3, 3), (1, 5), (3, 3), (2, 2))), ("stem",))
B = Layer("b", Pointwise(6), ("stem",), bias=True)
POOL = Layer("pool", GlobalPool(), ("b",))
FC = Layer("fc", Linear(5), ("pool",), bias=True)
NETWORK = Network("n", (3, 8, 9), (STEM, A, B, POOL, FC))
ARRAYS = {
    "stem": np.ones((4, 3, 3, 3), np.int8),
    "a": np.ones(27, np.int8),
    "b": np.ones((6, 4, 1, 1), np.int8),
    "b.bias": np.ones(6, np.int32),
    "fc": np.ones((5, 6), np.int8),
    "fc.bias": np.ones(5, np.int32),
}


def test_seeded_shapes_and_types():
    weights = seeded_weights(NETWORK)
    assert {name: w.shape for name, w in weights.kernels.items()} == {
        name: array.shape for name, array in ARRAYS.items() if "bias" not in name
    }
    assert {name: b.shape for name, b in weights.biases.items()} == {
        "stem": (4,),
        "b": (6,),
        "fc": (5,),
    }
    assert all(w.dtype == np.int8 for w in weights.kernels.values())
    assert all(b.dtype == np.int32 for b in weights.biases.values())
    assert weights.kernel(POOL).size == 0
    assert weights.bias(POOL) is weights.bias(A) is None
    assert weights.bias(FC) is weights.biases["fc"]


def test_seeded_values_fill_their_range():
    network = Network("n", (3, 64, 64), (Layer("a", Linear(4096), ("input",), bias=True),))
    small = Network("n", (64, 1, 1), (Layer("a", Linear(4096), ("input",), bias=True),))
    weights = seeded_weights(small)
    for values in (weights.kernels["a"], seeded_input(network)):
        counts = np.bincount(values.ravel().astype(int) + 128, minlength=256)
        assert counts.min() > 0.5 * values.size / 256
        assert counts.max() < 1.6 * values.size / 256
    biases = weights.biases["a"]
    assert -4096 <= biases.min() < -4000
    assert 4000 < biases.max() <= 4095


def test_seeded_values_do_not_depend_on_the_order_or_the_other_layers():
    other = replace(NETWORK, layers=(STEM, B, A))
    first, second = seeded_weights(NETWORK, 3), seeded_weights(other, 3)
    for name, kernel in second.kernels.items():
        assert np.array_equal(kernel, first.kernels[name])
    assert np.array_equal(first.biases["b"], second.biases["b"])


def test_seeded_values_differ_between_seeds_and_names():
    first, second = seeded_weights(NETWORK, 0), seeded_weights(NETWORK, 1)
    assert not np.array_equal(first.kernels["stem"], second.kernels["stem"])
    assert not np.array_equal(seeded_input(NETWORK, 0), seeded_input(NETWORK, 1))
    twins = Network("n", (9, 1, 1), tuple(Layer(n, Linear(9), ("input",)) for n in "ab"))
    kernels = seeded_weights(twins).kernels
    assert not np.array_equal(kernels["a"], kernels["b"])


def test_seeded_values_are_the_same_everywhere():
    """SHA-256 and PCG64 of the stated seed, worked out step by step with public tools."""
    import hashlib

    key = hashlib.sha256(b"7 input (3, 8, 9)").digest()
    words = np.random.PCG64(int.from_bytes(key, "little")).random_raw(27)
    expected = [b - 256 * (b > 127) for word in words for b in int(word).to_bytes(8, "little")]
    assert seeded_input(NETWORK, 7).ravel().tolist() == expected


def test_the_hash_sees_every_value_and_name():
    weights = seeded_weights(NETWORK)
    assert weights.sha256() == seeded_weights(NETWORK).sha256()
    assert len(weights.sha256()) == 64
    kernel = weights.kernels["b"].copy()
    kernel[-1, -1] += 1
    changed = replace(weights, kernels={**weights.kernels, "b": kernel})
    renamed = dict(weights.kernels)
    renamed["c"] = renamed.pop("b")
    reshaped = {**weights.kernels, "fc": weights.kernels["fc"].reshape(6, 5)}
    biased = replace(weights, biases={**weights.biases, "b": weights.biases["b"] + 1})
    hashes = {
        w.sha256()
        for w in (
            weights,
            changed,
            biased,
            replace(weights, kernels=renamed),
            replace(weights, kernels=reshaped),
        )
    }
    assert len(hashes) == 5


def test_the_hash_does_not_depend_on_the_order():
    weights = seeded_weights(NETWORK)
    turned = replace(weights, kernels=dict(reversed(list(weights.kernels.items()))))
    assert turned.sha256() == weights.sha256()


def test_a_file_gives_the_arrays(tmp_path):
    path = tmp_path / "w.npz"
    np.savez(path, **ARRAYS)
    weights = load_weights(replace(NETWORK, weights_file=str(path)))
    for name, array in ARRAYS.items():
        given = weights.biases[name[:-5]] if name.endswith(".bias") else weights.kernels[name]
        assert np.array_equal(given, array)
    assert "stem" not in weights.biases  # a folded batch norm need not add anything
    np.savez(path, **ARRAYS, **{"stem.bias": np.arange(4, dtype=np.int32)})
    assert read_weights(NETWORK, path).biases["stem"].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"b": None}, r"array b is missing; it must be int8 \[6, 4, 1, 1\]"),
        ({"fc.bias": None}, r"array fc.bias is missing; it must be int32 \[5\]"),
        ({"fc": np.ones((6, 5), np.int8)}, r"fc must be int8 \[5, 6\], not int8 \[6, 5\]"),
        ({"fc": np.ones((5, 6))}, r"fc must be int8 \[5, 6\], not float64 \[5, 6\]"),
        ({"b.bias": np.ones(6, np.int8)}, r"b.bias must be int32 \[6\], not int8 \[6\]"),
        ({"pool": np.ones(1, np.int8)}, "array pool belongs to no layer of n with weights"),
        ({"a.bias": np.ones(4, np.int32)}, r"array a\.bias belongs to no layer"),
        ({"a": np.array([None])}, "is not an .npz file of plain arrays"),
    ],
    ids=str,
)
def test_a_wrong_file_is_refused(tmp_path, change, message):
    path = tmp_path / "w.npz"
    arrays = {name: a for name, a in {**ARRAYS, **change}.items() if a is not None}
    np.savez(path, **arrays)
    with pytest.raises(FileError, match=rf"w\.npz.*{message}"):
        read_weights(NETWORK, path)


def test_what_is_no_npz_is_refused(tmp_path):
    path = tmp_path / "w.npz"
    with pytest.raises(FileError, match=r"w\.npz cannot be read: No such file or directory"):
        read_weights(NETWORK, path)
    path.write_bytes(b"")
    with pytest.raises(FileError, match=r"w\.npz is not an \.npz file"):
        read_weights(NETWORK, path)
    path.write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(FileError, match=r"w\.npz is not an \.npz file"):
        read_weights(NETWORK, path)
    np.savez_compressed(path, **ARRAYS)
    broken = bytearray(path.read_bytes())
    broken[60:90] = bytes(30)
    path.write_bytes(broken)
    with pytest.raises(FileError, match=r"w\.npz is not an \.npz file"):
        read_weights(NETWORK, path)
    np.save(tmp_path / "w.npy", np.ones(3))
    (tmp_path / "w.npy").rename(path)
    with pytest.raises(FileError, match=r"w\.npz is not an \.npz file of arrays by layer name"):
        read_weights(NETWORK, path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("fc", "text")
    with pytest.raises(
        FileError, match=r"w\.npz is not an \.npz file of arrays: fc is not an array"
    ):
        read_weights(NETWORK, path)
    with pytest.raises(FileError, match="cannot be read: Is a directory"):
        read_weights(NETWORK, tmp_path)
