"""Operators that move, cut, join or resize tensors; integers keep their scale."""

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np

from accelsim.errors import UnsupportedError
from accelsim.graph.types import Constant, Function
from accelsim.importers.tflite.build import Operation, Rule
from accelsim.importers.tflite.operators.activations import activate
from accelsim.importers.tflite.operators.arithmetic import same_scales
from accelsim.importers.tflite.operators.products import four_axes
from accelsim.numerics import tflite_rules


def _moved(operation: Operation, places: Sequence[int] = (0,)) -> None:
    """UnsupportedError where values would have to change type or scale on their way."""
    y = operation.result()
    for place in places:
        if (dtype := operation.type(place).dtype) != y.dtype:
            raise UnsupportedError(f"it makes {y.dtype} of {dtype}")
        if y.quantisation is not None and y.dtype in ("int8", "uint8"):
            same_scales(operation, place)


def _axis(operation: Operation, axis: int, count: int) -> int:
    if not -count <= axis < count:
        raise UnsupportedError(f"its axis {axis} is none of {count}")
    return axis % count


def _reshaped(operation: Operation, shape: Sequence[int]) -> None:
    _moved(operation)
    wanted = operation.literal(shape)
    function = Function("Reshape", {"allowzero": 1})
    operation.make(function, (operation.inputs[0], wanted), shape)


def reshape(operation: Operation) -> None:
    """RESHAPE: the new shape is an input or an option; one size may be -1."""
    if operation.has(1):
        wanted = operation.integers(1)
    else:
        wanted = operation.options["NewShape"].tolist()
        wanted = [] if wanted == [0] else wanted  # a scalar, as old converters write it
    size, known = prod(operation.shape()), prod(each for each in wanted if each != -1)
    shape = [size // max(known, 1) if each == -1 else each for each in wanted]
    if wanted.count(-1) > 1 or prod(shape) != size or min(shape, default=1) < 0:
        raise UnsupportedError(f"it makes {wanted} of {list(operation.shape())}")
    _reshaped(operation, shape)


def squeeze(operation: Operation) -> None:
    """SQUEEZE: without the axes of size 1 that it names, or all."""
    shape = operation.shape()
    named = [_axis(operation, a, len(shape)) for a in operation.options["SqueezeDims"].tolist()]
    gone = named or [axis for axis, size in enumerate(shape) if size == 1]
    if any(shape[axis] != 1 for axis in gone):
        raise UnsupportedError(f"it takes axes {gone} out of {list(shape)}")
    _reshaped(operation, [size for axis, size in enumerate(shape) if axis not in gone])


def expand_dims(operation: Operation) -> None:
    """EXPAND_DIMS: an axis of size 1 more."""
    shape = list(operation.shape())
    axis = operation.integer(1)
    shape.insert(_axis(operation, axis, len(shape) + 1), 1)
    _reshaped(operation, shape)


def transpose(operation: Operation) -> None:
    """TRANSPOSE: the second input is the order of the axes."""
    shape = operation.shape()
    order = [_axis(operation, axis, len(shape)) for axis in operation.integers(1)]
    if sorted(order) != list(range(len(shape))):
        raise UnsupportedError(f"it orders the axes of {list(shape)} as {order}")
    _moved(operation)
    made = [shape[axis] for axis in order]
    operation.make(Function("Transpose", {"perm": order}), operation.inputs[:1], made)


def concatenation(operation: Operation) -> None:
    """CONCATENATION: uint8 inputs of other scales are brought to that of the result."""
    shapes = [operation.shape(place) for place in range(len(operation.inputs))]
    axis = _axis(operation, operation.options["Axis"], len(shapes[0]))
    rest = {(len(shape), shape[:axis], shape[axis + 1 :]) for shape in shapes}
    if len(rest) != 1:
        raise UnsupportedError(
            f"its inputs {', '.join(str(list(shape)) for shape in shapes)} do not fit together"
        )
    made = list(shapes[0])
    made[axis] = sum(shape[axis] for shape in shapes)
    inputs = list(operation.inputs)
    if operation.result().dtype == "uint8":
        inputs = [_rescaled(operation, place) for place in range(len(inputs))]
    else:
        _moved(operation, range(len(inputs)))
    activate(operation, Function("Concat", {"axis": axis}), inputs, made)


def _rescaled(operation: Operation, place: int) -> str:
    """An input of uint8 on the scale of the result (ConcatenationWithScaling)."""
    x, y = operation.quantised(place), operation.quantised_result
    if x == y:
        return operation.inputs[place]
    program = tflite_rules.joined(x, y)
    kind = operation.result(operation.shape(place))
    return operation.step(f"in{place}", None, operation.inputs[place : place + 1], kind, program)


def pad(operation: Operation) -> None:
    """PAD, PADV2: zeros, or a value, before and behind each axis."""
    _moved(operation)
    _, sides, made = _sides(operation)
    if operation.has(2):
        value = operation.inputs[2]
        if (dtype := operation.type(2).dtype) != operation.type().dtype:
            raise UnsupportedError(f"it pads {operation.type().dtype} with {dtype}")
    else:
        kind = operation.type()
        zero = 0 if kind.dtype not in ("int8", "uint8") else operation.quantised().zero_point
        value = operation.literal(zero, kind.dtype)
    inputs = operation.inputs[0], operation.literal(sides), value
    operation.make(Function("Pad"), inputs, made)


def _sides(operation: Operation) -> tuple[tuple[int, ...], list[int], list[int]]:
    """Shape of the input, sizes before and behind each axis, and the shape of the result."""
    shape, pairs = operation.shape(), operation.integers(1)
    if len(pairs) != 2 * len(shape) or min(pairs) < 0:
        raise UnsupportedError(f"it pads {list(shape)} by {pairs}")
    before, behind = pairs[::2], pairs[1::2]
    made = [size + a + b for size, a, b in zip(shape, before, behind, strict=True)]
    return shape, before + behind, made


def mirror_pad(operation: Operation) -> None:
    """MIRROR_PAD: mode 0 mirrors about the outer value, mode 1 about the edge."""
    _moved(operation)
    shape, sides, made = _sides(operation)
    mode = operation.options["Mode"]
    if any(size - 1 + mode < most for size, most in zip(shape * 2, sides, strict=True)):
        raise UnsupportedError(f"it mirrors {sides} values of {list(shape)}")
    attributes = {"mode": "symmetric" if mode else "reflect"}
    inputs = operation.inputs[0], operation.literal(sides)
    operation.make(Function("Pad", attributes), inputs, made)


def cut(operation: Operation) -> None:
    """SLICE: the second input is where it begins, the third the sizes, -1 for all that follow."""
    _moved(operation)
    shape, first, sizes = operation.shape(), operation.integers(1), operation.integers(2)
    if not len(first) == len(sizes) == len(shape):
        raise UnsupportedError(f"it cuts {sizes} from {first} on out of {list(shape)}")
    ends = [
        whole if size == -1 else start + size
        for whole, start, size in zip(shape, first, sizes, strict=True)
    ]
    _cut(operation, first, ends, [1] * len(shape))


def _cut(
    operation: Operation, first: Sequence[int], ends: Sequence[int], steps: Sequence[int]
) -> None:
    shape = operation.shape()
    made = []
    for size, start, end, step in zip(shape, first, ends, steps, strict=True):
        if not 0 <= start < size or not -1 <= end <= size or not step:
            raise UnsupportedError(f"it cuts from {start} to {end} out of {size}")
        made.append(len(range(start, end, step)))
    _slice(operation, first, ends, steps, made)


def _slice(
    operation: Operation,
    first: Sequence[int],
    ends: Sequence[int],
    steps: Sequence[int],
    made: Sequence[int],
    shape: Sequence[int] | None = None,
) -> None:
    """Add the node of a slice, and of a reshape to `shape` if that is given."""
    if min(made, default=1) < 1:
        raise UnsupportedError(f"it makes {list(made)} of {list(operation.shape())}")
    lowest = -(
        1 << 31
    )  # where a slice runs down to the first value, an end of -1 would be the last
    ends = [lowest if end < 0 else end for end in ends]
    parts = [operation.literal(each) for each in (first, ends, range(len(made)), steps)]
    inputs = operation.inputs[0], *parts
    if shape is None or list(shape) == list(made):
        operation.make(Function("Slice"), inputs, made)
        return
    part = operation.step("slice", Function("Slice"), inputs, operation.result(made))
    function = Function("Reshape", {"allowzero": 1})
    operation.make(function, (part, operation.literal(shape)), shape)


def strided_slice(operation: Operation) -> None:
    """STRIDED_SLICE: begin, end and strides, with bits for axes where they do not count.

    Bits of the masks: begin and end of that axis are its own; a shrunk axis has one place and
    leaves the result. Ellipses and new axes are not supported.
    """
    _moved(operation)
    options, shape = operation.options, operation.shape()
    begin, end, strides = (operation.integers(place) for place in (1, 2, 3))
    if options["EllipsisMask"] or options["NewAxisMask"] or options["Offset"]:
        raise UnsupportedError("it has an ellipsis, a new axis or offsets")
    if not len(begin) == len(end) == len(strides) <= len(shape):
        raise UnsupportedError(f"it cuts {begin} to {end} out of {list(shape)}")
    first, ends, steps, made, left = [], [], [], [], []
    for axis, size in enumerate(shape):
        bit = 1 << axis
        if axis >= len(begin):
            span, shrunk = range(size), False
        elif shrunk := bool(options["ShrinkAxisMask"] & bit):
            place = _axis(operation, begin[axis], size)
            span = range(place, place + 1)
        else:
            if not strides[axis]:
                raise UnsupportedError("it has a stride of 0")
            start = None if options["BeginMask"] & bit else begin[axis]
            stop = None if options["EndMask"] & bit else end[axis]
            span = range(size)[slice(start, stop, strides[axis])]
        first.append(span.start)
        ends.append(span.stop)
        steps.append(span.step)
        made.append(len(span))
        left += [] if shrunk else [len(span)]
    _slice(operation, first, ends, steps, made, left)


def _parts(operation: Operation, place: int, axis: int, sizes: Sequence[int]) -> None:
    """SPLIT and SPLIT_V: parts of an input along an axis."""
    shape = operation.shape(place)
    axis = _axis(operation, axis, len(shape))
    if sum(sizes) != shape[axis] or min(sizes) < 1 or len(sizes) != len(operation.outputs):
        raise UnsupportedError(f"it splits {shape[axis]} into {list(sizes)}")
    shapes = [(*shape[:axis], size, *shape[axis + 1 :]) for size in sizes]
    inputs = operation.inputs[place], operation.literal(sizes)
    operation.make(Function("Split", {"axis": axis}), inputs, *shapes)


def split(operation: Operation) -> None:
    """SPLIT: the first input is the axis, the second is cut into equal parts."""
    axis = operation.integer(0)
    shape, count = operation.shape(1), len(operation.outputs)
    size = shape[_axis(operation, axis, len(shape))]
    _parts(operation, 1, axis, [size // count] * count)


def split_v(operation: Operation) -> None:
    """SPLIT_V: the second input has the sizes, one of which may be -1, the third the axis."""
    axis = operation.integer(2)
    sizes, shape = operation.integers(1), operation.shape()
    whole = shape[_axis(operation, axis, len(shape))]
    rest = whole - sum(size for size in sizes if size != -1)
    _parts(operation, 0, axis, [rest if size == -1 else size for size in sizes])


def pack(operation: Operation) -> None:
    """PACK: inputs of one shape along a new axis."""
    places = range(len(operation.inputs))
    _moved(operation, places)
    shape = operation.shape()
    axis = _axis(operation, operation.options["Axis"], len(shape) + 1)
    if any(operation.shape(place) != shape for place in places):
        raise UnsupportedError("its inputs have several shapes")
    each = (*shape[:axis], 1, *shape[axis:])
    wanted = operation.literal(each)
    function = Function("Reshape", {"allowzero": 1})
    parts = [
        operation.step(f"in{place}", function, (name, wanted), operation.result(each))
        for place, name in enumerate(operation.inputs)
    ]
    made = (*shape[:axis], len(parts), *shape[axis:])
    operation.make(Function("Concat", {"axis": axis}), parts, made)


def unpack(operation: Operation) -> None:
    """UNPACK: parts of size 1 along an axis, which leaves the results."""
    _moved(operation)
    shape = operation.shape()
    axis = _axis(operation, operation.options["Axis"], len(shape))
    if shape[axis] != len(operation.outputs):
        raise UnsupportedError(f"it makes {len(operation.outputs)} parts of {shape[axis]}")
    left = (*shape[:axis], *shape[axis + 1 :])
    operation.make(
        Function("tflite.unpack", {"axis": axis}), operation.inputs, *[left] * shape[axis]
    )


def shape_of(operation: Operation) -> None:
    """SHAPE: a constant, as shapes are known."""
    sizes = np.array(operation.shape(), operation.result().dtype)
    kind = operation.result(sizes.shape)
    operation.build.constants[operation.name] = Constant(kind, sizes.copy)


def gather(operation: Operation) -> None:
    """GATHER: indices of one axis."""
    _moved(operation)
    if operation.options["BatchDims"]:
        raise UnsupportedError("it gathers in batches")
    shape = operation.shape()
    axis = _axis(operation, operation.options["Axis"], len(shape))
    kind = operation.type(1)
    if kind.dtype not in ("int32", "int64"):
        raise UnsupportedError(f"its indices are {kind.dtype}")
    if operation.inputs[1] in operation.build.constants:
        indices = operation.values(1)
        if not ((indices >= 0) & (indices < shape[axis])).all():
            raise UnsupportedError(f"it takes indices that are none of {shape[axis]}")
    made = (*shape[:axis], *kind.shape, *shape[axis + 1 :])
    operation.make(Function("Gather", {"axis": axis}), operation.inputs, made)


def gather_nd(operation: Operation) -> None:
    """GATHER_ND: the last axis of the indices has places along the first axes."""
    _moved(operation)
    shape, indices = operation.shape(), operation.type(1)
    if not indices.shape or indices.shape[-1] > len(shape):
        raise UnsupportedError(f"it takes {list(indices.shape)} indices of {list(shape)}")
    if indices.dtype not in ("int32", "int64"):
        raise UnsupportedError(f"its indices are {indices.dtype}")
    made = (*indices.shape[:-1], *shape[indices.shape[-1] :])
    operation.make(Function("GatherND"), operation.inputs, made)


def broadcast_to(operation: Operation) -> None:
    """BROADCAST_TO, and FILL, whose inputs are the other way round: a value in a larger shape."""
    x, wanted = (1, 0) if operation.operator.kind == "FILL" else (0, 1)
    _moved(operation, (x,))
    made = operation.integers(wanted)
    try:
        fits = np.broadcast_shapes(operation.shape(x), made) == tuple(made)
    except ValueError:
        fits = False
    if not fits:
        raise UnsupportedError(f"it makes {made} of {list(operation.shape(x))}")
    inputs = operation.inputs[x], operation.literal(made)
    operation.make(Function("Expand"), inputs, made)


def reverse(operation: Operation) -> None:
    """REVERSE_V2: axes from behind."""
    _moved(operation)
    shape = operation.shape()
    axes = [_axis(operation, axis, len(shape)) for axis in operation.integers(1)]
    steps = [-1 if axis in axes else 1 for axis in range(len(shape))]
    first = [size - 1 if axis in axes else 0 for axis, size in enumerate(shape)]
    ends = [-1 if axis in axes else size for axis, size in enumerate(shape)]
    _slice(operation, first, ends, steps, shape)


def tile(operation: Operation) -> None:
    """TILE: so many times along every axis."""
    _moved(operation)
    shape, times = operation.shape(), operation.integers(1)
    if len(times) != len(shape) or min(times) < 1:
        raise UnsupportedError(f"it repeats {list(shape)} {times} times")
    made = [size * each for size, each in zip(shape, times, strict=True)]
    inputs = operation.inputs[0], operation.literal(times)
    operation.make(Function("Tile"), inputs, made)


def _blocks(name: str, into_space: bool) -> Rule:
    """A rule for DEPTH_TO_SPACE and SPACE_TO_DEPTH."""

    def rule(operation: Operation) -> None:
        _moved(operation)
        n, h, w, c = four_axes(operation)
        block = operation.options["BlockSize"]
        divided = (c,) if into_space else (h, w)
        unit = block**2 if into_space else block
        if block < 1 or any(size % unit for size in divided):
            raise UnsupportedError(f"its block of {block} does not fit {[n, h, w, c]}")
        if into_space:
            shape = n, h * block, w * block, c // block**2
        else:
            shape = n, h // block, w // block, c * block**2
        operation.make(Function(name, {"block": block}), operation.inputs, shape)

    return rule


def _resize(name: str) -> Rule:
    """A rule for RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR; the second input is the size."""

    def rule(operation: Operation) -> None:
        _moved(operation)
        n, _, _, c = four_axes(operation)
        size = operation.integers(1)
        if len(size) != 2 or min(size) < 1:
            raise UnsupportedError(f"it makes a map of {size}")
        attributes = {
            "size": tuple(size),
            "align_corners": bool(operation.options["AlignCorners"]),
            "half_pixel": bool(operation.options["HalfPixelCenters"]),
        }
        operation.make(Function(name, attributes), operation.inputs[:1], (n, *size, c))

    return rule


RULES: Mapping[str, Rule] = {
    "BROADCAST_TO": broadcast_to,
    "CONCATENATION": concatenation,
    "DEPTH_TO_SPACE": _blocks("tflite.depth_to_space", True),
    "EXPAND_DIMS": expand_dims,
    "FILL": broadcast_to,
    "GATHER": gather,
    "GATHER_ND": gather_nd,
    "MIRROR_PAD": mirror_pad,
    "PACK": pack,
    "PAD": pad,
    "PADV2": pad,
    "RESHAPE": reshape,
    "RESIZE_BILINEAR": _resize("tflite.resize_bilinear"),
    "RESIZE_NEAREST_NEIGHBOR": _resize("tflite.resize_nearest"),
    "REVERSE_V2": reverse,
    "SHAPE": shape_of,
    "SLICE": cut,
    "SPACE_TO_DEPTH": _blocks("tflite.space_to_depth", False),
    "SPLIT": split,
    "SPLIT_V": split_v,
    "SQUEEZE": squeeze,
    "STRIDED_SLICE": strided_slice,
    "TILE": tile,
    "TRANSPOSE": transpose,
    "UNPACK": unpack,
}
