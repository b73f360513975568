"""The host keeps the rules of streams and of chunks against a core that obeys only them."""

from collections import Counter

import numpy as np
import pytest

from accelsim.errors import AccelsimError
from accelsim.hardware import SystolicArray
from rtl.engines.systolic_array.core import Core
from rtl.engines.systolic_array.job import LEFT, TOP, memories, of_sequence, words
from rtl.flow.ports import payload
from rtl.flow.verilog import verilog
from rtl.host.driver import Fill, Host, Job, Stalls, load_job, save_job
from tests.engines.systolic_array import random_sequence

PACES = (
    Stalls(),
    Stalls(0.5, 0.5, 0.5, 0.5, seed=1),
    Stalls(commands=0.9, seed=2),
    Stalls(first_fill=0.9, seed=3),
    Stalls(second_fill=0.9, seed=4),
    Stalls(results=0.9, seed=5),
)


def unpack(fields, word):
    values = {}
    for field in fields:
        value = word >> field.offset & ((1 << field.bits) - 1)
        sign = field.signed and value >> (field.bits - 1)
        values[field.name] = value - (1 << field.bits) if sign else value
    return values


class FakeCore:
    """Wires of a core that reads a pass a few clocks after its command and returns counters.

    It takes a command when a coin says so, checks that the operands in its banks are those of
    the pass, and checks that a stream holds its word until it has been taken.
    """

    def __init__(self, sequence, array, core, seed):
        self.rng = np.random.default_rng(seed)
        self.fields = {name: payload(core, name) for name in ("commands", "left_fill", "top_fill")}
        self.sequence = sequence
        self.banks = {
            "left_fill": np.full((array.bank_depth, array.rows), 999),
            "top_fill": np.full((array.bank_depth, array.columns), 999),
        }
        self.used = words(sequence.commands)
        self.offered = dict.fromkeys(self.fields)
        self.held = None
        self.waiting = []  # [clocks until read, command]
        self.taken = self.read = 0
        self.results = []
        self.sent = 0
        self.takes = self.accepting = False

    def ready(self, stream):
        assert stream == "commands"
        return self.takes

    def passes_read(self):
        return self.read

    def idle(self):
        return self.read == len(self.sequence.commands) and not self.results

    def result(self):
        return self.results[0] if self.results else None

    def drive(self, stream, word):
        self.offered[stream] = word

    def accept(self, ready):
        self.accepting = ready

    def edge(self):
        """What the rising edge does."""
        command = self.offered["commands"]
        if self.held is not None:
            assert command == self.held, "valid or payload of a command changed before ready"
        self.held = None
        for name, bank in self.banks.items():
            if self.offered[name] is not None:
                values = unpack(self.fields[name], self.offered[name])
                address, *data = values.values()
                bank[address] = data
        if self.accepting and self.results:
            self.results.pop(0)
        if command is not None and self.takes:
            self.waiting.append(
                [int(self.rng.integers(1, 8)), unpack(self.fields["commands"], command)]
            )
        elif command is not None:
            self.held = command
        if self.waiting and len(self.results) < 20:
            self.waiting[0][0] -= 1
            if self.waiting[0][0] == 0:
                self.finish(self.waiting.pop(0)[1])
        self.takes = len(self.waiting) < 3 and self.rng.random() < 0.7

    def finish(self, command):
        """Read the operands of a pass, now that its words must have been filled."""
        commands, (left, top) = self.sequence.commands, self.sequence.memories
        index = self.read
        for bank, source, name, column, count in (
            (self.banks["left_fill"], left, "left", LEFT, self.used.left[index]),
            (self.banks["top_fill"], top, "top", TOP, self.used.top[index]),
        ):
            at, begin = command[name], commands[index, column]
            assert np.array_equal(bank[at : at + count], source[begin : begin + count])
        fields = [value for name, value in command.items() if name.startswith("work.")]
        assert fields == commands[index, :LEFT].tolist()
        assert command["last"] == commands[index, -1]
        for _ in range(self.used.results[index]):
            self.results.append(self.sent)
            self.sent += 1
        self.read += 1


class Case:
    """A random sequence, its job, and a fake core that works on it."""

    def __init__(self, seed, length):
        rng = np.random.default_rng(seed)
        array = SystolicArray(3, 4, bank_depth=64)
        self.sequence = random_sequence(rng, array, length)
        commands, filled = self.sequence.commands, self.sequence.memories
        core = Core(array)
        verilog(core)  # Amaranth objects to hardware that is never elaborated
        held = memories(array, commands, *filled)
        self.job = of_sequence(array, core, commands, held)
        self.fake = FakeCore(self.sequence, array, core, seed)


def play(seed, stalls):
    case = Case(seed, 100)
    host = Host(case.job, stalls)
    clocks = 0
    running = True
    while running:
        host.drive(case.fake)
        running = host.sample(case.fake)
        case.fake.edge()
        clocks += 1
    assert host.results == list(range(case.job.results))
    return clocks


@pytest.mark.parametrize("stalls", PACES, ids=str)
def test_every_word_arrives_in_time(stalls):
    assert play(0, stalls) >= play(0, Stalls())


class OpenCore:
    """Wires of a core that takes every word and does nothing; `taken` counts them."""

    def __init__(self):
        self.taken = Counter()

    def ready(self, stream):
        return True

    def passes_read(self):
        return 0

    def idle(self):
        return False

    def result(self):
        return None

    def drive(self, stream, word):
        self.taken[stream] += word is not None

    def accept(self, ready):
        pass


@pytest.mark.parametrize("fills", [1, 2, 3])
def test_a_core_has_any_number_of_fills(fills, tmp_path):
    words = np.zeros((40, 1), np.uint8)
    after, ends = np.zeros(40, np.int64), np.array([40])
    each = tuple(Fill(f"fill_{i}", words, after, ends, True) for i in range(fills))
    job = Job(words[:1], np.array([1]), each, results=1, patience=1000)
    save_job(tmp_path / "job.npz", job, Stalls(second_fill=0.9))
    job, stalls = load_job(tmp_path / "job.npz")
    host, core = Host(job, stalls), OpenCore()
    sent = []
    for _ in range(900):
        host.drive(core)
        host.sample(core)
        sent.append([core.taken[fill.stream] for fill in job.fills])
    lasts = [column.index(40) for column in zip(*sent, strict=True)]
    assert lasts[::2] == [39] * len(lasts[::2])
    assert all(last > 150 for last in lasts[1::2])
    assert core.taken["commands"] == 1


def test_a_core_that_does_nothing_is_reported():
    case = Case(0, 3)
    host = Host(case.job, Stalls())

    def wait():
        for _ in range(3 * case.job.patience):
            host.drive(case.fake)
            host.sample(case.fake)

    with pytest.raises(AccelsimError, match=r"stuck after \d+ clocks with 0 of \d+ result words"):
        wait()


def test_a_job_survives_its_file(tmp_path):
    job = Case(0, 3).job
    save_job(tmp_path / "job.npz", job, Stalls(0.1, 0.2, 0.3, 0.4, 5))
    loaded, stalls = load_job(tmp_path / "job.npz")
    assert stalls == Stalls(0.1, 0.2, 0.3, 0.4, 5)
    assert [fill.stream for fill in loaded.fills] == ["left_fill", "top_fill"]
    for before, after in zip(
        (*job[:2], *job[3:], *job.fills[0], *job.fills[1]),
        (*loaded[:2], *loaded[3:], *loaded.fills[0], *loaded.fills[1]),
        strict=True,
    ):
        assert np.array_equal(before, after)


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
def test_stalls_are_probabilities(share):
    with pytest.raises(AccelsimError, match="stalls of first_fill are a probability below 1, not"):
        Stalls(first_fill=share)


def test_a_core_that_returns_too_much_is_reported():
    case = Case(0, 3)
    job = case.job._replace(results=case.job.results - 1)
    host = Host(job, Stalls())

    def run():
        while True:
            host.drive(case.fake)
            host.sample(case.fake)
            case.fake.edge()

    with pytest.raises(AccelsimError, match=r"returns more than \d+ result words"):
        run()
