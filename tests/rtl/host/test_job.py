"""What the host refuses to send: a core checks nothing."""

import numpy as np
import pytest

from accelsim.errors import AccelsimError
from accelsim.hardware import DepthwiseEngine, SystolicArray
from accelsim.passes import (
    ArrayCommand,
    ArrayPass,
    DepthwiseCommand,
    DepthwiseOpcode,
    DepthwisePass,
    Opcode,
    columns,
)
from rtl.engines.depthwise.core import DepthwiseCore
from rtl.flow.verilog import verilog
from rtl.host.job import pack_commands
from tests.engines import depthwise, systolic_array

ARRAY = SystolicArray(3, 2, max_taps=4, accumulator_depth=8, bank_depth=32)
ENGINE = DepthwiseEngine(2, 3, bank_depth=32, tap_depth=32, max_kernel=8, max_stride=3)
OS, WS, ROWS = Opcode.OS, Opcode.WS, Opcode.ROWS
FLAT, ROW = DepthwiseOpcode.FLAT, DepthwiseOpcode.ROW


def with_field(subject, sizes, record, p, field, value):
    """Sequence of the pass three times, the field of the second one changed."""
    made = subject.sequence(np.random.default_rng(0), sizes, (p, p, p))
    commands = made.commands.copy()
    commands[1, columns(record)[field]] = value
    return commands, *made.memories


@pytest.mark.parametrize(
    ("p", "field", "value", "said"),
    [
        (ArrayPass(OS, 3, 2, 4), "m", 4, "at most 3 rows, not 4"),
        (ArrayPass(OS, 3, 2, 4), "n", 3, "at most 2 columns, not 3"),
        (ArrayPass(OS, 3, 2, 4), "n", 0, "n of a pass is from 1 to 65535, not 0"),
        (ArrayPass(OS, 3, 2, 4), "k", -1, "k of a pass is from 1 to 65535, not -1"),
        (ArrayPass(OS, 3, 2, 4), "k", 1 << 16, "k of a pass is from 1 to 65535, not 65536"),
        (ArrayPass(OS, 3, 2, 4), "opcode", 4, "opcode of a pass is from 0 to 3, not 4"),
        (ArrayPass(OS, 3, 2, 4), "taps", 1, "only rows has taps, streams and fires"),
        (ArrayPass(OS, 3, 2, 4), "fires", 2, "only rows has taps, streams and fires"),
        (ArrayPass(OS, 3, 2, 4), "emit", 2, "emit of a pass is from 0 to 1, not 2"),
        (ArrayPass(WS, 8, 2, 3, emit=0), "m", 9, "accumulates at most 8 rows, not 9"),
        (ArrayPass(WS, 8, 2, 3), "k", 4, "at most 3 rows, not 4"),
        (ArrayPass(ROWS, 3, 2, 2, 3), "taps", 5, "at most 4 taps, not 5"),
        (ArrayPass(ROWS, 3, 2, 2, 3), "taps", 0, "rows needs at least one tap"),
        (ArrayPass(ROWS, 3, 2, 2, 3), "k", 5, "2 windows of 3 taps need .* values, not 5"),
        (ArrayPass(ROWS, 3, 2, 2, 3), "fires", 2, "fires more than once has one stream, n >= m"),
    ],
)
def test_commands_that_an_array_cannot_run_are_refused(p, field, value, said):
    wrong = with_field(systolic_array, ARRAY, ArrayCommand, p, field, value)
    with pytest.raises(AccelsimError, match=f"^command 1 of 3: .*{said}"):
        systolic_array.SUBJECT.core.memories(ARRAY, *wrong)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("channels", 3, "at most 2 channels, one a lane, not 3"),
        ("channels", 0, "channels of a pass is from 1 to 1023, not 0"),
        ("opcode", 2, "opcode of a pass is from 0 to 1, not 2"),
        ("fh", 9, "kernel 9 is more than the depthwise engine's 8"),
        ("fw", 6, "kernel area 18 .* 16, half of 32; a larger tap_depth"),
        ("sw", 4, "stride 4"),
        ("dh", 9, "dilation 9"),
        ("dw", 0, "dw of a pass is from 1 to 63, not 0"),
        ("pl", -1, "pl of a pass is from 0 to 4095, not -1"),
        ("h", 17, "map in words 17 .* 16, half of 32; a larger bank_depth"),
        ("oh", 16384, "oh of a pass is from 1 to 16383, not 16384"),
        ("wrap", 3, "wrap of this pass is 32767, not 3"),
        ("bottom", 3, "bottom of this pass is 2, not 3"),
        ("right", 1 << 15, "right of this pass is 1, not 32768"),
        ("row_words", 0, "row_words of this pass is 1, not 0"),
        ("words", 2, "words of this pass is 3, not 2"),
        ("stride_y", 1, "stride_y of this pass is 0, not 1"),
        ("stride_x", 4, "stride_x of this pass is 3, not 4"),
        ("row_tiles", 2, "row_tiles of this pass is 1, not 2"),
        ("beats", 1, "beats of this pass is 2, not 1"),
        ("parts", 0, "parts of this pass is 1, not 0"),
        ("entries", 8, "entries of this pass is 9, not 8"),
    ],
)
def test_commands_that_a_depthwise_engine_cannot_run_are_refused(field, value, said):
    p = DepthwisePass(ROW, 2, 3, 2, 3, 2, 3, 3, pt=1, pl=1)
    wrong = with_field(depthwise, ENGINE, DepthwiseCommand, p, field, value)
    with pytest.raises(AccelsimError, match=f"^command 1 of 3: .*{said}"):
        depthwise.SUBJECT.core.memories(ENGINE, *wrong)


@pytest.mark.parametrize("fill_port", [0, 2])
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda c, maps, taps: (c[0], maps, taps), r"int64\[passes, \d+\], not int64 of shape"),
        (lambda c, maps, taps: (c[:, 1:], maps, taps), r"int64\[passes, \d+\], not int64 of"),
        (lambda c, maps, taps: (c * 1.0, maps, taps), r"int64\[passes, \d+\], not float64 of"),
        (lambda c, maps, taps: (c, maps * 1.0, taps), "map operands are integers, not float64"),
        (lambda c, maps, taps: (c, maps, taps * 1.0), "tap operands are integers, not float64"),
        (lambda c, maps, taps: (c, maps[:-1], taps), r"commands read map word (\d+) of \1"),
        (lambda c, maps, taps: (c, maps, taps[:-1]), r"commands read tap word (\d+) of \1"),
        (lambda c, maps, taps: (c - at("map"), maps, taps), "commands read map word -1 of"),
        (lambda c, maps, taps: (c - at("taps"), maps, taps), "commands read tap word -1 of"),
    ],
)
def test_what_is_no_table_or_not_there_is_refused(wrong, said, fill_port):
    engine = DepthwiseEngine(2, 3, fill_port=fill_port)
    p = DepthwisePass(FLAT, 2, 3, 3, 3, 3, 3, 3, pt=1, pl=1)
    made = depthwise.sequence(np.random.default_rng(3), engine, (p, p, p))
    with pytest.raises(AccelsimError, match=said):
        depthwise.SUBJECT.core.memories(engine, *wrong(made.commands, *made.memories))


def at(field):
    """1 in the column of a field of depthwise commands."""
    return np.arange(len(columns(DepthwiseCommand))) == columns(DepthwiseCommand)[field]


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("work.channels", 1024, "work.channels of command 2 is from 0 to 1023, not 1024"),
        ("last", 2, "last of command 2 is from 0 to 1, not 2"),
        ("words", -1, "words of command 2 is from 0 to 16777215, not -1"),
        ("wait.unit", 16, "wait.unit of command 2 is from 0 to 15, not 16"),
        ("wait.retired", 1 << 16, "wait.retired of command 2 is from 0 to 65535, not 65536"),
    ],
)
def test_no_value_is_cut_to_its_field(field, value, said):
    """Also of what no table of commands holds: the units that they wait for."""
    core = DepthwiseCore(ENGINE, units=2)
    verilog(core)  # Amaranth objects to hardware that is never elaborated
    names = [f"work.{name}" for name in DepthwisePass._fields]
    names += [*DepthwiseCommand._fields[1:], "wait.unit", "wait.retired"]
    commands = np.zeros((4, len(names)), np.int64)
    pack_commands(core, commands, (), ())
    commands[2, names.index(field)] = value
    with pytest.raises(AccelsimError, match=said):
        pack_commands(core, commands, (), ())
