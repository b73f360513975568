"""Lowering: each layer as passes of the engine, and in the dataflow, that runs it fastest."""

from collections.abc import Hashable
from functools import lru_cache
from typing import Any, NamedTuple

from accelsim import engines
from accelsim.dataflows import Dataflow, Plan
from accelsim.dataflows.base import UNBOUNDED, Candidate
from accelsim.engines.base import Engine
from accelsim.errors import UnsupportedError
from accelsim.hardware import Hardware, Operands, is_third_party
from accelsim.ir import ANY_INT8, Conv, Factors, Layer, Piece, Shape, inserted_macs
from accelsim.lowering.allowed import (
    AUTO,
    DEPTHWISE_ON,
    Allowed,
    Choice,
    check_place,
    parse_dataflows,
    public_name,
)
from accelsim.lowering.joining import few, fewest, joinable
from accelsim.lowering.lowered import Lowered, Part, Sequence, chain
from accelsim.lowering.regions import Regional, lower_regions, regional
from accelsim.ops import RegionConv
from accelsim.passes import Body

__all__ = [
    "AUTO",
    "DEPTHWISE_ON",
    "Allowed",
    "Choice",
    "Lowered",
    "Refused",
    "Sequence",
    "chain",
    "check_place",
    "in_each_dataflow",
    "is_depthwise",
    "lower",
    "parse_dataflows",
    "public_name",
]


def lower(
    layer: Layer,
    in_shapes: tuple[Shape, ...],
    hardware: Hardware,
    allowed: Allowed | None = None,
    batch: int = 1,
) -> Lowered | None:
    """The layer on the engine and in the allowed dataflow that are fastest; None on the host.

    batch : images, whose layer runs as one.

    UnsupportedError names the layer and why each allowed dataflow or engine refuses it, or that
    its operands are wider than the multipliers', or that its sums could exceed the accumulators.
    """
    demand = _demand(layer, in_shapes, batch)
    if not demand.pieces:
        return None
    allowed = parse_dataflows(AUTO) if allowed is None else allowed
    dataflows = allowed.depthwise if demand.depthwise else allowed.others
    lowered: list[Lowered] = []
    refusals: list[str] = []
    for way in _ways(hardware.engines, dataflows):
        if way.model.takes(demand.convs, demand.depthwise):
            try:
                lowered.append(_on_engine(demand, way.sizes, way.dataflows))
            except UnsupportedError as error:
                refusals.append(str(error))
            if way.alone:
                break
    if not lowered:
        reasons = "; ".join(refusals) or "is allowed no dataflow of an engine that runs it"
        raise UnsupportedError(f"layer {layer.name} {reasons}")
    return min(lowered, key=lambda work: work.cycles) if len(lowered) > 1 else lowered[0]


class Refused(NamedTuple):
    """A dataflow in which a layer cannot run; names as those of a Lowered."""

    engine: str
    dataflow: str | None
    reason: str


def in_each_dataflow(
    layer: Layer,
    in_shapes: tuple[Shape, ...],
    hardware: Hardware,
    allowed: Allowed,
    batch: int = 1,
) -> list[Lowered | Refused]:
    """The layer in every allowed dataflow of the engines that are made for it; none on the host."""
    demand = _demand(layer, in_shapes, batch)
    tried: list[Lowered | Refused] = []
    for way in _ways(hardware.engines, allowed.depthwise if demand.depthwise else allowed.others):
        if not demand.pieces or not way.model.takes(demand.convs, demand.depthwise):
            continue
        for dataflow in way.dataflows:
            try:
                tried.append(_on_engine(demand, way.sizes, (dataflow,)))
            except UnsupportedError as error:
                reason = str(error.__cause__ or error)
                tried.append(Refused(way.model.name, public_name(dataflow), reason))
        if way.alone:
            break
    return tried


def is_depthwise(layer: Layer, in_shapes: tuple[Shape, ...]) -> bool:
    """Whether every output channel sees one input channel, however the layer is written.

    A convolution of a single channel is one only if it says so.
    """
    return _demand(layer, in_shapes).depthwise


class _Demand(NamedTuple):
    """What a layer asks of an engine; `out_shape` and `inserted_macs` as in Lowered.

    regional : of a convolution with regions; its pieces then are the work of one kernel.
    """

    pieces: tuple[Piece, ...]
    convs: tuple[Conv, ...]
    out_shape: tuple[int, ...]
    inserted_macs: int
    depthwise: bool
    factors: Factors
    regional: Regional | None = None


@lru_cache(maxsize=1 << 12)
def _demand(layer: Layer, in_shapes: tuple[Shape, ...], batch: int = 1) -> _Demand:
    pieces = layer.op.lower(*in_shapes)
    single = getattr(layer.op, "depthwise", False)
    depthwise = bool(pieces) and all(
        piece.conv.depthwise and (piece.conv.c > 1 or single or piece.channels is not None)
        for piece in pieces
    )
    out_shape: tuple[int, ...] = layer.op.out_shape(*in_shapes)
    if batch > 1:
        shared = bool(layer.op.weight_shape(*in_shapes))
        pieces = tuple(_of_images(piece, batch, shared) for piece in pieces)
        out_shape = batch, *out_shape
    convs = tuple(piece.conv for piece in pieces)
    inserted = batch * inserted_macs(layer.op, in_shapes)
    of = regional(layer.op, in_shapes, batch) if isinstance(layer.op, RegionConv) else None
    return _Demand(pieces, convs, out_shape, inserted, depthwise and not of, layer.factors, of)


def _of_images(piece: Piece, batch: int, shared: bool) -> Piece:
    """The same for so many images.

    shared : whether they share the kernel. One that is an input is another one for each image,
        which is then a group of its own.
    """
    conv = piece.conv
    if shared:
        return piece._replace(conv=conv._replace(n=batch))
    groups = batch * conv.groups
    return piece._replace(conv=conv._replace(c=batch * conv.c, k=batch * conv.k, groups=groups))


class _Way(NamedTuple):
    """An engine and the dataflows that it may use.

    alone : a third-party engine is not compared with ours: it runs all that it is made for.
    """

    model: Engine
    sizes: Any
    dataflows: tuple[Dataflow, ...]
    alone: bool


@lru_cache(maxsize=1 << 10)
def _ways(sizes: tuple[Any, ...], dataflows: tuple[Dataflow, ...]) -> tuple[_Way, ...]:
    """The engines that are allowed a dataflow, those for some kinds of layers first."""
    ways = []
    for each in sorted(sizes, key=lambda each: (not is_third_party(each), each.runs_all)):
        model = engines.engine_of(each)  # which refuses what is in no list
        able = tuple(dataflow for dataflow in dataflows if dataflow.engine == each.name)
        if able:
            ways.append(_Way(model, each, able, is_third_party(each)))
    return tuple(ways)


@lru_cache(maxsize=1 << 12)
def _on_engine(demand: _Demand, sizes: Any, dataflows: tuple[Dataflow, ...]) -> Lowered:
    """The pieces in the fastest dataflow, the same for all; UnsupportedError says why none.

    Pieces with live taps of their own are joined where that is faster. A layer whose operands or
    sums could be wider than the engine's is refused as well, and no plan is taken that the engine
    cannot run.
    """
    if isinstance(getattr(sizes, "operands", None), Operands):
        _check_operands(demand.factors, sizes.operands)
        for piece in demand.pieces:
            _check_sums(piece.conv, demand.factors, sizes.operands)
    if demand.regional is not None:
        of_engine = engines.engine_of(sizes), sizes, dataflows
        return lower_regions(demand.regional, *of_engine, _planned)
    demand = demand._replace(pieces=few(demand.pieces))
    apart = _of_pieces(demand, sizes, demand.pieces, dataflows)
    if not joinable(demand.pieces):
        return apart
    ways = (_joined(demand, sizes, dataflow) for dataflow in dataflows)
    return min((apart, *filter(None, ways)), key=lambda work: work.cycles)


def _joined(demand: _Demand, sizes: Any, dataflow: Dataflow) -> Lowered | None:
    """The pieces, some of them joined, in a dataflow; None where it refuses them."""

    def clocks(pieces: tuple[Piece, ...]) -> int:
        try:
            return _of_pieces(demand, sizes, pieces, (dataflow,)).cycles
        except UnsupportedError:
            return UNBOUNDED

    pieces = fewest(demand.pieces, clocks)
    try:
        return _of_pieces(demand, sizes, pieces, (dataflow,))
    except UnsupportedError:
        return None


def _of_pieces(
    demand: _Demand, sizes: Any, pieces: tuple[Piece, ...], dataflows: tuple[Dataflow, ...]
) -> Lowered:
    """The pieces as they are."""
    model = engines.engine_of(sizes)
    dataflow, plans = _planned(pieces, model, sizes, dataflows)
    made = demand.out_shape, demand.inserted_macs
    return Lowered(model, sizes, dataflow, pieces, plans, *made)


def _planned(
    pieces: tuple[Part, ...], model: Engine, sizes: Any, dataflows: tuple[Dataflow, ...]
) -> tuple[Dataflow, tuple[Plan, ...]]:
    """The fastest dataflow, and a plan of it for every piece; UnsupportedError says why none."""
    refused: Refusals = {}
    while True:
        dataflow, chosen = _choose(pieces, model, sizes, dataflows, refused)
        plans = _plans(pieces, dataflow, sizes, chosen)
        before = len(refused)
        for piece, plan in zip(pieces, plans, strict=True):
            try:
                model.check(sizes, plan.body)
            except UnsupportedError as error:
                refused[dataflow.name, piece.conv, plan.tiling] = error
        if len(refused) == before:
            return dataflow, plans


# Why an engine cannot run a tiling of a dataflow, for a convolution.
Refusals = dict[tuple[str, Conv, Hashable], UnsupportedError]


def _choose(
    pieces: tuple[Part, ...],
    model: Engine,
    sizes: Any,
    dataflows: tuple[Dataflow, ...],
    refused: Refusals,
) -> tuple[Dataflow, list[Candidate]]:
    """The fastest dataflow, and a candidate of it for every piece."""
    refusals = []
    refusal: UnsupportedError | None = None
    best: tuple[int, int] = UNBOUNDED, 0  # clocks, place in dataflows
    chosen: list[Candidate] = []
    for place, dataflow in sorted(enumerate(dataflows), key=lambda item: not item[1].eager):
        try:
            # Pieces overlap, so that only a single one can be too slow by itself.
            most = best[0] if len(pieces) == 1 else UNBOUNDED
            candidates = _fastest(pieces, dataflow, model, sizes, most, refused)
        except UnsupportedError as error:
            refusals.append(_refusal(dataflow, model, error))
            refusal = error
            continue
        if not candidates:
            refusals.append(f"{dataflow.name}: it has no tiling of the layer")
            continue
        rank = _clocks(pieces, dataflow, model, sizes, candidates), place
        if rank < best:
            best, chosen = rank, candidates
    if not chosen:
        if public_name(dataflows[0]) is None:
            raise UnsupportedError(refusals[0])
        reasons = "; ".join(refusals)
        raise UnsupportedError(f"runs in none of the allowed dataflows ({reasons})") from refusal
    return dataflows[best[1]], chosen


def _refusal(dataflow: Dataflow, model: Engine, error: UnsupportedError) -> str:
    if public_name(dataflow) is None:
        return f"cannot run on the {model.name} engine: {error}"
    return f"{dataflow.name}: {error}"


def _check_operands(factors: Factors, operands: Operands) -> None:
    """Raise UnsupportedError where the multipliers cannot take an operand."""
    least, greatest = factors.least, factors.greatest
    bits = 1 + max(greatest, ~least).bit_length()
    if bits > operands.bits:
        raise UnsupportedError(
            f"multiplies values from {least} to {greatest}, as maps or kernels of uint8 or with a "
            f"zero point have; operands must be of at least {bits} bits, not {operands.bits} (bits)"
        )


def _check_sums(conv: Conv, factors: Factors, operands: Operands) -> None:
    """Raise UnsupportedError where a sum of products could exceed the accumulators."""
    bits, depth = operands.accumulator_bits, conv.depth
    if factors.bound(depth) >= 1 << (bits - 1):
        values = "int8 values" if factors == ANY_INT8 else "its values"
        raise UnsupportedError(
            f"adds up {depth} products of {values}, which may exceed accumulators of {bits} "
            "bits (accumulator_bits)"
        )


def _plans(
    pieces: tuple[Part, ...], dataflow: Dataflow, sizes: Any, chosen: list[Candidate]
) -> tuple[Plan, ...]:
    return tuple(
        Plan(dataflow.body(piece.conv, sizes, tiling), tiling)
        for piece, (_, tiling) in zip(pieces, chosen, strict=True)
    )


def _clocks(
    pieces: tuple[Part, ...],
    dataflow: Dataflow,
    model: Engine,
    sizes: Any,
    chosen: list[Candidate],
) -> int:
    """Clocks of the candidates as one sequence; those of several pieces overlap.

    To choose a plan may take its loop nest; what fidelity cycle reports never does.
    """
    clocks, _ = chosen[0]
    if len(chosen) == 1 and clocks is not None:
        return clocks
    body: Body = sum((plan.body for plan in _plans(pieces, dataflow, sizes, chosen)), ())
    return model.cycles(sizes, body)


def _fastest(
    pieces: tuple[Part, ...],
    dataflow: Dataflow,
    model: Engine,
    sizes: Any,
    most: int,
    refused: Refusals,
) -> list[Candidate]:
    """The fastest candidate of every piece; none where a piece takes more than `most` clocks."""
    chosen = []
    for piece in pieces:
        best: tuple[int, Candidate] | None = None
        refusals = []
        for clocks, tiling in dataflow.tilings(piece.conv, sizes, most):
            if refused and (error := refused.get((dataflow.name, piece.conv, tiling))):
                refusals.append(error)
                continue
            if clocks is None:
                body = dataflow.body(piece.conv, sizes, tiling)
                try:
                    model.check(sizes, body)
                except UnsupportedError as reason:
                    refusals.append(reason)
                    continue
                clocks = model.cycles(sizes, body)
            if best is None or clocks < best[0]:
                best = clocks, (clocks, tiling)
        if best is None and refusals:
            raise refusals[0]
        if best is None:
            return []
        chosen.append(best[1])
    return chosen
