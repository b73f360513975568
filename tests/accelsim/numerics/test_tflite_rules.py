"""Programs of TFLite's operators against what its reference kernels made of the same cases."""

import numpy as np
import pytest

from accelsim.errors import NetworkError
from accelsim.numerics import tflite_rules
from accelsim.numerics.programs import run
from accelsim.numerics.scales import Quantised
from tests.accelsim.numerics.tflite_cases import FILE, PAIRS, SUMS, TABLES, cases, ours

CASES = cases()
X, Y = Quantised(0.1, 3), Quantised(0.05, -7)


@pytest.fixture(scope="module")
def made():
    with np.load(FILE) as file:
        return {name: file[name] for name in file.files}


def test_there_is_a_result_for_every_case(made):
    assert made.keys() == CASES.keys()
    assert {case.operator for case in CASES.values()} == {*PAIRS, *TABLES, *SUMS, "SOFTMAX"}


@pytest.mark.parametrize("name", CASES)
def test_values_equal_those_of_tflite(name, made):
    got = ours(CASES[name])
    assert got.dtype == made[name].dtype
    assert np.array_equal(got, made[name])


def test_fully_connected_rounds_unlike_convolutions(made):
    case = CASES["FULLY_CONNECTED int8 ties"]
    program = tflite_rules.convolution(case.types[0], case.scales, case.types[1], case.bias)
    got = run(program, np.zeros((len(case.bias), 1, 1), np.int32)).ravel()
    assert not np.array_equal(got, made["FULLY_CONNECTED int8 ties"])


@pytest.mark.parametrize("rule", ["tfl_double", "tfl_single"])
def test_a_rule_may_be_chosen(rule):
    program = tflite_rules.fully_connected(X, [0.01], Y, rule=rule)
    assert program[0].rule == rule
    assert tflite_rules.add(X, X, Y, rule=rule)[0].rule == rule


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: tflite_rules.convolution(X, [1e12], Y), r"a factor below 2\*\*30, not 19"),
        (lambda: tflite_rules.convolution(X, [0.0], Y), "the scale of the weights must be above 0"),
        (lambda: tflite_rules.add(Quantised(-1.0), X, Y), "the scale of a must be above 0"),
        (lambda: tflite_rules.add(X, X, Quantised(1e-8)), "the scale of y must be above 1"),
        (lambda: tflite_rules.multiply(X, X, Quantised(1e-12)), r"a factor below 2\*\*30"),
        (
            lambda: tflite_rules.hard_swish(X, Quantised(1e-5)),
            "the scale of y must be above 0.0007",
        ),
        (lambda: tflite_rules.rescaled(X, Quantised(0.1, 200)), "the zero point of y must be a"),
    ],
)
def test_scales_that_are_refused(call, sentence):
    with pytest.raises(NetworkError, match=sentence):
        call()


def test_a_factor_that_is_tiny_is_none():
    program = tflite_rules.convolution(X, [1e-12], Y)
    ends = np.array([-(2**31), 2**31 - 1], np.int32)[None, :, None]
    assert run(program, ends).ravel().tolist() == [-7, -7]
