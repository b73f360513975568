"""Waves say what the bits of opcodes stand for, whatever simulates."""

import shutil
from itertools import groupby

import numpy as np
import pytest

from accelsim.hardware import DepthwiseEngine, SystolicArray
from accelsim.passes import DepthwiseOpcode, Opcode
from rtl.engines import core_of
from rtl.flow.cosim import cosim
from rtl.flow.words import Field, add_words, find_fields
from tests.engines.systolic_array import random_sequence
from tests.rtl.flow.test_fst import Reader

ARRAY = SystolicArray(3, 2)
WORK = random_sequence(np.random.default_rng(3), ARRAY, 8)
OPCODES = [Opcode(opcode).name.lower() for opcode in WORK.commands[:, 0]]
NO_ICARUS = pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus is not installed")


def simulate(simulator, path):
    cosim(ARRAY, WORK.commands, *WORK.memories, simulator=simulator, waves=path)
    return path


def different(words):
    return [word for word, _ in groupby(words)]


def words_of_vcd(path, name):
    """The words that a variable of that name at the core has, one after another."""
    lines = path.read_text().splitlines()
    codes = [
        line.split()[3]
        for line in lines
        if line.startswith("$var string") and line.split()[4].removeprefix("\\") == name
    ]
    return different(line.split()[0][1:] for line in lines if line.endswith(f" {codes[0]}"))


@pytest.mark.parametrize(
    "simulator",
    [
        "amaranth",
        pytest.param("icarus", marks=NO_ICARUS),
        pytest.param("verilator", marks=pytest.mark.full),
    ],
)
def test_the_commands_say_their_opcodes(simulator, tmp_path):
    """The first value of a port is 0, which is os."""
    name = "commands__payload.work.opcode"
    path = simulate(simulator, tmp_path / "core.vcd")
    words = words_of_vcd(path, name)
    assert [word for word in words if word != "x"] == different(["os", *OPCODES])
    assert set(OPCODES) == {opcode.name.lower() for opcode in Opcode}


def test_fst_says_them_too(tmp_path):
    found = Reader(simulate("amaranth", tmp_path / "core.fst"))
    handles = {
        handle
        for name, (handle, bits) in found.names.items()
        if name.endswith("\\commands__payload.work.opcode") and bits == 0
    }
    said = [different(word for _, word in found.changes[handle]) for handle in handles]
    assert different(["os", *OPCODES]) in said


@pytest.mark.parametrize("sizes", [ARRAY, DepthwiseEngine(2, 2)], ids=lambda sizes: sizes.name)
def test_every_command_of_a_core_has_words(sizes):
    opcodes = {"array": Opcode, "depthwise": DepthwiseOpcode}[sizes.name]
    fields = find_fields(core_of(sizes).core(sizes))
    expected = {opcode.value: opcode.name.lower() for opcode in opcodes}
    bits = {"array": 2, "depthwise": 1}[sizes.name]
    assert fields["commands__payload",] == (Field(".work.opcode", 0, bits, expected),)
    below = [field for path, found in fields.items() if len(path) > 1 for field in found]
    assert below
    assert all(field.words == expected for field in below)


RECORDED = """\
$scope module TOP $end
$scope module core $end
$var wire 1 ! clk $end
$var wire 6 " head [5:0] $end
$scope module part $end
$var wire 6 " head [5:0] $end
$var wire 3 # head [2:0] $end
$upscope $end
$upscope $end
$upscope $end
$enddefinitions $end
#0
0!
bx "
#1
b1000 "
#2
b1001 "
#3
b111010 "
b10 #
#4
b1x1000 "
"""


def test_words_stand_beside_the_bits(tmp_path):
    """Bits 4:2 of a signal: with leading zeros left out, undefined, without a word, too narrow."""
    (tmp_path / "a.vcd").write_text(RECORDED)
    fields = {
        ("head",): (Field(".now", 2, 3, {0: "idle", 2: "busy"}),),
        ("part", "head"): (Field(".now", 2, 3, {2: "two"}),),
    }
    add_words(tmp_path / "a.vcd", tmp_path / "b.vcd", fields)
    before, after = ((tmp_path / name).read_text().splitlines() for name in ("a.vcd", "b.vcd"))
    added = [line for line in after if line not in before]
    assert [line for line in after if line not in added] == before
    assert added[:2] == [
        "$var string 1 word_0 head.now $end",
        "$var string 1 word_1 head.now $end",
    ]
    assert after[4] == added[0]
    assert added[2::2] == ["sx word_0", "sbusy word_0", "s6 word_0", "sx word_0"]
    assert added[3::2] == ["sx word_1", "stwo word_1", "s6 word_1", "sx word_1"]
