"""Waveforms: what is read is what a file says, and what the core sent."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from accelsim.errors import FileError
from accelsim.hardware import SystolicArray
from rtl.flow.cosim import cosim
from rtl.flow.waves import Wave, draw_waves, read_waves
from tests.engines.systolic_array import random_sequence

# Changes at a rising edge happen after it; a clock that stays high is no edge; "-3 in 4 bits".
BY_HAND = """$timescale 1 ns $end
$scope module bench $end
$scope module top $end
$var wire 1 ! clk $end
$var wire 4 " \\word[1] $end
$var wire 1 %  $end
$scope module part $end
$var wire 1 # on $end
$var wire 70 & wide $end
$upscope $end
$upscope $end
$upscope $end
$enddefinitions $end
#0
0!
b0 "
x#
#5
1!
b1101 "
1#
#10
0!
#15
1!
bx1 "
0#
#16
1!
#20
0!
#25
1!
"""


@pytest.fixture
def by_hand(tmp_path):
    path = tmp_path / "hand.vcd"
    path.write_text(BY_HAND)
    return path


def test_levels_before_every_rising_edge(by_hand):
    on, word = read_waves(by_hand, ["part.on", "word[1]"])
    assert (on.name, on.bits, on.values.tolist()) == ("part.on", 1, [0, 1, 0])
    assert (word.bits, word.values.tolist()) == (4, [0, 13, 1])
    assert word.signed.values.tolist() == [0, -3, 1]


def test_a_file_that_ends_before_its_first_edge_has_no_clocks(by_hand):
    by_hand.write_text(BY_HAND[: BY_HAND.index("#0")])
    waves = read_waves(by_hand, ["part.on", "word[1]"])
    assert [wave.values.shape for wave in waves] == [(0,), (0,)]


@pytest.mark.parametrize("name", ["part.off", "on", "part.wide"])
def test_signals_that_cannot_be_read_are_named(name, by_hand):
    with pytest.raises(FileError, match=f"has no signal {name} of at most 62 bits"):
        read_waves(by_hand, ["part.on", name])


def test_waves_show_what_the_core_sent(tmp_path):
    array = SystolicArray(2, 3)
    work = random_sequence(np.random.default_rng(5), array, 8)
    path = tmp_path / "core.vcd"
    run = cosim(array, work.commands, *work.memories, waves=path)
    names = ["busy_cycles", "results__valid", "results__payload[0]"]
    busy, valid, first = read_waves(path, names)
    assert busy.values.max() == run.busy_cycles
    sent = first.signed.values[valid.values == 1]
    used = run.words[:, 0] != 0  # zero where a pass may not use the column
    assert used.sum() > 5
    assert np.array_equal(sent[used], run.words[used, 0])
    axes = draw_waves((busy, valid, first.signed), 10, 20)
    assert [label.get_text() for label in axes.get_yticklabels()] == names
    shown = {text.get_text() for text in axes.texts}
    assert {f"{value:,}" for value in busy.values[10:20] if value} <= shown
    plt.close(axes.figure)


@pytest.mark.parametrize("stop", [None, 4, 9])
def test_waves_are_drawn_to_their_end_at_most(stop):
    waves = Wave("on", 1, np.array([0, 1, 1, 0])), Wave("word", 8, np.array([3, 3, 5, 5]))
    axes = draw_waves(waves, 1, stop)
    assert axes.get_xlim() == (1, 4)
    assert [text.get_text() for text in axes.texts] == ["3", "5"]
    plt.close(axes.figure)
