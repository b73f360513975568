"""ONNX's own backend tests: what is imported and executed, what is refused, and that none fails."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.accelsim.importers.onnx.backend import Case, Verdict, of_operators, of_pytorch, run

# Cases of single operators in onnx 1.23, those of types that we read; later versions have more.
PASSED = {
    "Conv": 6,
    "ConvTranspose": 10,
    "Gemm": 11,
    "MatMul": 7,
    "BatchNormalization": 2,
    "Relu": 1,
    "Clip": 12,
    "LeakyRelu": 3,
    "PRelu": 2,
    "Sigmoid": 2,
    "HardSigmoid": 3,
    "HardSwish": 1,
    "Mish": 1,
    "Gelu": 4,
    "Tanh": 2,
    "Softmax": 7,
    "Add": 8,
    "Mul": 9,
    "Sub": 9,
    "Div": 10,
    "Pow": 12,
    "Sqrt": 2,
    "Erf": 1,
    "Min": 14,
    "Max": 14,
    "MaxPool": 17,
    "AveragePool": 20,
    "GlobalAveragePool": 2,
    "ReduceMean": 8,
    "LayerNormalization": 19,
    "InstanceNormalization": 2,
    "Resize": 39,
    "Upsample": 1,
    "Pad": 6,
    "Concat": 12,
    "Split": 14,
    "Slice": 7,
    "Reshape": 9,
    "Flatten": 9,
    "Transpose": 7,
    "Squeeze": 2,
    "Unsqueeze": 7,
    "Gather": 4,
    "Shape": 10,
    "Cast": 6,
    "Identity": 1,
    "Dropout": 6,
    "DepthToSpace": 2,
    "SpaceToDepth": 4,
    "ArgMax": 16,
}
# Of these operators, what is refused, and why.
REFUSED = {
    "of_training": (
        "test_batchnorm_example_training_mode",
        "test_batchnorm_epsilon_training_mode",
        "test_training_dropout_default",
        "test_training_dropout_default_mask",
        "test_training_dropout",
        "test_training_dropout_mask",
        "test_training_dropout_zero_ratio",
        "test_training_dropout_zero_ratio_mask",
    ),
    "with_indices": (
        "test_maxpool_with_argmax_2d_precomputed_pads",
        "test_maxpool_with_argmax_2d_precomputed_strides",
    ),
    "in_three_dimensions": ("test_convtranspose_3d",),
    "without_values": (
        "test_reshape_allowzero_reordered",
        "test_shape_start_greater_than_end",
        "test_slice_start_out_of_bounds",
        "test_split_zero_size_splits_opset13",
        "test_split_zero_size_splits_opset18",
    ),
    "no_tensors": ("test_identity_sequence", "test_identity_opt"),
}
OTHER_TYPES = (" is of type ", "tensor of type ", "must be of float32, not of float16")


def _verdicts(cases: Iterable[Case], folder: Path) -> list[tuple[str, Verdict]]:
    """With the operator of the first node."""
    return [(case.model.graph.node[0].op_type, run(case, folder)) for case in cases]


def _table(verdicts: list[tuple[str, Verdict]]) -> str:
    """Shown by pytest -rP, and where something fails."""
    return "\n".join(f"{each.what:8}{kind:24}{each.name}  {each.why}" for kind, each in verdicts)


@pytest.mark.parametrize(
    ("folder", "passed", "refused"), [("pytorch-converted", 74, 8), ("pytorch-operator", 35, 0)]
)
def test_exports_of_pytorch(folder: str, passed: int, refused: int, tmp_path: Path) -> None:
    verdicts = _verdicts(of_pytorch(folder), tmp_path)
    print(_table(verdicts))
    assert Counter(each.what for _, each in verdicts) == Counter(passed=passed, refused=refused)
    why = " ".join(each.why for _, each in verdicts if each.what == "refused")
    assert why.count("it has 3 dimensions") + why.count("at most 65536 a side") == refused


@pytest.mark.full
def test_operators(tmp_path: Path) -> None:
    verdicts = _verdicts(of_operators(), tmp_path)
    print(_table(verdicts))
    assert [each for _, each in verdicts if each.what == "failed"] == []
    whole = [(kind, each) for kind, each in verdicts if "expanded" not in each.name]
    passed = Counter(kind for kind, each in whole if each.what == "passed")
    assert {kind: passed[kind] for kind in PASSED if passed[kind] < PASSED[kind]} == {}
    known = {name for names in REFUSED.values() for name in names}
    others = [
        each
        for kind, each in whole
        if kind in PASSED and each.what == "refused" and each.name not in known
    ]
    assert [each for each in others if not any(text in each.why for text in OTHER_TYPES)] == []
