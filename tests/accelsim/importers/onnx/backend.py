"""ONNX's own backend tests: single operators and exports of PyTorch's layers, with their data."""

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import numpy_helper

from accelsim.errors import AccelsimError
from accelsim.graph.evaluate import evaluate
from accelsim.importers import load

DATA = Path(onnx.__file__).parent / "backend" / "test" / "data"
# Operators of which every input is computed; of others only the first is, the rest are constants.
ALL_COMPUTED = frozenset(
    (
        *("Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Mean", "Sum", "Where", "MatMul"),
        *("Concat", "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "And", "Or"),
        *("Xor", "Mod", "CastLike", "BitShift", "Gather", "GatherElements", "GatherND"),
    )
)


class Case(NamedTuple):
    """A model and one set of data.

    inputs, outputs : in the order of the graph; None where the model leaves one out.
    """

    name: str
    model: Any
    inputs: Sequence[Any]
    outputs: Sequence[Any]
    rtol: float
    atol: float


class Verdict(NamedTuple):
    """What became of a case: passed, refused or failed, and why."""

    name: str
    what: str
    why: str = ""


def of_operators() -> Iterator[Case]:
    """All cases of single operators."""
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # their data overflows on purpose
        cases = collect_testcases(None)
    for each in cases:
        for data in each.data_sets[:1]:
            inputs, outputs = ([_values(value) for value in side] for side in data)
            yield Case(each.name, each.model, inputs, outputs, each.rtol, each.atol)


def _values(value: Any) -> Any:
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def of_pytorch(folder: str = "pytorch-converted") -> Iterator[Case]:
    """All cases of a folder of files in the wheel."""
    for path in sorted((DATA / folder).iterdir()):
        model = onnx.load(path / "model.onnx")
        data = path / "test_data_set_0"
        yield Case(
            path.name,
            model,
            [_tensor(each) for each in sorted(data.glob("input_*.pb"), key=_number)],
            [_tensor(each) for each in sorted(data.glob("output_*.pb"), key=_number)],
            1e-3,
            1e-7,
        )


def _number(path: Path) -> int:
    return int(path.stem.partition("_")[2])


def _tensor(path: Path) -> np.ndarray:
    return numpy_helper.to_array(onnx.TensorProto.FromString(path.read_bytes()))


def run(case: Case, folder: Path) -> Verdict:
    """Import a case, execute it at golden, and compare."""
    model, given = _with_constants(case)
    path = folder / "case.onnx"
    path.write_bytes(model.SerializeToString())
    try:
        network = load(path)
        made = evaluate(network.graph, given)
    except AccelsimError as error:
        return Verdict(case.name, "refused", str(error).replace(f"{path}: ", ""))
    except Exception as error:
        return Verdict(case.name, "failed", f"{type(error).__name__}: {error}")
    for name, expected in zip(network.graph.outputs, case.outputs, strict=True):
        if difference := _difference(made[name], np.asarray(expected), case):
            return Verdict(case.name, "failed", f"{name}: {difference}")
    return Verdict(case.name, "passed")


def _with_constants(case: Case) -> tuple[Any, dict[str, np.ndarray]]:
    """The model with constants in place of weights, and the other inputs by name."""
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    graph = model.graph
    initializers = {each.name for each in graph.initializer}
    names = [each.name for each in graph.input if each.name not in initializers]
    computed = {name for node in graph.node for name in _computed(node)}
    given = {}
    for name, value in zip(names, case.inputs, strict=False):
        if name in computed or not isinstance(value, np.ndarray | np.generic):
            given[name] = value
        else:
            graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    return model, given


def _computed(node: Any) -> Sequence[str]:
    return node.input if node.op_type in ALL_COMPUTED else node.input[:1]


def _difference(made: np.ndarray, expected: np.ndarray, case: Case) -> str:
    """How a result differs; an empty text where it does not."""
    if made.shape != expected.shape or made.dtype != expected.dtype:
        return f"{made.dtype}{list(made.shape)} instead of {expected.dtype}{list(expected.shape)}"
    if expected.dtype.kind in "iub":
        return "" if np.array_equal(made, expected) else f"{made} instead of {expected}"
    close = np.isclose(made, expected, case.rtol, case.atol, equal_nan=True)
    return "" if close.all() else f"{np.abs(made - expected).max()} apart"
