"""The Verilog is the same in every run, and other tools read it."""

import os
import re
import shutil
import subprocess
import sys

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import Component, In, Out

from accelsim.errors import AccelsimError
from accelsim.hardware import DepthwiseEngine, Hardware, Operands, SystolicArray
from rtl.engines import core_of
from rtl.engines.systolic_array.core import Core
from rtl.flow.generate import core_verilog, generate
from rtl.flow.verilog import verilog
from tests.rtl.linting import lint
from tests.rtl.yosys import check_read

ARRAY = SystolicArray(2, 3)
MEMORIES = 2 + 3 + 3 + 3  # row banks, column banks, accumulators, results

WRITE = (
    "import sys; from accelsim.hardware import DepthwiseEngine, SystolicArray; "
    "from rtl.flow.generate import core_verilog; "
    "sys.stdout.write(core_verilog(SystolicArray(2, 3))[1])"
)


@pytest.fixture(scope="module")
def text():
    return core_verilog(ARRAY)[1]


def test_the_text_is_the_same_in_every_run(text, tmp_path):
    environment = dict(os.environ) | {"ACCELSIM_CACHE": str(tmp_path), "PYTHONHASHSEED": "7"}
    command = [sys.executable, "-c", WRITE]
    again = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert again.stdout == text


def test_processing_elements_share_one_module(text):
    assert text.count("\nmodule processing_element (") == 1
    assert text.count("  processing_element ") == ARRAY.multipliers
    assert "module processing_element" not in verilog(Core(ARRAY))


def test_memories_stay_memories_without_contents(text):
    arrays = [line for line in text.splitlines() if line.startswith("  reg ") and " [" in line[12:]]
    assert len(arrays) == MEMORIES
    assert not re.findall(r"^ +\w+\[.*\] = ", text, re.MULTILINE)
    assert "readmem" not in text


def test_yosys_reads_it(text, tmp_path):
    (tmp_path / "core.sv").write_text(text)
    check_read(tmp_path, MEMORIES + 1)  # and the commands


NARROW = Operands(8, 16)
LINTED = (
    ARRAY,
    SystolicArray(1, 1, max_taps=1, accumulator_depth=1, bank_depth=2),
    SystolicArray(5, 1),
    DepthwiseEngine(1, 1, bank_depth=4, tap_depth=4),
    DepthwiseEngine(3, 5, fill_port=4),
)
MORE = (
    SystolicArray(1, 7, max_taps=9, operands=NARROW),
    SystolicArray(7, 3, overlap=False, accumulator_depth=37, operands=Operands(16, 32)),
    SystolicArray(8, 8, max_taps=32),
    SystolicArray(16, 2, max_taps=2, bank_depth=4096),
    DepthwiseEngine(1, 8, max_kernel=3, max_stride=1, max_dilation=1, operands=NARROW),
    DepthwiseEngine(4, 1, max_padding=0, fill_port=1),
    DepthwiseEngine(2, 3, 6, fill_port=6, operands=Operands(16, 32)),
    DepthwiseEngine(4, 8, max_kernel=2, max_stride=2, bank_depth=1024, tap_depth=128),
)
BESIDE = (
    Hardware(ARRAY, depthwise=DepthwiseEngine(2, 3)),
    Hardware(
        SystolicArray(3, 2, operands=NARROW),
        depthwise=DepthwiseEngine(2, 1, fill_port=2, operands=NARROW),
    ),
)


def full(*cases):
    return [pytest.param(case, marks=pytest.mark.full) for case in cases]


@pytest.mark.parametrize("sizes", [*LINTED, *full(*MORE)], ids=lambda sizes: sizes.label)
def test_verilator_reads_it_without_a_warning(sizes, tmp_path):
    lint(core_verilog(sizes)[1], tmp_path)


@pytest.mark.parametrize("hardware", [BESIDE[0], *full(*BESIDE[1:])], ids=lambda h: h.label)
def test_verilator_reads_engines_side_by_side(hardware, tmp_path):
    generate(hardware, tmp_path)
    lint((tmp_path / "core.sv").read_text(), tmp_path)


@pytest.mark.parametrize("units", [3, *full(1, 16)])
@pytest.mark.parametrize("sizes", [ARRAY, DepthwiseEngine(2, 3)], ids=lambda sizes: sizes.name)
def test_verilator_reads_a_core_that_waits(sizes, units, tmp_path):
    lint(verilog(core_of(sizes).core(sizes, units=units)), tmp_path)


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus is not installed")
def test_icarus_reads_it(text, tmp_path):
    (tmp_path / "core.sv").write_text(text)
    command = ["iverilog", "-g2012", "-Wall", "-Wno-timescale", "-t", "null", "core.sv"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


class Delay(Component):
    """A register."""

    d: In(4)
    q: Out(4, init=5)

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.q.eq(self.d)
        return m


def test_registers_have_their_reset_values_from_power_on():
    text = verilog(Delay())
    assert "output reg [3:0] q\n" in text
    assert "  initial begin\n    q = 4'h5;\n  end\n" in text
    assert "input wire clk" in text
    assert "input wire rst" in text


def test_a_module_that_is_not_supplied_is_refused():
    with pytest.raises(AccelsimError, match=r"Yosys could not convert .* messages are in .*log"):
        verilog(Core(SystolicArray(2, 3), shared=True))


def test_garbage_collection_is_left_as_it_was():
    import gc

    assert gc.isenabled()
    verilog(Delay())
    assert gc.isenabled()
    gc.disable()
    try:
        verilog(Delay())
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_only_signals_are_ports():
    """The constant ready of the fills is no port, its valid is."""
    text = core_verilog(ARRAY)[1]
    head = text[text.index("module core (") :].split(");")[0]
    assert "left_fill__valid" in head
    assert "left_fill__ready" not in head


@pytest.mark.parametrize("sizes", [ARRAY, DepthwiseEngine(2, 3, fill_port=4)], ids=lambda s: s.name)
def test_names_are_words(sizes):
    """No name is a number, or escaped, or numbered by Amaranth; every module says what it is."""
    text = core_verilog(sizes)[1]
    code = re.sub(r"//.*|/\*.*?\*/", "", text)
    assert not re.findall(r"\b_\d+_\b|\\|\w\$", code)
    assert not re.findall(r"unused_\D|_unused", code)
    for line, module in re.findall(r"^(.*)\nmodule (\w+) \($", text, re.MULTILINE):
        assert line.startswith("//"), module


class Numbered(Component):
    """Registers whose names are the same, and end in a number."""

    i: In(1)
    o: Out(1)

    def elaborate(self, platform):
        m = Module()
        rows = [Signal(name="row_1") for _ in range(3)]
        for before, row in zip([self.i, *rows], [*rows, self.o], strict=True):
            m.d.sync += row.eq(before)
        return m


def test_names_that_are_taken_are_counted_on():
    assert set(re.findall(r"\brow\w*", verilog(Numbered()))) == {"row_1", "row_2", "row_3"}


def test_every_module_says_where_it_stands(text, tmp_path):
    """In the text, and in the file, which has a head."""
    generate(Hardware(ARRAY), tmp_path)
    for whole in (text, (tmp_path / "core.sv").read_text()):
        lines = whole.splitlines()
        places = [(at, line) for at, line in enumerate(lines) if line.startswith("`line ")]
        assert len(places) == len(re.findall(r"^module ", whole, re.MULTILINE))
        for at, line in places:
            number, name = re.fullmatch(r'`line (\d+) "core.sv/(\w+).sv" 0', line).groups()
            assert int(number) == at + 2  # counted from 1, and it is for the line after it
            following = next(line for line in lines[at:] if not line.startswith(("//", "`")))
            assert following == f"module {name} ("


class Part(Component):
    """A register with a port that is called like a word of Verilog."""

    before: In(4)
    q: Out(4)

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.q.eq(~self.before + 1)
        return m


class Whole(Component):
    """Two of them, of which one sees what the other returns."""

    d: In(4)
    q: Out(4)

    def elaborate(self, platform):
        m = Module()
        m.submodules.first = first = Part()
        m.submodules.second = second = Part()
        m.d.comb += [first.before.eq(self.d), second.before.eq(first.q), self.q.eq(second.q)]
        return m


def test_ports_of_parts_are_called_by_both(tmp_path):
    whole = Whole()
    text = verilog(whole)
    assert "// Two of them, of which one sees what the other returns.\nmodule core (" in text
    assert "  input wire [3:0] before_2,\n" in text  # `before` is a word of Verilog
    assert ".q(first__q)" in text
    assert text.count("~ before_2") == 2
    assert whole.d.name == "d"
    lint(text, tmp_path)


class Named(Component):
    """What a part returns has a name of its own here."""

    d: In(4)
    q: Out(4)

    def elaborate(self, platform):
        m = Module()
        m.submodules.part = part = Part()
        mine = Signal(4)
        m.d.comb += [part.before.eq(self.d), mine.eq(part.q), self.q.eq(mine + self.d)]
        return m


def test_what_is_merged_is_called_as_the_module_itself_calls_it():
    text = verilog(Named())
    assert "  wire [3:0] mine;\n" in text
    assert ".q(mine)" in text
