"""Traces: valid events whose times are those of the layers and of their passes."""

import json
import sys
from itertools import pairwise

import pytest

import accelsim as ax
from accelsim.errors import UnsupportedError

ENGINE = ax.DepthwiseEngine(8, 16)
HARDWARE = ax.Hardware(ax.SystolicArray(16, 16), depthwise=ENGINE)


@pytest.fixture(scope="module")
def network():
    return ax.networks.mobilenet_v2(input=(64, 64))


def tracks(trace):
    """Track -> its slices in order; the format as the viewers' documents have it."""
    written = json.loads(json.dumps(trace.to_dict()))
    names, slices = {}, {}
    for event in written["traceEvents"]:
        assert event["pid"] == 1
        if event["ph"] == "M":
            if event["name"] == "thread_name":
                names[event["tid"]] = event["args"]["name"]
        else:
            assert isinstance(event["ts"], int)
            assert event["ts"] >= 0
            if event["ph"] == "X":
                assert event["dur"] > 0
                slices.setdefault(event["tid"], []).append(event)
            else:
                assert event["ph"] in ("i", "C")
    return {names[tid]: there for tid, there in slices.items()}


def assert_nested(slices):
    """Slices of a track lie side by side or in one another, else viewers drop them."""
    open_until = []
    order = sorted(slices, key=lambda event: (event["ts"], -event["dur"]))
    for event in order:
        start, end = event["ts"], event["ts"] + event["dur"]
        while open_until and open_until[-1] <= start:
            open_until.pop()
        assert not open_until or end <= open_until[-1], event
        open_until.append(end)


@pytest.mark.parametrize("depthwise_on", ["array", "engine"])
def test_layers_follow_each_other_on_their_engines(network, depthwise_on):
    result = ax.simulate(network, HARDWARE, depthwise_on=depthwise_on)
    trace = ax.trace(network, HARDWARE, depthwise_on=depthwise_on)
    assert trace.cycles == result.total_cycles
    named = tracks(trace)
    everything = sorted(
        (event["ts"], event["dur"], event["name"], track)
        for track, there in named.items()
        for event in there
    )
    modelled = [layer for layer in result.layers if not layer.not_modelled]
    assert [row[1:] for row in everything] == [(x.cycles, x.name, x.engine) for x in modelled]
    assert all(a[0] + a[1] == b[0] for a, b in pairwise(everything))
    hosted = [event["name"] for event in trace.events if event["ph"] == "i"]
    assert hosted == [layer.name for layer in result.layers if layer.not_modelled]
    counted = [event["args"]["percent"] for event in trace.events if event["ph"] == "C"]
    assert counted[::2] == [100 * layer.utilization for layer in modelled]


@pytest.mark.parametrize(
    ("layer", "dataflow", "depthwise_on", "ports"),
    [
        ("b5.dw", "os", "array", {"port left", "port top", "port result"}),
        ("b5.dw", "rows", "array", {"port left", "port top", "port result"}),
        ("b5.expand", "ws", "auto", {"port left", "port top", "port result"}),
        ("b5.dw", "auto", "engine", {"port lanes", "port result"}),
    ],
)
def test_passes_of_a_layer(network, layer, dataflow, depthwise_on, ports):
    trace = ax.trace(network, HARDWARE, layer, dataflow, depthwise_on)
    run = ax.simulate(network, HARDWARE, dataflow, layers=layer, depthwise_on=depthwise_on)
    named = tracks(trace)
    for there in named.values():
        assert_nested(there)
    assert ports <= set(named)
    passes = [
        event for track, there in named.items() if track.startswith("passes") for event in there
    ]
    assert max(event["ts"] + event["dur"] for event in passes) == run.total_cycles == trace.cycles
    assert sorted(event["args"]["pass"] for event in passes) == list(range(len(passes)))
    multiplies = sum(event["args"].get("multiplies", 0) for event in passes)
    busy = run.layers[0].busy_utilization
    offered = (128 if depthwise_on == "engine" else 256) * run.total_cycles
    assert multiplies == pytest.approx(busy * offered)


def test_some_clocks_of_a_layer(network):
    whole = ax.trace(network, HARDWARE, "b5.dw", "os", "array")
    part = ax.trace(network, HARDWARE, "b5.dw", "os", "array", range(1000, 1100))
    assert part.cycles == whole.cycles
    assert 0 < len(part.events) < 60
    times = {(event["name"], event["ts"], event["dur"]) for event in whole.events}
    assert {(event["name"], event["ts"], event["dur"]) for event in part.events} <= times


def test_the_file_is_the_trace(network, tmp_path):
    trace = ax.trace(network, HARDWARE, "b5.dw", "rows", "array")
    trace.write(tmp_path / "trace.json")
    assert json.loads((tmp_path / "trace.json").read_text()) == trace.to_dict()


def test_what_no_trace_shows(network, monkeypatch):
    with pytest.raises(UnsupportedError, match=r"layer b3.add \(add\) runs on the host"):
        ax.trace(network, HARDWARE, "b3.add")
    with pytest.raises(UnsupportedError, match="a trace of them needs --layer"):
        ax.trace(network, HARDWARE, clocks=range(3))
    with pytest.raises(
        UnsupportedError, match=r"has no passes in clocks 99999999..99999999 of its"
    ):
        ax.trace(network, HARDWARE, "b5.dw", clocks=range(99999999, 100000000))
    peer = ax.PeerHardware(ax.Gemmini(16))
    assert ax.trace(network, peer).cycles == ax.simulate(network, peer).total_cycles
    with pytest.raises(UnsupportedError, match="a model without passes"):
        ax.trace(network, peer, "b5.dw")
    monkeypatch.setattr(sys.modules["accelsim.traces"], "MOST_SPANS", 100)
    with pytest.raises(UnsupportedError, match=r"more than 100 spans of time; .* --clocks FIRST"):
        ax.trace(network, HARDWARE, "b5.dw", "os", "array")
