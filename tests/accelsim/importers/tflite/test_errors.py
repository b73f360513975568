"""What is wrong with TFLite files is one sentence."""

import numpy as np
import pytest

from accelsim.errors import AccelsimError, FileError, NetworkError, ShapeError, UnsupportedError
from accelsim.graph.evaluate import evaluate
from accelsim.importers import load
from tests.models.tflite_builder import Op, T, build, constant
from tests.models.tflite_cases import cases, same
from tests.models.tflite_reference import FOLDER, drawn

X = T((1, 4, 4, 2), "int8", 0.1, 3)
Y = T((1, 4, 4, 3), "int8", 0.2, -5)
W = constant(np.ones((3, 1, 1, 2)), "int8", scale=0.1)
WIDE = constant(np.ones((3, 3, 3, 2)), "int8", scale=0.1)
STEPS = {"StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1}
CONV = Op("CONV_2D", ("x", "w"), ("y",), STEPS)
RELU = Op("RELU", ("x",), ("y",))


def conv(x=X, w=W, y=Y, **options) -> bytes:
    op = CONV._replace(options=STEPS | options)
    return build({"x": x, "w": w, "y": y}, [op])


def relu(x=X, y=X, **others) -> bytes:
    return build({"x": x, "y": y}, [RELU], **others)


def refused(tmp_path, data: bytes, kind: type[AccelsimError], said: str, sizes=None) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(data)
    with pytest.raises(kind, match=said) as caught:
        load(path, sizes=sizes)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is no TFLite file: its bytes 4 to 7 are not TFL3"),
        (b"PK\3\4 something else", "is no TFLite file"),
        (relu()[:200], "is a damaged TFLite file: it ends before what it refers to"),
        (relu(version=2), "has version 2 of the TFLite schema, not 3"),
        (build({"x": X, "y": X}, []), "has no operators"),
        (relu(inputs=()), "must have inputs, tensors of its graph"),
        (relu(outputs=()), "must have outputs, tensors of its graph"),
        (
            build({"x": X, "y": X, "z": X}, [RELU], outputs=("y", "z")),
            "output z is made by no operator",
        ),
        (relu(T((1,) * 9), T((1,) * 9)), "tensor x must have at most 8 axes, not 9"),
        (
            build({"x": X, "y": X}, [RELU, RELU]),
            "operator 1, RELU, makes tensor y, which is made before it",
        ),
        (
            conv(w=W._replace(shape=(3, 1, 1, 3))),
            r"tensor w of int8\[3, 1, 1, 3\] must have 9 bytes of values, not 6",
        ),
    ],
)
def test_files_that_are_none_or_damaged(tmp_path, data, said):
    refused(tmp_path, data, FileError, said)


def test_every_shorter_file_is_refused(tmp_path):
    data = conv()
    for end in range(len(data)):
        refused(tmp_path, data[:end], AccelsimError, "net.tflite")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (relu(T((1, -1, 4))), r"input x must have sizes of at least 1, not \[1, -1, 4\]"),
        (relu(T((1, 0))), "sizes of at least 1"),
        (relu(X, X._replace(dtype="float32")), r"y \(RELU\): it makes float32 of int8"),
        (relu(T((2,), "int16", 0.1)), "it makes int8 of int16"),
        (relu(X._replace(scale=None)), "tensor x must have one scale, not none"),
        (relu(X._replace(scale=[0.1, 0.2])), "tensor x must have one scale, not 2"),
        (relu(X._replace(scale=0.0)), "the scale of tensor x must be above 0"),
        (relu(X._replace(scale=-1.0)), "above 0, finite and no denormal float32, not -1.0"),
        (relu(X._replace(scale=np.inf)), "finite"),
        (relu(X._replace(scale=1e-40)), "denormal"),
        (relu(X._replace(zero=128)), "zero point of tensor x must be a whole number from -128"),
        (conv(T(X.shape)), "it makes int8 of float32, int8"),
        (conv(T(X.shape), y=T(Y.shape)), "it makes float32 of float32, int8; all float32"),
        (conv(w=W._replace(scale=None)), "tensor w must have a scale, not none"),
        (
            conv(w=W._replace(scale=[0.1, 0.2], axis=3)),
            "tensor w must have one scale, or 3 along axis 0, not 2 along axis 3",
        ),
        (conv(w=W._replace(scale=0.0)), "the scale of tensor w must be above 0"),
        (conv(StrideH=0), r"its stride must be at least 1, not \[0, 1\]"),
        (conv(Padding=2), "its padding must be SAME or VALID, not 2"),
        (conv(FusedActivationFunction=4), "its activation 4 is not one of RELU"),
        (conv(X._replace(shape=(1, 4, 8))), "its input x must have 4 axes, not 3"),
        (conv(X._replace(shape=(1, 4, 4, 5))), "does not divide 5 channels"),
        (conv(w=WIDE, DilationHFactor=1 << 30), "its padding of .* is more than 65536"),
        (
            build({"x": X, "z": X, "y": X}, [Op("RELU", ("z",), ("y",))]),
            "it reads z, which no operator before it makes",
        ),
        *(
            (
                build(
                    {"x": X, "n": constant([0, 0, 0, 0]), "y": X},
                    [Op("STRIDED_SLICE", ("x", "n", "n", "n"), ("y",), {said: 1})],
                ),
                "it has an ellipsis, a new axis or offsets",
            )
            for said in ("EllipsisMask", "NewAxisMask", "Offset")
        ),
        (
            build(
                {"x": T((2,), "bool"), "w": T((2,), "int32"), "y": T((2,), "bool")},
                [Op("LOGICAL_AND", ("x", "w"), ("y",))],
                ("x", "w"),
            ),
            "it takes what is not bool",
        ),
        (
            build({"x": T((2,)), "y": T((2,))}, [Op("LESS", ("x", "x"), ("y",))]),
            "it makes float32, not bool",
        ),
        (build({"x": X, "y": X}, [Op("ADD", ("x",), ("y",))]), "it has 1 inputs"),
        (build({"x": X, "y": X}, [Op("ADD", ("x", ""), ("y",))]), "it has no input 1"),
        (
            build({"x": X, "n": T((2,), "int32"), "y": X}, [Op("RESHAPE", ("x", "n"), ("y",))]),
            "it reads n, which no operator before it makes",
        ),
        (
            build(
                {"x": X, "n": constant([4]), "y": same(X, (4,))},
                [Op("RESHAPE", ("x", "n"), ("y",))],
            ),
            r"it makes \[4\] of \[1, 4, 4, 2\]",
        ),
    ],
)
def test_operators_that_cannot_be(tmp_path, data, said):
    refused(tmp_path, data, UnsupportedError, said)


def test_all_operators_that_are_not_supported_are_listed(tmp_path):
    tensors = {"x": T((1, 8)), "a": T((1, 8)), "b": T((1, 8)), "c": T((1, 8)), "y": T((1, 8))}
    operators = [
        Op("CUMSUM", ("x",), ("a",)),
        Op("RELU", ("a",), ("b",)),
        Op("CUSTOM Detect", ("b",), ("c",)),
        Op("ADD", ("c",), ("y",)),
    ]
    said = (
        r"has 3 operators that are not supported: a \(CUMSUM\): no operator that is known; "
        r"c \(CUSTOM Detect\): no operator that is known; y \(ADD\): it has 1 inputs$"
    )
    refused(tmp_path, build(tensors, operators), UnsupportedError, said)


def test_sizes_of_inputs(tmp_path):
    path = tmp_path / "net.tflite"
    path.write_bytes(conv(X._replace(shape=(1, -1, -1, 2))))
    assert load(path, sizes=(6, 5)).input == (2, 6, 5)
    assert load(path, sizes={"x": (1, 7, 8, 2)}).shape("y") == (3, 7, 8)
    refused(tmp_path, conv(), ShapeError, "input x must have 4 sizes", {"x": (1, 4)})
    refused(tmp_path, conv(), NetworkError, "has no input 'z'; its inputs are x", {"z": (1, 4)})


def mutants(count: int):
    """Damaged files: cut, a few bytes, bits or words changed."""
    words = (0, 1, 2, 3, 127, 255, 65535, 1 << 20, (1 << 31) - 1, 1 << 31, (1 << 32) - 1)
    small = [path.read_bytes() for path in FOLDER.glob("*.tflite") if path.stat().st_size < 80000]
    whole = [*cases().values(), *small * 10]
    for seed in range(count):
        rng = np.random.default_rng(seed)
        data = bytearray(whole[rng.integers(len(whole))])
        how = rng.integers(4)
        if how == 0:
            data = data[: rng.integers(len(data))]
        for _ in range(rng.integers(1, 4) if how else 0):
            place = int(rng.integers(len(data) - 4))
            if how == 1:
                data[place] = rng.integers(256)
            elif how == 2:
                data[place] ^= 1 << int(rng.integers(8))
            else:
                place &= ~3
                data[place : place + 4] = int(rng.choice(words)).to_bytes(4, "little")
        yield bytes(data)


@pytest.mark.parametrize("count", [100, pytest.param(2000, marks=pytest.mark.full)])
def test_damaged_files_run_or_are_refused(tmp_path, count):
    path, outcomes, sentences = tmp_path / "net.tflite", set(), []
    for data in mutants(count):
        path.write_bytes(data)
        try:
            network = load(path)
        except AccelsimError as error:
            outcomes.add(type(error))
            sentences.append(str(error))
            continue
        graph = network.graph
        values = sum(np.prod(kind.shape, dtype=float) for kind in graph.types.values())
        if network.total_macs < 1e7 and values < 1e6:
            with np.errstate(all="ignore"):
                assert evaluate(graph, drawn(network)).keys() == set(graph.outputs)
            outcomes.add(None)
    assert outcomes >= {None, FileError, UnsupportedError}
    assert not [each for each in sentences if str(path) not in each or "\n" in each]
