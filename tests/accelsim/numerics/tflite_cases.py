"""Single operators of TFLite with types and inputs that are drawn anew the same way every time.

What TFLite makes of them is in tflite_cases.npz, which tflite_oracle.py writes.
"""

import random
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from accelsim.numerics import tflite_rules
from accelsim.numerics.programs import run
from accelsim.numerics.scales import Quantised
from accelsim.numerics.tflite_softmax import softmax

FILE = Path(__file__).with_suffix(".npz")
PAIRS = ("ADD", "SUB", "MUL")
TABLES = ("QUANTIZE", "RELU", "RELU6", "LEAKY_RELU", "HARD_SWISH", "LOGISTIC", "TANH")
SUMS = ("CONV_2D", "FULLY_CONNECTED")
BOUNDS = {"RELU": (0.0, None), "RELU6": (0.0, 6.0)}
SLOPE = 0.1
CHANNELS = 1500


class Case(NamedTuple):
    """An operator, the types of its maps, and what else it reads.

    types : of its inputs, and last of its result.
    scales : of weights; float32[k] for each channel, or float32[1].
    bias : int32[k], for operators of sums, which are these biases.
    """

    operator: str
    types: tuple[Quantised, ...]
    inputs: tuple[np.ndarray, ...]
    scales: np.ndarray = np.empty(0, np.float32)
    bias: np.ndarray = np.empty(0, np.int32)


def cases() -> dict[str, Case]:
    """By name."""
    drawn = {}
    for dtype in ("int8", "uint8"):
        for number in range(3):
            for operator in (*PAIRS, *TABLES, *SUMS, "SOFTMAX"):
                name = f"{operator} {dtype} {number}"
                drawn[name] = draw(random.Random(name), operator, dtype)
        drawn[f"FULLY_CONNECTED {dtype} ties"] = ties(dtype)
    return drawn


def kind(rng: random.Random, dtype: str, scale: float) -> Quantised:
    limits = np.iinfo(dtype)
    return Quantised(float(np.float32(scale)), rng.randint(int(limits.min), int(limits.max)), dtype)


def draw(rng: random.Random, operator: str, dtype: str) -> Case:
    least = int(np.iinfo(dtype).min)
    a, b = (kind(rng, dtype, rng.lognormvariate(-3, 1)) for _ in range(2))
    values = np.arange(256).astype(np.uint8).view(dtype)
    if operator in PAIRS:
        product = operator == "MUL"
        scale = a.scale * b.scale * 100 if product else (a.scale + b.scale) * rng.uniform(0.2, 1.5)
        y = kind(rng, dtype, scale)
        flat = np.arange(0, 1 << 16, 17)
        return Case(operator, (a, b, y), (values[flat >> 8], values[flat & 255]))
    if operator in SUMS:
        y = kind(rng, dtype, rng.uniform(0.01, 0.2))
        bias = [rng.randint(-(2**30), 2**30) >> rng.randrange(24) for _ in range(CHANNELS)]
        per_channel = dtype == "int8" and rng.random() < 0.7
        places = bias if per_channel else [200_000]
        scales = [rng.uniform(0.5, 200) / max(abs(each), 1) * y.scale / a.scale for each in places]
        return Case(operator, (a, y), (), np.array(scales, np.float32), np.array(bias, np.int32))
    if operator == "SOFTMAX":
        x = [[rng.randrange(256) for _ in range(25)] for _ in range(40)]
        y = Quantised(1 / 256, least, dtype)
        return Case(operator, (a, y), (np.array(x, np.uint8).view(dtype),))
    y = {
        "LOGISTIC": Quantised(1 / 256, least, dtype),
        "TANH": Quantised(1 / 128, least + 128, dtype),
    }.get(operator, kind(rng, dtype, a.scale * rng.lognormvariate(0, 0.7)))
    return Case(operator, (a, y), (values,))


def ties(dtype: str) -> Case:
    """Sums that are odd, over 2."""
    middle = int(np.iinfo(dtype).min) + 128
    types = Quantised(1.0, middle, dtype), Quantised(1.0, middle, dtype)
    bias = np.arange(-CHANNELS // 2, CHANNELS // 2, dtype=np.int32)
    return Case("FULLY_CONNECTED", types, (), np.array([0.5], np.float32), bias)


def ours(case: Case) -> np.ndarray:
    """What accelsim makes of a case."""
    operator, types = case.operator, case.types
    if operator == "SOFTMAX":
        return softmax(case.inputs[0], types[0].scale, 1.0)
    if operator in SUMS:
        rule = getattr(tflite_rules, "convolution" if operator == "CONV_2D" else operator.lower())
        program = rule(types[0], case.scales, types[1], case.bias)
        return run(program, np.zeros((CHANNELS, 1, 1), np.int32)).ravel()
    return run(program_of(case), *case.inputs)


def program_of(case: Case) -> Any:
    operator, types = case.operator, case.types
    match operator:
        case "ADD" | "SUB":
            return tflite_rules.add(*types, subtract=operator == "SUB")
        case "MUL":
            return tflite_rules.multiply(*types)
        case "QUANTIZE":
            return tflite_rules.rescaled(*types)
        case "RELU" | "RELU6":
            bounds = tflite_rules.activation_bounds(types[1], *BOUNDS[operator])
            return tflite_rules.rescaled(*types, *bounds)
        case "LEAKY_RELU":
            return tflite_rules.leaky_relu(*types, SLOPE)
        case "HARD_SWISH":
            return tflite_rules.hard_swish(*types)
        case "LOGISTIC":
            one = np.float32(1)
            return tflite_rules.table(*types, lambda x: one / (one + np.exp(-x)))
        case _:
            return tflite_rules.table(*types, np.tanh)
