"""Requantisation, compiled: the rules for one sum, and loops over maps.

A factor is multiplier 2**-shift. Results saturate at int32.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from accelsim.kernels import component, kernel

_MOST = 2**31 - 1
_LEAST = -(2**31)
_SIGNIFICANT = 24  # bits of a float32


@intrinsic  # type: ignore[untyped-decorator, unused-ignore]
def _leading_zeros(_: Any, value: Any) -> Any:
    """Bits of an int64 above its highest 1."""

    def write(_: Any, builder: Any, __: Any, args: Any) -> Any:
        return builder.ctlz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.int64), write


@component
def _nearest_even(value, shift):
    """A value of at least 0 over 2**shift, rounded half to even; shift from 0 to 62."""
    half = (np.int64(1) << shift) >> 1
    return (value + half - (half != 0) * (1 - ((value >> shift) & 1))) >> shift


@component
def _excess(value):
    """How many bits a value of at least 0 has beyond those of a float32."""
    return max(64 - _leading_zeros(value) - _SIGNIFICANT, 0)


@component
def _saturated(size, negative):
    """The nearest int32 of a number of this size and sign."""
    return max(-size, np.int64(_LEAST)) if negative else min(size, np.int64(_MOST))


@component
def ort(total, multiplier, shift, offset):
    """A sum times its factor plus an offset, as float32 computes it, rounded half to even.

    onnxruntime's rule: the sum as float32, the product rounded to 24 bits, with an offset the sum
    of both again, then rint. Signs are kept apart, for rounding half to even is odd.
    """
    size = abs(np.int64(total))
    early = _excess(size)
    product = _nearest_even(size, early) * multiplier
    late = _excess(product)
    product = _nearest_even(product, late)
    left = shift - early - late
    if offset != 0:
        signed = (product << (early + late)) * (1 if total >= 0 else -1)
        moved = signed + (np.int64(offset) << shift)
        size, negative = abs(moved), moved < 0
        late = _excess(size)
        product, left = _nearest_even(size, late), shift - late
    else:
        negative = total < 0
    if left > 0:
        rounded = _nearest_even(product, min(left, 62))
    else:
        rounded = min(product, np.int64(-_LEAST)) << min(-left, 31)
    return _saturated(rounded, negative)


@component
def tfl_double(total, multiplier, shift):
    """A sum times its factor, rounded twice, as TFLite's MultiplyByQuantizedMultiplier does.

    First the high half of the doubled product, ties towards infinity; then what is left of the
    shift, ties away from 0. A factor above 1 first shifts the sum to the left, here to the nearest
    int32; TFLite's result is undefined where that overflows.
    """
    moved = np.int64(total) << max(31 - shift, 0)
    product = min(max(moved, np.int64(_LEAST)), np.int64(_MOST)) * multiplier
    high = (product + (np.int64(1) << 30)) >> 31
    right = max(shift - 31, 0)
    mask = (np.int64(1) << right) - 1
    return (high >> right) + ((high & mask) > (mask >> 1) + (high < 0))


@component
def tfl_single(total, multiplier, shift):
    """A sum times its factor, rounded once, ties towards infinity; TFLITE_SINGLE_ROUNDING."""
    rounded = (np.int64(total) * multiplier + (np.int64(1) << (shift - 1))) >> shift
    return min(max(rounded, np.int64(_LEAST)), np.int64(_MOST))


@component
def tfl_away(total, multiplier, shift):
    """A sum times its factor, rounded once, ties away from 0."""
    size = (abs(np.int64(total)) * multiplier + (np.int64(1) << (shift - 1))) >> shift
    return _saturated(size, total < 0)


@kernel
def requantise(rule, sums, multipliers, shifts, offset, out):
    """Into int32[n, k, m]: sums int32[n, k, m] by the factors int64[k] of their channels.

    rule : its place in programs.RULES; the offset is that of onnxruntime's.
    """
    for n in range(sums.shape[0]):
        for k in range(sums.shape[1]):
            multiplier, shift = multipliers[k], shifts[k]
            if rule == 0:
                for m in range(sums.shape[2]):
                    out[n, k, m] = ort(sums[n, k, m], multiplier, shift, offset)
            elif rule == 1:
                for m in range(sums.shape[2]):
                    out[n, k, m] = tfl_double(sums[n, k, m], multiplier, shift)
            elif rule == 2:
                for m in range(sums.shape[2]):
                    out[n, k, m] = tfl_single(sums[n, k, m], multiplier, shift)
            else:
                for m in range(sums.shape[2]):
                    out[n, k, m] = tfl_away(sums[n, k, m], multiplier, shift)
