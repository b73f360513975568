"""Why a layer takes its cycles: where the clocks of its multipliers go, to the last one.

    sum(part.multiplier_clocks for part in parts) == multipliers x cycles

What passes do follows from their records, what clocks are spent on between multiplies from the
loop nest (accelsim.hls.account); no engine is known by name. The clocks are those of the engine;
what memory off chip adds is one number.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from accelsim.energy import AnyEnergy, EnergyTable, as_energy
from accelsim.errors import UnsupportedError
from accelsim.find import AnyHardware, AnyNetwork, as_hardware, as_network
from accelsim.hardware import Hardware
from accelsim.hls.account import MULTIPLIES, account
from accelsim.hls.nest import Loop, Task, operations
from accelsim.ir import Layer, Shape
from accelsim.lowering import AUTO, Choice, Lowered, in_each_dataflow, lower
from accelsim.networks.variants import variant_keys
from accelsim.passes import Body, Repeat
from accelsim.phrases import counted, of_batch
from accelsim.request import Request
from accelsim.result import batch_keys, region_keys
from accelsim.simulation import answer

PRODUCTS, PADDING, SURPLUS, IDLE = "products", "padding", "surplus", "idle"
BUSY = 0.5  # share of products from which on a layer is not said to lose


class Part(NamedTuple):
    """What some of the multiplier clocks of a layer are for.

    kind : products, those with a value of the map; padding, those of taps outside it; surplus,
        those with zeros that blocks add and those whose results are thrown away; idle, multipliers
        that passes leave out; and in clocks without a multiply loop, port, stage and drain, as
        accelsim.hls.account has them.
    name : of the loop, the port or the stage; the side of the engine that is not filled.
    """

    kind: str
    name: str
    multiplier_clocks: int


class Filled(NamedTuple):
    """How far passes fill one side of an engine.

    side : row, column, lane, ...
    used, size : elements of the pass and of the engine.
    """

    side: str
    used: int
    size: int


class Passes(NamedTuple):
    """Equal passes of a layer, so many of them.

    stages : clocks of every stage of one of them, by name.
    filled : both sides of the engine; none where that is not known.
    """

    trips: int
    name: str
    stages: dict[str, int]
    filled: tuple[Filled, ...]


class Way(NamedTuple):
    """The layer in one of the allowed dataflows.

    dataflow : None where it is the only one of its engine.
    cycles : None where the layer cannot run so; then `refusal` says why.
    """

    engine: str
    dataflow: str | None
    cycles: int | None
    refusal: str | None = None


class Reason(NamedTuple):
    """Why a layer takes its cycles, in brief.

    part : the products where they are BUSY, else the largest of the other parts.
    filled : the side that is not filled where that is the part, or of which passes use only one
        element; as far as the fullest of them does.
    """

    part: Part
    filled: Filled | None


class WithZeros(NamedTuple):
    """A transposed convolution as one convolution of its map with zeros inserted.

    cycles : None where no allowed engine runs it.
    """

    macs: int
    cycles: int | None


@dataclass(frozen=True)
class Explanation:
    """Why a layer takes its cycles.

    engine, dataflow : those that run it; the dataflow is None where the engine has only one.
    macs : dense multiply-accumulates of the batch.
    with_zeros : what a convolution of the map with zeros inserted would take; None where lowering
        leaves out no such zeros.
    bound_cycles : the least that multipliers and ports of the engine allow.
    memory_cycles : clocks with the memory of the design; None where it has none.
    parts : of multipliers x cycles, the largest first.
    passes : those that take part, the most frequent first.
    ways : the layer in every dataflow that is allowed, the fastest first.
    batch : images, which all figures are of.
    accesses, energy : as of a LayerResult; None where energy is left out.
    energy_table : by which energy was counted; None where it is left out.
    way, cycles_min, cycles_max : as of a LayerResult; `cycles` are the most.
    """

    network: str
    variant: str
    layer: str
    op: str
    engine: str
    dataflow: str | None
    cycles: int
    multipliers: int
    macs: int
    bound_cycles: int
    memory_cycles: int | None
    hardware: Hardware
    parts: tuple[Part, ...]
    passes: tuple[Passes, ...]
    ways: tuple[Way, ...]
    with_zeros: WithZeros | None = None
    batch: int = 1
    accesses: dict[str, int] | None = None
    energy: dict[str, float] | None = None
    energy_table: EnergyTable | None = None
    way: str | None = None
    cycles_min: int = 0
    cycles_max: int = 0

    @property
    def multiplier_clocks(self) -> int:
        """What the parts add up to, multipliers x cycles."""
        return self.multipliers * self.cycles

    @property
    def reason(self) -> Reason:
        """The reason in brief."""
        return _reason(self.parts, self.passes)

    def __str__(self) -> str:
        """The layer, its cycles, and the share of every part."""
        shares = (
            f"{100 * clocks / self.multiplier_clocks:.1f} % {kind}{name and f' {name}'}"
            for kind, name, clocks in self.parts
        )
        place = f"{self.layer} ({self.op}) on engine {self.engine} of {self.hardware.label}"
        return (
            f"{self.network} {self.variant}{of_batch(self.batch)}, layer {place}: "
            f"{counted(self.cycles, 'cycle')}; {', '.join(shares)}"
        )

    def to_dict(self) -> dict[str, Any]:
        """What `--json` prints."""
        whole = self.multiplier_clocks
        return {
            "network": self.network,
            **variant_keys(self.variant),
            "layer": self.layer,
            "op": self.op,
            "engine": self.engine,
            "dataflow": self.dataflow,
            "cycles": self.cycles,
            "multipliers": self.multipliers,
            "macs": self.macs,
            "bound_cycles": self.bound_cycles,
            "memory_cycles": self.memory_cycles,
            "hardware": self.hardware.to_dict(),
            "multiplier_clocks": whole,
            "parts": [
                part._asdict() | {"share": part.multiplier_clocks / whole} for part in self.parts
            ],
            "passes": [
                each._asdict() | {"filled": [side._asdict() for side in each.filled]}
                for each in self.passes
            ],
            "ways": [way._asdict() for way in self.ways],
            **({} if self.with_zeros is None else {"with_zeros": self.with_zeros._asdict()}),
            **batch_keys(self.batch),
            **region_keys(self.way, self.cycles_min, self.cycles_max),
            **self._energy(),
        }

    def _energy(self) -> dict[str, Any]:
        """What JSON holds of energy; nothing where it is left out."""
        if self.energy_table is None or self.energy is None:
            return {}
        return {
            "energy_table": self.energy_table.name,
            "energy_pj": sum(self.energy.values()),
            "energy": self.energy,
            "accesses": self.accesses,
        }


def explain(
    network: AnyNetwork,
    layer: str | None,
    hardware: AnyHardware,
    dataflow: Choice = AUTO,
    depthwise_on: str = AUTO,
    batch: int | None = None,
    energy: AnyEnergy | None = None,
) -> Explanation:
    """Why a layer takes its cycles.

    Parameters
    ----------
    layer : its name; None for the one that loses the most cycles.
    dataflow : what the array may use, as in `simulate`.
    depthwise_on : where depthwise layers run: array, engine, or auto.
    batch : images that the layer takes at once; None for the network's.
    energy : the table of energies, as in `simulate`.
    """
    network, hardware = as_network(network), as_hardware(hardware)
    table = None if energy is None else as_energy(energy)
    request = Request(network, hardware, dataflow, depthwise_on, batch=batch, energy=table)
    if layer is None:
        layer = _worst(request)
    chosen, in_shapes, lowered = request.layer_on(layer, "cycles to explain")
    ways = in_each_dataflow(chosen, in_shapes, hardware, request.allowed, request.images)
    tried = [
        Way(each.engine, each.dataflow, each.cycles)
        if isinstance(each, Lowered)
        else Way(each.engine, each.dataflow, None, each.reason)
        for each in ways
    ]
    cost = answer(request.of_layer(layer)).layers[0]
    return Explanation(
        network=network.name,
        variant=network.variant,
        layer=layer,
        op=chosen.op.name,
        engine=lowered.engine,
        dataflow=lowered.dataflow,
        cycles=lowered.cycles,
        multipliers=lowered.multipliers,
        macs=request.macs(chosen),
        bound_cycles=lowered.bound.cycles,
        memory_cycles=cost.memory_cycles,
        hardware=hardware,
        parts=parts_of(lowered),
        passes=_passes(lowered),
        ways=tuple(sorted(tried, key=lambda way: (way.cycles is None, way.cycles))),
        with_zeros=_with_zeros(request, chosen, in_shapes),
        batch=request.images,
        accesses=cost.accesses,
        energy=cost.energy,
        energy_table=table,
        way=lowered.way,
        cycles_min=lowered.cycles_min,
        cycles_max=lowered.cycles_max,
    )


def _with_zeros(request: Request, layer: Layer, in_shapes: tuple[Shape, ...]) -> WithZeros | None:
    """The fastest convolution of the map with zeros inserted, on the engines that are allowed."""
    if (whole := layer.op.with_zeros(*in_shapes)) is None:
        return None
    op, shape = whole
    images, layer = request.images, replace(layer, op=op)
    try:
        lowered = lower(layer, (shape,), request.hardware, request.allowed, images)
    except UnsupportedError:
        lowered = None
    return WithZeros(images * op.macs(shape), None if lowered is None else lowered.cycles)


def _worst(request: Request) -> str:
    """The layer that loses the most cycles."""
    layers = [layer for layer in answer(request).layers if not layer.not_modelled]
    if not layers:
        raise UnsupportedError(f"{request.network.name} has no layer that runs on an engine")
    return max(layers, key=lambda layer: layer.lost_cycles).name


def reason_of(request: Request, layer: Layer) -> Reason | None:
    """Why a layer takes its cycles, in brief; None on the host."""
    lowered = request.lower(layer)
    return None if lowered is None else _reason(parts_of(lowered), _passes(lowered))


def _reason(parts: tuple[Part, ...], passes: tuple[Passes, ...]) -> Reason:
    whole = sum(part.multiplier_clocks for part in parts)
    for part in parts:
        if part.kind != PRODUCTS or part.multiplier_clocks >= BUSY * whole:
            break
    for side in zip(*(each.filled for each in passes), strict=True):
        fullest = max(side, key=lambda filled: filled.used)
        if part[:2] == (IDLE, fullest.side) or fullest.used == 1 < fullest.size:
            return Reason(part, fullest)
    return Reason(part, None)


def parts_of(lowered: Lowered) -> tuple[Part, ...]:
    """What multipliers x cycles of a layer are for, the largest part first."""
    nest = lowered.nest("")
    spent = account(nest)
    executed = operations(nest)
    wanted = lowered.dense_macs - lowered.skipped_macs
    parts = [
        Part(PRODUCTS, "", lowered.live_macs),
        Part(PADDING, "", wanted - lowered.live_macs),
        Part(SURPLUS, "", executed - wanted),
        *_idle(lowered, lowered.multipliers * spent.pop(MULTIPLIES, 0) - executed),
        *(
            Part(cause.kind.value, cause.name, lowered.multipliers * clocks)
            for cause, clocks in spent.items()
        ),
    ]
    return tuple(
        sorted(
            (part for part in parts if part.multiplier_clocks),
            key=lambda part: -part.multiplier_clocks,
        )
    )


def _idle(lowered: Lowered, idle: int) -> list[Part]:
    """Multipliers that passes leave out while others multiply; what a side lacks, where known.

    Of rows that are not filled all columns count, of columns only what is in rows that are.
    """
    across = 0
    for p, count in _counted(lowered.body).items():
        filled = _filled(lowered, p)
        if not filled:
            return [Part(IDLE, "multiplier", idle)]
        _, (_, columns, wide) = filled
        executed = operations(lowered.model.nest(lowered.sizes, (p,), ""))
        across += count * (executed // columns) * (wide - columns)
    sides = [side.side for side in filled]
    return [Part(IDLE, sides[0], idle - across), Part(IDLE, sides[1], across)]


def _filled(lowered: Lowered, p: Any) -> tuple[Filled, ...]:
    registers = lowered.model.registers
    if registers is None or registers.used is None:
        return ()
    used, size = registers.used(lowered.sizes, p), registers.elements(lowered.sizes)
    return tuple(map(Filled, registers.sides, used, size))


def _passes(lowered: Lowered) -> tuple[Passes, ...]:
    """The passes of a layer, where its loop nest has tasks; those of one name are equal."""
    passes: dict[str, Passes] = {}
    for p, count in _counted(lowered.body).items():
        for task in _tasks(lowered.model.nest(lowered.sizes, (p,), "")):
            stages = (stage for section in task.sections for stage in section.stages)
            clocks = {stage.name: stage.latency for stage in stages if stage.latency}
            before = passes[task.name].trips if task.name in passes else 0
            filled = _filled(lowered, p)
            passes[task.name] = Passes(before + count, task.name, clocks, filled)
    return tuple(sorted(passes.values(), key=lambda each: -each.trips))


def _counted(body: Body) -> Counter[Any]:
    """How often each pass is in a body."""
    counts: Counter[Any] = Counter()
    for part in body:
        if isinstance(part, Repeat):
            inner = _counted(part.body)
            counts.update({p: part.trips * count for p, count in inner.items()})
        else:
            counts[part] += 1
    return counts


def _tasks(loop: Loop) -> Iterator[Task]:
    for node in loop.body:
        if isinstance(node, Task):
            yield node
        else:
            yield from _tasks(node)
