"""Requantisation in hardware against the golden model: directed, random, of any set of rules."""

from itertools import combinations

import numpy as np
import pytest
from amaranth.sim import Simulator

from accelsim.hardware.post import RULES as NAMES
from accelsim.numerics import programs
from rtl.post.requantise import RULES, WIDTHS, Requantise
from tests.rtl.post.work import random_factors, random_sums

LANES, WORDS = 4, 100
SETS = [
    pytest.param(rules, id="+".join(rule.name for rule in rules), marks=marks)
    for count, marks in ((1, []), (2, [pytest.mark.full]), (4, []))
    for rules in combinations(RULES, count)
]


def test_rules_have_the_numbers_and_names_of_the_golden_model():
    assert [rule.name.lower() for rule in RULES] == list(programs.RULES) == list(NAMES)
    assert [rule.value for rule in RULES] == list(range(len(RULES)))


def golden(rule, totals, multiplier, shift):
    """int64[words, lanes]: the golden model, between the results that hardware tells apart."""
    step = programs.Requantise(programs.RULES[rule], multiplier, shift)
    out = programs.requantise(step, totals[:, None].astype(np.int32))[:, 0]
    return np.clip(out, -(1 << WIDTHS.result), 1 << WIDTHS.result)


def simulate(dut, totals, *factors):
    """int64[words, lanes]: what leaves, a word in every clock."""
    values = np.zeros_like(totals)

    async def run(ctx):
        for clock in range(len(totals) + dut.latency):
            if clock < len(totals):
                for lane, total in enumerate(totals[clock].tolist()):
                    ctx.set(dut.totals[lane], total)
                for name, factor in zip(("multiplier", "shift", "rule"), factors, strict=True):
                    ctx.set(getattr(dut, name), int(factor[clock]))
            if clock >= dut.latency:
                values[clock - dut.latency] = [ctx.get(value) for value in dut.values]
            await ctx.tick()

    simulation = Simulator(dut)
    simulation.add_clock(1e-6)
    simulation.add_testbench(run)
    simulation.run()
    return values


@pytest.mark.parametrize("rules", SETS)
def test_every_set_of_rules(rules):
    rng = np.random.default_rng(len(rules))
    given, wanted = [], []
    for rule in rules:
        factors = random_factors(rng, rule, WORDS)
        totals = random_sums(rng, *factors, LANES)
        given.append((totals, *factors, np.full(WORDS, rule)))
        wanted.append(golden(rule, totals, *factors))
    order = rng.permutation(WORDS * len(rules))  # no word knows the rule of another
    inputs = (np.concatenate(column)[order] for column in zip(*given, strict=True))
    got = simulate(Requantise(LANES, rules), *inputs)
    assert np.array_equal(got, np.concatenate(wanted)[order])
