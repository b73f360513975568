"""Every rule of requantisation over random sums and factors, a million by default and 10**8."""

import numpy as np
import pytest

from accelsim.numerics import gemmlowp
from accelsim.numerics.programs import RULES, Requantise, requantise

CHUNK = 500_000
INT32 = (-(2**31), 2**31 - 1)


def draw(rng, bits, shifts):
    """Sums of all sizes, and factors: half of them any, half such that results are of 10 bits."""
    sums = (rng.integers(*INT32, CHUNK, endpoint=True) >> rng.integers(0, 31, CHUNK)).astype(
        np.int32
    )
    multipliers = rng.integers(1 << (bits - 1), 1 << bits, CHUNK)
    length = np.frexp(np.abs(sums.astype(float)))[1]
    near = length + bits - rng.integers(0, 10, CHUNK)
    far = rng.integers(shifts[0], shifts[1] + 1, CHUNK)
    chosen = np.where(rng.random(CHUNK) < 0.5, near, far)
    return sums, multipliers, np.clip(chosen, *shifts)


def in_float32(sums, multipliers, shifts):
    factors = np.ldexp(multipliers.astype(np.float32), -shifts)
    return np.clip(np.rint(sums.astype(np.float32) * factors).astype(np.float64), *INT32)


def twice(sums, multipliers, shifts):
    return gemmlowp.multiply_by_quantized_multiplier(
        sums.astype(np.int64), multipliers, 31 - shifts
    )


def once(sums, multipliers, shifts):
    return gemmlowp.rounded_once(sums.astype(np.int64), multipliers, 31 - shifts)


def away(sums, multipliers, shifts):
    whole, rest = np.divmod(np.abs(sums.astype(np.int64)) * multipliers, np.int64(1) << shifts)
    rounded = whole + (2 * rest.astype(np.uint64) >= np.uint64(1) << shifts.astype(np.uint64))
    return np.clip(np.sign(sums) * rounded, *INT32)


EXPECTED = {"ort": in_float32, "tfl_double": twice, "tfl_single": once, "tfl_away": away}
DRAWN = {rule: (24, (0, 63)) if rule == "ort" else (31, (1, 62)) for rule in RULES}


def check(rule, chunks):
    rng = np.random.default_rng(RULES.index(rule))
    for _ in range(chunks):
        sums, multipliers, shifts = draw(rng, *DRAWN[rule])
        got = requantise(Requantise(rule, multipliers, shifts), sums[:, None, None])[:, 0, 0]
        assert np.array_equal(got, EXPECTED[rule](sums, multipliers, shifts))


@pytest.mark.parametrize("rule", RULES)
def test_a_million_sums_and_factors(rule):
    check(rule, 2)


@pytest.mark.full
@pytest.mark.parametrize("rule", RULES)
def test_a_hundred_million_sums_and_factors(rule):
    check(rule, 200)
