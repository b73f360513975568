"""Cells of an ECP5 and gate equivalents of a core, estimated from synthesised ones.

lut4, ff, mult18 and gate_equivalents are linear in what a core consists of: for an array R x C
with T taps

    1, R, C, R C, R T, blocks of LUT memory

and for a depthwise engine of L lanes x P pixels

    1, L, P, L P, L P log2 P

The coefficients fit the calibration points of area.json best, by the squares of the relative
errors. dp16kd follows from the memories themselves, as Yosys makes them out of blocks. How good an
estimate is says `errors`: every point against the fit to all others. Engines larger than the
points are extrapolated.

Estimated are the cores that accelsim generates, with operands as usual. The buffers of
accelsim.sweep.reuse and the port to off-chip memory are not in them. Gate equivalents leave
memories out and mean no process: see rtl/synthesis.py, which makes the points.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from importlib import resources
from math import log2
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.engines.systolic_array.schedule import result_depth
from accelsim.hardware import DepthwiseEngine, Operands, SystolicArray

LINEAR = ("lut4", "ff", "mult18", "gate_equivalents")
KINDS = ("array", "depthwise")
FIGURES = (*LINEAR, "dp16kd")
# A DP16KD as words x bits; a TRELLIS_DPR16X4 holds 16 x 4. Yosys takes what is cheaper.
BLOCK_SHAPES = ((16384, 1), (8192, 2), (4096, 4), (2048, 9), (1024, 18), (512, 36))
BLOCK_COST, LUT_COST = 128, 4

Design = SystolicArray | DepthwiseEngine
Floats = npt.NDArray[np.float64]


class Calibration(NamedTuple):
    """Synthesised cores of one kind of engine.

    features : float64[points, features].
    figures : float64[points, figures] of LINEAR.
    """

    designs: tuple[Design, ...]
    features: Floats
    figures: Floats


def estimate(design: Design | None) -> tuple[int, ...] | None:
    """FIGURES of the core of an engine; None where no synthesised core is like it."""
    if design is None:
        return (0,) * len(FIGURES)
    if not _like_the_points(design):
        return None
    found: Floats = _features(design) @ _coefficients(_kind(design))
    return (*np.rint(found).astype(int).tolist(), sum(count for count, _ in _memories(design)))


def errors() -> dict[str, float]:
    """The largest relative error of every figure, each point against the fit to all others."""
    worst = dict.fromkeys(FIGURES, 0.0)
    for kind in KINDS:
        designs, features, figures = _calibration(kind)
        for left_out in range(len(designs)):
            others = np.delete(np.arange(len(designs)), left_out)
            found = features[left_out] @ _fit(features[others], figures[others])
            for name, wrong in zip(LINEAR, found / figures[left_out] - 1, strict=True):
                worst[name] = max(worst[name], float(abs(wrong)))
        for design, point in zip(designs, _points(kind), strict=True):
            blocks = sum(count for count, _ in _memories(design))
            wrong = abs(blocks / point["cells"]["dp16kd"] - 1)
            worst["dp16kd"] = max(worst["dp16kd"], wrong)
    return worst


def sentence() -> str:
    """How good the estimates are, in words."""
    figures = ", ".join(f"{name} {100 * wrong:.1f} %" for name, wrong in errors().items())
    return (
        f"Cells are estimates from {len(_file()['points'])} synthesised cores; each of them "
        f"estimated from all others is at most so far off: {figures}. Larger ones are extrapolated."
    )


@cache
def _file() -> dict[str, Any]:
    text = resources.files("accelsim.sweep").joinpath("area.json").read_text()
    found: dict[str, Any] = json.loads(text)
    return found


def _points(kind: str) -> list[dict[str, Any]]:
    return [point for point in _file()["points"] if point["engine"] == kind]


@cache
def _calibration(kind: str) -> Calibration:
    designs = tuple(_design(kind, point) for point in _points(kind))
    return Calibration(
        designs,
        np.array([_features(design) for design in designs]),
        np.array(
            [[point["cells"][name] for name in LINEAR] for point in _points(kind)], np.float64
        ),
    )


def _design(kind: str, point: dict[str, Any]) -> Design:
    parameters = {key: value for key, value in point.items() if key not in ("engine", "cells")}
    parameters["operands"] = Operands(**point["operands"])
    return SystolicArray(**parameters) if kind == "array" else DepthwiseEngine(**parameters)


def _kind(design: Design) -> str:
    return "array" if isinstance(design, SystolicArray) else "depthwise"


@cache
def _coefficients(kind: str) -> Floats:
    _, features, figures = _calibration(kind)
    return _fit(features, figures)


def _fit(features: Floats, figures: Floats) -> Floats:
    """float64[features, figures], with the least squares of relative errors."""
    columns = [
        np.linalg.lstsq(features / figure[:, None], np.ones(len(figure)), rcond=None)[0]
        for figure in figures.T
    ]
    return np.array(columns).T


def _features(design: Design) -> Floats:
    if isinstance(design, SystolicArray):
        luts = sum(count for _, count in _memories(design))
        rows, columns, taps = design.rows, design.columns, design.max_taps
        return np.array([1, rows, columns, rows * columns, rows * taps, luts], np.float64)
    lanes, pixels = design.lanes, design.pixels
    slots = lanes * pixels
    return np.array([1, lanes, pixels, slots, slots * log2(pixels)], np.float64)


def _memories(design: Design) -> Sequence[tuple[int, int]]:
    """Blocks and LUT blocks of every memory of a core."""
    bits, total = design.operands.bits, design.operands.accumulator_bits
    if isinstance(design, SystolicArray):
        banks = design.rows + design.columns
        depth = result_depth(design)
        return [
            *[_blocks(design.bank_depth, bits)] * banks,
            *[_blocks(design.accumulator_depth, total)] * design.columns,
            *[_blocks(depth, total)] * design.columns,
        ]
    place = (design.bank_depth - 1).bit_length() + max(1, (design.pixels - 1).bit_length())
    return [
        # Even and odd words of a lane's bank lie apart.
        *[_blocks(design.bank_depth // 2, design.pixels * bits)] * (2 * design.lanes),
        _blocks(design.tap_depth, design.lanes * bits + place),
    ]


def _blocks(depth: int, bits: int) -> tuple[int, int]:
    """Blocks, or LUT blocks, of a memory of so many words and bits."""
    blocks = min(-(-depth // words) * -(-bits // wide) for words, wide in BLOCK_SHAPES)
    luts = -(-depth // 16) * -(-bits // 4)
    return (0, luts) if luts * LUT_COST < blocks * BLOCK_COST else (blocks, 0)


def _like_the_points(design: Design) -> bool:
    if design.operands != Operands():
        return False
    if isinstance(design, SystolicArray):
        return True
    lanes, pixels = design.lanes, design.pixels
    usual = DepthwiseEngine(lanes, pixels, bank_depth=design.bank_depth, tap_depth=design.tap_depth)
    return design in (usual, replace(usual, results_per_clock=pixels))
