"""ONNX files: what they hold as a Model, sizes of the inputs resolved.

Values of constants stay in the message, or in files beside it, until somebody asks for them.
"""

from collections.abc import Callable, Iterable
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import numpy_helper

from accelsim.errors import FileError, NetworkError, UnsupportedError
from accelsim.files import read_bytes
from accelsim.graph.types import Array, Constant, TensorType
from accelsim.importers.onnx.inputs import Sizes, dtype_of, resolve
from accelsim.importers.onnx.model import MOST_VALUES, STANDARD, Model, Step
from accelsim.importers.onnx.order import in_order
from accelsim.phrases import counted

MOST_BYTES = (1 << 31) - 1  # that a message of protobuf has
LEAST_OPSET, MOST_OPSET = 6, onnx.defs.onnx_opset_version()
MOST_DEPTH = 16  # of graphs in graphs
_PROTO = onnx.TensorProto
# Where the values of a type stand that are not raw; bool and float16 share int32_data.
_FIELDS = {
    _PROTO.FLOAT: "float_data",
    _PROTO.DOUBLE: "double_data",
    _PROTO.INT64: "int64_data",
    _PROTO.UINT32: "uint64_data",
    _PROTO.UINT64: "uint64_data",
}


def read(path: Path, sizes: Sizes, check: Callable[[list[Step]], None]) -> Model:
    """What a file says of what leads to its outputs; errors are sentences that name the file.

    check : is shown the steps before sizes are asked for, and raises where they are of no use.
    """
    message = _parse(path)
    graph = message.graph
    if not graph.node:
        raise FileError(f"{path} has a graph without nodes")
    if message.functions:
        raise UnsupportedError(
            f"{path} defines functions of its own ({message.functions[0].name}); inline them with "
            "onnx.inliner.inline_local_functions"
        )
    _check_texts(path, graph)
    constants = initializers(path, graph)
    given = [each for each in graph.input if each.name not in constants]
    if not given:
        raise NetworkError(f"{path} has a graph without inputs that are no initializers")
    if not graph.output:
        raise NetworkError(f"{path} has a graph without outputs")
    versions = _versions(path, message)
    names = {each.name for each in given} | {*constants}
    outputs = tuple(each.name for each in graph.output)
    ordered = in_order(steps(path, graph.node, {*names}), names, outputs)
    check(ordered)
    inputs = resolve(path, given, sizes)
    return Model(path, versions, inputs, outputs, ordered, constants, dict(inputs))


def initializers(path: Path, graph: Any) -> dict[str, Constant]:
    """The constants of a graph by name."""
    if graph.sparse_initializer:
        raise UnsupportedError(
            f"{path} has sparse initializers ({graph.sparse_initializer[0].values.name}); "
            "only dense ones can be read"
        )
    return {each.name: constant(path, each.name, each) for each in graph.initializer}


def _parse(path: Path) -> Any:
    """The message of a file; FileError where it is none."""
    data = read_bytes(path, MOST_BYTES)
    if not data:
        raise FileError(f"{path} is empty, and no ONNX model")
    try:
        message = onnx.ModelProto.FromString(data)
    except (DecodeError, RecursionError):
        raise FileError(f"{path} is no ONNX model, or it is truncated") from None
    if not message.HasField("graph"):
        raise FileError(f"{path} is no ONNX model, or it is truncated: it has no graph")
    return message


def _check_texts(path: Path, graph: Any) -> None:
    """FileError where a name is no text: protobuf gives bytes then."""
    for value in (*graph.input, *graph.output, *graph.initializer):
        _check_text(path, value.name)
    for node in graph.node:
        for name in (node.name, node.op_type, node.domain, *node.input, *node.output):
            _check_text(path, name)
        for attribute in node.attribute:
            _check_text(path, attribute.name)
            for inner in (attribute.g, *attribute.graphs):
                _check_texts(path, inner)


def _check_text(path: Path, name: Any) -> None:
    if not isinstance(name, str):
        raise FileError(f"{path} has the name {name!r}, which is no text of UTF-8")


def _versions(path: Path, message: Any) -> dict[str, int]:
    """Versions of the operator sets by domain; ai.onnx is another name of the standard one."""
    versions = {
        STANDARD if each.domain == "ai.onnx" else each.domain: each.version
        for each in message.opset_import
    }
    version = versions.setdefault(STANDARD, 1 if message.ir_version < 3 else 0)
    if not LEAST_OPSET <= version <= MOST_OPSET:
        says = f"is of ONNX's operator set {version}" if version else "names no operator set"
        raise UnsupportedError(
            f"{path} {says}, and those from {LEAST_OPSET} to {MOST_OPSET} are supported"
        )
    return versions


def steps(path: Path, nodes: Iterable[Any], taken: set[str]) -> list[Step]:
    """Nodes as Steps with names of their own, none of which is among `taken`."""
    made = []
    for node in nodes:
        domain = "" if node.domain in ("", "ai.onnx") else f"{node.domain}."
        outputs = tuple(node.output)
        wanted = node.name or next(filter(None, outputs), node.op_type)
        step = Step(
            name=_unique(wanted, taken),
            kind=domain + node.op_type,
            inputs=tuple(node.input),
            outputs=outputs,
            proto=node,
        )
        made.append(step.with_attributes(**_attributes(path, step)))
    return made


def _unique(name: str, taken: set[str]) -> str:
    """The name, or with a number behind it where it is taken; it is taken from then on."""
    unique, number = name, 1
    while unique in taken:
        number += 1
        unique = f"{name}.{number}"
    taken.add(unique)
    return unique


def _attributes(path: Path, step: Step) -> dict[str, Any]:
    """Attributes of a node: numbers, texts, tuples of them, Constants, and graphs as they are."""
    attributes = {}
    for each in step.proto.attribute:
        if each.type not in onnx.AttributeProto.AttributeType.values() or not each.type:
            raise FileError(f"{path}: attribute {each.name!r} of {step} is of no type")
        if each.ref_attr_name:
            raise UnsupportedError(
                f"{path}: attribute {each.name!r} of {step} refers to that of a function"
            )
        value = onnx.helper.get_attribute_value(each)
        if isinstance(value, bytes):
            value = value.decode(errors="replace")
        elif isinstance(value, onnx.TensorProto):
            value = constant(path, f"{each.name} of {step}", value)
        elif not isinstance(value, int | float | onnx.GraphProto):
            value = tuple(value) if hasattr(value, "__iter__") else value
        attributes[each.name] = value
    return attributes


def constant(path: Path, name: str, tensor: Any) -> Constant:
    """A tensor of the file, read when it is asked for; errors name it."""
    shape = tuple(tensor.dims)
    if min(shape, default=1) < 0 or prod(shape) > MOST_VALUES:
        raise FileError(f"{path}: tensor {name!r} cannot have the shape {list(shape)}")
    dtype = dtype_of(path, name, tensor.data_type)
    wanted = prod(shape) * np.dtype(dtype).itemsize
    if tensor.data_location == _PROTO.EXTERNAL:
        read = _external(path, name, tensor, wanted)
        return Constant(TensorType(shape, dtype), lambda: read().view(dtype).reshape(shape))
    if tensor.HasField("raw_data"):
        held, unit = len(tensor.raw_data), "byte"
    else:
        held = len(getattr(tensor, _FIELDS.get(tensor.data_type, "int32_data")))
        wanted, unit = prod(shape), "value"
    if held != wanted:
        raise FileError(
            f"{path}: tensor {name!r} of {list(shape)} {dtype} has {counted(held, unit)} "
            f"instead of {wanted:,}"
        )
    return Constant(TensorType(shape, dtype), partial(_to_array, tensor))


def _to_array(tensor: Any) -> Array:
    values: Array = np.array(numpy_helper.to_array(tensor))
    return values


def _external(path: Path, name: str, tensor: Any, wanted: int) -> partial[Array]:
    """What reads the bytes of a tensor that stands in a file beside the model, which must exist."""
    entries = {each.key: each.value for each in tensor.external_data}
    place = entries.get("location", "")
    try:
        file = (path.parent / place).resolve()
        inside = bool(place) and file.is_relative_to(path.parent.resolve())
        offset, size = int(entries.get("offset", 0)), file.stat().st_size if inside else 0
        length = int(entries.get("length", wanted))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it says so in no valid way"
        raise FileError(f"{path}: tensor {name!r} is to be read from {place!r}: {reason}") from None
    if not inside:
        raise FileError(
            f"{path}: tensor {name!r} is to be read from {place!r}, which is no file beside it"
        )
    if length != wanted or offset < 0 or offset + wanted > size:
        raise FileError(
            f"{path}: tensor {name!r} needs {wanted:,} bytes from {offset:,} on of {file.name}, "
            f"which has {size:,}, and is said to have {length:,}"
        )
    return partial(np.fromfile, file, np.uint8, wanted, "", offset)
