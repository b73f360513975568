"""Reciprocals are exact over everything they are made for."""

import numpy as np
import pytest

from accelsim.hardware import DepthwiseEngine
from rtl.lib.divide import reciprocal


@pytest.mark.parametrize("kernel", [1, 3, 64, 255])
@pytest.mark.parametrize("dilation", [1, 2, 8, 63])
def test_every_position_of_every_kernel(kernel, dilation):
    """As the engine shares one shift among all dilations."""
    most = kernel * dilation
    n = np.arange(most + 1)
    shift = reciprocal(most, dilation).shift
    for divisor in range(1, dilation + 1):
        factor, own = reciprocal(most, divisor, shift)
        assert own == shift
        assert np.array_equal(n * factor >> shift, n // divisor)


def test_result_words_of_every_engine():
    for lanes in (1, 2, 7, 8, 64, 511, 512):
        for together in {1, 2, 3, lanes // 2 or 1, lanes}:
            n = np.arange(lanes + together + 1)
            factor, shift = reciprocal(int(n[-1]), together)
            assert np.array_equal(n * factor >> shift, n // together)


def test_most_is_what_an_engine_needs():
    engine = DepthwiseEngine(1, 1)
    assert reciprocal(engine.max_kernel * engine.max_dilation, engine.max_dilation).shift < 32
