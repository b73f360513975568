"""Inputs of a graph: types whose every dimension is a number."""

from collections.abc import Iterable, Mapping
from math import prod
from pathlib import Path
from typing import Any

import onnx

from accelsim.checks import suggestion
from accelsim.errors import NetworkError, UnsupportedError
from accelsim.graph.network import MOST_COLOURS
from accelsim.graph.types import TensorType
from accelsim.importers.onnx.model import MOST_VALUES, TYPES
from accelsim.tensors import MOST_SIDE

Size = tuple[int, int]
Sizes = Size | Mapping[str, tuple[int, ...]] | None

_NAMES: dict[int, str] = {int(number): name for name, number in onnx.TensorProto.DataType.items()}


def resolve(path: Path, values: list[Any], sizes: Sizes) -> dict[str, TensorType]:
    """Types of inputs, by name; NetworkError where a dimension is left open that must be given.

    sizes : height and width of the image, or shapes by name; None where the file says them.
    """
    _check_sizes(path, [each.name for each in values], sizes)
    batch = _of_batches(values)
    several = len(values) > 1
    return {
        each.name: _input(
            path, each, None if several and not _has_size(each, sizes) else sizes, batch
        )
        for each in values
    }


def _of_batches(values: Iterable[Any]) -> set[str]:
    """Names of dimensions that are the number of images, wherever they stand."""
    names = set()
    for value in values:
        for place, dim in enumerate(value.type.tensor_type.shape.dim):
            if dim.dim_param and (place == 0 or "batch" in dim.dim_param.lower()):
                names.add(dim.dim_param)
    return names


def dtype_of(path: Path, name: str, number: int) -> str:
    """NumPy's name of a type of ONNX."""
    if number not in TYPES:
        called = _NAMES.get(number, str(number)).lower()
        raise UnsupportedError(
            f"{path}: tensor {name!r} is of type {called}; those of {', '.join(TYPES.values())} "
            "can be read"
        )
    return TYPES[number]


def _has_size(value: Any, sizes: Sizes) -> bool:
    """Whether sizes can be meant for this input among several: an image, or of unknown size."""
    dims = value.type.tensor_type.shape.dim
    named = isinstance(sizes, Mapping)
    return named or len(dims) == 4 or any(each.dim_value <= 0 for each in dims[1:])


def _check_sizes(path: Path, names: list[str], sizes: Sizes) -> None:
    """NetworkError where sizes are given for an input that there is not."""
    for name in sizes if isinstance(sizes, Mapping) else ():
        if name not in names:
            raise NetworkError(
                f"{path} has no input {name!r}; its inputs are {', '.join(names)}"
                f"{suggestion(names, name)}"
            )


def _input(path: Path, value: Any, sizes: Sizes, batch: set[str]) -> TensorType:
    """The type of an input of the graph, every dimension a number."""
    name = value.name
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        raise UnsupportedError(f"{path}: input {name!r} is no tensor, but of type {kind}")
    tensor = value.type.tensor_type
    dtype = dtype_of(path, name, tensor.elem_type)
    if isinstance(sizes, Mapping) and name in sizes:
        shape = tuple(sizes[name])
    else:
        if not tensor.HasField("shape"):
            raise NetworkError(f"{path}: input {name!r} has no shape; export the model with one")
        dims = [_dimension(each, batch) for each in tensor.shape.dim]
        shown = [each.dim_value or each.dim_param or "?" for each in tensor.shape.dim]
        shape = _resolve(path, name, dims, shown, None if isinstance(sizes, Mapping) else sizes)
    if not all(0 < each <= MOST_VALUES for each in shape) or prod(shape) > MOST_VALUES:
        raise NetworkError(f"{path}: input {name!r} cannot have the shape {list(shape)}")
    return TensorType(shape, dtype)


def _dimension(dim: Any, batch: set[str]) -> int | None:
    """Its number, None where it is left open; that of the images is 1 then."""
    if dim.dim_param in batch and dim.dim_param:
        return 1
    return dim.dim_value if dim.dim_value > 0 else None


def _resolve(
    path: Path, name: str, dims: list[int | None], shown: list[Any], size: Size | None
) -> tuple[int, ...]:
    """Numbers for dimensions of which some may be unknown.

    The first is the batch, 1 where it is unknown. Height and width are the last two of four or
    three, or those before the channels where these stand last: the one of the two places with at
    most four, where there is one. A vector or a sequence has a height of 1.
    """
    free = [place for place, dim in enumerate(dims) if dim is None and place > 0]
    if dims and dims[0] is None:
        dims = [1, *dims[1:]]
    if size is None:
        if free:
            raise NetworkError(
                f"{path}: input {name!r} has the shape [{', '.join(map(str, shown))}]; its height "
                f"and width must be given, for instance --input {_example(dims)}"
            )
        return tuple(dim or 1 for dim in dims)
    height, width = size
    places = _image_places(dims)
    sized = dict(zip(places, (height, width)[-len(places) :], strict=True))
    if len(places) == 1 and height != 1:
        raise NetworkError(
            f"{path}: input {name!r} has the shape [{', '.join(map(str, shown))}], which is one "
            f"row; its size is written as --input 1x{width}, not {height}x{width}"
        )
    if left := [place for place in free if place not in sized]:
        raise NetworkError(
            f"{path}: dimension {left[0]} of input {name!r}, [{', '.join(map(str, shown))}], is "
            "neither batch, height nor width; load it in Python with sizes={input: shape}, or "
            "export the model with a number there"
        )
    return tuple(sized.get(place, dim or 1) for place, dim in enumerate(dims))


def _image_places(dims: list[int | None]) -> tuple[int, ...]:
    """Where height and width stand, or the width alone."""
    if len(dims) == 4:
        rows_and_columns = all(each is None or each > MOST_COLOURS for each in dims[1:3])
        last = (dims[3] or MOST_SIDE) <= MOST_COLOURS and rows_and_columns
        return (1, 2) if last else (2, 3)
    return (len(dims) - 1,)


def _example(dims: list[int | None]) -> str:
    """A size as users write it."""
    return "224x224" if len(dims) == 4 else "1x1000"
