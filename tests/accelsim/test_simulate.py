"""Whole networks: fidelities agree, totals meet their targets, results say what they are."""

import json
import math
from dataclasses import replace
from fractions import Fraction
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest

from accelsim import __version__, networks
from accelsim.c_synthesis import csynth
from accelsim.dataflows import DATAFLOWS, os
from accelsim.engines.systolic_array import cycle as systolic_array_cycle
from accelsim.errors import HardwareError, NetworkError, UnsupportedError
from accelsim.films import film
from accelsim.hardware import (
    DepthwiseEngine,
    Hardware,
    Memory,
    Operands,
    SystolicArray,
    find_preset,
    to_toml,
)
from accelsim.importers import load
from accelsim.ir import INPUT, Layer, Network
from accelsim.lowering import Lowered
from accelsim.ops import Add, Conv2d, Depthwise, GlobalPool, Linear, Pointwise, Pool
from accelsim.quantised import with_values
from accelsim.request import select
from accelsim.side_by_side import Entry, compare
from accelsim.simulation import simulate
from accelsim.traces import trace
from tests.accelsim.cli.probe import PROBE as SOURCE
from tests.naive.operators import live_macs

MIXED = ((3, 3), (1, 5), (5, 1), (2, 2), (3, 3), (1, 1))

PROBE = Network(
    "probe",
    (3, 13, 11),
    (
        Layer("stem", Conv2d(6, (3, 3), (2, 1), (1, 1, 0, 2), (1, 2)), ("input",), norm=True),
        Layer("mix", Depthwise(kernels=MIXED), ("stem",), activation="relu6"),
        Layer("grouped", Conv2d(6, (3, 3), padding=1, groups=2), ("mix",), bias=True),
        Layer("sum", Add(), ("mix", "grouped")),
        Layer("wide", Pointwise(11), ("sum",)),
        Layer("dw", Depthwise((3, 3), (2, 2)), ("wide",), activation="hswish"),
        Layer("pool", GlobalPool(), ("dw",)),
        Layer("fc", Linear(7), ("pool",), bias=True),
    ),
)


def hardware(rows, columns, **options):
    return Hardware(SystolicArray(rows, columns, **options), clock_mhz=500.0)


@pytest.mark.parametrize("dataflow", ["auto", "os", "ws", "is", "rows,os"])
@pytest.mark.parametrize("size", [(8, 8), (5, 3), (1, 4), (9, 16)])
def test_registers_agree_with_golden_and_schedule(dataflow, size):
    for overlap in (True, False):
        design = hardware(*size, overlap=overlap, accumulator_depth=16)
        schedule = simulate(PROBE, design, dataflow)
        golden = simulate(PROBE, design, dataflow, "golden")
        cycle = simulate(PROBE, design, dataflow, "cycle")
        assert cycle.values_equal is True
        assert [x.cycles for x in cycle.layers] == [x.cycles for x in schedule.layers]
        assert golden.layers == schedule.layers
        assert np.array_equal(golden.output, cycle.output)
        assert golden.output.shape == (7, 1, 1)
        assert schedule.output is None


@pytest.mark.parametrize("variant", ["baseline", "fuse_half"])
def test_mobilenet_register_by_register(variant):
    network = networks.mobilenet_v2(variant, input=(32, 32))
    design = hardware(16, 16)
    schedule, cycle = simulate(network, design), simulate(network, design, fidelity="cycle")
    assert cycle.values_equal is True
    assert [x.cycles for x in cycle.layers] == [x.cycles for x in schedule.layers]


def test_cycle_never_asks_the_schedule(monkeypatch):
    expected = simulate(PROBE, hardware(4, 4)).total_cycles

    def refuse(*_):
        raise AssertionError("the schedule was called")

    design = hardware(4, 4)
    monkeypatch.setattr(Lowered, "cycles", property(refuse))
    assert simulate(PROBE, design, fidelity="cycle").total_cycles == expected
    with pytest.raises(AssertionError, match="schedule was called"):
        simulate(PROBE, design)


def test_a_wrong_value_is_seen(monkeypatch):
    right = systolic_array_cycle.simulate

    def wrong(array, commands, left, top, earliest):
        result = right(array, commands, left, top, earliest=earliest)
        result.words[0] += 1
        return result

    monkeypatch.setattr(systolic_array_cycle, "simulate", wrong)
    result = simulate(PROBE, hardware(4, 4), "ws", "cycle", layers="fc")
    assert result.values_equal is False
    assert result.layers[0].values_equal is False
    assert result.to_dict()["values_equal"] is False


# --- totals at 64 x 64, against array_microarchitecture's and the published figures


@pytest.mark.parametrize(("variant", "most"), [("baseline", 255_000), ("fuse_half", 193_000)])
def test_totals(variant, most):
    network = networks.mobilenet_v2(variant)
    total = simulate(network, hardware(64, 64)).total_cycles
    assert total <= most
    # No mapping is faster than all multipliers at work all the time.
    assert total >= network.total_macs / 64**2


def test_rows_alone_for_depthwise():
    """K streams per line: 144,948 clocks of intervals, and about 190 per layer to fill and drain.

    Im2col in one column costs a clock per output at least, and 2,303,048 with fill and drain.
    """
    network = networks.mobilenet_v2()
    depthwise = [x.name for x in network.layers if isinstance(x.op, Depthwise)]
    design = hardware(64, 64)
    rows = sum(simulate(network, design, "rows", layers=name).total_cycles for name in depthwise)
    assert rows <= 144_948 + len(depthwise) * (64 + 64 + 64 - 2)
    plain = sum(simulate(network, design, "os", layers=name).total_cycles for name in depthwise)
    outputs = sum(np.prod(network.shape(name)) for name in depthwise)
    assert outputs <= plain <= 1.01 * outputs + len(depthwise) * 200


def test_dense_layers():
    """Best of os, ws, is per layer without sharing a column: 144,196 clocks of intervals."""
    network = networks.mobilenet_v2()
    result = simulate(network, hardware(64, 64), "os,ws,is")
    dense = [x for x in result.layers if x.op != "depthwise" and not x.not_modelled]
    assert len(dense) == 36
    assert sum(x.cycles for x in dense) <= 144_196


@pytest.mark.parametrize(
    ("timing", "variant", "cycles"),
    [
        ("fuseconv-2020", "baseline", 2_979_156),
        ("fuseconv-2020", "fuse_half", 411_910),
        ("fuseconv-2021", "baseline", 2_961_936),
    ],
)
def test_published_timings(timing, variant, cycles):
    result = simulate(networks.mobilenet_v2(variant), hardware(64, 64), timing=timing)
    assert result.total_cycles == cycles
    pool = next(x for x in result.layers if x.name == "pool")
    assert (pool.engine, pool.cycles, pool.not_modelled) == ("host", 0, True)
    assert result.layers[0].read_bytes is None


def test_scalesim():
    network, design = networks.mobilenet_v2(), hardware(64, 64)
    assert simulate(network, design, "os", timing="scalesim").total_cycles == 743_135
    per_channel = simulate(
        network, design, "os", timing="scalesim", scalesim_depthwise="per-channel"
    )
    assert per_channel.total_cycles == 5_713_898


class Named(NamedTuple):
    """A dataflow that is in no list: `os` under another name."""

    name: str
    engine: str = os.engine
    eager: bool = False
    tilings = staticmethod(os.tilings)
    body = staticmethod(os.body)
    program = staticmethod(os.program)


def test_a_dataflow_of_the_user():
    """It runs every level that a listed one runs, alone or among others."""
    design, mine = hardware(8, 8), Named("mine")
    for fidelity in ("schedule", "cycle"):
        listed = simulate(PROBE, design, "os", fidelity)
        result = simulate(PROBE, design, (mine,), fidelity)
        assert {layer.dataflow for layer in result.layers} == {"mine", None}
        assert [x.cycles for x in result.layers] == [x.cycles for x in listed.layers]
        assert result.values_equal in (None, True)
    with pytest.raises(UnsupportedError, match=r"a dataflow has a name, .*; 'half' has no"):
        simulate(PROBE, design, (SimpleNamespace(name="half"),))
    both = simulate(PROBE, design, (*DATAFLOWS[1:], mine)).layers
    assert [x.cycles for x in both] == [x.cycles for x in simulate(PROBE, design).layers]
    assert len({x.dataflow for x in both} - {None}) > 1


# --- what is refused


def test_refusals():
    design = hardware(8, 8)
    with pytest.raises(UnsupportedError, match="timing scalesim takes dataflows by name"):
        simulate(PROBE, design, DATAFLOWS[:1], timing="scalesim")
    with pytest.raises(UnsupportedError, match="fidelity must be one of schedule, golden, cycle"):
        simulate(PROBE, design, fidelity="rtl")
    with pytest.raises(UnsupportedError, match="counts cycles only"):
        simulate(PROBE, design, timing="fuseconv-2020", fidelity="cycle")
    with pytest.raises(UnsupportedError, match="there is no timing 'vhdl'; there are rtl, fuse"):
        simulate(PROBE, design, timing="vhdl")
    with pytest.raises(UnsupportedError, match="layer stem runs in none"):
        simulate(PROBE, design, "rows")
    with pytest.raises(NetworkError, match="no layer 'nope'"):
        simulate(PROBE, design, layers="nope..fc")
    with pytest.raises(NetworkError, match="layer stem comes before fc"):
        simulate(PROBE, design, layers="fc..stem")
    with pytest.raises(NetworkError, match=r"layers must be FIRST\.\.LAST, .*, not 5"):
        simulate(PROBE, design, layers=5)
    with pytest.raises(NetworkError, match="a simulation takes a Network, its name or a file, not"):
        simulate(networks.resnet18, design)
    with pytest.raises(NetworkError, match="there is no network 'probe'; there are mobilenet_v1,"):
        simulate("probe", design)
    with pytest.raises(HardwareError, match="there is no preset 'probe'; there are tiny,"):
        simulate(PROBE, "probe")
    with pytest.raises(HardwareError, match=r"a simulation takes a design, .*, not Systolic"):
        simulate(PROBE, design.array)


# --- networks and designs by name


def test_every_function_takes_names_and_files(tmp_path):
    network, design = networks.resnet18(), find_preset("edge").hardware
    (tmp_path / "edge.toml").write_text(to_toml(design))
    (tmp_path / "probe.toml").write_text(SOURCE)
    assert simulate("resnet18", "edge") == simulate(network, design)
    assert simulate("resnet18", tmp_path / "edge.toml") == simulate(network, design)
    assert simulate(str(tmp_path / "probe.toml"), "edge").layers[0].name == "stem"
    assert csynth("resnet18", "stem", "edge") == csynth(network, "stem", design)
    assert trace("resnet18", "edge") == trace(network, design)
    entries = [Entry("edge", design), Entry("tiny", find_preset("tiny").hardware)]
    assert compare("resnet18", entries) == compare(network, entries)
    path = tmp_path / "probe.toml"
    seen, expected = film(path, "fc", "edge"), film(load(path), "fc", design)
    assert np.array_equal(seen.activity.states, expected.activity.states)


# --- what a result says


def test_the_time_is_cycles_at_the_clock():
    result = simulate(PROBE, replace(hardware(8, 8), clock_mhz=250.0))
    assert result.time_ms == result.computing_ms == result.total_cycles / 250e3


def test_layers_wait_for_the_slower_of_engine_and_memory():
    layers = (
        Layer("wide", Pointwise(4), (INPUT,)),
        Layer("pool", Pool("max", (2, 2), (2, 2)), ("wide",)),
        Layer("end", Pointwise(16), ("pool",)),
    )
    network = Network("chain", (2, 32, 32), layers)
    # No map fits into 1 KiB beside another one: every layer reads and writes its maps and weights.
    off_chip = {
        "wide": (2 * 32 * 32 + 4 * 2, 4 * 32 * 32),
        "pool": (4 * 32 * 32, 4 * 16 * 16),
        "end": (4 * 16 * 16 + 16 * 4, 16 * 16 * 16),
    }
    alone = simulate(network, hardware(8, 8))
    for width in (1, 3, 7, 1000):
        design = replace(alone.hardware, memory=Memory(1, 1, width))
        result = simulate(network, design)
        for layer, without in zip(result.layers, alone.layers, strict=True):
            read, written = off_chip[layer.name]
            clocks = math.ceil(Fraction(read + written, width))
            assert (layer.offchip_read_bytes, layer.offchip_write_bytes) == (read, written)
            assert layer.cycles == without.cycles
            assert layer.memory_cycles == max(layer.cycles, clocks)
            waits = clocks > layer.cycles
            expected = None if layer.name == "pool" else "memory" if waits else without.bound_by
            assert layer.bound_by == expected
        total = sum(layer.memory_cycles for layer in result.layers)
        assert result.total_memory_cycles == total
        assert result.time_ms == total / 500e3
        assert result.computing_ms == alone.time_ms
        # The model looks at the whole network, whatever is asked for.
        assert simulate(network, design, layers="end").layers == result.layers[2:]
    # By hand: 8 results a clock take longer than 64 products a clock, 2 and 4 products a result.
    assert {layer.bound_by for layer in alone.layers} == {"results", None}


def test_operands_above_nine_bits_take_two_bytes():
    results = {
        bits: simulate(
            "mobilenet_v3_small",
            Hardware(
                SystolicArray(16, 16, operands=Operands(bits)),
                depthwise=DepthwiseEngine(4, 8, operands=Operands(bits)),
                memory=Memory(1 << 20, 1 << 20, 4),
            ),
        )
        for bits in (8, 9, 10, 16)
    }
    for bits, result in results.items():
        for layer, usual in zip(result.layers, results[9].layers, strict=True):
            times = 1 if bits <= 9 else 2
            assert layer.cycles == usual.cycles
            for key in ("read_bytes", "offchip_read_bytes", "offchip_write_bytes"):
                if getattr(usual, key) is not None:
                    assert getattr(layer, key) == times * getattr(usual, key)


def test_published_timings_and_designs_without_memory_leave_it_out():
    for design, timing in ((find_preset("mobile").hardware, "fuseconv-2020"), ("bare", "rtl")):
        made = hardware(64, 64) if design == "bare" else design
        result = simulate("resnet18", made, timing=timing)
        assert result.total_memory_cycles is None
        assert result.time_ms == result.total_cycles / 500e3
        assert all(layer.offchip_read_bytes is None for layer in result.layers)
    assert {layer.bound_by for layer in result.layers} == {"array", None}


def test_the_phone_waits_for_its_memory():
    # 2.15 ms of clocks, and 8.39 ms where a clock moves 16 bytes, as was found by hand.
    result = simulate("resnet50", "mobile")
    assert f"{result.computing_ms:.2f} {result.time_ms:.2f}" == "2.15 8.39"


class Cells(HTMLParser):
    """The text of every cell of a table, row by row, and the names of all elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.elements: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, _: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        if self.rows:
            self.rows[-1][-1] += data


def test_a_notebook_shows_the_layers_and_the_totals():
    result = simulate(PROBE, hardware(8, 8), fidelity="cycle")
    text = result._repr_html_()
    cells = Cells(text)
    modelled = [layer for layer in result.layers if not layer.not_modelled]
    assert [row[0] for row in cells.rows] == ["layer", *(x.name for x in modelled), "total"]
    assert [row[4] for row in cells.rows[1:-1]] == [f"{layer.cycles:,}" for layer in modelled]
    assert cells.rows[-1][4] == f"{result.total_cycles:,}"
    assert "fidelity cycle: 1,124 cycles, 0.00225 ms at 500 MHz, memory left out" in str(result)
    assert str(result) in text
    assert "values equal golden" in text
    assert f"not modelled: {len(result.layers) - len(modelled)}" in text


def test_names_are_no_markup_in_a_notebook():
    name = "<script>alert('&amp;')</script>"
    layers = (Layer(name, Pointwise(2), ("input",)),)
    made = simulate(Network(name, (3, 4, 4), layers), hardware(8, 8))._repr_html_()
    cells = Cells(made)
    assert cells.rows[1][0] == name
    assert "script" not in cells.elements


def test_a_notebook_shows_a_result_without_cycles():
    host = Network("host", (3, 4, 4), (Layer("pool", GlobalPool(), ("input",)),))
    cells = Cells(simulate(host, hardware(8, 8))._repr_html_())
    assert cells.rows[1:] == [["total", "", "", "", "0", "-", "0"]]


def test_some_layers():
    assert [x.name for x in select(PROBE, "mix..sum")] == ["mix", "grouped", "sum"]
    assert select(PROBE, ("mix", "sum")) == select(PROBE, "mix..sum")
    assert [x.name for x in select(PROBE, "dw")] == ["dw"]
    whole = simulate(PROBE, hardware(8, 8), fidelity="cycle")
    part = simulate(PROBE, hardware(8, 8), fidelity="cycle", layers="grouped..wide")
    assert part.layers == whole.layers[2:5]
    assert part.total_cycles == sum(x.cycles for x in whole.layers[2:5])
    assert part.output.shape == PROBE.shape("wide")


def test_result():
    design = hardware(8, 8)
    result = simulate(PROBE, design)
    by_name = {x.name: x for x in result.layers}
    assert result.total_macs == PROBE.total_macs
    assert result.total_params == PROBE.total_params
    for layer in PROBE.layers:
        cost = by_name[layer.name]
        assert (cost.op, cost.macs) == (layer.op.name, PROBE.macs(layer))
        if layer.name in ("sum", "pool"):
            assert (cost.engine, cost.dataflow, cost.cycles) == ("host", None, 0)
            assert cost.not_modelled
        else:
            assert cost.engine == "array"
            pieces = layer.op.lower(*PROBE.in_shapes(layer))
            assert cost.live_macs == sum(live_macs(piece.conv) for piece in pieces)
            assert cost.utilization == cost.live_macs / (64 * cost.cycles)
            assert cost.skipped_macs == 0  # the array skips no tap
            assert 0 < cost.busy_utilization <= 1
            # Every operand is filled at least once, every output written.
            weights = np.prod(layer.op.weight_shape(*PROBE.in_shapes(layer)))
            assert cost.read_bytes >= weights
            assert cost.write_bytes >= 4 * np.prod(PROBE.shape(layer.name))
    assert result.values_equal is None


def test_dictionary():
    result = simulate(PROBE, hardware(8, 8), seed=3)
    written = json.loads(json.dumps(result.to_dict()))
    assert list(written) == [
        "network",
        "variant",
        "form",
        "input",
        "timing",
        "fidelity",
        "version",
        "seed",
        "weights_sha256",
        "hardware",
        "layers",
        "total_cycles",
        "total_cycles_min",
        "total_cycles_max",
        "total_macs",
        "total_live_macs",
        "total_skipped_macs",
        "total_params",
        "total_memory_cycles",
        "clock_mhz",
        "clock_source",
        "time_ms",
        "published_params",
    ]
    assert written["version"] == __version__
    assert written["hardware"]["array"]["rows"] == 8
    assert list(written["layers"][0])[:10] == [
        *("name", "op", "engine", "dataflow", "cycles", "macs", "params"),
        *("utilization", "busy_utilization", "read_bytes"),
    ]
    assert written["total_cycles"] == sum(x["cycles"] for x in written["layers"])
    assert written["weights_sha256"] is None  # of which cycles take none
    one, other = (simulate(PROBE, hardware(8, 8), fidelity="golden", seed=n) for n in (3, 4))
    assert one.weights_sha256 != other.weights_sha256
    assert len(one.weights_sha256) == 64
    assert one.total_cycles == other.total_cycles == written["total_cycles"]


def test_frame():
    result = simulate(PROBE, hardware(8, 8))
    frame = result.to_frame()
    assert frame["cycles"].sum() == result.total_cycles
    assert frame["name"].to_list() == [x.name for x in PROBE.layers]
    assert frame.row(0, named=True)["dataflow"] == result.layers[0].dataflow


def test_progress():
    seen = []
    with_values(PROBE)  # so that no ranges are measured
    simulate(PROBE, hardware(8, 8), fidelity="golden", progress=lambda *x: seen.append(x))
    assert [name for name, _ in seen] == [x.name for x in PROBE.layers]
    shares = [share for _, share in seen]
    assert shares == sorted(shares)
    assert 0 <= shares[0] <= shares[-1] < 1


def test_clock_changes_no_cycles():
    design = hardware(8, 8)
    slower = replace(design, clock_mhz=1.0)
    assert simulate(PROBE, design).layers == simulate(PROBE, slower).layers


def test_a_range_of_one_layer_is_refused():
    network = networks.resnet18()
    with pytest.raises(NetworkError, match=r"layers must be FIRST\.\.LAST.* not \('stem',\)"):
        simulate(network, Hardware(SystolicArray(8, 8)), layers=("stem",))
