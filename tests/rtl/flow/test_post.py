"""Programs on the RTL of a post-processing unit, beside the golden model."""

import numpy as np
import pytest

from accelsim.numerics import programs
from accelsim.numerics.programs import Bias, Clamp, Multiply, Requantise, Table
from rtl.flow.post import MOST_WORDS, post_level

K = 5


def program(rule, rng):
    """Of K channels, with a table where the rule is TFLite's."""
    bits = 24 if rule == "ort" else 31
    least = 1 << (bits - 1)
    factors = least + rng.integers(0, least, K), np.full(K, bits + 8)
    made = Bias(rng.integers(-9999, 9999, K).astype(np.int32)), Requantise(rule, *factors)
    if rule == "ort":
        return (*made, Clamp(131, 7, 250, "uint8"))
    return (*made, Clamp(-3, -100, 127, "int8"), Table(rng.integers(0, 256, 256, np.uint8)))


@pytest.mark.parametrize("rule", ["ort", "tfl_double", "tfl_single"])
def test_values_are_those_of_the_golden_model(rule):
    rng = np.random.default_rng(2)
    sums = rng.integers(-200_000, 200_000, (2, K, 3, 7)).astype(np.int32)
    steps = program(rule, rng)
    told = []
    run = post_level(lambda what, done: told.append(what))
    made, expected = run(steps, sums), programs.run(steps, sums)
    assert made.dtype == expected.dtype
    assert np.array_equal(made, expected)
    assert len(np.unique(made)) > 30
    one = run(steps, sums[0])
    assert np.array_equal(one, expected[0])


@pytest.mark.parametrize("what", ["order", "operation", "offset", "bytes", "size"])
def test_what_a_unit_does_not_run_is_left_out(what):
    bias, factor, bounds = program("ort", np.random.default_rng(2))
    sums = np.zeros((K, 1, 1), np.int32)
    steps = {
        "order": (factor, bias, bounds),
        "operation": (Multiply(0, 0), factor, bounds),
        "offset": (bias, factor._replace(offset=1), bounds),
        "bytes": (Table(np.zeros(256, np.uint8)),),
        "size": (bias, factor, bounds),
    }[what]
    if what == "size":
        sums = np.broadcast_to(sums, (K, MOST_WORDS, 2))
    assert post_level(lambda what, done: None)(steps, sums) is None
