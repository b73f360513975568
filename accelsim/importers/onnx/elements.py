"""How many numbers the constants of a file have."""

from collections.abc import Iterable
from math import prod

from accelsim.graph.network import Elements
from accelsim.graph.types import Constant
from accelsim.importers.onnx.model import Model, Step

# Where operators read values rather than scales and zero points.
_VALUES = {
    "QuantizeLinear": (0,),
    "DequantizeLinear": (0,),
    "QLinearConv": (0, 3, 8),
    "QLinearMatMul": (0, 3),
    "ConvInteger": (0, 1),
    "MatMulInteger": (0, 1),
    "com.microsoft.QGemm": (0, 3, 6),
    "com.microsoft.QLinearAdd": (0, 3),
    "com.microsoft.QLinearMul": (0, 3),
}
_FIRST = "com.microsoft.QLinear"  # of the others of that name it is the first


def count_elements(model: Model, steps: Iterable[Step]) -> Elements:
    """Of all constants that steps read."""
    constants: dict[str, Constant] = dict(model.constants)
    read: set[str] = set()
    values: set[str] = set()
    for step in steps:
        value = step.attributes.get("value")
        if step.kind == "Constant" and isinstance(value, Constant):
            constants[step.outputs[0]] = value
        read |= set(step.inputs)
        values |= set(_values(step))

    def count(names: set[str]) -> int:
        return sum(prod(constants[name].type.shape) for name in names if name in constants)

    return Elements(count(values), count(read - values))


def _values(step: Step) -> Iterable[str]:
    if step.kind == "com.microsoft.QLinearConcat":
        return step.inputs[2::3]
    places = _VALUES.get(step.kind, (0,) if step.kind.startswith(_FIRST) else None)
    return step.inputs if places is None else (step.input(place) for place in places)
