"""An engine that accelsim does not have: the one of notebook 06, at all levels and in all reports.

Its files are those that the notebook writes.
"""

import importlib
import json
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest

import accelsim as ax
from accelsim import dataflows, engines, hardware, limits, passes
from accelsim.cli import main
from accelsim.cosimulation import stimulus
from accelsim.engines import activity
from accelsim.errors import AccelsimError, FileError, HardwareError, UnsupportedError
from accelsim.hardware import files, to_toml
from accelsim.saved import load_result
from rtl import engines as rtl_engines
from rtl.flow.cosim import cosim, level
from rtl.flow.generate import generate
from rtl.flow.waves import read_waves
from rtl.host.driver import Stalls
from tests.engines.base import Sequence, Subject
from tests.rtl.agreement import check, stall_cycles
from tests.rtl.units import random_units

NOTEBOOK = Path(__file__).parents[3] / "notebooks" / "06_extend.ipynb"
WRITES = "%%writefile "
ARRAY = ax.SystolicArray(4, 4)


class Dot:
    """The engine's parts."""

    def __init__(self):
        self.sizes = importlib.import_module("accelsim.hardware.dot").DotEngine
        self.passes = importlib.import_module("accelsim.passes.dot")
        self.engine = importlib.import_module("accelsim.engines.dot").ENGINE
        self.dataflow = importlib.import_module("accelsim.dataflows.dot")
        self.core = importlib.import_module("rtl.engines.dot").CORE


@pytest.fixture(scope="module", autouse=True)
def dot(tmp_path_factory):
    """In the lists of engines for as long as these tests run."""
    place = tmp_path_factory.mktemp("house")
    for cell in nbformat.read(NOTEBOOK, as_version=4).cells:
        if cell.source.startswith(WRITES):
            first, text = cell.source.split("\n", 1)
            path = place / first.removeprefix(WRITES)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    known = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        for package in (hardware, passes, limits, engines, dataflows, rtl_engines):
            added = place.joinpath(*package.__name__.split("."))
            patch.setattr(package, "__path__", [*package.__path__, str(added)])
        made = Dot()
        for module, name, one in (
            (files, "ENGINES", made.sizes(1)),
            (engines, "ENGINES", made.engine),
            (dataflows, "DATAFLOWS", made.dataflow),
            (rtl_engines, "ENGINES", made.core),
        ):
            patch.setattr(module, name, (*getattr(module, name), one))
        yield made
    for name in sorted(set(sys.modules) - known, reverse=True):
        if ".dot" in name:
            parent, _, child = name.rpartition(".")
            delattr(sys.modules[parent], child)
            del sys.modules[name]


@pytest.fixture(scope="module")
def subject(dot):
    """The engine under test as those of accelsim are."""

    return Subject(
        engine=dot.engine,
        core=dot.core,
        plain=None,
        kinds={},
        sequence=unused,
        memories=unused,
        deep={},
        extreme=unused,
        counted=counted,
    )


def unused(*_):
    """What only tests of all engines of accelsim ask for."""
    raise NotImplementedError


RESULTS = 8  # that the result memory of its core holds


def counted(engine, sequences, log):
    """Busy and stall cycles: a word a clock, where its command is there, and room for its sum."""
    counters, passes, sums, clock = [], 0, 0, 0
    for sequence in sequences:
        first, words = None, 0
        for p in sequence.passes:
            clock = max(clock, log.commands[passes] + 1)
            passes += 1
            for _ in range(p.outputs):
                for word in range(p.depth):
                    if word == p.depth - 1 and sums >= RESULTS:
                        clock = max(clock, log.results[sums - RESULTS] + 2)
                    first = clock if first is None else first
                    clock, words = clock + 1, words + 1
                sums += 1
        busy = clock - first + 2
        counters.append((busy, busy - words - 2))
        clock += 2  # the last sum
    return counters


def random_sequence(rng, dot, engine, passes):
    """Passes of random sizes, each half of the memory of an engine at most."""
    depth = rng.integers(1, 8, passes)
    outputs = rng.integers(1, 1 + np.minimum(9, engine.bank_depth // 2 // depth))
    words = outputs * depth
    vectors, last = rng.integers(0, 4, passes), np.arange(passes) == passes - 1
    weights, inputs = (
        rng.integers(-256, 256, (length, engine.multipliers), np.int16)
        for length in (words.sum(), (vectors + depth).max())
    )
    table = np.stack([outputs, depth, np.cumsum(words) - words, vectors, last], axis=1)
    body = tuple(dot.passes.DotPass(*row[:2]) for row in table.tolist())
    return Sequence(body, table, (weights, inputs), np.ones((outputs.sum(), 1), np.bool_))


@pytest.mark.parametrize("bank_depth", [16, 4096])
@pytest.mark.parametrize("multipliers", [1, 3, 8])
def test_all_levels_agree(dot, subject, multipliers, bank_depth):
    rng, sizes = (
        np.random.default_rng((multipliers, bank_depth)),
        dot.sizes(multipliers, bank_depth),
    )
    work = [random_sequence(rng, dot, sizes, 15) for _ in range(3)]
    for stalls in (Stalls(), Stalls(0.3, 0.2, 0.2, 0.7, seed=1)):
        outcomes = check(subject, sizes, work, stalls)
        for outcome, sequence in zip(outcomes, work, strict=True):
            words = sum(p.outputs * p.depth for p in sequence.passes)
            assert outcome.busy_cycles == words + outcome.stall_cycles + 2
    assert stall_cycles(outcomes) > 0


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("multipliers", [1, 3, 8])
def test_passes_wait_at_all_levels(dot, subject, multipliers, seed):
    rng, sizes = np.random.default_rng((multipliers, seed)), dot.sizes(multipliers)
    check(subject, sizes, [random_sequence(rng, dot, sizes, 15)], units=random_units(rng, 15))


def test_registers_are_those_of_the_rtl_at_every_clock(dot, tmp_path):
    sizes = dot.sizes(2)
    sequence = random_sequence(np.random.default_rng(2), dot, sizes, 5)
    parts = sizes, sequence.commands, *sequence.memories
    path = tmp_path / "core.vcd"
    cosim(*parts, waves=path)
    data = ("row.weights[{}]", "row.vector[{}]", "row.product_{}")
    names = [name.format(place) for name in data for place in range(2)]
    *operands, before = (wave.signed.values for wave in read_waves(path, [*names, "row.before"]))
    weights, vector, products = np.array(operands).reshape(3, 2, -1)
    places = ("place", "output", "position")
    names = ("idle", *(f"reader.{name}" for name in places))
    idle, *numbers = (wave.values for wave in read_waves(path, names))
    first = int(np.flatnonzero(idle == 0)[0]) - 1  # the clock before, a word was read
    for clock in range(dot.engine.cycles(sizes, sequence.passes)):
        found = dot.engine.registers.simulate(*parts, clock=clock).registers
        at = first + clock
        assert np.array_equal(found.weights, weights[:, at])
        assert np.array_equal(found.vector, vector[:, at])
        assert np.array_equal(found.products, products[:, at])
        assert found.control["before"] == before[at]
        assert [found.control[name] for name in places] == [values[at] for values in numbers]


# --- in a design


@pytest.fixture
def design(dot):
    return ax.Hardware(ARRAY, engines=(dot.sizes(8),))


NETWORK = ax.Network(
    "small",
    (12, 5, 5),
    (
        ax.Layer("dw", ax.ops.Depthwise((3, 3)), ("input",)),
        ax.Layer("pool", ax.ops.GlobalPool(), ("dw",)),
        ax.Layer("fc", ax.ops.Linear(23), ("pool",)),
        ax.Layer("again", ax.ops.Pointwise(300), ("fc",)),
    ),
)


def test_a_layer_goes_where_it_is_fastest(dot, design):
    result = ax.simulate(NETWORK, design, fidelity="cycle")
    assert [layer.engine for layer in result.layers] == ["array", "host", "dot", "dot"]
    assert [layer.cycles for layer in result.layers[2:]] == [2 * 23 + 2, 3 * 300 + 2]
    assert [layer.bound_cycles for layer in result.layers[2:]] == [35, 863]
    assert result.layers[3].busy_utilization == 900 / 902
    assert result.values_equal
    array = ax.simulate(NETWORK, ax.Hardware(ARRAY))
    slow = ax.simulate(NETWORK, ax.Hardware(ARRAY, engines=(dot.sizes(1),)))
    assert slow.layers == array.layers
    (fc,) = ax.simulate(NETWORK, design, "os", layers="fc").layers
    assert (fc.engine, fc.dataflow) == ("dot", None)


def test_co_simulation_compares_it(design):
    for name in ("fc", "again"):
        found = ax.cosim(NETWORK, name, design, level(design))
        assert found.engine == "dot"
        assert found.values_equal
        assert found.cycles_equal


def test_a_padded_pixel_is_no_vector(dot):
    padded = ax.ops.Conv2d(4, (1, 1), stride=(3, 3), padding=(1, 1, 1, 1))
    net = ax.Network("padded", (8, 1, 1), (ax.Layer("a", padded, ("input",)),))
    result = ax.simulate(net, ax.Hardware(ARRAY, engines=(dot.sizes(64),)), fidelity="cycle")
    assert result.layers[0].engine == "array"
    assert result.values_equal


def test_sums_longer_than_half_the_memory_are_refused(dot):
    sizes = dot.sizes(2, bank_depth=16)
    p = dot.passes.DotPass(1, 9)
    with pytest.raises(UnsupportedError, match="at most 8 words of weights, half of bank_depth, n"):
        dot.engine.check(sizes, (p,))
    net = ax.Network("long", (18, 1, 1), (ax.Layer("fc", ax.ops.Linear(4), ("input",)),))
    assert ax.simulate(net, ax.Hardware(ARRAY, engines=(sizes,))).layers[0].engine == "array"


def test_reports_show_it(design):
    made = ax.csynth(NETWORK, "fc", design)
    assert made.engine == "dot"
    assert made.report.latency_cycles == 48
    assert made.report.multiplies == 2 * 23 * 8
    film = ax.film(NETWORK, "fc", design, clocks=range(48))
    assert film.activity.multiplies.sum() == made.report.multiplies
    assert (film.activity.states == activity.ElementState.BUSY).sum() == 12 * 23
    assert ax.trace(NETWORK, design).tracks == ("array", "host", "dot")
    assert ax.trace(NETWORK, design, "fc").tracks == (
        "passes 1",
        "port multipliers",
        "port result",
    )


def test_its_verilog_stands_beside_the_array(design, tmp_path):
    made = generate(design, tmp_path, stimulus=stimulus(NETWORK, "fc", design))
    written = json.loads((tmp_path / "parameters.json").read_text())
    assert written["dot"]["multipliers"] == 8
    assert "dot_opcodes" not in written
    fields = [field["name"] for field in written["payloads"]["dot__commands"]]
    assert fields == ["work.outputs", "work.depth", "weights", "vector", "last"]
    page = (tmp_path / "core.md").read_text()
    assert "## dot engine of 8 multipliers" in page
    assert "| `weights` | 24 | 32 | address of the first word of weights |" in page
    names = [path.name for path in made]
    fills = ["weight_fill.hex", "vector_fill.hex"]
    assert names[3:] == ["testbench.sv", "commands.hex", *fills, "expected.hex", "testbench.md"]
    bench = (tmp_path / "testbench.sv").read_text()
    assert ".dot__commands__payload(dot__commands__payload)" in bench


def test_a_hardware_file_describes_it(dot, design, tmp_path):
    path = tmp_path / "dot.toml"
    path.write_text(to_toml(design))
    assert ax.load_hardware(path) == design
    path.write_text("[array]\nrows = 4\ncolumns = 4\n[dot]\nbank_depth = 8\n")
    with pytest.raises(FileError, match=r"dot.toml:4: \[dot\] needs multipliers"):
        ax.load_hardware(path)
    path.write_text("[array]\nrows = 4\ncolumns = 4\n[dot]\nmultipliers = 0\n")
    with pytest.raises(FileError, match=r"dot.toml:5: dot.multipliers must be a whole number"):
        ax.load_hardware(path)
    path.write_text("[gemmini]\nsize = 8\n[dot]\nmultipliers = 1\n")
    with pytest.raises(FileError, match=r"dot.toml:3: \[dot\] cannot stand beside \[gemmini\]"):
        ax.load_hardware(path)


def test_the_command_line_takes_its_file(design, tmp_path, capsys):
    path, result, page = (tmp_path / name for name in ("dot.toml", "result.json", "page.html"))
    path.write_text(to_toml(design))
    network = f"mobilenet_v3_small --hardware {path}"
    for command in (
        f"run {network} --json {result}",
        f"compare {network} --hardware edge",
        f"csynth {network} --layer fc",
        f"film {network} --layer fc -o {tmp_path / 'film.png'}",
        f"plot layers {result} -o {tmp_path / 'layers.png'}",
        f"report {result} -o {page}",
    ):
        with pytest.raises(SystemExit) as end:
            main(command.split())
        assert not end.value.code, capsys.readouterr().err
    saved = load_result(result)
    assert saved.hardware == design
    assert {layer.engine for layer in saved.layers} == {"array", "dot", "host"}
    assert "array 4x4, dot 8" in page.read_text()


def test_the_command_line_runs_its_hardware(design, tmp_path, capsys):
    hardware, network = tmp_path / "dot.toml", tmp_path / "small.toml"
    hardware.write_text(to_toml(design))
    layer = '[[layer]]\nname = "fc"\nop = "linear"\nout_features = 5\n'
    network.write_text(f'name = "small"\ninput = [12, 1, 1]\n{layer}')
    with pytest.raises(SystemExit) as end:
        main(f"cosim {network} --layer fc --hardware {hardware}".split())
    assert not end.value.code
    assert "1 pass on engine dot, 5 values, 0 stalls" in capsys.readouterr().out


# --- what cannot be


def test_designs_that_cannot_be_are_refused(dot):
    with pytest.raises(HardwareError, match="a design has one engine of a name, not 2 dot"):
        ax.Hardware(ARRAY, engines=(dot.sizes(2), dot.sizes(3)))
    with pytest.raises(HardwareError, match="dot runs some layers only and needs an array beside"):
        ax.Hardware(engines=(dot.sizes(2),))
    with pytest.raises(HardwareError, match="engines of one design must have the same operands"):
        ax.Hardware(ARRAY, engines=(dot.sizes(2, operands=ax.Operands(8, 24)),))


def test_it_is_no_depthwise_engine(design):
    with pytest.raises(UnsupportedError, match="depthwise-on engine needs a depthwise engine"):
        ax.simulate(NETWORK, design, depthwise_on="engine")


def test_published_timings_do_not_know_it(design):
    with pytest.raises(UnsupportedError, match="timing scalesim knows no dot engine; dot must be"):
        ax.simulate(NETWORK, design, "os", timing="scalesim")


def test_operands_of_another_shape_are_refused(dot):
    sizes = dot.sizes(2, 16)
    _, commands, (weights, vectors), _ = random_sequence(np.random.default_rng(0), dot, sizes, 5)
    with pytest.raises(AccelsimError, match="vector words have 2 operands, not shape"):
        cosim(sizes, commands, weights, vectors[:, :1])
