"""The post-processing unit against the golden model, with hosts of every pace."""

import numpy as np
import pytest

from accelsim.hardware import PostProcessing
from accelsim.hardware.post import OPERATIONS, RULES
from rtl.post import bytes as bytes_
from rtl.post import layers as layers_
from rtl.post import pair as pair_
from rtl.post import unit as unit_
from rtl.post.files import latency
from rtl.post.unit import TURN, PostProcessor
from tests.rtl.mutants import Mutant, load_last
from tests.rtl.post.simulated import simulate
from tests.rtl.post.work import random_work

SIZES = (
    PostProcessing(1, ("ort",), tables=0),
    PostProcessing(3, RULES, tables=2),
    PostProcessing(2, ("tfl_double", "tfl_single"), ("aligned_add", "multiply"), 1),
    PostProcessing(2, ("ort",), ("add", "multiply")),
)
EVERYTHING = PostProcessing(3, RULES, OPERATIONS, 2)
ADDS = PostProcessing(3, ("ort",), ("add",))
MANY = [10] * 60  # layers, some of whose sums are next to halves in ways that few are
PARTS = (layers_, bytes_, pair_, unit_)
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
    run = check(unit, [20, unit.latency + TURN, 20])
    assert np.array_equal(np.diff(run.entered), np.ones(39 + unit.latency + TURN))
    assert set(run.left - run.entered) == {latency(unit)}


@pytest.mark.parametrize(
    "pace",
    [*PACES[:2], *(pytest.param(pace, marks=pytest.mark.full) for pace in PACES[2:])],
    ids=str,
)
def test_paces_change_neither_values_nor_their_order(pace):
    for seed, sizes in enumerate(SIZES[1:3]):
        check(PostProcessor(sizes), seed=seed, **pace)


def test_adds_are_rounded_as_asked():
    check(PostProcessor(ADDS), MANY, seed=1)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(16))
def test_units_layers_and_paces(seed):
    rng = np.random.default_rng(seed)
    rules = tuple(rng.permutation(RULES)[: rng.integers(1, 5)].tolist())
    operations = tuple(rng.permutation(OPERATIONS)[: rng.integers(0, 4)].tolist())
    if rules == ("ort",):
        operations = tuple(name for name in operations if name != "aligned_add")
    sizes = PostProcessing(int(rng.integers(1, 9)), rules, operations, int(rng.integers(0, 9)))
    unit = PostProcessor(sizes)
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
PAIR = (
    Mutant("products too early", "products, self.totalled - 2)", "products, self.totalled - 3)"),
    Mutant("zero points swapped", "a - now.first_zero_point", "a - now.second_zero_point"),
    Mutant("the first is not aligned", "each.a if name", "each.b if name"),
    Mutant("offsets are forgotten", "requantise.offset.eq(now.offset)", "requantise.offset.eq(0)"),
    Mutant("what is not paired is", "self.latency].operation", "self.latency - 1].operation"),
    Mutant("nothing is subtracted", "Mux(now.subtract, -b, b)", "b"),
)  # fmt: skip
PAIR_OF_ADDS = (
    Mutant("no offset", "total=total + settings[2].offset", "total=total"),
    Mutant("an offset of another age", "settings[2].offset", "settings[1].offset"),
    Mutant("a factor too early", "settings[ADDED_LATER].first", "settings[3].first"),
    Mutant("sums are not rounded", "settings[4].rounded)", "settings[4].rounded & 0)"),
    Mutant("nor is the outer one", "settings[8].rounded)", "settings[8].rounded & 0)"),
    Mutant("inner sums always are", "settings[4].rounded)", "settings[4].rounded | 1)"),
    Mutant("outer sums always are", "settings[8].rounded)", "settings[8].rounded | 1)"),
    Mutant("signs are lost", "Mux(inner.negative, -inner.size, inner.size)", "inner.size"),
    Mutant("ties up", "half_even(point(now))", "now.fraction[-1]"),
    Mutant("halves of factors side by side", "now.high << HALF", "now.high << HALF - 1"),
)  # fmt: skip


def check_all(unit):
    for seed, pace in enumerate(PACES):
        check(unit, [1] * 40 + LENGTHS, seed, **pace)


@pytest.mark.parametrize(
    ("part", "mutant"),
    [
        pytest.param(part, mutant, id=mutant.about, marks=[pytest.mark.full] if place else [])
        for part, mutants in ((layers_, LAYERS), (bytes_, BYTES), (pair_, PAIR), (unit_, UNIT))
        for place, mutant in enumerate(mutants)
    ],
)
def test_planted_errors_are_found(part, mutant, tmp_path, monkeypatch):
    twin = load_last(PARTS, part, mutant, tmp_path, monkeypatch)
    with pytest.raises(AssertionError):
        check_all(twin.PostProcessor(EVERYTHING if part is pair_ else SIZES[1]))


@pytest.mark.parametrize(
    "mutant",
    [
        pytest.param(mutant, id=mutant.about, marks=[pytest.mark.full] if place else [])
        for place, mutant in enumerate(PAIR_OF_ADDS)
    ],
)
def test_planted_errors_of_adds_are_found(mutant, tmp_path, monkeypatch):
    twin = load_last(PARTS, pair_, mutant, tmp_path, monkeypatch)
    with pytest.raises(AssertionError):
        check(twin.PostProcessor(ADDS), MANY, seed=1)
