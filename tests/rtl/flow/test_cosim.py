"""Co-simulation: what it refuses, what it reports, and that it does not depend on the host."""

import shutil

import numpy as np
import pytest

from accelsim.engines.systolic_array import ENGINE, golden
from accelsim.errors import AccelsimError, FileError
from accelsim.hardware import Operands, SystolicArray
from accelsim.hls.nest import times
from accelsim.passes import ArrayPass, Opcode
from rtl.flow.cosim import SIMULATORS, Stalls, cosim
from rtl.host.driver import Host
from tests.engines.systolic_array import random_sequence, sequence

ARRAY = SystolicArray(3, 2)


@pytest.fixture(scope="module")
def work():
    return random_sequence(np.random.default_rng(1), ARRAY, 6)


def test_an_unknown_simulator_is_refused(work):
    with pytest.raises(AccelsimError, match="amaranth, icarus, verilator, not 'modelsim'"):
        cosim(ARRAY, work.commands, *work.memories, simulator="modelsim")


def changed(table, row, column, value):
    table = table.copy()
    table[row, column] = value
    return table


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda c, left, top: (changed(c, -1, 11, 0), left, top), "`last` at its end and nowhere"),
        (lambda c, left, top: (changed(c, 0, 11, 1), left, top), "`last` at its end and nowhere"),
        (lambda c, left, top: (c[:0], left, top), "`last` at its end and nowhere else"),
        (lambda c, left, top: (changed(c, -1, 8, 0), left, top), "emit=0 by no pass"),
        (lambda c, left, top: (c, left[:, :-1], top), "left words have 3 operands, not shape"),
        (lambda c, left, top: (c, left, top[0]), "top words have 2 operands, not shape"),
        (lambda c, left, top: (c, left[:-1], top), r"commands read left word (\d+) of \1"),
        (lambda c, left, top: (c, changed(left, 0, 0, 256), top), "left operands do not fit 9"),
        (lambda c, left, top: (c, left, changed(top, 0, 0, -257)), "top operands do not fit 9"),
    ],
)
def test_what_is_no_sequence_is_refused(work, wrong, message):
    with pytest.raises(AccelsimError, match=message):
        cosim(ARRAY, *wrong(work.commands, *work.memories))


def test_a_pass_longer_than_half_a_bank_is_refused():
    p = ArrayPass(Opcode.OS, 1, 1, 33)
    work = sequence(np.random.default_rng(0), ARRAY, (p,))
    array = SystolicArray(3, 2, bank_depth=64)
    with pytest.raises(
        AccelsimError, match="at most 32 words of the row banks, half of bank_depth, not 33"
    ):
        cosim(array, work.commands, *work.memories)
    array = SystolicArray(3, 2, bank_depth=66)
    assert cosim(array, work.commands, *work.memories).busy_cycles == ENGINE.cycles(array, (p,))


def test_waves_into_nowhere_are_refused(work, tmp_path):
    with pytest.raises(FileError, match=r"nowhere/a\.vcd cannot be written: .* no writable direc"):
        cosim(ARRAY, work.commands, *work.memories, waves=tmp_path / "nowhere" / "a.vcd")


@pytest.mark.parametrize("name", ["waves", "waves.txt", "waves.fsdb", ".fst"])
def test_waves_of_another_ending_are_refused(work, tmp_path, name):
    with pytest.raises(FileError, match=rf"{name} must end in \.vcd or \.fst"):
        cosim(ARRAY, work.commands, *work.memories, waves=tmp_path / name)
    assert not any(tmp_path.iterdir())


def test_an_interrupted_run_leaves_no_waves_and_keeps_the_old(work, tmp_path, monkeypatch):
    path = tmp_path / "waves.vcd"
    path.write_text("of another run")

    def interrupt(what, done):
        assert path.read_text() == "of another run"
        if what.startswith("simulating"):
            raise KeyboardInterrupt

    monkeypatch.setattr("rtl.flow.cosim.REPORT_EVERY", 1)
    with pytest.raises(KeyboardInterrupt):
        cosim(ARRAY, work.commands, *work.memories, waves=path, progress=interrupt)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_text() == "of another run"


def test_waves_of_a_stuck_core_are_kept(work, tmp_path, monkeypatch):
    def stuck(*_):
        raise AccelsimError("the core is stuck")

    monkeypatch.setattr(Host, "_is_over", stuck)
    with pytest.raises(AccelsimError, match="stuck"):
        cosim(ARRAY, work.commands, *work.memories, waves=tmp_path / "waves.vcd")
    (path,) = tmp_path.iterdir()
    assert "$enddefinitions" in path.read_text()


@pytest.mark.parametrize(
    "simulator",
    [pytest.param(x, marks=[pytest.mark.full] if x == "verilator" else []) for x in SIMULATORS],
)
def test_waves_hold_the_ports(work, tmp_path, simulator):
    if simulator == "icarus" and shutil.which("iverilog") is None:
        pytest.skip("Icarus is not installed")
    path = tmp_path / "waves.vcd"
    cosim(ARRAY, work.commands, *work.memories, simulator=simulator, waves=path)
    text = path.read_text()
    assert "$enddefinitions" in text
    assert "busy_cycles" in text


def test_progress_rises_to_the_end(work):
    reports = []
    long = random_sequence(np.random.default_rng(1), ARRAY, 300)
    cosim(ARRAY, long.commands, *long.memories, progress=lambda *report: reports.append(report))
    shares = [share for what, share in reports if what.startswith("simulat")]
    assert len(shares) > 2
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


@pytest.mark.parametrize(
    "seed", [pytest.param(x, marks=[pytest.mark.full] if x in (1, 2) else []) for x in range(4)]
)
def test_no_host_changes_values_and_the_clocks_follow_from_what_it_did(seed):
    rng = np.random.default_rng(seed)
    array = SystolicArray(4, 3, bank_depth=(40, 41, 57, 100)[seed], overlap=seed != 3)
    work = random_sequence(rng, array, 60)
    expected = golden(array, work.commands, *work.memories)
    nest, busy = ENGINE.nest(array, work.passes, ""), []
    for pace in (None, Stalls(0.97, *rng.random(3) * 0.9, seed=seed)):
        run = cosim(array, work.commands, *work.memories, stalls=pace)
        assert np.array_equal(run.words, expected)
        starts, ends = times(nest, run.earliest)
        assert run.busy_cycles == ends[-1] - starts[0]
        busy.append(run.busy_cycles)
    assert busy[1] > busy[0] >= ENGINE.cycles(array, work.passes)


@pytest.mark.parametrize(("bits", "total"), [(8, 20), (12, 27), (16, 32)])
def test_operands_and_sums_of_other_widths(bits, total):
    array = SystolicArray(2, 2, operands=Operands(bits, total))
    work = random_sequence(np.random.default_rng(0), array, 20)
    assert np.abs(work.memories[0]).max() > 1 << (bits - 2)
    run = cosim(array, work.commands, *work.memories)
    assert np.array_equal(run.words, golden(array, work.commands, *work.memories))


def test_a_sequence_without_results():
    p = ArrayPass(Opcode.WS, 3, 2, 3, emit=0)
    work = sequence(np.random.default_rng(0), ARRAY, (p, p))
    run = cosim(ARRAY, work.commands, *work.memories)
    assert run.words.shape == (0, 2)
    assert run.busy_cycles == ENGINE.cycles(ARRAY, (p, p))
