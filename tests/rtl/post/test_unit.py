"""The post-processing unit against the golden model, with hosts of every pace."""

import numpy as np
import pytest

from accelsim.hardware import PostProcessing
from accelsim.hardware.post import RULES
from rtl.lib.results import ResultMemory
from rtl.post import bytes as bytes_
from rtl.post import layers as layers_
from rtl.post import unit as unit_
from rtl.post.unit import PostProcessor
from tests.rtl.mutants import Mutant, load_last
from tests.rtl.post.simulated import simulate
from tests.rtl.post.work import random_work

SIZES = (
    PostProcessing(1, ("ort",), 0),
    PostProcessing(3, RULES, 2),
    PostProcessing(2, ("tfl_double", "tfl_single"), 1),
    PostProcessing(2, ("tfl_single",)),
)
# Layers of one word follow each other faster than they leave; of many, back-pressure is felt.
LENGTHS = [1, 1, 2, 1, 1, 1, 40, 3, 1, 17, 60]
PACES = (
    {},
    {"idle": 0.5, "deaf": 0.5, "late": 0.5},
    {"idle": 0.1, "deaf": 0.9},
    {"idle": 0.9, "late": 0.2},
    {"late": 0.97},
)


def check(unit, lengths=LENGTHS, seed=0, **pace):
    """Values, their order, and the last ones; returns the run."""
    tables, layers = random_work(np.random.default_rng(seed), unit.sizes, lengths)
    run = simulate(unit, tables, layers, seed=seed, **pace)
    assert np.array_equal(run.values, np.concatenate([layer.expected() for layer in layers]))
    assert np.flatnonzero(run.last).tolist() == (np.cumsum(lengths) - 1).tolist()
    return run


@pytest.mark.parametrize("sizes", SIZES, ids=lambda sizes: sizes.label)
def test_a_word_in_every_clock(sizes):
    """Also from one layer to the next, where settings are there in time; latency is constant."""
    unit = PostProcessor(sizes)
    run = check(unit, [20, 30, 20])
    assert np.array_equal(np.diff(run.entered), np.ones(69))
    assert set(run.left - run.entered) == {unit.latency + ResultMemory.LATENCY}


@pytest.mark.parametrize("pace", PACES, ids=str)
def test_paces_change_neither_values_nor_their_order(pace):
    for seed, sizes in enumerate(SIZES[:2]):
        check(PostProcessor(sizes), seed=seed, **pace)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(40))
def test_units_layers_and_paces(seed):
    rng = np.random.default_rng(seed)
    rules = tuple(rng.permutation(RULES)[: rng.integers(1, 5)].tolist())
    unit = PostProcessor(PostProcessing(int(rng.integers(1, 9)), rules, int(rng.integers(0, 9))))
    lengths = rng.choice([1, 2, 3, 10, 50], 30).tolist()
    names = ("idle", "deaf", "late")
    check(unit, lengths, seed, **{name: float(rng.choice([0, 0.3, 0.9])) for name in names})


LAYERS = (
    Mutant("settings of words under way are replaced", "(in_use | goes_in) & ~leaves",
           "(in_use | goes_in) & ~ends"),
    Mutant("words come before their settings", "(to_come | goes_in) & ~ends",
           "(in_use | goes_in) & ~leaves"),
    Mutant("the same set again", "which.eq(which ^ ended)", "which.eq(0)"),
    Mutant("sets are given back in the wrong order", "leaving.eq(leaving ^ self.leaves)",
           "leaving.eq(0)"),
)  # fmt: skip
BYTES = (
    Mutant("no least result", "less(value, bounds.low), bounds.low", "0, bounds.low"),
    Mutant("no greatest result", "less(bounds.high, value), bounds.high", "0, bounds.high"),
    Mutant("always looked up", "Mux(at, two.value, two.byte)", "two.value"),
    Mutant("indices of the word behind", "Mux(at, two.value, two.byte)",
           "Mux(at, two.value, one.byte)"),
    Mutant("one table", "Cat(byte, self.table)[:bits]", "Cat(byte, 0)[:bits]"),
)  # fmt: skip
UNIT = (
    Mutant("there is always room", "layers.opens & (room_left != 0)", "layers.opens"),
    Mutant("room is not given back", "room + handed - mark.valid", "room - mark.valid"),
    Mutant("no bias", "(total + channel.bias)", "(total + 0)"),
    Mutant("zero points of another age", "settings[age], settings[age + 1])",
           "settings[age + 1], settings[age + 1])"),
    Mutant("bounds of another age", "settings[age], settings[age + 1])",
           "settings[age], settings[age])"),
    Mutant("rules of another age", "self._requantised(m, settings[1])",
           "self._requantised(m, settings[0])"),
    Mutant("tables of another age", "self._looked_up(m, values, settings[age])",
           "self._looked_up(m, values, settings[age - 1])"),
)  # fmt: skip


def check_all(unit):
    for seed, pace in enumerate(PACES):
        check(unit, [1] * 20 + LENGTHS, seed, **pace)


@pytest.mark.parametrize(
    ("part", "mutant"),
    [
        pytest.param(part, mutant, id=mutant.about, marks=[pytest.mark.full] if place else [])
        for part, mutants in ((layers_, LAYERS), (bytes_, BYTES), (unit_, UNIT))
        for place, mutant in enumerate(mutants)
    ],
)
def test_planted_errors_are_found(part, mutant, tmp_path, monkeypatch):
    twin = load_last((layers_, bytes_, unit_), part, mutant, tmp_path, monkeypatch)
    with pytest.raises(AssertionError):
        check_all(twin.PostProcessor(PostProcessing(4, RULES, 2)))
