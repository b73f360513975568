"""Area: cells of an ECP5 and gate equivalents of a core, and of the memories around it.

lut4, ff, mult18 and logic_ge are estimates, linear in features of what a core consists of, which
each engine says of itself: see accelsim/engines/*/area.py. The coefficients fit the calibration
points of area.json best, by the squares of the relative errors. dp16kd follows from the memories
themselves, as Yosys makes them out of blocks. The leave-one-out error says how good an
estimate is: that of every point, against the fit to all others. Engines larger than the points are
extrapolated. Of operands of other widths than the points have, and of options that none of them
has, there is no estimate; their memories are known all the same.

Memories are counted in bits, those of a core by what they hold, and as so many gate equivalents a
bit (GATES_PER_BIT): memory_ge. gate_equivalents are those of logic and memories together, and mean
no process: see rtl/flow/synthesis.py, which makes the points.

The buffers of accelsim.reuse are memories, too; the port to off-chip memory and the control of the
buffers are in no figure.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.engines import engine_of
from accelsim.engines.area import KINDS, OPERANDS, Area, Memories
from accelsim.hardware import Operands
from accelsim.sweep.axes import ENGINES

LINEAR = ("lut4", "ff", "mult18", "logic_ge")
SYNTHESISED = (*LINEAR, "dp16kd")
MEMORY_BITS = tuple(f"{kind}_memory_bits" for kind in KINDS)
FIGURES = (*SYNTHESISED, *MEMORY_BITS, "memory_ge", "gate_equivalents")
# A bit of the SRAM macro RM_IHPSG13_1P_2048x64_c2_bm_bist, of 491,633.62 square microns, in NAND
# gates of two inputs, sg13g2_nand2_1, of 1.92 by 3.78 microns: IHP Open PDK for SG13G2, 130 nm, the
# data sheet of the macro and the LEF of the cells. Smaller memories, and those with two ports, take
# more a bit: of the same process, one of 4096 x 16 bits takes 5 % more.
GATES_PER_BIT = 491_633.62 / (2048 * 64) / (1.92 * 3.78)
# A DP16KD as words x bits; a TRELLIS_DPR16X4 holds 16 x 4. Yosys takes what is cheaper.
BLOCK_SHAPES = ((16384, 1), (8192, 2), (4096, 4), (2048, 9), (1024, 18), (512, 36))
BLOCK_COST, LUT_COST = 128, 4
# What estimates the engines that were synthesised, by their names.
AREAS: dict[str, Area] = {
    engine.name: area for engine in ENGINES if (area := engine_of(engine).area) is not None
}

Floats = npt.NDArray[np.float64]


class Calibration(NamedTuple):
    """Synthesised cores of an engine.

    features : float64[points, features].
    figures : float64[points, figures] of LINEAR.
    blocks : of memory: float64[points, 2], as the memories say, and as synthesised.
    """

    features: Floats
    figures: Floats
    blocks: Floats


def estimate(engine: Any) -> tuple[int | None, ...]:
    """FIGURES of the core of an engine; None for those that are not known.

    engine : its sizes, or None for no engine, which has no cells.
    """
    if engine is None:
        return (0,) * len(FIGURES)
    area = AREAS.get(engine.name)
    if area is None:
        return (None,) * len(FIGURES)
    memories = area.memories(engine)
    bits = [sum(each.total_bits for each in memories if each.kind == kind) for kind in KINDS]
    in_memories = memory_gates(sum(bits))
    if engine.operands != Operands() or not area.calibrated(engine):
        return (*(None,) * len(SYNTHESISED), *bits, in_memories, None)
    blocks, lut_blocks = _blocks(memories)
    cells: Floats = np.array(area.features(engine, lut_blocks)) @ _coefficients(engine.name)
    lut4, ff, mult18, logic = np.rint(cells).astype(int).tolist()
    return (lut4, ff, mult18, logic, blocks, *bits, in_memories, logic + in_memories)


def buffer(kib: int) -> dict[str, int]:
    """What a buffer of bytes adds to the figures of a design."""
    blocks, _ = _blocks([Memories(OPERANDS, 1, kib << 10, 8)])
    gates = memory_gates(kib << 13)
    return {"dp16kd": blocks, "memory_ge": gates, "gate_equivalents": gates}


def memory_gates(bits: int) -> int:
    """Gate equivalents of so many bits of memory."""
    return round(bits * GATES_PER_BIT)


def leave_one_out_errors() -> dict[str, float]:
    """The largest relative error of SYNTHESISED, each point against the fit to all others."""
    worst = dict.fromkeys(SYNTHESISED, 0.0)
    for name in AREAS:
        features, figures, blocks = _calibration(name)
        for left_out in range(len(features)):
            others = np.delete(np.arange(len(features)), left_out)
            estimated = features[left_out] @ _fit(features[others], figures[others])
            counted, synthesised = blocks[left_out]
            errors = (*(estimated / figures[left_out] - 1), counted / synthesised - 1)
            for figure, error in zip(SYNTHESISED, errors, strict=True):
                worst[figure] = max(worst[figure], float(abs(error)))
    return worst


def sentence() -> str:
    """How good the estimates are, in words."""
    errors = leave_one_out_errors().items()
    figures = ", ".join(f"{name} {100 * error:.1f} %" for name, error in errors)
    return (
        f"Cells are estimates from {len(_points())} synthesised cores; the largest leave-one-out "
        f"errors are {figures}. Larger cores are extrapolated; those of other operand widths or "
        "options have no estimate. Memories, buffers included, count "
        f"{GATES_PER_BIT:.3f} gate equivalents a bit, as an SRAM of IHP's SG13G2."
    )


@cache
def _points() -> list[dict[str, Any]]:
    text = resources.files("accelsim.sweep").joinpath("area.json").read_text()
    points: list[dict[str, Any]] = json.loads(text)["points"]
    return points


@cache
def _calibration(name: str) -> Calibration:
    features, figures, blocks = [], [], []
    smallest = next(engine for engine in ENGINES if engine.name == name)
    for point in _points():
        if point["engine"] == name:
            engine = _engine(smallest, point)
            counted, lut_blocks = _blocks(AREAS[name].memories(engine))
            features.append(AREAS[name].features(engine, lut_blocks))
            figures.append([point["cells"][figure] for figure in LINEAR])
            blocks.append((counted, point["cells"]["dp16kd"]))
    return Calibration(*(np.array(each, np.float64) for each in (features, figures, blocks)))


def _engine(smallest: Any, point: dict[str, Any]) -> Any:
    """The engine that a point is of."""
    parameters = {key: value for key, value in point.items() if key not in ("engine", "cells")}
    parameters["operands"] = Operands(**point["operands"])
    return replace(smallest, **parameters)


@cache
def _coefficients(name: str) -> Floats:
    features, figures, _ = _calibration(name)
    return _fit(features, figures)


def _fit(features: Floats, figures: Floats) -> Floats:
    """float64[features, figures], with the least squares of relative errors."""
    columns = [
        np.linalg.lstsq(features / figure[:, None], np.ones(len(figure)), rcond=None)[0]
        for figure in figures.T
    ]
    return np.array(columns).T


def _blocks(memories: Sequence[Memories]) -> tuple[int, int]:
    """Blocks, and blocks of LUT memory, that memories take."""
    blocks = lut_blocks = 0
    for _, number, words, bits in memories:
        needed = min(-(-words // deep) * -(-bits // wide) for deep, wide in BLOCK_SHAPES)
        luts = -(-words // 16) * -(-bits // 4)
        if luts * LUT_COST < needed * BLOCK_COST:
            lut_blocks += number * luts
        else:
            blocks += number * needed
    return blocks, lut_blocks
