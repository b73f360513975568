"""Simulation of a network: what each layer costs, by schedule or register by register.

schedule   cycles from the closed form of the engine; no data
golden     the same cycles, and real values through the network by the operators' references
cycle      values and cycles from register state alone, on real data; compared with golden

Layers run one after another: each begins after the last result of the one before it.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from accelsim import published
from accelsim.energy import FILL, AnyEnergy, as_energy, memory_stores, spent
from accelsim.engines import engine_of
from accelsim.errors import UnsupportedError
from accelsim.find import AnyHardware, AnyNetwork, as_hardware, as_network
from accelsim.forward import Step, batched, operands, step
from accelsim.inference import Arrays, Progress, infer, with_graph
from accelsim.ir import Layer, LayerList
from accelsim.lowering import AUTO, Choice, Lowered
from accelsim.numerics import Int32
from accelsim.request import CYCLE, GOLDEN, RTL, SCHEDULE, Layers, Request
from accelsim.result import MEMORY, LayerResult, Result, Values, utilization
from accelsim.reuse import moved
from accelsim.weights import load_weights


def simulate(
    network: AnyNetwork,
    hardware: AnyHardware,
    dataflow: Choice = AUTO,
    fidelity: str | None = None,
    timing: str = RTL,
    seed: int = 0,
    layers: Layers = None,
    scalesim_depthwise: str | None = None,
    progress: Progress | None = None,
    depthwise_on: str = AUTO,
    batch: int | None = None,
    energy: AnyEnergy | None = None,
    data: Arrays | None = None,
    keep: bool = False,
) -> Result:
    """What the network costs on the hardware.

    Parameters
    ----------
    network : also the name of one, or a file.
    hardware : also the name of a preset, or a file.
    dataflow, timing, seed, layers, scalesim_depthwise, depthwise_on, batch : see
        accelsim.request.Request.
    fidelity : schedule, golden or cycle; None for schedule, or golden where values are asked for.
    energy : also the name of a preset, or a file.
    progress : called before each layer in fidelities golden and cycle.
    data : inputs of a network from an .onnx or .tflite file by their names, typed and shaped as
        there; without it they follow from the seed. Result.values has the outputs.
    keep : whether Result.values is to hold the tensors between the layers too.
    """
    if fidelity is None:
        fidelity = SCHEDULE if data is None and not keep else GOLDEN
    request = Request(
        as_network(network),
        as_hardware(hardware),
        dataflow=dataflow,
        depthwise_on=depthwise_on,
        fidelity=fidelity,
        timing=timing,
        seed=seed,
        layers=layers,
        scalesim_depthwise=scalesim_depthwise,
        batch=batch,
        energy=None if energy is None else as_energy(energy),
    )
    return answer(request, progress, data, keep)


def answer(
    request: Request,
    progress: Progress | None = None,
    data: Arrays | None = None,
    keep: bool = False,
) -> Result:
    """What a request costs; `progress` is called before each layer where values are computed.

    data, keep : as `simulate` has them.
    """
    output: npt.NDArray[Any] | None = None
    values: Values | None = None
    if data is not None or keep:
        _check_values(request)
    if request.timing != RTL:
        layers = tuple(_published(request, layer) for layer in request.chosen)
    elif request.fidelity == SCHEDULE:
        layers = tuple(_scheduled(request, layer) for layer in request.chosen)
    elif isinstance(request.network, LayerList):
        layers, output = _run(request, request.network, progress or _ignore)
    else:
        request = with_graph(request, progress)
        layers, output, values = _infer(request, progress or _ignore, data, keep)
    about = request.hardware, request.timing, request.fidelity, request.seed
    layers = _with_energy(request, _with_memory(request, layers))
    computed = output, request.images, request.energy, values
    return Result(request.network, *about, layers, *computed)


def _check_values(request: Request) -> None:
    """Refuse data and tensors where there are no values."""
    if request.fidelity == SCHEDULE:
        raise UnsupportedError(
            f"fidelity {SCHEDULE} computes no values; with data or outputs it must be {GOLDEN} or "
            f"{CYCLE}"
        )
    if isinstance(request.network, LayerList):
        raise UnsupportedError(
            f"data and outputs are those of a graph, and {request.network.name} is a list of "
            "independent layers"
        )


def _with_memory(request: Request, layers: tuple[LayerResult, ...]) -> tuple[LayerResult, ...]:
    """Layers with what the memory of the design adds, by the model over the whole network."""
    memory, network = request.hardware.memory, request.network
    if memory is None or request.timing != RTL:
        return layers
    value_bytes = request.hardware.operands.value_bytes
    rooms = memory.activation_bytes, memory.weight_bytes
    every = moved(network, *rooms, value_bytes, request.images)
    by_name = {layer.name: each for layer, each in zip(network.layers, every, strict=True)}
    waiting = []
    for layer in layers:
        off_chip = by_name[layer.name]
        clocks = memory.clocks(sum(off_chip))
        slower = clocks > layer.cycles and not layer.not_modelled
        waiting.append(
            replace(
                layer,
                offchip_read_bytes=off_chip.read,
                offchip_write_bytes=off_chip.write,
                memory_cycles=max(layer.cycles, clocks),
                bound_by=MEMORY if slower else layer.bound_by,
            )
        )
    return tuple(waiting)


def _with_energy(request: Request, layers: tuple[LayerResult, ...]) -> tuple[LayerResult, ...]:
    """Layers with the energy of what their engines do, and of what the memory moves for them."""
    if request.energy is None:
        return layers
    design = request.hardware
    moved = memory_stores(design.memory)
    on = {sizes.name: engine_of(sizes).stores for sizes in design.engines}
    costs = []
    for layer in layers:
        stores, accesses = moved, layer.accesses or {}
        if of_engine := on.get(layer.engine):
            stores = {**moved, **of_engine(design.engine(layer.engine))}
        if layer.offchip_read_bytes is not None and layer.offchip_write_bytes is not None:
            accesses = accesses | {
                "offchip_read": layer.offchip_read_bytes,
                "offchip_write": layer.offchip_write_bytes,
            }
        known = {kind: count for kind, count in accesses.items() if kind in stores}
        energy = spent(request.energy, known, stores)
        costs.append(replace(layer, accesses=known, energy=energy) if known else layer)
    return tuple(costs)


def _ignore(what: str, done: float) -> None:
    """Progress that nobody watches."""


def _published(request: Request, layer: Layer) -> LayerResult:
    network, array = request.network, request.hardware.array
    cost = request.model.cost(layer, network.in_shapes(layer))
    if cost == published.NOT_MODELLED:
        return _on_host(request, layer)
    assert array is not None  # there is no published model of anything else
    live_macs = network.live_macs(layer)
    return LayerResult(
        name=layer.name,
        op=layer.op.name,
        engine=array.name,
        dataflow=cost.dataflow,
        cycles=cost.cycles,
        cycles_min=cost.cycles,
        cycles_max=cost.cycles,
        macs=network.macs(layer),
        params=network.params(layer),
        utilization=utilization(live_macs, array.multipliers * cost.cycles),
        busy_utilization=None,
        read_bytes=None,
        write_bytes=None,
        live_macs=live_macs,
        skipped_macs=None,
    )


def _scheduled(request: Request, layer: Layer) -> LayerResult:
    lowered = request.lower(layer)
    if lowered is None:
        return _on_host(request, layer)
    return _on_engine(request, layer, lowered, lowered.cycles)


def _infer(
    request: Request,
    progress: Progress,
    data: Arrays | None,
    keep: bool,
) -> tuple[tuple[LayerResult, ...], npt.NDArray[Any], Values]:
    """Real values through a graph; in fidelity cycle register by register."""
    done = infer(request, progress, data, keep)
    results = []
    for layer in request.chosen:
        lowered = done.lowered.get(layer.name) or request.lower(layer)
        if lowered is None:
            results.append(_on_host(request, layer))
        elif measured := done.measured.get(layer.name):
            results.append(_on_engine(request, layer, lowered, *measured))
        else:
            results.append(_on_engine(request, layer, lowered, lowered.cycles))
    return tuple(results), done.output, done.values


def _run(
    request: Request, network: LayerList, progress: Progress
) -> tuple[tuple[LayerResult, ...], npt.NDArray[Any] | None]:
    """Layers that are independent of each other, register by register; the sums of the last."""
    weights = load_weights(network, request.seed)
    output: npt.NDArray[Any] | None = None
    results = []
    for place, layer in enumerate(request.chosen):
        progress(layer.name, place / len(request.chosen))
        lowered = request.lower(layer)
        if lowered is None:
            output = None
            results.append(_on_host(request, layer))
            continue
        steps = [
            step(network, layer, weights, request.seed, image) for image in range(request.images)
        ]
        lowered = lowered.on([done.inputs for done in steps])
        output, cycles = _measure(lowered, layer, steps)
        equal = np.array_equal(output, batched([done.sums for done in steps]))
        results.append(_on_engine(request, layer, lowered, cycles, equal))
    return tuple(results), output


def _measure(lowered: Lowered, layer: Layer, steps: list[Step]) -> tuple[Int32, int]:
    """The layer's sums int32[k, oh, ow], or [n, k, oh, ow], and busy cycles, from registers."""
    sequence = lowered.sequence(*operands(layer, [each.inputs for each in steps], steps[0].weights))
    done = lowered.measure(sequence)
    return sequence.output(done.words), done.busy_cycles


def _on_host(request: Request, layer: Layer) -> LayerResult:
    network = request.network
    return LayerResult(
        name=layer.name,
        op=layer.op.name,
        engine="host",
        dataflow=None,
        cycles=0,
        cycles_min=0,
        cycles_max=0,
        macs=request.macs(layer),
        params=network.params(layer),
        utilization=0.0,
        busy_utilization=None,
        read_bytes=None,
        write_bytes=None,
        live_macs=request.images * network.live_macs(layer),
        skipped_macs=None,
        not_modelled=True,
    )


def _on_engine(
    request: Request,
    layer: Layer,
    lowered: Lowered,
    cycles: int,
    values_equal: bool | None = None,
) -> LayerResult:
    live_macs, traffic = lowered.live_macs, lowered.traffic
    offered = lowered.multipliers * cycles
    least, most = lowered.extremes or (cycles, cycles)
    network = request.network
    return LayerResult(
        name=layer.name,
        op=layer.op.name,
        engine=lowered.engine,
        dataflow=lowered.dataflow,
        cycles=cycles,
        cycles_min=least,
        cycles_max=most,
        macs=request.macs(layer),
        params=network.params(layer),
        utilization=utilization(live_macs, offered),
        busy_utilization=traffic.macs / offered if traffic else None,
        read_bytes=traffic.read_bytes if traffic else None,
        write_bytes=traffic.write_bytes if traffic else None,
        live_macs=live_macs,
        skipped_macs=lowered.skipped_macs,
        bound_cycles=lowered.bound.cycles,
        bound_by=lowered.bound.by,
        values_equal=values_equal,
        accesses=_accesses(layer, lowered) if request.energy else None,
        way=lowered.way,
    )


def _accesses(layer: Layer, lowered: Lowered) -> dict[str, int]:
    """How often a layer does what takes energy; UnsupportedError where its engine does not say."""
    if lowered.accesses is None:
        raise UnsupportedError(
            f"energy needs counts of accesses, and engine {lowered.engine} has none "
            f"(layer {layer.name})"
        )
    for kind in lowered.accesses:
        if kind not in (*lowered.stores, FILL):
            raise UnsupportedError(
                f"energy needs a store of every kind of access, and engine {lowered.engine} has "
                f"none of {kind} (layer {layer.name})"
            )
    return lowered.accesses
