"""Reports of layers: what a run counts, the hardware that is generated, the command."""

import json
import re

import pytest

from accelsim import networks
from accelsim.c_synthesis import csynth
from accelsim.cli import main
from accelsim.engines.depthwise.schedule import resources as depthwise_resources
from accelsim.engines.systolic_array.schedule import resources
from accelsim.errors import NetworkError, UnsupportedError
from accelsim.hardware import DepthwiseEngine, Hardware, SystolicArray

NETWORK = networks.get("mobilenet_v2", "fuse_half")


@pytest.mark.parametrize("dataflow", ["auto", "os", "ws", "is"])
@pytest.mark.parametrize("overlap", [True, False])
def test_report_agrees_with_what_a_run_counts(dataflow, overlap):
    from accelsim.simulation import simulate

    hardware = Hardware(SystolicArray(16, 12, overlap=overlap), clock_mhz=200.0)
    counted = simulate(NETWORK, hardware, dataflow)
    for layer in counted.layers[:12]:
        if layer.not_modelled:
            continue
        made = csynth(NETWORK, layer.name, hardware, dataflow)
        assert made.dataflow == layer.dataflow
        assert made.report.latency_cycles == layer.cycles
        assert made.report.busy_utilization == layer.busy_utilization
        assert made.utilization == layer.utilization
        assert made.report.nanoseconds(1) == 5.0


def test_what_runs_on_the_host_has_no_report():
    with pytest.raises(UnsupportedError, match=r"pool .*runs on the host"):
        csynth(NETWORK, "pool", Hardware(SystolicArray(8, 8)))


def test_an_unknown_layer_is_refused():
    with pytest.raises(NetworkError, match="no layer 'b99'"):
        csynth(NETWORK, "b99", Hardware(SystolicArray(8, 8)))


# Resources against the hardware that is generated.


def elaborated(component):
    """Flip-flop bits by signal, and memory bits, of every module of an Amaranth design."""
    from amaranth.hdl import Fragment, MemoryInstance, Shape
    from amaranth.hdl._ast import SignalSet

    registers, memories = [], []

    def visit(fragment, path):
        if isinstance(fragment, MemoryInstance):
            data = fragment._data
            memories.append((path, data.depth * Shape.cast(data.shape).width))
        else:
            for domain, statements in fragment.statements.items():
                if domain != "comb":
                    driven = SignalSet(s for each in statements for s in each._lhs_signals())
                    registers.extend(((*path, s.name), len(s)) for s in driven)
        for child, name, _ in fragment.subfragments:
            visit(child, (*path, name or ""))

    visit(Fragment.get(component, None), ())
    return registers, memories


@pytest.mark.parametrize(
    "array",
    [
        SystolicArray(3, 4, max_taps=5, accumulator_depth=20, bank_depth=40),
        SystolicArray(4, 3, max_taps=1, accumulator_depth=7, bank_depth=9),
        SystolicArray(1, 1),
    ],
    ids=lambda array: f"{array.rows}x{array.columns}",
)
def test_resources_are_those_of_the_generated_core(array):
    from rtl.engines.systolic_array.core import Core

    registers, memories = elaborated(Core(array))

    def register_bits(pattern):
        """Of the registers of the grid with such names."""
        return sum(
            b for path, b in registers if path[0] == "grid" and re.fullmatch(pattern, path[-1])
        )

    def memory_bits(prefix):
        return sum(bits for path, bits in memories if path[1].startswith(prefix))

    counted = {part.name: part for part in resources(array)}
    assert counted["processing elements"].register_bits == register_bits(
        r"(a|b|w|x|y|z|p|q|acc|s|f|g)(_\d+_\d+)"
    )
    assert counted["edge cells"].register_bits == register_bits(r"(a|w|f)_\d+")
    assert counted["tap buffers"].register_bits == register_bits(r"taps_\d+")
    for bank in ("left_banks", "top_banks"):
        name = "row banks" if bank == "left_banks" else "column banks"
        held = sum(b for path, b in registers if path[0] == bank and path[-1] == "words")
        assert counted[name].register_bits == 2 * held
    assert counted["accumulators"].register_bits == sum(
        b
        for path, b in registers
        if path[0] == "accumulators"
        and re.fullmatch(r"(read|older|chosen|total|former)_\d+", path[-1])
    )
    assert counted["result memory"].register_bits == sum(
        b for path, b in registers if path[0] == "memory" and path[-1] in ("first", "second")
    )
    assert counted["accumulators"].memory_bits == memory_bits("accumulator_")
    assert counted["result memory"].memory_bits == memory_bits("result_")
    banks = counted["row banks"].memory_bits + counted["column banks"].memory_bits
    assert banks == memory_bits("bank_")
    assert sum(part.memory_bits for part in counted.values()) == sum(bits for _, bits in memories)
    assert counted["processing elements"].multipliers == array.rows * array.columns


@pytest.mark.parametrize(
    "engine",
    [DepthwiseEngine(1, 1), DepthwiseEngine(2, 3), DepthwiseEngine(3, 4, 8, fill_port=2)],
    ids=lambda engine: engine.label,
)
def test_resources_are_those_of_the_generated_depthwise_core(engine):
    from rtl.engines.depthwise.core import DepthwiseCore

    registers, memories = elaborated(DepthwiseCore(engine))

    def register_bits(part, pattern):
        """Of the registers of a part with such names."""
        return sum(
            b for path, b in registers if path[0] == part and re.fullmatch(pattern, path[-1])
        )

    counted = {part.name: part for part in depthwise_resources(engine)}
    assert counted["multiply-accumulators"].register_bits == register_bits(
        "lanes", r"(even_word|odd_word|value|operand|product|term|acc|shadow)[\d_]+"
    )
    # Of the entry that was read from the tap memory the weights only, not where the tap lies.
    (entry,) = {bits // engine.tap_depth for path, bits in memories if path[0] == "tap_memory"}
    assert register_bits("tap_memory", "entered") == entry
    entered = engine.lanes * engine.operands.bits
    assert entry > entered
    in_lanes = register_bits("lanes", r"weight[\d_]+")
    assert counted["weights"].register_bits == entered + in_lanes
    assert counted["result memory"].register_bits == register_bits("memory", "first|second")
    assert sum(part.memory_bits for part in counted.values()) == sum(bits for _, bits in memories)
    assert counted["multiply-accumulators"].multipliers == engine.lanes * engine.pixels


def test_registers_left_out_are_few():
    from rtl.engines.systolic_array.core import Core

    array = SystolicArray(16, 16)
    registers, _ = elaborated(Core(array))
    counted = sum(part.register_bits for part in resources(array))
    assert 0.9 < counted / sum(bits for _, bits in registers) < 1


# The command.


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as end:
        main(["csynth", "mobilenet_v2", *arguments])
    return end.value.code, capsys.readouterr()


def test_command_prints_the_tree_and_the_resources(capsys):
    code, shown = run(capsys, "--layer", "b2.expand", "--array", "64x64", "--dataflow", "os")
    assert code == 0
    for word in ("b2.expand", "pixel tiles", "unroll", "pipeline II=1", "register bits", "us at"):
        assert word in shown.out
    assert "708,608" in shown.out  # 173 flip-flops in each of 4096 elements
    assert not shown.err


def test_command_prints_json(capsys):
    code, shown = run(capsys, "--layer", "b2.dw", "--array", "8x8", "--clock", "100", "--json", "-")
    made = json.loads(shown.out)
    expected = csynth(networks.get("mobilenet_v2"), "b2.dw", Hardware(SystolicArray(8, 8), 100.0))
    assert code == 0
    assert made["latency_cycles"] == expected.report.latency_cycles
    assert made["latency_ns"] == 10 * made["latency_cycles"]
    assert made["hardware"]["array"]["rows"] == 8


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--layer", "nothing"), "has no layer 'nothing'"),
        (("--layer", "pool"), "runs on the host"),
        (("--layer", "b2.dw", "--dataflow", "xs"), "not 'xs'"),
        (("--layer", "b2.dw", "--depthwise", "8"), "LANESxPIXELS"),
        (("--layer", "b2.dw", "--array", "0x8"), "not 0"),
    ],
)
def test_mistakes_are_one_sentence(capsys, arguments, reason):
    code, shown = run(capsys, *arguments)
    assert code == 2
    assert reason in shown.err
    assert shown.err.count("\n") == 1
