"""Whether nodes can be executed, as far as their operators and attributes say."""

from collections.abc import Collection

import onnx

from accelsim.graph.functions import FUNCTIONS
from accelsim.importers.onnx.model import MICROSOFT, STANDARD, Step

_SEVERAL = {"DynamicQuantizeLinear": 3, "LayerNormalization": 3, "TopK": 2, "Dropout": 2}
_REASONS = {
    "Loop": "loops are not supported",
    "Scan": "loops are not supported",
    "LSTM": "recurrent layers are not supported",
    "GRU": "recurrent layers are not supported",
    "RNN": "recurrent layers are not supported",
}


def why_unknown(step: Step, executable: Collection[str]) -> str:
    """Why an operator can never be executed; an empty text where it can.

    executable : operators that can be executed besides those of FUNCTIONS.
    """
    if step.kind in FUNCTIONS or step.kind in (*executable, "Constant", "If", "Upsample"):
        return ""
    domain = step.kind.rpartition(".")[0]
    if domain not in (STANDARD, MICROSOFT):
        return f"the domain {domain} is unknown"
    return _REASONS.get(step.kind, "the operator is not supported")


def why_not(step: Step, executable: Collection[str]) -> str:
    """Why a node cannot be executed as it is; an empty text where it can."""
    if step.kind == "If":
        return "its condition is computed"
    if reason := why_unknown(step, executable):
        return reason
    if any(isinstance(each, onnx.GraphProto) for each in step.attributes.values()):
        return "it has a graph of its own"
    made = sum(map(bool, step.outputs))
    if step.kind != "Split" and made > _SEVERAL.get(step.kind, 1):
        return f"its output {step.outputs[1]!r} is not supported"
    return ""
