"""Every function on tensors of odd shapes, against ONNX's reference evaluator or onnxruntime."""

import math
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper
from onnx.reference import ReferenceEvaluator

from accelsim.graph.functions import FUNCTIONS
from accelsim.graph.types import Array

OPSET = onnx.defs.onnx_opset_version()
# What the evaluator lacks, or computes otherwise than ONNX's text says: onnxruntime is asked, which
# knows these of an older operator set.
RUNTIME = [
    "GatherElements",
    "GlobalLpPool",
    "GlobalMaxPool",
    "LRN",
    "LpNormalization",
    "MaxPool",
    "Pad",
    "Resize",
]
RUNTIME_OPSET = 21


class Random(NamedTuple):
    """Normal numbers, or integers of the whole type; `least` is taken where numbers are less."""

    shape: tuple[int, ...]
    dtype: str = "float32"
    least: float | None = None

    def draw(self, rng: np.random.Generator) -> Array:
        kind = np.dtype(self.dtype)
        if kind.kind == "b":
            return rng.integers(0, 2, self.shape).astype(bool)
        if kind.kind == "f":
            drawn = (2 * rng.normal(size=self.shape)).astype(kind)
        else:
            ends = (-50, 50) if kind.itemsize > 1 else (np.iinfo(kind).min, np.iinfo(kind).max)
            drawn = rng.integers(*ends, self.shape, kind, endpoint=True)
        return drawn if self.least is None else np.maximum(drawn, kind.type(self.least))


def ints(*values: int) -> Array:
    return np.array(values, np.int64)


def reals(*values: float) -> Array:
    return np.array(values, np.float32)


def one(value: float, dtype: str = "float32") -> Array:
    return np.array(value, dtype)


X4 = Random((2, 5, 7, 6))
X3 = Random((3, 4, 5))
X2 = Random((5, 7))
POSITIVE = Random((3, 4, 5), least=0.01)
ROW = Random((4, 1))
INT = Random((3, 4, 5), "int32")
BYTE = Random((3, 4, 5), "int8")
FLAGS = Random((3, 4, 5), "bool")
PER_CHANNEL = Random((5,))
BYTES = Random((2, 5, 7, 6), "int8")
SCALES = (one(0.06), one(-7, "int8"), one(0.021), one(-100, "int8"))

Case = tuple[str, tuple[Any, ...], dict[str, Any]]


def case(kind: str, *inputs: Any, **attributes: Any) -> Case:
    return kind, inputs, attributes


UNARY = [
    "Abs",
    "Acos",
    "Asin",
    "Atan",
    "Ceil",
    "Cos",
    "Cosh",
    "Erf",
    "Exp",
    "Floor",
    "HardSwish",
    "Identity",
    "Neg",
    "Relu",
    "Round",
    "Sigmoid",
    "Sign",
    "Sin",
    "Sinh",
    "Softplus",
    "Softsign",
    "Tan",
    "Tanh",
    "Mish",
    "Celu",
    "Elu",
    "Selu",
    "Gelu",
    "LeakyRelu",
    "HardSigmoid",
    "ThresholdedRelu",
    "Softmax",
    "LogSoftmax",
    "Hardmax",
    "IsInf",
    "IsNaN",
    "LpNormalization",
    "Swish",
]
BINARY = [
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Max",
    "Min",
    "Sum",
    "Mean",
    "Equal",
    "Less",
    "LessOrEqual",
    "Greater",
    "GreaterOrEqual",
]
REDUCTIONS = ["L1", "L2", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare"]
POOLS = (
    {"kernel_shape": [3, 2]},
    {"kernel_shape": [3, 3], "strides": [2, 1], "pads": [1, 0, 0, 1]},
    {"kernel_shape": [2, 2], "strides": [3, 3], "pads": [1, 1, 1, 1], "ceil_mode": 1},
    {"kernel_shape": [3, 2], "dilations": [2, 3]},
    {"kernel_shape": [2, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"},
    {"kernel_shape": [2, 2], "strides": [2, 2], "auto_pad": "SAME_LOWER"},
    {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "VALID"},
)
TRANSFORMATIONS = [
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "align_corners",
    "asymmetric",
]
ROUNDINGS = ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]

CASES: tuple[Case, ...] = (
    *(case(kind, X3) for kind in UNARY if kind not in ("Acos", "Asin")),
    *(case(kind, Random((3, 5), least=0)._replace(shape=(9,))) for kind in ("Abs", "Relu")),
    case("Acos", reals(-1, -0.3, 0, 0.7, 1)),
    case("Asin", reals(-1, -0.3, 0, 0.7, 1)),
    *(case(kind, POSITIVE) for kind in ("Log", "Sqrt", "Reciprocal")),
    *(case(kind, X3, ROW) for kind in BINARY),
    *(case(kind, BYTE, BYTE) for kind in ("Add", "Sub", "Mul", "Max", "Min")),
    case("Div", INT, Random((3, 1, 5), "int32", least=1)),
    case("Div", ints(7, -7, 7, -7, 0), ints(2, 2, -2, -2, 5)),
    case("Mod", INT, Random((5,), "int32", least=3)),
    case("Mod", X3, one(1.5), fmod=1),
    case("Mod", INT, one(-7, "int32"), fmod=1),
    case("Pow", POSITIVE, ROW),
    case("Pow", X3, one(3, "int64")),
    case("Pow", INT, one(2, "int32")),
    *(case(kind, FLAGS, Random((5,), "bool")) for kind in ("And", "Or", "Xor")),
    case("Not", FLAGS),
    case("Equal", INT, INT),
    case("BitShift", Random((7,), "uint8"), one(3, "uint8"), direction="LEFT"),
    case("BitShift", Random((7,), "uint8"), one(3, "uint8"), direction="RIGHT"),
    case("IsInf", reals(1, np.inf, -np.inf, np.nan), detect_negative=0),
    case("IsInf", reals(1, np.inf, -np.inf, np.nan), detect_positive=0),
    case("IsNaN", reals(1, np.inf, -np.inf, np.nan)),
    case("Where", FLAGS, X3, ROW),
    case("Clip", X3, one(-0.5), one(1)),
    case("Clip", X3, None, one(1)),
    case("Clip", BYTE, one(-3, "int8")),
    case("Max", X3, ROW, X3),
    case("Dropout", X3),
    case("Cast", X3, to="int32"),
    case("Cast", X3, to="bool"),
    case("Cast", INT, to="float32"),
    case("Cast", FLAGS, to="int64"),
    case("CastLike", X3, BYTE),
    case("LeakyRelu", X3, alpha=0.3),
    case("PRelu", X4, Random((5, 1, 1))),
    case("HardSigmoid", X3, alpha=1 / 6, beta=0.4),
    case("Elu", X3, alpha=1.5),
    case("Celu", X3, alpha=1.5),
    case("Gelu", X3, approximate="tanh"),
    *(
        case(kind, X3, axis=axis)
        for kind in ("Softmax", "LogSoftmax", "Hardmax")
        for axis in (0, 1)
    ),
    *(case(f"Reduce{kind}", X3, ints(1)) for kind in REDUCTIONS),
    *(case(f"Reduce{kind}", X3, ints(-1, 0), keepdims=0) for kind in REDUCTIONS),
    *(case(f"Reduce{kind}", X3, keepdims=0) for kind in REDUCTIONS),
    case("ReduceLogSum", POSITIVE, ints(0, 2)),
    case("ReduceSum", X3, ints(), noop_with_empty_axes=1),
    case("ReduceMax", Random((0, 3)), ints(0)),
    case("ReduceMin", Random((0, 3), "int32"), ints(0)),
    case("ReduceMax", FLAGS, ints(0)),
    case("ReduceSum", INT, ints(1)),
    *(
        case(kind, np.array([[3, 7, 7], [1, 1, 4]], np.float32), axis=1, select_last_index=last)
        for kind in ("ArgMax", "ArgMin")
        for last in (0, 1)
    ),
    case("ArgMax", X3, keepdims=0),
    case("CumSum", X3, one(1, "int64")),
    case("CumSum", X3, one(1, "int64"), exclusive=1, reverse=1),
    case("TopK", X3, ints(2)),
    case("TopK", np.array([[3, 7, 7, 3, 7]], np.float32), ints(4)),
    case("TopK", np.array([[3, 7, 7, 3, 7]], np.float32), ints(4), largest=0),
    *(case(kind, X4, **pool) for kind in ("MaxPool", "AveragePool", "LpPool") for pool in POOLS),
    *(case("AveragePool", X4, count_include_pad=1, **pool) for pool in POOLS[:6]),
    case("MaxPool", Random((2, 3, 7, 5), "uint8"), kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    case("MaxPool", Random((2, 3, 7, 5), "int8"), kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    case("MaxPool", Random((2, 3, 11)), kernel_shape=[3], strides=[2], pads=[0, 1]),
    case("AveragePool", Random((1, 2, 5, 4, 3)), kernel_shape=[2, 3, 2], pads=[1] * 6),
    case("LpPool", X4, kernel_shape=[2, 2], p=3),
    *(case(f"Global{kind}Pool", x) for kind in ("Average", "Max") for x in (X4, X3)),
    case("GlobalLpPool", X4, p=3),
    case("BatchNormalization", X4, *[Random((5,), least=0.1)] * 4, epsilon=1e-3),
    case("InstanceNormalization", X4, PER_CHANNEL, PER_CHANNEL),
    case("GroupNormalization", Random((2, 6, 5)), Random((6,)), Random((6,)), num_groups=3),
    case("LayerNormalization", X3, Random((5,)), Random((5,)), epsilon=1e-3),
    case("LayerNormalization", X3, Random((4, 5)), axis=1),
    case("RMSNormalization", X3, Random((4, 5)), axis=1),
    case("LRN", X4, size=3, alpha=0.1, beta=0.6, bias=2.0),
    case("LRN", X4, size=5),
    case("LpNormalization", X3, axis=1, p=1),
    case("MeanVarianceNormalization", X4),
    *(
        case(
            "Resize",
            Random((1, 2, 5, 4)),
            None,
            reals(1, 1, *scales),
            coordinate_transformation_mode=how,
            **mode,
        )
        for scales in ((2, 1.75), (0.8, 2.25))
        for how in TRANSFORMATIONS
        for mode in (
            *({"nearest_mode": rounding} for rounding in ROUNDINGS),
            {"mode": "linear"},
            {"mode": "cubic"},
            {"mode": "cubic", "exclude_outside": 1, "cubic_coeff_a": -0.5},
        )
    ),
    *(
        case("Resize", Random((1, 1, 9, 8)), None, None, ints(1, 1, 4, 5), mode=mode, antialias=1)
        for mode in ("linear", "cubic")
    ),
    *(
        case(
            "Resize",
            Random((9, 8)),
            None,
            None,
            ints(5, 7),
            axes=[1, 0],
            keep_aspect_ratio_policy=policy,
        )
        for policy in ("not_larger", "not_smaller")
    ),
    case(
        "Resize",
        Random((1, 1, 5, 6)),
        reals(0, 0, 0.3, -0.4, 1, 1, 0.9, 1.2),
        None,
        ints(1, 1, 4, 7),
        mode="linear",
        coordinate_transformation_mode="tf_crop_and_resize",
        extrapolation_value=9.0,
    ),
    *(
        case("Pad", X3, ints(0, 2, 1, 1, 0, 3), *value, mode=mode)
        for mode, *value in (("constant", one(2.5)), ("reflect",), ("edge",), ("wrap",))
    ),
    case("Pad", X3, ints(-1, 2), None, ints(1)),
    case("Pad", BYTE, ints(0, 2, 1, 1, 0, 3), one(-7, "int8")),
    case("Concat", X3, Random((3, 2, 5)), X3, axis=1),
    case("Concat", X3, X3, axis=-1),
    case("Split", Random((7, 5)), num_outputs=3),
    case("Split", X2, ints(1, 4, 2), axis=-1),
    case("Slice", X3, ints(0, -3), ints(2, 100), ints(0, -1)),
    case("Slice", X3, ints(-1, 2), ints(-(1 << 62), 0), ints(1, 2), ints(-2, -1)),
    case("Slice", X2, ints(1, 2), ints(5, 7)),
    case("Reshape", X3, ints(0, -1, 2, 2)),
    case("Reshape", Random((0, 3)), ints(3, 0), allowzero=1),
    *(case("Flatten", X3, axis=axis) for axis in (0, 1, 2, 3, -1)),
    case("Transpose", X4, perm=[0, 2, 3, 1]),
    case("Transpose", X3),
    case("Squeeze", Random((1, 3, 1, 2)), ints(2)),
    case("Squeeze", Random((1, 3, 1, 2))),
    case("Unsqueeze", X2, ints(0, -1)),
    case("Gather", X3, np.array([[0, -1], [2, 1]]), axis=1),
    case("Gather", ints(4, 5, 6), one(-1, "int64")),
    case("GatherElements", X2, np.array([[0, 4, 1], [2, 2, 3]]), axis=0),
    case("GatherElements", X2, np.array([[0, -1], [2, 6], [1, 1]]), axis=1),
    case("GatherND", X3, np.array([[0, 3], [2, -1]])),
    case("GatherND", X3, np.array([[[3]], [[0]], [[1]]]), batch_dims=1),
    case("ScatterElements", X2, np.array([[1, 0], [2, 3]]), Random((2, 2)), axis=1),
    case("ScatterElements", X2, np.array([[1, 1]]), Random((1, 2)), axis=1, reduction="add"),
    case("ScatterND", X3, np.array([[1, 3], [0, 0]]), Random((2, 5))),
    case("ScatterND", X3, np.array([[1], [1]]), Random((2, 4, 5)), reduction="max"),
    case("Expand", ROW, ints(3, 1, 5)),
    case("Expand", X3, ints(1)),
    case("Tile", X2, ints(2, 3)),
    *(case("DepthToSpace", Random((2, 12, 3, 2)), blocksize=2, mode=m) for m in ("DCR", "CRD")),
    case("SpaceToDepth", Random((2, 3, 6, 4)), blocksize=2),
    case("Shape", X4),
    case("Shape", X4, start=1, end=-1),
    case("Size", X4),
    case("ConstantOfShape", ints(2, 3), value=np.array([7], np.int32)),
    case("ConstantOfShape", ints(2, 3)),
    case("Range", one(3, "int64"), one(20, "int64"), one(4, "int64")),
    case("Range", one(3, "int64"), one(-4, "int64"), one(-2, "int64")),
    case("Range", one(0), one(1), one(0.3)),
    case("OneHot", ints(0, -1, 2), one(4, "int64"), reals(-1, 5)),
    case("OneHot", ints(0, -1, 2), one(4, "int64"), reals(-1, 5), axis=0),
    case("NonZero", Random((4, 5), "bool")),
    case("Trilu", X2, one(1, "int64")),
    case("Trilu", X2, upper=0),
    case("QuantizeLinear", X4, one(0.05), one(-3, "int8")),
    case("QuantizeLinear", X4, one(0.05)),
    case("QuantizeLinear", X4, np.linspace(0.01, 0.1, 5, dtype="f4"), np.arange(5, dtype="u1")),
    case("QuantizeLinear", X2, np.full((5, 4), 0.1, "f4"), np.ones((5, 4), "i1"), block_size=2),
    case("DequantizeLinear", BYTE, one(0.05), one(-3, "int8")),
    case("DequantizeLinear", INT, np.linspace(0.01, 0.1, 3, dtype="f4"), axis=0),
    *(
        case("QLinearAveragePool", BYTES, *SCALES, **pool, count_include_pad=whole)
        for pool in POOLS[:3]
        for whole in (0, 1)
    ),
    case("QLinearAveragePool", BYTES, *SCALES, kernel_shape=[2, 3], channels_last=1),
    *(case("QLinearSoftmax", BYTES, *SCALES, axis=axis, opset=13) for axis in (1, 3)),
    case("QLinearSoftmax", BYTES, *SCALES, axis=2, opset=12),
    case(
        "QLinearSoftmax",
        Random((2, 9), "uint8"),
        one(0.06),
        one(9, "uint8"),
        one(0.003),
        one(0, "uint8"),
        opset=13,
    ),
    case("DynamicQuantizeLinear", X4),
    case("DynamicQuantizeLinear", POSITIVE),
)


def expected(kind: str, inputs: tuple[Array | None, ...], attributes: dict[str, Any]) -> list[Any]:
    """What the reference makes of one node."""
    if "to" in attributes:
        number = helper.np_dtype_to_tensor_dtype(np.dtype(attributes["to"]))
        attributes = {**attributes, "to": number}
    if "value" in attributes:
        attributes = {**attributes, "value": onnx.numpy_helper.from_array(attributes["value"])}
    names = ["" if each is None else f"x{place}" for place, each in enumerate(inputs)]
    outputs = {"Split": 3, "TopK": 2, "Dropout": 2, "LayerNormalization": 3}
    made = [f"y{place}" for place in range(outputs.get(kind, 3 if "Dynamic" in kind else 1))]
    graph = helper.make_graph(
        [helper.make_node(kind, names, made, **attributes)],
        "probe",
        [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(each.dtype), None)
            for name, each in zip(names, inputs, strict=True)
            if each is not None
        ],
        [onnx.ValueInfoProto(name=name) for name in made],
    )
    given = {name: each for name, each in zip(names, inputs, strict=True) if each is not None}
    own = kind.startswith("QLinear")
    graph.node[0].domain = "com.microsoft" if own else ""
    opsets = [("", RUNTIME_OPSET if kind in RUNTIME else OPSET), ("com.microsoft", 1)]
    imports = [helper.make_opsetid(*each) for each in opsets]
    model = helper.make_model(graph, opset_imports=imports, ir_version=10)
    if own or kind in RUNTIME:
        session = onnxruntime.InferenceSession(model.SerializeToString())
        return list(session.run(None, given))
    results: list[Any] = ReferenceEvaluator(model).run(None, given)
    return results


@pytest.mark.parametrize("place", range(len(CASES)), ids=lambda place: f"{CASES[place][0]}-{place}")
def test_functions_are_those_of_onnx(place: int) -> None:
    kind, given, attributes = CASES[place]
    rng = np.random.default_rng(place)
    inputs = tuple(each.draw(rng) if isinstance(each, Random) else each for each in given)
    made = FUNCTIONS[kind](*inputs, **attributes)
    made = made if isinstance(made, tuple) else (made,)
    wanted = expected(kind, inputs, attributes)
    assert len(made) == len(wanted)
    for result, reference in zip(made, wanted, strict=True):
        reference = np.asarray(reference)
        assert result.shape == reference.shape
        assert result.dtype == reference.dtype
        if reference.dtype.kind == "f":
            np.testing.assert_allclose(result, reference, rtol=2e-5, atol=4e-6)
        else:
            assert np.array_equal(result, reference)


def test_what_is_no_number_becomes_the_least() -> None:
    """As onnxruntime has it; ONNX leaves it open."""
    x = reals(np.nan, np.inf, -np.inf, 0.3)
    made = FUNCTIONS["QuantizeLinear"](x, one(0.05), one(3, "int8"))
    assert made.tolist() == [-128, 127, -128, 9]


def test_every_function_has_a_case() -> None:
    theirs = {kind for kind in FUNCTIONS if not kind.startswith("tflite.")}
    others = {"AdaptiveAveragePool", "ChannelShuffle"}  # which ONNX has not
    assert {kind for kind, *_ in CASES} | others == theirs


@pytest.mark.parametrize("size", [(3, 3), (2, 5), (1, 1), (7, 4)])
def test_averages_of_parts_are_those_of_pytorch(size: tuple[int, int]) -> None:
    """Parts begin at a share rounded down and end at one rounded up; some overlap."""
    x = np.random.default_rng(0).normal(size=(2, 3, 5, 4)).astype(np.float32)
    made = FUNCTIONS["AdaptiveAveragePool"](x, size)
    assert made.shape == (2, 3, *size)
    assert made.dtype == x.dtype
    for n, c, i, j in np.ndindex(made.shape):
        rows = range(math.floor(i * 5 / size[0]), math.ceil((i + 1) * 5 / size[0]))
        columns = range(math.floor(j * 4 / size[1]), math.ceil((j + 1) * 4 / size[1]))
        part = [float(x[n, c, row, column]) for row in rows for column in columns]
        assert math.isclose(made[n, c, i, j], sum(part) / len(part), rel_tol=1e-5, abs_tol=1e-6)


def test_channels_are_shuffled() -> None:
    x = np.random.default_rng(0).normal(size=(2, 6, 3, 2)).astype(np.float32)
    made = FUNCTIONS["ChannelShuffle"](x, groups=2)
    for group in range(2):
        for place in range(3):
            assert np.array_equal(made[:, 2 * place + group], x[:, 3 * group + place])
