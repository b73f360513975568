"""Certificates against what brute force finds, for programs that are right and wrong."""

import pickle

import numpy as np
import pytest

from accelsim.numerics import float_rules, onnx_rules, tflite_rules
from accelsim.numerics.certificates import certify, entries, pairs, sums
from accelsim.numerics.programs import Add, Bias, Certifiable, Requantise, Table, run
from accelsim.numerics.scales import Quantised

X, Y = Quantised(0.02, 3), Quantised(0.05, -7)
SCALES = np.random.default_rng(0).uniform(0.001, 0.02, 40).astype(np.float32)
REACH = 40_000


def brute_force(program, rule):
    """How many sums of size REACH at most differ, and the first (channel, sum) of them."""
    totals = np.broadcast_to(np.arange(-REACH, REACH + 1, dtype=np.int32), (len(SCALES), 80_001))
    wrong = run(program, totals[..., None])[..., 0] != rule(totals)
    where = np.argwhere(wrong)
    first = (int(where[0][0]), int(where[0][1]) - REACH) if len(where) else None
    return int(wrong.sum()), first


def changed(program, **fields):
    return tuple(
        step._replace(**{name: change(getattr(step, name)) for name, change in fields.items()})
        if isinstance(step, Requantise)
        else step
        for step in program
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p,
        lambda p: changed(p, multiplier=lambda m: m + 1),
        lambda p: changed(p, multiplier=lambda m: m - (np.arange(40) == 7)),
        lambda p: changed(p, shift=lambda s: s + (np.arange(40) == 39)),
        lambda p: tflite_rules.convolution(X, SCALES, Y),
        lambda p: (p[0], p[1]._replace(zero_point=-6)),
    ],
)
def test_sums_as_brute_force_counts_them(change):
    program, rule = (
        change(onnx_rules.convolution(X, SCALES, Y)),
        float_rules.convolution(X, SCALES, Y),
    )
    certificate = sums(program, rule, REACH)
    different, first = brute_force(program, rule)
    assert certificate == (not different, 40 * 80_001, different, first)


def test_one_multiplier_that_is_wrong_in_its_last_bit_is_found_far_out():
    program = onnx_rules.convolution(X, SCALES, Y)
    wrong = changed(program, multiplier=lambda m: m + (np.arange(40) == 11))
    rule = float_rules.convolution(X, SCALES, Y)
    assert certify(program).exact
    found = sums(wrong, rule)
    assert not found.exact
    assert found.inputs == 40 << 32
    assert found.first[0] == 11
    total = np.zeros((40, 1), np.int32)
    total[11] = found.first[1]
    assert run(wrong, total[..., None])[11, 0, 0] != rule(total)[11, 0]
    total[11] -= 1
    assert run(wrong, total[..., None])[11, 0, 0] == rule(total)[11, 0]


@pytest.mark.parametrize("scale", [1e-9, 1e-7, 1e-4, 1.0, 1e4])
@pytest.mark.parametrize("zero_point", [-128, 0, 127])
def test_onnxruntime_is_followed_over_all_of_int32(scale, zero_point):
    scales = np.random.default_rng(1).uniform(scale, 30 * scale, 50).astype(np.float32)
    y = Quantised(0.05, zero_point)
    program = onnx_rules.convolution(X, scales, y)
    assert certify(program) == (True, 50 << 32, 0, None)
    assert sums(program, float_rules.convolution(X, scales, y)).exact


@pytest.mark.parametrize("rule", ["tfl_double", "tfl_single"])
@pytest.mark.parametrize("scale", [1e-7, 1e-4, 1.0])
def test_tflite_is_followed_over_all_of_int32(scale, rule):
    scales = np.random.default_rng(2).uniform(scale, 30 * scale, 50).astype(np.float32)
    program = tflite_rules.convolution(X, scales, Y, np.zeros(50, np.int32), rule=rule)
    assert isinstance(program[0], Bias)
    assert certify(program) == (True, 50 << 32, 0, None)
    other = {"tfl_double": "tfl_single", "tfl_single": "tfl_double"}[rule]
    found = sums(tflite_rules.convolution(X, scales, Y, rule=other), program.rule)
    assert found.exact == (scale == 1.0)  # a factor of that size leaves few sums to be rounded


@pytest.mark.parametrize("scale", [1e-6, 1e-4, 1.0])
def test_fully_connected_follows_float64_as_far_as_sums_reach(scale):
    scales = np.random.default_rng(3).uniform(scale, 30 * scale, 200).astype(np.float32)
    reach = 1 << 23  # 500 weights of the largest size, on inputs of the largest size
    program = tflite_rules.fully_connected(X, scales, Y, reach=reach)
    assert certify(program) == (True, 200 * (2 * reach + 1), 0, None)


def test_multipliers_are_chosen_where_rounded_ones_are_not_enough():
    """Scales for which the multiplier that is nearest is not exact, but one beside it."""
    scales = np.random.default_rng(4).uniform(1e-6, 3e-6, 3000).astype(np.float32)
    factors = np.float64(np.float32(X.scale)) * scales.astype(np.float64) / np.float32(Y.scale)
    reach = 1 << 27
    program = tflite_rules.fully_connected(X, scales, Y, reach=reach)
    nearest = tflite_rules.requantise(factors, "tfl_away")
    chosen, rounded = (
        sums((step, program[-1]), program.rule, reach) for step in (program[0], nearest)
    )
    assert chosen.different < rounded.different


def test_pairs():
    a, b, y = Quantised(0.1, 3), Quantised(0.07, -5), Quantised(0.13, 8)
    program, rule = onnx_rules.add(a, b, y), float_rules.add(a, b, y)
    assert certify(program) == pairs(program, rule, ("int8", "int8")) == (True, 1 << 16, 0, None)
    (step, bounds), values = program, np.arange(-128, 128)
    assert isinstance(step, Add)
    wrong = step._replace(offset=step.offset + (1 << step.shift) // 40), bounds
    got = run(wrong, values.astype(np.int8)[:, None], values.astype(np.int8))
    expected = rule(values[:, None], values)
    found = pairs(wrong, rule, ("int8", "int8"))
    assert (found.exact, found.different) == (False, int((got != expected).sum()))
    x, other = found.first
    assert got[x + 128, other + 128] != expected[x + 128, other + 128]
    for other in (
        onnx_rules.multiply(a, b, y),
        *(tflite_rules.add(a, b, y, rule=rule) for rule in ("tfl_double", "tfl_single")),
        tflite_rules.add(a, b, y, subtract=True),
        tflite_rules.multiply(a, b, y),
    ):
        assert certify(other) == (True, 1 << 16, 0, None)


def test_pairs_of_a_map_and_a_gate_of_other_types():
    a, b, y = Quantised(0.1, 3), Quantised(1 / 256, 0, "uint8"), Quantised(0.1, 3)
    assert certify(onnx_rules.multiply(a, b, y)) == (True, 1 << 16, 0, None)


def test_entries():
    def rule(x):
        return float_rules.quantise(np.tanh(float_rules.dequantise(x, X)), Y)

    program = onnx_rules.table(X, Y, np.tanh)
    assert certify(program) == entries(program, rule, "int8") == (True, 256, 0, None)
    values = program[0].values.copy()
    values[200] += 1  # that of -56
    assert entries((Table(values),), rule, "int8") == (False, 256, 1, (-56,))


def test_averages_as_far_as_sums_reach():
    program = onnx_rules.global_average(X, Y, 49)
    assert certify(program) == (True, 2 * 49 * 255 + 1, 0, None)


def test_certifiable_programs_are_pickled_and_run_like_others():
    program = onnx_rules.convolution(X, SCALES, Y, np.arange(40, dtype=np.int32))
    again = pickle.loads(pickle.dumps(program))
    assert isinstance(again, Certifiable)
    assert certify(again) == certify(program)
    totals = np.arange(40, dtype=np.int32).reshape(40, 1, 1) * 100
    assert np.array_equal(run(tuple(program), totals), run(again, totals))
