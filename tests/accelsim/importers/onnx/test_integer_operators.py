"""Operators on 8-bit integers, one in a graph, against onnxruntime at random scales."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from accelsim.errors import AccelsimError
from accelsim.graph.evaluate import evaluate
from accelsim.importers import load
from tests.accelsim.importers.onnx.runtime import session

MICROSOFT = "com.microsoft"
# Products of u8 and s8 would saturate in pairs on processors without VNNI; those of s8 alone would
# not, and have no kernels with this option.
OPTIONS = {("uint8", "int8"): {"session.x64quantprecision": "1"}}


class Map(NamedTuple):
    """A tensor that goes in."""

    shape: tuple[int, ...]
    dtype: str = ""  # "" for that of the case


class Const(NamedTuple):
    """A constant of random integers, or the values themselves."""

    shape: tuple[int, ...] = ()
    dtype: str = ""
    values: Any = None


class Scale(NamedTuple):
    """One or several scales, about as large as `size`."""

    count: int = 0
    size: float = 0.02


class Zero(NamedTuple):
    """One or several zero points, of the type of activations or of weights."""

    count: int = 0
    of_weights: bool = False


X, Y, W = (Scale(), Zero()), (Scale(), Zero()), (Scale(), Zero(0, True))
TINY = Scale(size=0.0005)
WEIGHTS = "weights"  # their type


def _map(*shape: int) -> Map:
    return Map(shape)


def _weights(*shape: int) -> Const:
    return Const(shape, WEIGHTS)


def _bias(count: int) -> Const:
    return Const((count,), "int32")


Case = tuple[str, tuple[Any, ...], dict[str, Any]]


def case(kind: str, *inputs: Any, **attributes: Any) -> Case:
    flat = [part for each in inputs for part in (each if type(each) is tuple else (each,))]
    return kind, tuple(flat), attributes


CASES: tuple[Case, ...] = (
    case("QLinearConv", _map(1, 3, 7, 6), X, _weights(4, 3, 3, 3), W, Y, _bias(4)),
    case(
        "QLinearConv",
        _map(2, 4, 9, 8),
        X,
        _weights(6, 2, 3, 2),
        (Scale(6), Zero(6, True)),
        Y,
        group=2,
        strides=[2, 1],
        pads=[1, 0, 2, 1],
        dilations=[1, 2],
    ),
    case(
        "QLinearConv",
        _map(1, 5, 8, 7),
        X,
        _weights(10, 1, 3, 3),
        (Scale(10), Zero(10, True)),
        Y,
        _bias(10),
        group=5,
        auto_pad="SAME_UPPER",
        strides=[2, 2],
    ),
    case("QLinearConv", _map(1, 5, 13), X, _weights(3, 5, 4), W, Y, _bias(3), pads=[1, 2]),
    case("QLinearMatMul", _map(5, 7), X, _weights(7, 4), (Scale(4), Zero(4, True)), Y),
    case("QLinearMatMul", _map(1, 2, 5, 7), X, _weights(7, 3), W, Y),
    case("QLinearMatMul", _map(1, 3, 5, 7), X, _map(1, 3, 7, 4), X, Y),
    case("QLinearMatMul", _map(5, 7), X, _map(7, 4), X, Y),
    case("QLinearMatMul", Const((6, 7)), X, _map(7, 4), X, Y),
    case("com.microsoft.QGemm", _map(3, 7), X, _weights(4, 7), W, _bias(4), Y, transB=1),
    case(
        "com.microsoft.QGemm",
        _map(1, 7),
        X,
        _weights(7, 4),
        (Scale(4), Zero(4, True)),
        None,
        Y,
        alpha=0.7,
    ),
    case("com.microsoft.QGemm", _map(2, 7), X, _weights(7, 4), W, _bias(4)),
    case("ConvInteger", _map(1, 3, 7, 6), _weights(4, 3, 3, 3), Zero(), W[1], pads=[1] * 4),
    case("ConvInteger", _map(1, 3, 7, 6), _weights(4, 3, 3, 3)),
    case("MatMulInteger", _map(5, 7), _weights(7, 4), Zero(), Zero(4, True)),
    case("MatMulInteger", _map(2, 5, 7), _weights(7, 4), Zero()),
    *(
        case(f"com.microsoft.QLinear{kind}", a, X, b, X, Y)
        for kind in ("Add", "Mul")
        for a, b in (
            (_map(1, 5, 4, 3), _map(1, 5, 4, 3)),
            (_map(1, 5, 4, 3), _map(1, 5, 1, 1)),
            (_map(1, 5, 1, 1), _map(1, 5, 4, 3)),
            (_map(1, 5, 4, 3), Const((3,))),
            (Const(), _map(1, 5, 4, 3)),
            (_map(1, 5, 1, 3), _map(1, 1, 4, 1)),
        )
    ),
    case("com.microsoft.QLinearConcat", Y, _map(1, 2, 5), X, _map(1, 3, 5), X, axis=1),
    case("com.microsoft.QLinearConcat", Y, _map(1, 2, 5), X, Const((1, 2, 3)), X, axis=-1),
    *(
        case("com.microsoft.QLinearGlobalAveragePool", _map(*shape), X, Y, channels_last=last)
        for shape, last in (((2, 5, 4, 3), 0), ((1, 4, 3, 5), 1), ((1, 5, 9), 0))
    ),
    case(
        "com.microsoft.QLinearAveragePool",
        _map(1, 3, 7, 6),
        X,
        X,
        kernel_shape=[3, 2],
        strides=[2, 1],
        pads=[1, 0, 1, 1],
    ),
    case("com.microsoft.QLinearAveragePool", _map(1, 3, 7, 6), X, Y, kernel_shape=[7, 6]),
    case("com.microsoft.QLinearAveragePool", _map(1, 3, 9), X, Y, kernel_shape=[2], strides=[2]),
    case("com.microsoft.QLinearSigmoid", _map(2, 200), X, (TINY, Zero())),
    case("com.microsoft.QLinearLeakyRelu", _map(2, 200), X, Y, alpha=0.13),
    case("com.microsoft.QLinearSoftmax", _map(3, 40), X, (TINY, Zero()), axis=-1, opset=13),
    case("com.microsoft.QLinearSoftmax", _map(1, 4, 3, 2), X, (TINY, Zero()), axis=1, opset=12),
)
TYPES = (("uint8", "uint8"), ("int8", "int8"), ("uint8", "int8"))
ROUNDS = 60  # of other scales and values, in the full range


class Probe:
    """A model of one node, and what goes in."""

    def __init__(self, case: Case, types: tuple[str, str], seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.types = types
        kind, inputs, attributes = case
        self.constants: dict[str, Any] = {}
        self.given: dict[str, Any] = {}
        names = [self._name(f"x{place}", each) for place, each in enumerate(inputs)]
        domain, _, operator = kind.rpartition(".")
        self.node = helper.make_node(operator, names, ["y"], "probe", domain=domain, **attributes)

    def _name(self, name: str, what: Any) -> str:
        activations, weights = self.types
        rng = self.rng
        match what:
            case None:
                return ""
            case Map(shape, dtype):
                self.given[name] = self._integers(shape, dtype or activations)
            case Const(shape, dtype, values):
                kind = weights if dtype == WEIGHTS else dtype or activations
                self.constants[name] = self._integers(shape, kind) if values is None else values
            case Scale(count, size):
                drawn = size * 2 ** rng.uniform(-1, 1, count or ())
                self.constants[name] = np.asarray(drawn, np.float32)
            case Zero(count, of_weights):
                kind = weights if of_weights else activations
                self.constants[name] = self._integers((count,) if count else (), kind)
        return name

    def _integers(self, shape: tuple[int, ...], dtype: str) -> Any:
        ends = np.iinfo(dtype)
        low, high = (-2000, 2000) if dtype == "int32" else (ends.min, ends.max)
        return self.rng.integers(low, high, shape, dtype, endpoint=True)

    def save(self, path: Path) -> Path:
        inputs = [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(each.dtype), each.shape
            )
            for name, each in self.given.items()
        ]
        constants = [
            numpy_helper.from_array(np.asarray(each), name) for name, each in self.constants.items()
        ]
        outputs = [onnx.ValueInfoProto(name="y")]
        graph = helper.make_graph([self.node], "probe", inputs, outputs, constants)
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid(MICROSOFT, 1)]
        onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
        return path


@pytest.mark.parametrize("types", TYPES, ids="-".join)
@pytest.mark.parametrize("place", range(len(CASES)), ids=lambda place: f"{CASES[place][0]}-{place}")
def test_one_operator(place: int, types: tuple[str, str], tmp_path: Path) -> None:
    _compare(place, types, place, tmp_path)


@pytest.mark.full
@pytest.mark.parametrize("place", range(len(CASES)), ids=lambda place: f"{CASES[place][0]}-{place}")
def test_one_operator_often(place: int, tmp_path: Path) -> None:
    for seed in range(ROUNDS):
        for types in TYPES:
            _compare(place, types, 1000 + seed, tmp_path)


def _compare(place: int, types: tuple[str, str], seed: int, folder: Path) -> None:
    probe = Probe(CASES[place], types, seed)
    path = probe.save(folder / "probe.onnx")
    (expected,) = session(str(path), OPTIONS.get(types)).run(None, probe.given)
    made = evaluate(load(path).graph, probe.given)["y"]
    assert made.dtype == expected.dtype
    assert np.array_equal(made, expected)


CONV = CASES[0]
BAD: tuple[tuple[int, Any, str], ...] = (
    (1, np.float32(0), "scale 'x1' of node probe (QLinearConv) must be above 0"),
    (1, np.float32(-0.1), "scale 'x1' of node probe (QLinearConv) must be above 0"),
    (4, np.float32(np.nan), "scale 'x4' of node probe (QLinearConv) must be above 0"),
    (6, np.float32(np.inf), "scale 'x6' of node probe (QLinearConv) must be above 0"),
    (6, np.float32(1e-40), "scale 'x6' of node probe (QLinearConv) must be above 0"),
    (4, np.float32([0.1, 0.2]), "scale 'x4' of node probe (QLinearConv) must have 1 or 4 values"),
    (1, np.float32([0.1, 0.2]), "probe (QLinearConv: scale 'x1' of 'x0' has 2 values"),
    (2, np.int8(3), "zero point 'x2' of node probe (QLinearConv) must be of uint8"),
    (5, np.int8(3), "zero point 'x5' of node probe (QLinearConv) must be of uint8"),
    (5, np.uint8([3, 4]), "zero point 'x5' of node probe (QLinearConv) must have 1 or 4 values"),
    (8, np.int32([1, 2]), "probe (QLinearConv: bias 'x8' has 2 values for 4 channels"),
)


def _without(case: Case, place: int) -> Case:
    kind, inputs, attributes = case
    return kind, (*inputs[:place], None, *inputs[place + 1 :]), attributes


ADD = next(each for each in CASES if each[0].endswith("QLinearAdd"))
CONCAT = next(each for each in CASES if each[0].endswith("QLinearConcat"))


@pytest.mark.parametrize(
    ("case", "message"),
    [
        (_without(CONV, 1), "node probe (QLinearConv) lacks its input 2"),
        (_without(ADD, 3), "node probe (com.microsoft.QLinearAdd) lacks its input 4"),
        (_without(CONCAT, 6), "node probe (com.microsoft.QLinearConcat) lacks its input 7"),
        ((*CONCAT[:2], {}), "axis of node probe (com.microsoft.QLinearConcat) must be a whole"),
        (
            (*ADD[:2], {"broadcast": 1}),
            "node probe (com.microsoft.QLinearAdd) cannot have the attribute broadcast",
        ),
    ],
)
def test_what_is_missing(case: Case, message: str, tmp_path: Path) -> None:
    path = Probe(case, ("uint8", "uint8"), 0).save(tmp_path / "probe.onnx")
    with pytest.raises(AccelsimError) as error:
        load(path)
    assert message in str(error.value)


@pytest.mark.parametrize(("place", "value", "message"), BAD)
def test_bad_constants(place: int, value: Any, message: str, tmp_path: Path) -> None:
    probe = Probe(CONV, ("uint8", "uint8"), 0)
    assert f"x{place}" in probe.constants
    probe.constants[f"x{place}"] = value
    path = probe.save(tmp_path / "probe.onnx")
    with pytest.raises(AccelsimError) as error:
        load(path)
    assert message in str(error.value)
    assert str(error.value).startswith(str(path))
