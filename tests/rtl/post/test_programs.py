"""Programs of real runtimes as settings of the unit: the bytes that they say leave it."""

import numpy as np
import pytest

from accelsim.errors import UnsupportedError
from accelsim.hardware import PostProcessing
from accelsim.hardware.post import OPERATIONS, RULES
from accelsim.numerics import onnx_rules, programs, tflite_rules
from accelsim.numerics.scales import Quantised
from accelsim.passes.post_commands import ONE, post_commands
from rtl.post.unit import PostProcessor
from tests.rtl.post.simulated import simulate
from tests.rtl.post.work import layers_of

A, B = Quantised(0.0473, -3, "int8"), Quantised(0.0119, 131, "uint8")
Y = Quantised(0.0521, 7, "int8")
SIZES = PostProcessing(2, RULES, OPERATIONS, 1)
TABLE = programs.Table(np.arange(255, -1, -1).astype(np.uint8).view(np.int8))
WEIGHTS = np.array([0.003, 0.0171, 0.0002], np.float32)
BIAS = np.array([5, -700, 2**31 - 1], np.int32)
CLAMP = programs.Clamp(0, -128, 127, "int8")
DOUBLE = programs.Requantise("tfl_double", np.array([1 << 30]), np.array([30]))
LEAST = DOUBLE._replace(multiplier=np.full(3, 512), shift=np.array([1, 20, 30]))
OF_SUMS = {
    "onnxruntime's convolution": onnx_rules.convolution(A, WEIGHTS, Y, BIAS),
    "TFLite's convolution": tflite_rules.convolution(A, WEIGHTS, Y, BIAS),
    "TFLite's least multiplier": (LEAST, CLAMP),
    "with a table": (*onnx_rules.convolution(A, WEIGHTS, Y), TABLE),
    "with an add": (*onnx_rules.convolution(A, WEIGHTS, A), *onnx_rules.add(A, B, Y)),
}
OF_MAPS = {
    "onnxruntime's add": onnx_rules.add(A, B, Y),
    "onnxruntime's multiply": onnx_rules.multiply(A, B, Y),
    "TFLite's add": tflite_rules.add(A, Quantised(0.2, 3, "int8"), Y),
    "TFLite's multiply": tflite_rules.multiply(A, Quantised(0.2, 3, "int8"), Y),
    "a table": (TABLE,),
}


def check(named, x, others):
    """All programs leave the unit as they are run, one after another."""
    commands = [
        post_commands(program, second=str(other.dtype))
        for program, other in zip(named.values(), others, strict=True)
    ]
    layers = [
        layer
        for command, other in zip(commands, others, strict=True)
        for layer in layers_of(command, x, other, SIZES.lanes)
    ]
    run = simulate(PostProcessor(SIZES), TABLE.values.view(np.uint8)[None], layers)
    left = np.split(run.values, len(named))
    for (name, program), got, other in zip(named.items(), left, others, strict=True):
        wanted = programs.run(program, x, other).view(np.uint8)
        assert np.array_equal(got.reshape(x.shape), wanted), name


def random_bytes(rng, shape, dtype):
    return rng.integers(0, 256, shape).astype(np.uint8).view(dtype)


def test_programs_of_sums():
    rng = np.random.default_rng(0)
    sums = rng.integers(-40_000, 40_000, (3, 4, 10)).astype(np.int32)
    check(OF_SUMS, sums, [random_bytes(rng, sums.shape, "uint8") for _ in OF_SUMS])


def test_programs_of_maps():
    rng = np.random.default_rng(1)
    x = random_bytes(rng, (1, 15, 20), "int8")
    kinds = ["int8" if name.startswith("TFLite") else "uint8" for name in OF_MAPS]
    check(OF_MAPS, x, [random_bytes(rng, x.shape, kind) for kind in kinds])


ALIGNED = programs.AlignedAdd("tfl_double", 20, 0, 1, 40, 0, 1, 40)


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ((ONE,), "needs a Clamp, not the end"),
        ((ONE, TABLE), "needs a Clamp, not Table"),
        ((DOUBLE._replace(multiplier=np.array([5, -3])), CLAMP), "2..31 - 1 .*, not by -3 to 5"),
        ((ONE._replace(multiplier=np.array([1 << 24])), CLAMP), "2..24 - 1 by the rule ort, not"),
        ((DOUBLE._replace(multiplier=np.array([511])), CLAMP), "below 512, as 511 is"),
        ((ONE._replace(offset=3), CLAMP), "products of two maps only, not 3"),
        (
            (programs.Multiply(0, 0), onnx_rules.requantise(WEIGHTS), CLAMP),
            "has one factor for what two maps become, not 3",
        ),
        ((CLAMP,), "has no Clamp at this place"),
        ((ONE, CLAMP, TABLE, TABLE), "has no Table at this place"),
        ((programs.Multiply(0, 0), CLAMP), "needs a Requantise, not Clamp"),
        ((programs.Add(1 << 36, 1, 0, 3, False), CLAMP), "36 bits and an offset of 46 bits, not"),
        ((programs.Add(1, -1, 0, 3, False), CLAMP), "not times 1 and -1"),
        ((programs.Add(1, 1, 1 << 45, 3, False), CLAMP), "and 35184372088832"),
        (
            (ALIGNED._replace(shift=30), ONE, CLAMP),
            "left by 20 bits and right by 31 to 63, not by 20, 30 and 40",
        ),
        ((ALIGNED, ONE, CLAMP), "by one rule, not by tfl_double and ort"),
        ((ALIGNED, DOUBLE._replace(offset=-1), CLAMP), "products of two maps only, not -1"),
    ],
)
def test_others_are_refused(program, message):
    with pytest.raises(UnsupportedError, match=message):
        post_commands(program)
