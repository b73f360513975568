"""Simulation of a network: what each layer costs, by schedule or register by register.

schedule   cycles from the closed form of the engine; no data
golden     the same cycles, and real values through the network by the operators' references
cycle      values and cycles from register state alone, on real data; compared with golden

Layers run one after another: each begins after the last result of the one before it.
"""

from collections.abc import Callable

import numpy as np

from accelsim import published
from accelsim.dataflows import Dataflow
from accelsim.errors import NetworkError, UnsupportedError
from accelsim.hardware import Hardware, SystolicArray
from accelsim.ir import INPUT, Layer, Network
from accelsim.lower import AUTO, Choice, Lowered, check_depthwise, lower, parse_dataflows
from accelsim.numerics import Int8, Int32, epilogue
from accelsim.result import RTL, LayerResult, Result
from accelsim.weights import load_weights, seeded_input

TIMINGS = (RTL, *published.TIMINGS)
FIDELITIES = ("schedule", "golden", "cycle")

Progress = Callable[[str, float], None]  # what is being done, and the share of all that is done


def simulate(
    network: Network,
    hardware: Hardware,
    dataflow: Choice = "auto",
    fidelity: str = "schedule",
    timing: str = RTL,
    seed: int = 0,
    layers: str | tuple[str, str] | None = None,
    scalesim_depthwise: str | None = None,
    progress: Progress | None = None,
    depthwise_on: str = AUTO,
) -> Result:
    """What the network costs on the hardware.

    Parameters
    ----------
    dataflow : auto, or the allowed ones of os, ws, is, rows with commas, or a tuple of dataflows
        (see accelsim.dataflows); each layer takes the fastest that can run it. Timing scalesim
        needs one of os, ws, is.
    fidelity : schedule, golden or cycle.
    timing : rtl for our hardware, or a published model (fidelity schedule only).
    seed : of generated weights and input.
    layers : FIRST..LAST, (first, last) or one name: only these layers, both included; values
        still flow through all before.
    scalesim_depthwise : one-filter (as None) or per-channel, for timing scalesim only.
    progress : called before each layer in fidelities golden and cycle.
    depthwise_on : where depthwise layers run: array, engine (the depthwise engine), or auto, the
        faster of the two.
    """
    if fidelity not in FIDELITIES:
        raise UnsupportedError(f"fidelity must be one of {', '.join(FIDELITIES)}, not {fidelity!r}")
    if timing not in TIMINGS:
        raise UnsupportedError(f"there is no timing {timing!r}; there are {', '.join(TIMINGS)}")
    check_depthwise(hardware, depthwise_on)
    if (model := hardware.third_party) and (timing != RTL or fidelity == "cycle"):
        raise UnsupportedError(
            f"{model.name} is a model without registers and RTL; timing must be {RTL} "
            "and fidelity schedule or golden"
        )
    if hardware.depthwise is not None and timing != RTL:
        raise UnsupportedError(f"timing {timing} knows no depthwise engine; depthwise must be none")
    if scalesim_depthwise is not None and timing != published.ScaleSim.name:
        raise UnsupportedError(f"--scalesim-depthwise is for timing scalesim, not {timing}")
    chosen = select(network, layers)
    output: Int8 | None = None
    if timing != RTL:
        if fidelity != "schedule":
            raise UnsupportedError(
                f"timing {timing} counts cycles only; fidelity must be schedule, not {fidelity}"
            )
        if not isinstance(dataflow, str):
            raise UnsupportedError(f"timing {timing} takes dataflows by name")
        array = hardware.array
        assert array is not None  # no design without one passes so far
        filters = published.DEPTHWISE[0] if scalesim_depthwise is None else scalesim_depthwise
        model = published.get(timing, array.rows, array.columns, dataflow, filters)
        found = tuple(_published(network, layer, array, model) for layer in chosen)
    elif fidelity == "schedule":
        allowed = parse_dataflows(dataflow)
        found = tuple(
            _scheduled(network, layer, hardware, allowed, depthwise_on) for layer in chosen
        )
    else:
        allowed = parse_dataflows(dataflow)
        measure = fidelity == "cycle"
        options = hardware, allowed, depthwise_on
        found, output = _run(network, options, chosen, measure, seed, progress or _ignore)
    return Result(network, hardware, timing, fidelity, seed, found, output)


def select(network: Network, layers: str | tuple[str, str] | None) -> tuple[Layer, ...]:
    """The layers from first to last, both included, or the one named; all of them for None."""
    if layers is None:
        return network.layers
    if isinstance(layers, str):
        first, dots, last = layers.partition("..")
        layers = first, last if dots else first
    if len(layers) != 2:
        raise NetworkError(f"layers must be FIRST..LAST, (first, last) or one name, not {layers!r}")
    start, end = (network.layers.index(network.layer(name)) for name in layers)
    if end < start:
        raise NetworkError(f"layer {layers[1]} comes before {layers[0]} in {network.name}")
    return network.layers[start : end + 1]


def _ignore(what: str, done: float) -> None:
    """Progress that nobody watches."""


def _published(
    network: Network, layer: Layer, array: SystolicArray, model: published.Timing
) -> LayerResult:
    cost = model.cost(layer, network.in_shapes(layer))
    if cost == published.NOT_MODELLED:
        return _on_host(network, layer)
    macs = network.macs(layer)
    return LayerResult(
        name=layer.name,
        op=layer.op.name,
        engine="array",
        dataflow=cost.dataflow,
        cycles=cost.cycles,
        macs=macs,
        params=network.params(layer),
        utilization=macs / (array.multipliers * cost.cycles),
        busy_utilization=None,
        read_bytes=None,
        write_bytes=None,
    )


def _scheduled(
    network: Network,
    layer: Layer,
    hardware: Hardware,
    allowed: tuple[Dataflow, ...],
    depthwise_on: str,
) -> LayerResult:
    lowered = lower(layer, network.in_shapes(layer), hardware, allowed, depthwise_on)
    if lowered is None:
        return _on_host(network, layer)
    return _on_engine(network, layer, lowered, lowered.cycles)


def _run(
    network: Network,
    options: tuple[Hardware, tuple[Dataflow, ...], str],
    chosen: tuple[Layer, ...],
    measure: bool,
    seed: int,
    progress: Progress,
) -> tuple[tuple[LayerResult, ...], Int8]:
    """Real values through the network up to the last chosen layer.

    options : of `lower`: hardware, allowed dataflows, depthwise_on.
    measure : whether the chosen layers run register by register; else by the schedule.
    """
    weights = load_weights(network, seed)
    maps = {INPUT: seeded_input(network, seed)}
    found = []
    for index, layer in enumerate(network.layers[: network.layers.index(chosen[-1]) + 1]):
        progress(layer.name, index / len(network.layers))
        inputs, kernel = [maps[source] for source in layer.inputs], weights.kernel(layer)
        sums = layer.op.golden(kernel, *inputs)
        if layer in chosen:
            lowered = lower(layer, network.in_shapes(layer), *options)
            if lowered is None:
                found.append(_on_host(network, layer))
            elif measure:
                out, cycles = _measure(lowered, inputs[0], kernel)
                equal = np.array_equal(out, sums)
                found.append(_on_engine(network, layer, lowered, cycles, equal))
            else:
                found.append(_on_engine(network, layer, lowered, lowered.cycles))
        maps[layer.name] = epilogue(sums, weights.bias(layer), layer.activation)
    return tuple(found), maps[chosen[-1].name]


def _measure(lowered: Lowered, x: Int8, weights: Int8) -> tuple[Int32, int]:
    """The layer's sums int32[k, oh, ow] and busy cycles, from registers alone."""
    work = lowered.sequence(x, weights)
    words, cycles = lowered.measure(work)
    return work.output(words), cycles


def _on_host(network: Network, layer: Layer) -> LayerResult:
    return LayerResult(
        name=layer.name,
        op=layer.op.name,
        engine="host",
        dataflow=None,
        cycles=0,
        macs=network.macs(layer),
        params=network.params(layer),
        utilization=0.0,
        busy_utilization=None,
        read_bytes=None,
        write_bytes=None,
        not_modelled=True,
    )


def _on_engine(
    network: Network,
    layer: Layer,
    lowered: Lowered,
    cycles: int,
    values_equal: bool | None = None,
) -> LayerResult:
    macs, traffic = network.macs(layer), lowered.traffic
    offered = lowered.multipliers * cycles
    return LayerResult(
        name=layer.name,
        op=layer.op.name,
        engine=lowered.engine,
        dataflow=lowered.dataflow,
        cycles=cycles,
        macs=macs,
        params=network.params(layer),
        utilization=macs / offered,
        busy_utilization=traffic.macs / offered if traffic else None,
        read_bytes=traffic.read_bytes if traffic else None,
        write_bytes=traffic.write_bytes if traffic else None,
        bound_cycles=lowered.bound_cycles,
        values_equal=values_equal,
    )
