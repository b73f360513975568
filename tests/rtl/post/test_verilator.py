"""The generated Verilog of the post-processing unit: as many words as Verilator simulates."""

from pathlib import Path

import numpy as np
import pytest

from accelsim.hardware import PostProcessing
from accelsim.hardware.post import OPERATIONS, RULES
from accelsim.numerics import onnx_rules, tflite_rules
from accelsim.numerics.programs import run
from accelsim.numerics.scales import Quantised
from accelsim.passes.post_commands import post_commands
from rtl.flow.simulators import build_verilator, run_logged
from rtl.flow.verilog import TOP, verilog
from rtl.post.files import latency
from rtl.post.unit import PostProcessor
from tests.rtl.post.work import (
    command_bits,
    fill_bits,
    layers_of,
    random_value,
    random_work,
    word_bits,
)

SIZES = PostProcessing(4, RULES, OPERATIONS)
SMALL = PostProcessing(2, ("ort", "tfl_double"), ("multiply",), 1)  # soon compiled
LENGTH = 5_000  # words of a layer
ALL = 25_000_000  # words of the whole range, each with a factor and four sums
PACES = ((0, 0), (128, 0), (0, 128), (30, 200))  # of 256 clocks nothing offered, nothing taken


def simulate(model, folder, sizes, tables, layers, pace):
    """uint8[words, lanes], what leaves, and in how many clocks."""
    payloads = {
        "commands": np.concatenate([command_bits(layer.settings) for layer in layers]),
        "table_fill": fill_bits(tables),
        "words": np.concatenate([word_bits(layer, sizes) for layer in layers]),
    }
    for name, payload in payloads.items():
        payload.tofile(folder / f"{name}.bin")
    counts = [str(len(payload)) for payload in payloads.values()]
    run_logged([str(model / TOP), str(folder), *counts, *map(str, pace)], folder, "verilator")
    words = np.fromfile(folder / "results.bin", np.uint8).reshape(len(payloads["words"]), -1)
    ends = np.cumsum([len(layer.sums) for layer in layers]) - 1
    assert np.flatnonzero(words[:, sizes.lanes] & 1).tolist() == ends.tolist()
    return words[:, : sizes.lanes], int((folder / "clocks.txt").read_text())


def built(sizes):
    """A unit, and its model."""
    unit = PostProcessor(sizes)
    main = Path(__file__).with_name("bench.cpp")
    return unit, build_verilator(verilog(unit), main, optimise="-O3")


def compare(folder, sizes, words, layers_at_once=50):
    """Words of random layers, so many, against the golden model."""
    unit, model = built(sizes)
    rng = np.random.default_rng(words)
    done = 0
    while done < words:
        tables, layers = random_work(rng, sizes, [LENGTH] * layers_at_once)
        for pace in PACES if done == 0 else PACES[:1]:
            got, clocks = simulate(model, folder, sizes, tables, layers, pace)
            assert np.array_equal(got, np.concatenate([layer.expected() for layer in layers]))
            if pace == (0, 0):
                assert clocks <= len(got) + latency(unit) + 10
        done += len(got)
    return done


def test_random_words(tmp_path):
    assert compare(tmp_path, SMALL, 1, layers_at_once=4) == 4 * LENGTH


@pytest.mark.full
def test_a_hundred_million_sums(tmp_path):
    assert compare(tmp_path, SIZES, ALL) >= ALL


def random_map(rng):
    dtype = str(rng.choice(["int8", "uint8"]))
    return Quantised(float(np.exp2(rng.uniform(-9, -2))), random_value(rng, dtype), dtype)


def pairs_of(rng):
    """Programs of two maps that both runtimes run, with the types of the maps."""
    a, b, y = (random_map(rng) for _ in range(3))
    add, clamp = onnx_rules.add(a, b, y)
    for rounded in (False, True):  # one of them is onnxruntime's, both are the unit's
        yield (add._replace(rounded=rounded), clamp), a, b
    yield onnx_rules.multiply(a, b, y), a, b
    a, b, y = (each._replace(dtype="int8", zero_point=3) for each in (a, b, y))
    for rule in ("tfl_double", "tfl_single"):
        yield tflite_rules.add(a, b, y, rule=rule, subtract=bool(rng.integers(2))), a, b
        yield tflite_rules.multiply(a, b, y, rule=rule), a, b


@pytest.mark.full
def test_all_pairs_of_bytes(tmp_path):
    rng = np.random.default_rng(0)
    _, model = built(SIZES)
    for program, a, b in (each for _ in range(10) for each in pairs_of(rng)):
        x, others = (
            np.ascontiguousarray(np.broadcast_to(each, (1, 256, 256)))
            for each in (a.values.astype(a.dtype)[:, None], b.values.astype(b.dtype))
        )
        commands = post_commands(program, a.dtype, b.dtype)
        layers = layers_of(commands, x, others, SIZES.lanes)
        tables = np.zeros((SIZES.tables, 256), np.uint8)
        got, _ = simulate(model, tmp_path, SIZES, tables, layers, (0, 0))
        assert np.array_equal(got.reshape(x.shape), run(program, x, others).view(np.uint8))
