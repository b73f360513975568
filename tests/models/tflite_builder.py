"""TFLite files made for tests: tables of the schema by the builders of the package tflite."""

from typing import Any, NamedTuple

import flatbuffers
import numpy as np
import tflite

from accelsim.importers.tflite.read import OPTIONS

VERSIONS = {"BROADCAST_TO": 2}  # the least that TFLite knows, where it is not 1
KINDS = {
    "float16": "FLOAT16",
    "float32": "FLOAT32",
    "int8": "INT8",
    "uint8": "UINT8",
    "int16": "INT16",
    "int32": "INT32",
    "int64": "INT64",
    "bool": "BOOL",
}


class Sparse(NamedTuple):
    """How values are stored: a level is its size, or segments and indices."""

    order: list[int]
    blocks: list[int]
    levels: list[int | tuple[list[int], list[int]]]


class T(NamedTuple):
    """A tensor; `values` make it a constant, `scale` may be an array of those along `axis`."""

    shape: tuple[int, ...]
    dtype: str = "float32"
    scale: Any = None
    zero: Any = 0
    axis: int = 0
    values: np.ndarray | None = None
    sparse: Sparse | None = None


class Op(NamedTuple):
    """An operator: tensors by their names, "" for one that is left out."""

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    options: dict[str, Any] = {}  # noqa: RUF012  (nobody changes it)


def constant(values: Any, dtype: str = "int32", **quantisation: Any) -> T:
    array = np.asarray(values, dtype)
    return T(array.shape, dtype, values=array, **quantisation)


def build(
    tensors: dict[str, T],
    operators: list[Op],
    inputs: tuple[str, ...] = ("x",),
    outputs: tuple[str, ...] = ("y",),
    version: int = 3,
) -> bytes:
    """The bytes of a file."""
    b = flatbuffers.Builder(1024)
    places = {name: place for place, name in enumerate(tensors)}
    buffers = [np.empty(0, np.uint8)]
    made = []
    for name, tensor in tensors.items():
        buffer = 0
        if tensor.values is not None:
            buffer = len(buffers)
            buffers.append(np.ascontiguousarray(tensor.values).reshape(-1).view(np.uint8))
        made.append(_tensor(b, name, tensor, buffer))
    kinds = list(dict.fromkeys(operator.kind for operator in operators))
    ops = [_operator(b, operator, kinds, places) for operator in operators]
    ins, outs = (_places(b, names, places) for names in (inputs, outputs))
    tables, nodes = _tables(b, made), _tables(b, ops)
    tflite.SubGraphStart(b)
    tflite.SubGraphAddTensors(b, tables)
    tflite.SubGraphAddInputs(b, ins)
    tflite.SubGraphAddOutputs(b, outs)
    tflite.SubGraphAddOperators(b, nodes)
    graph = tflite.SubGraphEnd(b)
    codes = _tables(b, [_code(b, kind) for kind in kinds])
    data = [_buffer(b, each) for each in buffers]
    held, graphs = _tables(b, data), _tables(b, [graph])
    tflite.ModelStart(b)
    tflite.ModelAddVersion(b, version)
    tflite.ModelAddOperatorCodes(b, codes)
    tflite.ModelAddSubgraphs(b, graphs)
    tflite.ModelAddBuffers(b, held)
    b.Finish(tflite.ModelEnd(b), b"TFL3")
    return bytes(b.Output())


def _tables(b: flatbuffers.Builder, made: list[int]) -> int:
    b.StartVector(4, len(made), 4)
    for each in reversed(made):
        b.PrependUOffsetTRelative(each)
    return b.EndVector()


def _places(b: flatbuffers.Builder, names: tuple[str, ...], places: dict[str, int]) -> int:
    numbers = [places[name] if name else -1 for name in names]
    return b.CreateNumpyVector(np.array(numbers, np.int32))


def _buffer(b: flatbuffers.Builder, data: np.ndarray) -> int:
    vector = None
    if data.size:
        b.StartVector(1, data.size, 16)
        b.head -= data.size
        b.Bytes[b.head : b.head + data.size] = data.tobytes()
        vector = b.EndVector()
    tflite.BufferStart(b)
    if vector is not None:
        tflite.BufferAddData(b, vector)
    return tflite.BufferEnd(b)


def _code(b: flatbuffers.Builder, kind: str) -> int:
    custom = kind.startswith("CUSTOM ")
    name = b.CreateString(kind.removeprefix("CUSTOM ")) if custom else None
    number = getattr(tflite.BuiltinOperator, "CUSTOM" if custom else kind)
    tflite.OperatorCodeStart(b)
    tflite.OperatorCodeAddDeprecatedBuiltinCode(b, min(number, 127))
    tflite.OperatorCodeAddBuiltinCode(b, number)
    tflite.OperatorCodeAddVersion(b, VERSIONS.get(kind, 1))
    if name is not None:
        tflite.OperatorCodeAddCustomCode(b, name)
    return tflite.OperatorCodeEnd(b)


def _tensor(b: flatbuffers.Builder, name: str, tensor: T, buffer: int) -> int:
    quantisation = None
    if tensor.scale is not None:
        scales = np.atleast_1d(np.asarray(tensor.scale, np.float32))
        zeros = np.broadcast_to(np.asarray(tensor.zero, np.int64), scales.shape)
        scale, zero = b.CreateNumpyVector(scales), b.CreateNumpyVector(zeros.copy())
        tflite.QuantizationParametersStart(b)
        tflite.QuantizationParametersAddScale(b, scale)
        tflite.QuantizationParametersAddZeroPoint(b, zero)
        tflite.QuantizationParametersAddQuantizedDimension(b, tensor.axis)
        quantisation = tflite.QuantizationParametersEnd(b)
    sparsity = None if tensor.sparse is None else _sparsity(b, tensor.sparse)
    text = b.CreateString(name)
    shape = b.CreateNumpyVector(np.array(tensor.shape, np.int32))
    tflite.TensorStart(b)
    tflite.TensorAddShape(b, shape)
    tflite.TensorAddType(b, getattr(tflite.TensorType, KINDS[tensor.dtype]))
    tflite.TensorAddBuffer(b, buffer)
    tflite.TensorAddName(b, text)
    if quantisation is not None:
        tflite.TensorAddQuantization(b, quantisation)
    if sparsity is not None:
        tflite.TensorAddSparsity(b, sparsity)
    return tflite.TensorEnd(b)


def _sparsity(b: flatbuffers.Builder, sparse: Sparse) -> int:
    levels = []
    for level in sparse.levels:
        lists = () if isinstance(level, int) else tuple(_vector(b, each) for each in level)
        tflite.DimensionMetadataStart(b)
        tflite.DimensionMetadataAddFormat(b, int(bool(lists)))
        if lists:
            tflite.DimensionMetadataAddArraySegmentsType(b, tflite.SparseIndexVector.Int32Vector)
            tflite.DimensionMetadataAddArraySegments(b, lists[0])
            tflite.DimensionMetadataAddArrayIndicesType(b, tflite.SparseIndexVector.Int32Vector)
            tflite.DimensionMetadataAddArrayIndices(b, lists[1])
        else:
            tflite.DimensionMetadataAddDenseSize(b, level)
        levels.append(tflite.DimensionMetadataEnd(b))
    order, blocks = (
        b.CreateNumpyVector(np.array(each, np.int32)) for each in (sparse.order, sparse.blocks)
    )
    metadata = _tables(b, levels)
    tflite.SparsityParametersStart(b)
    tflite.SparsityParametersAddTraversalOrder(b, order)
    tflite.SparsityParametersAddBlockMap(b, blocks)
    tflite.SparsityParametersAddDimMetadata(b, metadata)
    return tflite.SparsityParametersEnd(b)


def _vector(b: flatbuffers.Builder, values: list[int]) -> int:
    numbers = b.CreateNumpyVector(np.array(values, np.int32))
    tflite.Int32VectorStart(b)
    tflite.Int32VectorAddValues(b, numbers)
    return tflite.Int32VectorEnd(b)


def _operator(b: flatbuffers.Builder, op: Op, kinds: list[str], places: dict[str, int]) -> int:
    ins, outs = _places(b, op.inputs, places), _places(b, op.outputs, places)
    name, _ = OPTIONS.get(op.kind, ("", ()))
    options = None
    if name:
        vectors = {
            field: b.CreateNumpyVector(np.array(value, np.int32))
            for field, value in op.options.items()
            if isinstance(value, list)
        }
        getattr(tflite, f"{name}Start")(b)
        for field, value in op.options.items():
            getattr(tflite, f"{name}Add{field}")(b, vectors.get(field, value))
        options = getattr(tflite, f"{name}End")(b)
    tflite.OperatorStart(b)
    tflite.OperatorAddOpcodeIndex(b, kinds.index(op.kind))
    tflite.OperatorAddInputs(b, ins)
    tflite.OperatorAddOutputs(b, outs)
    if options is not None:
        tflite.OperatorAddBuiltinOptionsType(b, getattr(tflite.BuiltinOptions, name))
        tflite.OperatorAddBuiltinOptions(b, options)
    return tflite.OperatorEnd(b)
