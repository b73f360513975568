"""Traces: when what runs, as Chrome trace events, which ui.perfetto.dev and chrome://tracing open.

Of a network, a slice for every layer on its engine; of a layer, every pass with the ports that it
holds, clock by clock, from the loop nest whose latency the cycles are. One microsecond of the
viewer stands for one clock.

The format: "Trace Event Format", Google, 2016: complete events (X), instants (i), counters (C) and
names of processes and threads (M).
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accelsim.checks import check, of_type
from accelsim.errors import UnsupportedError
from accelsim.files import write_whole
from accelsim.find import AnyHardware, AnyNetwork, as_hardware, as_network
from accelsim.hls.spans import Kind, Span, spans_of
from accelsim.lowering import AUTO, Choice
from accelsim.networks.variants import variant_keys
from accelsim.phrases import of_batch
from accelsim.request import Request
from accelsim.result import LayerResult, batch_keys
from accelsim.simulation import answer
from accelsim.version import __version__

MOST_SPANS = 1_000_000  # what a viewer takes, and memory

Event = dict[str, Any]  # as the format has it


@dataclass(frozen=True)
class Trace:
    """Events on the tracks of one layer or one network.

    cycles : of the layer, or of all layers.
    tracks : names, in the order in which a viewer shows them.
    events : of the trace event format; `tid` counts the tracks from 1.
    batch : images.
    """

    network: str
    variant: str
    layer: str | None
    hardware: str
    cycles: int
    tracks: tuple[str, ...]
    events: tuple[Event, ...]
    batch: int = 1

    def to_dict(self) -> dict[str, Any]:
        """The object that viewers read."""
        layer = f" {self.layer}" if self.layer else ""
        what = f"{self.network} {self.variant}{layer}{of_batch(self.batch)}"
        names = [_event("M", "process_name", 0, {"name": f"{what}, {self.hardware}"})]
        for tid, track in enumerate(self.tracks, start=1):
            names.append(_event("M", "thread_name", tid, {"name": track}))
            names.append(_event("M", "thread_sort_index", tid, {"sort_index": tid}))
        return {
            "traceEvents": [*names, *self.events],
            "displayTimeUnit": "ms",
            "otherData": {
                "accelsim": __version__,
                "network": self.network,
                **variant_keys(self.variant),
                "layer": self.layer,
                "hardware": self.hardware,
                "cycles": self.cycles,
                "time": "1 us in the viewer is 1 clock",
                **batch_keys(self.batch),
            },
        }

    def write(self, path: str | Path) -> None:
        """Write the file, whole or not at all."""
        write_whole(path, json.dumps(self.to_dict(), separators=(",", ":")) + "\n")


def trace(
    network: AnyNetwork,
    hardware: AnyHardware,
    layer: str | None = None,
    dataflow: Choice = "auto",
    depthwise_on: str = AUTO,
    clocks: range | None = None,
    batch: int | None = None,
) -> Trace:
    """When the layers of a network run, or the passes of one layer.

    Parameters
    ----------
    layer : for the passes of this layer; None for all layers.
    dataflow : what the array may use, as in `simulate`.
    depthwise_on : where depthwise layers run: array, engine, or auto.
    clocks : of the layer, with passes and ports that overlap this time only; None for all.
    batch : images that every layer takes at once; None for the network's.
    """
    check("clocks", clocks, of_type(range, type(None)), UnsupportedError)
    network, hardware = as_network(network), as_hardware(hardware)
    request = Request(network, hardware, dataflow, depthwise_on, batch=batch)
    if layer is None:
        if clocks is not None:
            raise UnsupportedError("clocks are those of one layer; a trace of them needs --layer")
        result = answer(request)
        tracks, events = _of_layers(result.layers)
        cycles = result.total_cycles
    else:
        lowered = request.layer_on(layer, "passes").lowered
        if lowered.model.registers is None:
            raise UnsupportedError(
                f"layer {layer} runs on {lowered.engine}, a model without passes; a trace of all "
                "layers shows it"
            )
        cycles = lowered.cycles
        tracks, events = _of_passes(_bounded(spans_of(lowered.nest(layer), clocks), layer))
        if not events:
            when = f" in clocks {clocks.start}..{clocks.stop - 1}" if clocks else ""
            raise UnsupportedError(
                f"layer {layer} on engine {lowered.engine} has no passes{when} of its {cycles:,}"
            )
    return Trace(
        network.name,
        network.variant,
        layer,
        hardware.label,
        cycles,
        tuple(tracks),
        tuple(events),
        request.images,
    )


def _bounded(spans: Iterable[Span], layer: str) -> Iterator[Span]:
    for count, span in enumerate(spans):
        if count == MOST_SPANS:
            raise UnsupportedError(
                f"layer {layer} has more than {MOST_SPANS:,} spans of time; take some clocks of it "
                "by --clocks FIRST..LAST"
            )
        yield span


# ---- one layer -----------------------------------------------------------------------------


def _of_passes(spans: Iterable[Span]) -> tuple[list[str], list[Event]]:
    """Tracks and events: passes, on as many tracks as overlap, then ports and stages."""
    free: list[int] = []  # when the tracks of passes are
    lanes: list[tuple[int, Event]] = []
    places: dict[str, list[Event]] = {}
    for span in spans:
        args: dict[str, Any] = {"pass": span.number, "clocks": span.end - span.start}
        if span.multiplies:
            args["multiplies"] = span.multiplies
        if span.kind is Kind.TASK:
            lane = next((i for i, at in enumerate(free) if at <= span.start), len(free))
            free[lane : lane + 1] = [span.end]
            event = _slice(f"{span.number}: {span.name}", span.start, span.end, args)
            lanes.append((lane, event))
        else:
            name = f"{span.name}, held" if span.kind is Kind.HELD else span.name
            made = _slice(name, span.start, span.end, args | {"of": span.task})
            places.setdefault(span.place, []).append(made)
    tracks = [f"passes {lane + 1}" for lane in range(len(free))]
    events = [event | {"tid": lane + 1} for lane, event in lanes]
    for place, spent in sorted(places.items()):
        tracks.append(place)
        events += [event | {"tid": len(tracks)} for event in spent]
    return tracks, events


# ---- all layers ----------------------------------------------------------------------------


def _of_layers(layers: Iterable[LayerResult]) -> tuple[list[str], list[Event]]:
    """Tracks and events: a slice per layer on its engine, an instant where it is not modelled."""
    layers = list(layers)
    tracks = list(dict.fromkeys(layer.engine for layer in layers))
    events, now = [], 0
    for layer in layers:
        tid = tracks.index(layer.engine) + 1
        args = {"op": layer.op, "macs": layer.macs, "params": layer.params}
        if layer.not_modelled:
            args["not modelled"] = "on the host at 0 cycles"
            events.append(_event("i", layer.name, tid, args) | {"ts": now, "s": "t"})
            continue
        args |= {
            "dataflow": layer.dataflow,
            "cycles": layer.cycles,
            "bound_cycles": layer.bound_cycles,
            "utilization": layer.utilization,
        }
        events.append(_slice(layer.name, now, now + layer.cycles, args) | {"tid": tid})
        counter = f"utilization of {layer.engine}"
        end = now + layer.cycles
        share = () if layer.utilization is None else ((now, 100 * layer.utilization), (end, 0.0))
        for at, percent in share:
            events.append(_event("C", counter, 0, {"percent": percent}) | {"ts": at})
        now = end
    return tracks, events


def _slice(name: str, start: int, end: int, args: Event) -> Event:
    return _event("X", name, 0, args) | {"ts": start, "dur": end - start}


def _event(phase: str, name: str, tid: int, args: Event) -> Event:
    return {"ph": phase, "name": name, "pid": 1, "tid": tid, "args": args}
