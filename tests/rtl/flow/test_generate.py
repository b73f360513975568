"""What `accelsim rtl` writes agrees with the core and with the schedule."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from accelsim import __version__
from accelsim.engines import engine_of, systolic_array
from accelsim.errors import FileError
from accelsim.hardware import DepthwiseEngine, Hardware, Operands, SystolicArray
from accelsim.passes import (
    ArrayCommand,
    DepthwiseCommand,
    DepthwiseOpcode,
    DepthwisePass,
    Opcode,
    array_words,
    meanings,
)
from rtl.engines.systolic_array.manual import MODES
from rtl.flow import generate as module
from rtl.flow.generate import chapters, core_verilog, generate, make_cores, parameters
from rtl.flow.manual import page
from tests.engines.systolic_array import random_pass
from tests.rtl.yosys import check_read

ARRAY = SystolicArray(3, 2, operands=Operands(11, 24))
ENGINE = DepthwiseEngine(2, 3, 6, fill_port=4, operands=Operands(11, 24))
BOTH = Hardware(ARRAY, depthwise=ENGINE)


@pytest.fixture(scope="module", params=[None, ENGINE], ids=["array", "both"])
def made(tmp_path_factory, request):
    directory = tmp_path_factory.mktemp("made") / "a" / "b"
    reports = []
    paths = generate(
        Hardware(ARRAY, depthwise=request.param),
        directory,
        lambda *report: reports.append(report),
    )
    return directory, paths, reports


def test_three_files_are_written(made):
    directory, paths, reports = made
    assert sorted(path.name for path in directory.iterdir()) == sorted(path.name for path in paths)
    assert [path.name for path in paths] == ["core.sv", "parameters.json", "core.md"]
    shares = [share for _, share in reports]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)


def test_ports_of_the_json_are_those_of_the_verilog(made):
    """Both against the text: `input wire [3:0] name`."""
    text = (made[0] / "core.sv").read_text()
    head = text[text.index("module core (") : text.index(");", text.index("module core ("))]
    port = r"(input|output) (?:wire|reg) (?:\[(\d+):0\] )?(\w+)"
    declared = {
        (name, direction, int(high or 0) + 1) for direction, high, name in re.findall(port, head)
    }
    written = json.loads((made[0] / "parameters.json").read_text())
    assert {
        (port["name"], port["direction"], port["bits"]) for port in written["ports"]
    } == declared
    assert {written["clock"], written["reset"]} <= {port["name"] for port in written["ports"]}
    assert written["module"] == "core"
    assert written["array"]["operands"] == {"bits": 11, "accumulator_bits": 24}


def test_payload_fields_lie_side_by_side_and_fill_their_port(made):
    written = json.loads((made[0] / "parameters.json").read_text())
    bits = {port["name"]: port["bits"] for port in written["ports"]}
    for stream, fields in written["payloads"].items():
        at = 0
        for field in fields:
            assert field["offset"] == at
            at += field["bits"]
        assert at == bits[f"{stream}__payload"]
        operands = [f["bits"] for f in fields if f["name"].startswith(("data[", "entry.weights["))]
        assert set(operands) == ({11} if stream.endswith("_fill") else set())
    widths = {"results": 2, "array__results": 2, "depthwise__results": 6}
    for name in widths.keys() & written["payloads"].keys():
        sums = written["payloads"][name]
        assert [(field["bits"], field["signed"]) for field in sums] == [(24, True)] * widths[name]


def test_every_port_size_and_field_is_on_the_page(made):
    text = (made[0] / "core.md").read_text()
    written = json.loads((made[0] / "parameters.json").read_text())
    for port in written["ports"]:
        assert f"| `{port['name']}` | {port['direction']} | {port['bits']} |" in text
    for stream, fields in written["payloads"].items():
        for field in fields if stream.endswith("commands") else ():
            assert f"| `{field['name']}` | {field['bits']} | {field['offset']} | " in text
    assert f"| accumulator_depth | {ARRAY.accumulator_depth} |" in text
    assert ("depthwise" in written) == (f"| tap_depth | {ENGINE.tap_depth} |" in text)


def test_every_field_of_a_command_has_a_meaning():
    payloads = parameters(make_cores(BOTH))["payloads"]
    for engine, command in (("array", ArrayCommand), ("depthwise", DepthwiseCommand)):
        fields = list(meanings(command))
        assert all(meanings(command).values())
        assert [field["name"] for field in payloads[f"{engine}__commands"]] == fields


def test_the_engines_share_no_port(made):
    """Each has the ports that it has alone, with its name in front."""
    written = json.loads((made[0] / "parameters.json").read_text())
    if "depthwise" not in written:
        return
    names = {port["name"] for port in written["ports"]} - {"clk", "rst"}
    array = parameters(make_cores(Hardware(ARRAY)))
    alone = {f"array__{port['name']}" for port in array["ports"][2:]}
    assert {name for name in names if name.startswith("array__")} == alone
    assert {name.split("__")[0] for name in names} == {"array", "depthwise"}
    assert array["payloads"]["left_fill"] == written["payloads"]["array__left_fill"]
    assert written["depthwise_opcodes"] == {
        opcode.name.lower(): opcode for opcode in DepthwiseOpcode
    }


def test_yosys_reads_both_engines(tmp_path):
    generate(BOTH, tmp_path)
    array = 3 + 2 + 2 + 2 + 1  # row banks, column banks, accumulators, results, commands
    memories = array + 2 * ENGINE.lanes + 1 + 5 + 1 + 1  # banks, taps, tiles, results, commands
    check_read(tmp_path, memories)


@pytest.mark.parametrize("shape", [(16, 4), (4, 16)], ids=str)
def test_lanes_share_one_module(shape, tmp_path):
    engine = DepthwiseEngine(*shape, operands=ARRAY.operands)
    generate(Hardware(ARRAY, depthwise=engine), tmp_path)
    text = (tmp_path / "core.sv").read_text()
    assert text.count("\nmodule depthwise_lane (") == 1
    assert text.count("  depthwise_lane ") == shape[0]


def modes_of(opcode):
    (mode,) = (mode for mode in MODES if opcode.name.lower() in mode.name.split(", "))
    return mode


def memories_of(verilog, module):
    """Words and bits of the memories of a module and its parts."""
    (body,) = re.findall(rf"^module {module} \(.*?^endmodule", verilog, re.MULTILINE | re.DOTALL)
    for bits, words in re.findall(r"^ .*\breg \[(\d+):0\] \w+ \[(\d+):0\];", body, re.MULTILINE):
        yield int(words) + 1, int(bits) + 1
    for part in re.findall(r"^  (\w+) \w+ \(\n", body, re.MULTILINE):
        yield from memories_of(verilog, part)


@pytest.mark.parametrize(
    "sizes",
    [
        ARRAY,
        SystolicArray(1, 5, accumulator_depth=16, bank_depth=64),
        ENGINE,
        DepthwiseEngine(3, 8, bank_depth=64, tap_depth=128),
    ],
    ids=lambda sizes: sizes.label,
)
def test_memories_that_are_priced_are_those_that_are_generated(sizes):
    _, verilog = core_verilog(sizes)
    priced = engine_of(sizes).area.memories(sizes)
    counted = [(each.words, each.bits) for each in priced for _ in range(each.number)]
    generated = sorted(memories_of(verilog, "core"))
    assert sorted(counted) == generated
    parts = engine_of(sizes).resources(sizes)
    assert sum(part.memory_bits for part in parts) == sum(words * bits for words, bits in generated)


@pytest.mark.parametrize("opcode", Opcode)
@pytest.mark.parametrize("seed", range(20))
def test_formulas_of_the_page_are_those_of_the_engine(opcode, seed):
    rng = np.random.default_rng(seed)
    array = SystolicArray(*rng.integers(1, 9, 2).tolist())
    p = random_pass(rng, array, opcode)
    names = p._asdict() | {"R": array.rows, "max": max}
    mode = modes_of(opcode)
    left, top, results, alone, interval = (eval(formula, names) for formula in mode[1:])
    assert (left, top, results) == array_words(p)
    assert alone == systolic_array.ENGINE.cycles(array, (p,))
    for count in (2, 5):
        assert alone + (count - 1) * interval == systolic_array.ENGINE.cycles(array, (p,) * count)
        plain = SystolicArray(array.rows, array.columns, overlap=False)
        assert alone * count == systolic_array.ENGINE.cycles(plain, (p,) * count)


def test_clocks_of_fills_on_the_page_are_those_of_the_engine():
    """A first tap behind the start of a fill and behind its end, and a fill that waits for taps."""
    cycles = engine_of(ENGINE).cycles
    text = page(chapters(make_cores(BOTH)))
    said = re.search(
        r"(\d+) clocks behind the last tap of the one before that; its first tap is issued no "
        r"earlier than (\d+) clocks behind its last word, and (\d+) behind the start of its fill",
        " ".join(text.split()),
    )
    released, loaded, tiles = map(int, said.groups())
    small = DepthwisePass(DepthwiseOpcode.ROW, 2, h=1, w=1, oh=1, ow=1)
    slow = DepthwisePass(DepthwiseOpcode.ROW, 2, h=6, w=6, oh=3, ow=3, fh=4, fw=4)
    large = DepthwisePass(DepthwiseOpcode.ROW, 2, h=10, w=12, oh=10, ow=12)
    slow_filled, large_filled = 6 * 2 * 2 - 1, 10 * 4 * 2 - 1  # clocks of their last words
    from_tap = {p: cycles(replace(ENGINE, fill_port=0), (p,)) for p in (small, large)}
    assert cycles(ENGINE, (small,)) == tiles + from_tap[small]
    assert cycles(ENGINE, (large,)) == large_filled + loaded + from_tap[large]
    last_tap = slow_filled + loaded + 3 * 16 - 1
    begins = last_tap + released
    assert cycles(ENGINE, (slow, small, large)) == begins + large_filled + loaded + from_tap[large]


def test_the_page_says_whether_passes_overlap():
    text = {
        overlap: page(chapters(make_cores(Hardware(array))))
        for overlap in (True, False)
        for array in (SystolicArray(2, 2, overlap=overlap),)
    }
    assert "Passes overlap." in text[True]
    assert "Passes do not overlap" in text[False]


def test_files_are_replaced_whole(made, monkeypatch):
    directory = made[0]
    before = {path.name: path.read_text() for path in directory.iterdir()}

    def fail(*_):
        raise RuntimeError

    monkeypatch.setattr(module, "page", fail)
    with pytest.raises(RuntimeError):
        generate(Hardware(SystolicArray(1, 1)), directory)
    assert {path.name: path.read_text() for path in directory.iterdir()} == before


def test_a_directory_that_cannot_be_written_is_refused_before_the_work(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(module, "make_cores", None)
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(FileError, match="cannot be written"):
            generate(Hardware(ARRAY), place)


def test_the_verilog_says_what_made_it_and_its_sizes(tmp_path):
    generate(BOTH, tmp_path, command="accelsim rtl\n--hardware both.toml")
    head = (tmp_path / "core.sv").read_text().split("\n\n")[0].splitlines()
    assert head[0] == f"// Written by accelsim {__version__}: accelsim rtl --hardware both.toml"
    assert "//   rows = 3" in head
    assert "//   fill_port = 4" in head
    assert head.count("//   operands.accumulator_bits = 24") == 2
    assert all(line.startswith("//") for line in head)
