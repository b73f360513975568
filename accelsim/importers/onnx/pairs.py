"""Conversions between integers and reals in a model, and what is known of their tensors."""

from collections.abc import Iterable
from typing import NamedTuple

from accelsim.importers.onnx.model import Model, Step, derived
from accelsim.importers.onnx.scales import EIGHT_BITS, Tensor, are_scales
from accelsim.numerics.scales import Quantised

Q, DQ = "QuantizeLinear", "DequantizeLinear"


class Real(NamedTuple):
    """A tensor of reals of which the integers are known.

    tensor : the integers.
    axis : along which scales lie, where there are several.
    """

    tensor: Tensor
    axis: int


class Pairs:
    """A model with QuantizeLinear and DequantizeLinear, and what is known of its tensors.

    makers, readers : by tensor the step that makes it, and those that read it.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self._index()

    def _index(self) -> None:
        self.makers = {name: step for step in self.model.steps for name in step.outputs if name}
        self.readers: dict[str, list[Step]] = {}
        for step in self.model.steps:
            for name in dict.fromkeys(step.inputs):
                self.readers.setdefault(name, []).append(step)

    def put(self, steps: Iterable[Step]) -> None:
        """Other steps; those that nobody reads are left out."""
        wanted = set(self.model.outputs)
        kept = []
        for step in reversed(list(steps)):
            if wanted.intersection(step.outputs):
                kept.append(step)
                wanted |= set(step.inputs)
        self.model.steps = kept[::-1]
        self._index()

    def only_reader(self, name: str) -> Step | None:
        """The one step that reads a tensor, if there is one and the tensor is no output."""
        readers = self.readers.get(name, [])
        return readers[0] if len(readers) == 1 and name not in self.model.outputs else None

    def real(self, name: str) -> Real | None:
        """The integers of a tensor of reals, if they are known."""
        step = self.makers.get(name) or self.model.computed.get(name)
        if step is None:
            return None
        if step.kind == "Transpose" and name in self.model.constants:
            return self._transposed(step)
        if step.kind != DQ or step.attributes.get("block_size"):
            return None
        return Real(read_by(step), step.attributes.get("axis", 1))

    def _transposed(self, step: Step) -> Real | None:
        """The integers of a transposed constant of reals."""
        real = self.real(step.inputs[0])
        if real is None or real.tensor.name not in self.model.constants:
            return None
        constant = self.model.constants[real.tensor.name]
        shape = constant.type.shape
        order = step.attributes.get("perm", tuple(range(len(shape)))[::-1])
        moved = derived(
            tuple(shape[axis] for axis in order),
            constant.type.dtype,
            lambda x: x.transpose(order),
            constant,
        )
        name = self.model.add(f"{real.tensor.name}.transposed", moved)
        axis = order.index(real.axis % len(shape)) if len(shape) > 1 else 0
        return Real(real.tensor._replace(name=name), axis)

    def single(self, name: str) -> Tensor | None:
        """The 8-bit integers of a tensor of reals, if they have one constant scale."""
        real = self.real(name)
        return real.tensor if real is not None and self.is_plain(real.tensor) else None

    def is_plain(self, tensor: Tensor) -> bool:
        """Whether integers are of 8 bits and have one constant scale."""
        known = self.model.constants
        if tensor.scale not in known or (tensor.zero_point and tensor.zero_point not in known):
            return False
        scales = known[tensor.scale].values
        return scales.size == 1 and are_scales(scales) and self.dtype(tensor) in EIGHT_BITS

    def dtype(self, tensor: Tensor) -> str:
        """Of the integers of a tensor."""
        return self.model.type(tensor.name).dtype

    def result(self, step: Step | None) -> Tensor | None:
        """What a QuantizeLinear makes, if it is of 8 bits and of one constant scale."""
        if step is None or step.kind != Q:
            return None
        tensor = made_by(step)
        return tensor if self.is_plain(tensor) else None

    def kind(self, tensor: Tensor) -> Quantised:
        """The type of integers of one scale."""
        constants = self.model.constants
        zero = constants[tensor.zero_point].values.ravel()[0] if tensor.zero_point else 0
        scale = constants[tensor.scale].values.ravel()[0]
        return Quantised(float(scale), int(zero), self.dtype(tensor))


def made_by(step: Step) -> Tensor:
    """What a QuantizeLinear makes."""
    return Tensor(step.outputs[0], step.input(1), step.input(2))


def read_by(step: Step) -> Tensor:
    """What a DequantizeLinear reads."""
    return Tensor(*(step.input(place) for place in range(3)))
