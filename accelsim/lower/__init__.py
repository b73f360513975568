"""Lowering: each layer as passes of the engine, and in the dataflow, that runs it fastest."""

from functools import lru_cache

from accelsim.dataflows import DATAFLOWS, Dataflow
from accelsim.errors import UnsupportedError
from accelsim.hardware import Hardware
from accelsim.ir import Layer, Piece, Shape
from accelsim.lower.array import ArraySequence, ArrayWork, lower_array
from accelsim.lower.base import Lowered, Sequence, Traffic
from accelsim.lower.depthwise import DepthwiseSequence, DepthwiseWork, lower_depthwise
from accelsim.lower.peer import PeerWork

__all__ = [
    "AUTO",
    "DEPTHWISE_ON",
    "NAMES",
    "ArraySequence",
    "ArrayWork",
    "Choice",
    "DepthwiseSequence",
    "DepthwiseWork",
    "Lowered",
    "PeerWork",
    "Sequence",
    "Traffic",
    "check_depthwise",
    "is_depthwise",
    "lower",
    "parse_dataflows",
]

AUTO = "auto"
DEPTHWISE_ON = (AUTO, "array", "engine")
NAMES = tuple(dataflow.name for dataflow in DATAFLOWS)

# What the array may use: auto, names with commas, or dataflows themselves, of the user's own too.
Choice = str | tuple[Dataflow, ...]


def parse_dataflows(choice: Choice) -> tuple[Dataflow, ...]:
    """The dataflows that `auto`, a list such as os,ws, or a tuple of dataflows allows."""
    if not isinstance(choice, str):
        return choice
    if choice.strip() == AUTO:
        return DATAFLOWS
    chosen = [name.strip() for name in choice.split(",")]
    for name in chosen:
        if name not in NAMES:
            raise UnsupportedError(
                f"dataflow must be {AUTO} or some of {', '.join(NAMES)} with commas, not {name!r}"
            )
    return tuple(dataflow for dataflow in DATAFLOWS if dataflow.name in chosen)


def check_depthwise(hardware: Hardware, depthwise_on: str) -> None:
    """Raise UnsupportedError where depthwise layers cannot be sent there."""
    if depthwise_on not in DEPTHWISE_ON:
        raise UnsupportedError(
            f"depthwise-on must be one of {', '.join(DEPTHWISE_ON)}, not {depthwise_on!r}"
        )
    if (model := hardware.third_party) is not None:
        if depthwise_on != AUTO:
            raise UnsupportedError(
                f"depthwise-on must be {AUTO} where {model.name} runs the depthwise "
                f"layers, not {depthwise_on!r}"
            )
    elif hardware.depthwise is None and depthwise_on == "engine":
        raise UnsupportedError(
            "depthwise-on engine needs a depthwise engine, for instance --depthwise 8x64"
        )


def lower(
    layer: Layer,
    in_shapes: tuple[Shape, ...],
    hardware: Hardware,
    dataflows: tuple[Dataflow, ...] = DATAFLOWS,
    depthwise_on: str = AUTO,
) -> Lowered | None:
    """The layer on the engine and in the allowed dataflow that are fastest; None on the host.

    depthwise_on : the engine of depthwise layers, of DEPTHWISE_ON; auto takes the faster.

    UnsupportedError names the layer and why each allowed dataflow or engine refuses it, or that
    its sums could exceed the accumulators.
    """
    pieces, out_shape = _work(layer, in_shapes)
    if not pieces:
        return None
    try:
        if (model := hardware.third_party) is not None:
            if hardware.array is None or is_depthwise(layer, in_shapes):
                return PeerWork(model, pieces)
            return lower_array(pieces, out_shape, hardware.array, dataflows)
        if depthwise_on == "array" or not hardware.depthwise or not is_depthwise(layer, in_shapes):
            return lower_array(pieces, out_shape, hardware.array, dataflows)
        if depthwise_on == "engine":
            return lower_depthwise(pieces, out_shape, hardware.depthwise)
        return _faster(pieces, out_shape, hardware, dataflows)
    except UnsupportedError as error:
        raise UnsupportedError(f"layer {layer.name} {error}") from None


def is_depthwise(layer: Layer, in_shapes: tuple[Shape, ...]) -> bool:
    """Whether every output channel sees one input channel, however the layer is written.

    A convolution of a single channel is one only if it says so.
    """
    pieces, _ = _work(layer, in_shapes)
    return bool(pieces) and all(
        piece.conv.depthwise and (piece.conv.c > 1 or layer.op.name == "depthwise")
        for piece in pieces
    )


def _faster(
    pieces: tuple[Piece, ...],
    out_shape: Shape,
    hardware: Hardware,
    dataflows: tuple[Dataflow, ...],
) -> Lowered:
    """The work on the engine that is faster, or that can do it at all."""
    assert hardware.depthwise is not None
    found: list[Lowered] = []
    refusals = []
    try:
        found.append(lower_depthwise(pieces, out_shape, hardware.depthwise))
    except UnsupportedError as error:
        refusals.append(str(error))
    try:
        found.append(lower_array(pieces, out_shape, hardware.array, dataflows))
    except UnsupportedError as error:
        refusals.append(str(error))
    if not found:
        raise UnsupportedError("; ".join(refusals))
    return min(found, key=lambda work: work.cycles)


@lru_cache(maxsize=1 << 12)
def _work(layer: Layer, in_shapes: tuple[Shape, ...]) -> tuple[tuple[Piece, ...], Shape]:
    return layer.op.lower(*in_shapes), layer.op.out_shape(*in_shapes)
