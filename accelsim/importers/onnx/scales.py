"""What the integers of tensors stand for: scales and zero points among the inputs of operators."""

from typing import NamedTuple

import numpy as np

from accelsim.errors import NetworkError
from accelsim.graph.types import Array, Quantisation
from accelsim.importers.onnx.model import CannotExecuteError, Model, Step
from accelsim.numerics.scales import Float32, Quantised, check_scales

EIGHT_BITS = ("int8", "uint8")


class Tensor(NamedTuple):
    """A tensor of integers as an operator reads or makes it: three names.

    name : of the integers.
    scale, zero_point : of the constants; "" where there is no zero point, which is 0 then.
    """

    name: str
    scale: str
    zero_point: str = ""


def per_tensor(model: Model, step: Step, tensor: Tensor) -> Quantised:
    """The type of a tensor of one scale; errors name the node and the tensor."""
    scale = scales(model, step, tensor)
    if scale.size != 1:
        raise CannotExecuteError(
            f"scale {tensor.scale!r} of {tensor.name!r} has {scale.size} values; only weights have "
            "several"
        )
    zeros = zero_points(model, step, tensor)
    return Quantised(float(scale.flat[0]), int(zeros.flat[0]), model.type(tensor.name).dtype)


def scales(model: Model, step: Step, tensor: Tensor) -> Float32:
    """The scales of a tensor, float32[n]; NetworkError where one is not allowed."""
    if tensor.scale not in model.constants:
        raise CannotExecuteError(f"scale {tensor.scale!r} of {tensor.name!r} is computed")
    dtype = model.type(tensor.scale).dtype
    if dtype != "float32":
        raise NetworkError(f"scale {tensor.scale!r} of {step} must be of float32, not of {dtype}")
    values = model.constants[tensor.scale].values.ravel()
    return check_scales(f"scale {tensor.scale!r} of {step}", values)


def are_scales(values: Array) -> bool:
    """Whether all are allowed as scales."""
    tiny = np.finfo(np.float32).tiny
    return values.dtype == np.float32 and bool(((values >= tiny) & np.isfinite(values)).all())


def zero_points(model: Model, step: Step, tensor: Tensor) -> Array:
    """The zero points of a tensor, [n] of its type."""
    dtype = model.type(tensor.name).dtype
    if dtype not in EIGHT_BITS:
        raise NetworkError(
            f"{tensor.name!r}, which {step} has as 8-bit integers, must be of int8 or uint8, not "
            f"of {dtype}"
        )
    if not tensor.zero_point:
        return np.zeros(1, dtype)
    said = model.type(tensor.zero_point).dtype
    if said != dtype:
        raise NetworkError(
            f"zero point {tensor.zero_point!r} of {step} must be of {dtype}, as {tensor.name!r} "
            f"is, not of {said}"
        )
    if tensor.zero_point not in model.constants:
        raise CannotExecuteError(f"zero point {tensor.zero_point!r} of {tensor.name!r} is computed")
    return model.constants[tensor.zero_point].values.ravel()


def note(model: Model, tensor: Tensor) -> None:
    """Put into the type of a tensor what its integers stand for."""
    kind = model.types[tensor.name]
    scale = model.constants[tensor.scale].values.reshape(())
    zero = model.constants[tensor.zero_point].values if tensor.zero_point else np.zeros(1)
    quantisation = Quantisation(scale, zero.astype(np.int32).reshape(()))
    model.types[tensor.name] = kind._replace(quantisation=quantisation)
