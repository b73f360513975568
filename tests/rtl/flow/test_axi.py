"""The wrapper has the names of AXI4-Stream, and a layer runs through it."""

import json
import re
import shutil

import pytest

from accelsim.hardware import DepthwiseEngine, Hardware, Operands, SystolicArray
from rtl.flow.generate import generate
from tests.rtl.flow.test_testbench import check, commands, make, passes, run
from tests.rtl.linting import lint_files

OPERANDS = Operands(11, 24)
ALONE = Hardware(SystolicArray(3, 2, operands=OPERANDS))
BOTH = Hardware(ALONE.array, depthwise=DepthwiseEngine(2, 3, fill_port=4, operands=OPERANDS))
STREAMS = {
    "alone": {
        "s_axis_commands",
        "s_axis_left_fill",
        "s_axis_top_fill",
        "m_axis_results",
    },
    "both": {
        *("s_axis_array_commands", "s_axis_array_left_fill", "s_axis_array_top_fill"),
        *("s_axis_depthwise_commands", "s_axis_depthwise_map_fill", "s_axis_depthwise_tap_fill"),
        *("m_axis_array_results", "m_axis_depthwise_results"),
    },
}


@pytest.fixture(scope="module", params=[ALONE, BOTH], ids=STREAMS)
def made(tmp_path_factory, request):
    folder = tmp_path_factory.mktemp("axi")
    generate(request.param, folder, axi_stream=True)
    name = "alone" if request.param is ALONE else "both"
    return folder, STREAMS[name], json.loads((folder / "parameters.json").read_text())


def ports_of(text, module):
    """Direction and bits of the ports of a module."""
    (head,) = re.findall(rf"^module {module} \((.*?)^\);", text, re.MULTILINE | re.DOTALL)
    port = r"(input|output) (?:wire|reg) (?:\[(\d+):0\] )?(\w+)"
    return {name: (way, int(high or 0) + 1) for way, high, name in re.findall(port, head)}


def test_every_stream_has_its_three_ports(made):
    folder, streams, _ = made
    ports = ports_of((folder / "axi_stream.sv").read_text(), "axi_stream")
    core = ports_of((folder / "core.sv").read_text(), "core")
    assert ports["aclk"] == ports["aresetn"] == ("input", 1)
    assert {name.rpartition("_")[0] for name in ports if "_axis_" in name} == streams
    for stream in streams:
        there, back = ("input", "output") if stream.startswith("s") else ("output", "input")
        assert ports[f"{stream}_tvalid"] == (there, 1)
        assert ports[f"{stream}_tready"] == (back, 1)
        way, bits = ports[f"{stream}_tdata"]
        inner = re.sub("^(array|depthwise)_", r"\1__", stream.split("_axis_")[1])
        assert way == there == core[f"{inner}__payload"][0]
        assert bits % 8 == 0
        assert 0 <= bits - core[f"{inner}__payload"][1] < 8
    plain = {name for name in core if re.search("_cycles$|passes_read$|idle$", name)}
    assert {name for name in ports if "_axis_" not in name} == {"aclk", "aresetn", *plain}


def test_the_files_say_so(made):
    folder, streams, parameters = made
    page = (folder / "core.md").read_text()
    text = (folder / "axi_stream.sv").read_text()
    ports = ports_of(text, "axi_stream")
    assert "assign rst = ~ aresetn;" in text
    assert text.count(".rst(rst)") == 1
    said = parameters["axi_stream"]
    assert (said["module"], said["file"]) == ("axi_stream", "axi_stream.sv")
    assert (said["clock"], said["reset"]) == ("aclk", "aresetn")
    assert {each["ports"] for each in said["streams"].values()} == streams
    payloads = {port["name"]: port["bits"] for port in parameters["ports"]}
    for name, stream in said["streams"].items():
        assert stream["payload_bits"] == payloads[f"{name}__payload"]
        assert stream["data_bits"] == ports[f"{stream['ports']}_tdata"][1]
        assert stream["always_ready"] == (f"{name}__ready" not in payloads)
        tied = f"assign {stream['ports']}_tready = 1'h1;" in text
        assert stream["always_ready"] == tied
        row = (
            f"| `{name}` | `{stream['ports']}` | {stream['payload_bits']} | {stream['data_bits']} |"
        )
        assert row in page


def test_nothing_of_it_is_there_unasked(tmp_path):
    paths = generate(ALONE, tmp_path)
    assert "axi_stream.sv" not in [path.name for path in paths]
    assert "axi_stream" not in json.loads((tmp_path / "parameters.json").read_text())
    assert "axi" not in (tmp_path / "core.md").read_text().lower()


def test_verilator_reads_it_without_a_warning(made):
    lint_files(made[0], "core.sv", "axi_stream.sv")


@pytest.mark.parametrize("case", ["port", pytest.param("rows", marks=pytest.mark.full)])
def test_verilator_reads_it_with_a_testbench(case, tmp_path):
    make(case, tmp_path, axi_stream=True)
    lint_files(tmp_path, "core.sv", "axi_stream.sv", "testbench.sv")


@pytest.mark.parametrize("case", [pytest.param("beside", marks=pytest.mark.full), "port"])
def test_a_layer_runs_through_it(case, tmp_path):
    check(case, "verilator-cli", tmp_path, axi_stream=True)


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus is not installed")
def test_a_layer_runs_through_it_in_icarus_and_faults_of_it_show(tmp_path):
    check("beside", "iverilog", tmp_path, axi_stream=True)
    path = tmp_path / "axi_stream.sv"
    text = path.read_text()
    compiles, simulates = commands(tmp_path, "iverilog")
    for old, new in FAULTS:
        assert old in text
        path.write_text(text.replace(old, new))
        assert run(compiles, tmp_path).returncode == 0
        assert not passes(simulates, tmp_path), new


FAULTS = (
    ("rst = ~ aresetn", "rst = aresetn"),
    (".array__commands__payload(s_axis", ".array__commands__payload(~s_axis"),
    (".array__top_fill__valid(s_axis_array_top_fill_tvalid)", ".array__top_fill__valid(1'b0)"),
)
