"""What a TFLite file says: tensors and operators of its main subgraph, as plain records.

Files are FlatBuffers (schema 3 of TensorFlow Lite), which the package `tflite` reads without
verifying them: whatever a damaged file makes it raise is one FileError here.
"""

import struct
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from accelsim.errors import FileError
from accelsim.graph.types import Array, Quantisation
from accelsim.importers.tflite import sparse

IDENTIFIER = b"TFL3"  # of the file format, at its fourth byte
VERSION = 3
MOST_AXES = 8
MOST_VALUES = 1 << 28  # of a tensor
DTYPES = {  # by the names of the schema; INT4 is stored in halves of bytes
    "FLOAT32": "float32",
    "FLOAT16": "float16",
    "FLOAT64": "float64",
    "INT4": "int8",
    "INT8": "int8",
    "UINT8": "uint8",
    "INT16": "int16",
    "UINT16": "uint16",
    "INT32": "int32",
    "UINT32": "uint32",
    "INT64": "int64",
    "UINT64": "uint64",
    "BOOL": "bool",
}
_SIZES = "StrideH", "StrideW", "FusedActivationFunction", "Padding"
_DILATION = "DilationHFactor", "DilationWFactor"
_ACTIVATION = ("FusedActivationFunction",)
_RESIZE = "AlignCorners", "HalfPixelCenters"
_POOL = "Pool2DOptions", (*_SIZES, "FilterHeight", "FilterWidth")
_REDUCE = "ReducerOptions", ("KeepDims",)
OPTIONS = {  # of an operator: the table of the schema, and what is read of it
    "ADD": ("AddOptions", _ACTIVATION),
    "ARG_MAX": ("ArgMaxOptions", ("OutputType",)),
    "ARG_MIN": ("ArgMinOptions", ("OutputType",)),
    "AVERAGE_POOL_2D": _POOL,
    "BATCH_MATMUL": ("BatchMatMulOptions", ("AdjX", "AdjY")),
    "CONCATENATION": ("ConcatenationOptions", ("Axis", *_ACTIVATION)),
    "CONV_2D": ("Conv2DOptions", (*_SIZES, *_DILATION)),
    "DEPTHWISE_CONV_2D": ("DepthwiseConv2DOptions", (*_SIZES, *_DILATION)),
    "DEPTH_TO_SPACE": ("DepthToSpaceOptions", ("BlockSize",)),
    "DIV": ("DivOptions", _ACTIVATION),
    "FULLY_CONNECTED": (
        "FullyConnectedOptions",
        ("KeepNumDims", "WeightsFormat", *_ACTIVATION),
    ),
    "GATHER": ("GatherOptions", ("Axis", "BatchDims")),
    "GELU": ("GeluOptions", ("Approximate",)),
    "L2_NORMALIZATION": ("L2NormOptions", _ACTIVATION),
    "LEAKY_RELU": ("LeakyReluOptions", ("Alpha",)),
    "L2_POOL_2D": _POOL,
    "MAX_POOL_2D": _POOL,
    "MEAN": _REDUCE,
    "MIRROR_PAD": ("MirrorPadOptions", ("Mode",)),
    "MUL": ("MulOptions", _ACTIVATION),
    "PACK": ("PackOptions", ("Axis",)),
    "REDUCE_MAX": _REDUCE,
    "REDUCE_MIN": _REDUCE,
    "REDUCE_PROD": _REDUCE,
    "RESHAPE": ("ReshapeOptions", ("NewShape",)),
    "RESIZE_BILINEAR": ("ResizeBilinearOptions", _RESIZE),
    "RESIZE_NEAREST_NEIGHBOR": ("ResizeNearestNeighborOptions", _RESIZE),
    "SHAPE": ("ShapeOptions", ("OutType",)),
    "SOFTMAX": ("SoftmaxOptions", ("Beta",)),
    "SPACE_TO_DEPTH": ("SpaceToDepthOptions", ("BlockSize",)),
    "SPLIT": ("SplitOptions", ("NumSplits",)),
    "SPLIT_V": ("SplitVOptions", ("NumSplits",)),
    "SQUEEZE": ("SqueezeOptions", ("SqueezeDims",)),
    "STRIDED_SLICE": (
        "StridedSliceOptions",
        ("BeginMask", "EndMask", "EllipsisMask", "NewAxisMask", "ShrinkAxisMask", "Offset"),
    ),
    "SUB": ("SubOptions", _ACTIVATION),
    "SUM": _REDUCE,
    "TRANSPOSE_CONV": ("TransposeConvOptions", _SIZES),
    "UNPACK": ("UnpackOptions", ("Axis",)),
}
_AXIS_FIELD = 16  # quantized_dimension of the schema's QuantizationParameters, in its vtable
_NO_INDICES = np.empty(0, np.int64)
_LISTS = "NewShape", "SqueezeDims"  # vectors among the options


class Tensor(NamedTuple):
    """A tensor of the file.

    name : as the file has it, not always unique.
    kind : its type in the words of the schema.
    shape : of the file; a size that is open is below 1.
    quantisation : None where the file has no scale.
    read : gives the values, None where they are computed or given.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    quantisation: Quantisation | None
    read: Callable[[], Array] | None

    @property
    def dtype(self) -> str:
        """NumPy's name of the type."""
        return DTYPES[self.kind]


class Operator(NamedTuple):
    """An operator of the file.

    kind : in the words of the schema, such as CONV_2D, or CUSTOM and a name.
    inputs, outputs : places of tensors; -1 is one that is left out.
    options : by the names of the schema; what the file leaves out has the value 0 or [].
    """

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any]


class File(NamedTuple):
    """The main subgraph of a file; inputs and outputs are places of tensors."""

    path: Path
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def read(path: Path) -> File:
    """The file; FileError where it is none, is damaged, or says what cannot be."""
    import tflite

    try:
        data = path.read_bytes()
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror}") from None
    if data[4:8] != IDENTIFIER:
        raise FileError(f"{path} is no TFLite file: its bytes 4 to 7 are not {IDENTIFIER.decode()}")
    try:
        return _Reader(path, data, tflite).file()
    except (struct.error, ValueError, TypeError, LookupError, OverflowError, AttributeError):
        raise FileError(f"{path} is a damaged TFLite file: it ends before what it refers to") from (
            None
        )


def repaired(data: bytes) -> bytes:
    """A file with axis 0 for scales of vectors, where it names an axis that they have not.

    TFLite refuses such files today; the person detection of TFLite Micro is one. The meaning is
    clear: a bias has the scales of its channels.
    """
    import tflite

    changed = bytearray(data)
    graph = tflite.Model.GetRootAs(changed, 0).Subgraphs(0)
    for place in range(graph.TensorsLength()):
        tensor = graph.Tensors(place)
        said = tensor.Quantization()
        if said is not None and tensor.ShapeLength() == 1 and said.QuantizedDimension():
            at = said._tab.Pos + said._tab.Offset(_AXIS_FIELD)
            changed[at : at + 4] = bytes(4)
    return bytes(changed)


@cache
def _words(table: type) -> dict[int, str]:
    """Names of an enumeration of the schema by their numbers."""
    return {number: name for name, number in vars(table).items() if isinstance(number, int)}


class _Reader:
    """Turns the tables of a file into records."""

    def __init__(self, path: Path, data: bytes, tflite: ModuleType) -> None:
        self.path, self.data, self.tflite = path, data, tflite
        self.model = tflite.Model.GetRootAs(data, 0)

    def file(self) -> File:
        """The main subgraph, which is the first."""
        if (version := self.model.Version()) != VERSION:
            raise FileError(
                f"{self.path} has version {version} of the TFLite schema, not {VERSION}"
            )
        if not self.model.SubgraphsLength():
            raise FileError(f"{self.path} has no subgraph")
        graph = self.model.Subgraphs(0)
        tensors = tuple(self.tensor(graph.Tensors(i)) for i in range(graph.TensorsLength()))
        count = len(tensors)
        operators = tuple(
            self.operator(graph.Operators(i), i, count) for i in range(graph.OperatorsLength())
        )
        if not operators:
            raise FileError(f"{self.path} has no operators")
        inputs = self.places(graph, "Inputs", count, "the graph")
        outputs = self.places(graph, "Outputs", count, "the graph")
        for what, places in (("inputs", inputs), ("outputs", outputs)):
            if not places or min(places) < 0:
                raise FileError(f"{self.path} must have {what}, tensors of its graph")
        return File(self.path, tensors, operators, inputs, outputs)

    def tensor(self, table: Any) -> Tensor:
        """One tensor; its values are not read yet."""
        name = _text(table.Name())
        kind = _words(self.tflite.TensorType).get(table.Type(), str(table.Type()))
        if (axes := table.ShapeLength()) > MOST_AXES:
            raise FileError(
                f"{self.path}: tensor {name} must have at most {MOST_AXES} axes, not {axes}"
            )
        shape = tuple(table.ShapeAsNumpy().tolist()) if axes else ()
        return Tensor(name, kind, shape, self.quantisation(table, name), self.values(table, name))

    def quantisation(self, table: Any, name: str) -> Quantisation | None:
        """Scales and zero points of a tensor; FileError where there are not as many of these."""
        said = table.Quantization()
        if said is None or not (count := said.ScaleLength()):
            return None
        scale = said.ScaleAsNumpy().astype(np.float32)
        zeros = said.ZeroPointLength()
        zero = said.ZeroPointAsNumpy() if zeros else np.zeros(count, np.int64)
        if zeros not in (0, 1, count) or np.abs(zero.astype(np.float64)).max() > 1 << 31:
            raise FileError(
                f"{self.path}: tensor {name} must have a zero point of int32 for each of its "
                f"{count} scales, not {zeros} of them"
            )
        if count == 1:
            return Quantisation(scale.reshape(()), zero.astype(np.int32).reshape(()))
        wide = np.broadcast_to(zero.astype(np.int32), scale.shape)
        return Quantisation(scale, wide, said.QuantizedDimension())

    def values(self, table: Any, name: str) -> Callable[[], Array] | None:
        """What reads the values of a tensor, None where it has none of its own."""
        if table.Buffer() >= self.model.BuffersLength():
            raise FileError(f"{self.path}: tensor {name} refers to a buffer that does not exist")
        buffer = self.model.Buffers(table.Buffer())
        if buffer.DataLength():
            data = buffer.DataAsNumpy()
        elif buffer.Offset() > 1:  # behind the tables, as of files above 2 GB
            data = np.frombuffer(self.data, np.uint8, buffer.Size(), buffer.Offset())
        else:
            return None
        kind = _words(self.tflite.TensorType).get(table.Type(), "")
        if kind not in DTYPES:
            return None
        shape = tuple(table.ShapeAsNumpy().tolist()) if table.ShapeLength() else ()
        dtype = np.dtype(DTYPES[kind])
        if (said := table.Sparsity()) is not None:
            tensor = self.dense(said, data.view(dtype.newbyteorder("<")), shape, name)
            return lambda: tensor
        count = int(np.prod(shape, dtype=np.float64))
        wanted = (count + 1) // 2 if kind == "INT4" else count * dtype.itemsize
        if min(shape, default=1) < 0 or len(data) != wanted:
            raise FileError(
                f"{self.path}: tensor {name} of {DTYPES[kind]}{list(shape)} must have {wanted} "
                f"bytes of values, not {len(data)}"
            )
        if kind == "INT4":
            return lambda: _halves(data)[:count].reshape(shape)
        return lambda: data.view(dtype.newbyteorder("<")).astype(dtype, copy=False).reshape(shape)

    def dense(self, said: Any, stored: Array, shape: tuple[int, ...], name: str) -> Array:
        """The values of a tensor that is stored sparse."""
        levels = []
        for place in range(said.DimMetadataLength()):
            level = said.DimMetadata(place)
            if level.Format() == self.tflite.DimensionType.DENSE:
                levels.append(sparse.Level(level.DenseSize(), _NO_INDICES, _NO_INDICES))
                continue
            segments = self.indices(level.ArraySegments(), level.ArraySegmentsType())
            indices = self.indices(level.ArrayIndices(), level.ArrayIndicesType())
            levels.append(sparse.Level(None, segments, indices))
        order = said.TraversalOrderAsNumpy().tolist()
        blocks = said.BlockMapAsNumpy().tolist() if said.BlockMapLength() else []
        if np.prod(shape, dtype=np.float64) > MOST_VALUES or min(shape, default=1) < 1:
            raise FileError(f"{self.path}: tensor {name} cannot have the shape {list(shape)}")
        return sparse.dense(sparse.Layout(order, blocks, levels), stored, shape)

    def indices(self, table: Any, kind: int) -> Array:
        """int64: a vector of a sparse tensor, of any type that the schema allows."""
        vector = getattr(self.tflite, _words(self.tflite.SparseIndexVector)[kind])()
        vector.Init(table.Bytes, table.Pos)
        values: Array = vector.ValuesAsNumpy().astype(np.int64)
        return values

    def operator(self, table: Any, place: int, tensors: int) -> Operator:
        """One operator with its options."""
        index = table.OpcodeIndex()
        if index >= self.model.OperatorCodesLength():
            raise FileError(f"{self.path}: operator {place} has a kind that the file does not list")
        code = self.model.OperatorCodes(index)
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        kind = _words(self.tflite.BuiltinOperator).get(number, f"operator {number}")
        if kind == "CUSTOM":
            kind = f"CUSTOM {_text(code.CustomCode())}"
        what = f"operator {place}, {kind},"
        inputs = self.places(table, "Inputs", tensors, what)
        outputs = self.places(table, "Outputs", tensors, what)
        return Operator(kind, inputs, outputs, self.options(table, kind))

    def options(self, table: Any, kind: str) -> dict[str, Any]:
        """Those of OPTIONS; 0, or an empty list, where the operator has none."""
        name, fields = OPTIONS.get(kind, ("", ()))
        options: dict[str, Any] = {
            field: np.empty(0, np.int32) if field in _LISTS else 0 for field in fields
        }
        types = _words(self.tflite.BuiltinOptions)
        if not fields or types.get(table.BuiltinOptionsType()) != name:
            return options
        said = table.BuiltinOptions()
        if said is None:
            return options
        reader = getattr(self.tflite, name)()
        reader.Init(said.Bytes, said.Pos)
        for field in fields:
            if field not in _LISTS:
                options[field] = getattr(reader, field)()
            elif getattr(reader, f"{field}Length")():
                options[field] = getattr(reader, f"{field}AsNumpy")()
        return options

    def places(self, table: Any, field: str, tensors: int, what: str) -> tuple[int, ...]:
        """Places of tensors in a field of a table; FileError where one does not exist."""
        if not getattr(table, f"{field}Length")():
            return ()
        found = tuple(getattr(table, f"{field}AsNumpy")().tolist())
        for place in found:
            if not -1 <= place < tensors:
                raise FileError(
                    f"{self.path}: {what} refers to tensor {place}, of which there are {tensors}"
                )
        return found


def _text(name: bytes | None) -> str:
    """A name in one line, "" where there is none."""
    said = (name or b"").decode("utf-8", "replace")
    return "".join(each if each.isprintable() else "?" for each in said)


def _halves(data: Array) -> Array:
    """int8: two values of four bits of every byte, the lower first."""
    low = (data << 4).view(np.int8) >> 4
    return np.stack([low, data.view(np.int8) >> 4], axis=-1).reshape(-1)
