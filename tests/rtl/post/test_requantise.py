"""Requantisation in hardware against the golden model: directed, random, of any set of rules."""

from itertools import combinations

import numpy as np
import pytest
from amaranth.sim import Simulator

from accelsim.numerics import programs
from accelsim.passes import Rule
from rtl.post.requantise import RULES, WIDTHS, Requantise

LANES = 4
SETS = [
    pytest.param(rules, id="+".join(rule.name for rule in rules), marks=marks)
    for count, marks in ((1, []), (2, [pytest.mark.full]), (3, []))
    for rules in combinations(RULES, count)
]
LEAST, MOST = -(2**31), 2**31 - 1
# Ends of int32, and where float32 begins to round, with what is beside them.
EDGES = sorted(
    {
        sign * (near + delta)
        for near in (0, *(1 << bit for bit in range(8, 32)), 3 << 23, 3 << 24, 3 << 28)
        for delta in (-3, -2, -1, 0, 1, 2, 3)
        for sign in (1, -1)
        if LEAST <= sign * (near + delta) <= MOST
    }
)


def test_rules_have_the_numbers_and_names_of_the_golden_model():
    assert [rule.name.lower() for rule in RULES] == list(programs.RULES)
    assert [rule.value for rule in RULES] == list(range(len(RULES)))


def golden(totals, multiplier, shift, rule):
    """int32[words, lanes]: the golden model, between the results that hardware tells apart."""
    out = np.empty(totals.shape, np.int64)
    for each in RULES:
        rows = np.flatnonzero(rule == each)
        step = programs.Requantise(programs.RULES[each], multiplier[rows], shift[rows])
        sums = np.ascontiguousarray(totals[rows, None], np.int32)
        out[rows] = programs.requantise(step, sums)[:, 0] if len(rows) else 0
    most = 1 << WIDTHS.result
    return np.clip(out, -most, most)


def simulate(rules, totals, multiplier, shift, rule):
    """int64[words, lanes]: what leaves, a word in every clock."""
    dut = Requantise(totals.shape[1], rules)
    values = np.zeros_like(totals)

    async def run(ctx):
        for clock in range(len(totals) + dut.latency):
            if clock < len(totals):
                for lane, total in enumerate(totals[clock].tolist()):
                    ctx.set(dut.totals[lane], total)
                ctx.set(dut.multiplier, int(multiplier[clock]))
                ctx.set(dut.shift, int(shift[clock]))
                ctx.set(dut.rule, int(rule[clock]))
            if clock >= dut.latency:
                values[clock - dut.latency] = [ctx.get(value) for value in dut.values]
            await ctx.tick()

    simulation = Simulator(dut)
    simulation.add_clock(1e-6)
    simulation.add_testbench(run)
    simulation.run()
    return values


def random_factors(rng, words, rules):
    """Multiplier, shift and rule of every word; all shifts, and multipliers at their ends."""
    rule = rng.choice(rules, words)
    bits = np.where(rule == Rule.ORT, WIDTHS.significant, WIDTHS.multiplier)
    least = np.int64(1) << bits - 1
    multiplier = least + (rng.random(words) * least).astype(np.int64)
    place = rng.integers(0, 8, words)
    multiplier = np.select([place == 0, place == 1], [least, 2 * least - 1], multiplier)
    multiplier = np.where((place == 2) & (rule != Rule.ORT), 0, multiplier)
    shift = rng.integers(0, 1 << WIDTHS.shift, words)
    return multiplier, np.where(rule == Rule.ORT, shift, np.clip(shift, 1, 62)), rule


def near_halves(rng, multiplier, shift):
    """int64[words, lanes]: integers that a factor brings near to a half, or as far as there are."""
    wanted = rng.integers(-260, 260, (len(multiplier), LANES)) + 0.5
    exact = wanted * np.exp2(shift)[:, None] / np.maximum(multiplier, 1)[:, None]
    return np.clip(np.rint(exact) + rng.integers(-1, 2, wanted.shape), LEAST, MOST).astype(np.int64)


@pytest.mark.parametrize("rules", SETS)
def test_every_set_of_rules(rules):
    rng = np.random.default_rng(len(rules))
    words = 100
    factors = random_factors(rng, words, rules)
    magnitude = np.exp2(rng.uniform(0, 31.5, (words, LANES)))
    anywhere = np.clip(rng.choice([-1, 1], magnitude.shape) * magnitude, LEAST, MOST)
    edges = rng.choice(EDGES, (words, LANES))
    for totals in (edges, anywhere.astype(np.int64), near_halves(rng, *factors[:2])):
        assert np.array_equal(simulate(rules, totals, *factors), golden(totals, *factors))
