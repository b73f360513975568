"""What the area of the depthwise engine is estimated from: L lanes, P pixels, and its memories."""

from dataclasses import replace
from math import log2

from accelsim.engines.area import OPERANDS, RESULTS, Area, Memories
from accelsim.hardware import DepthwiseEngine
from accelsim.passes import DepthwiseCommand, DepthwisePass, largest, widths


def features(engine: DepthwiseEngine, lut_blocks: int) -> tuple[float, ...]:
    """1, L, P, L P, L P log2 P."""
    slots = engine.multipliers
    return 1, engine.lanes, engine.pixels, slots, slots * log2(engine.pixels)


def command_bits() -> int:
    """Bits of a command, without what it waits for, and of a step on to the next row of outputs."""
    fields = {**widths(DepthwisePass), **widths(DepthwiseCommand)}
    step = 2 * largest(DepthwiseCommand, "bottom").bit_length() + 1
    return sum(width for width in fields.values() if isinstance(width, int)) + step


def tile_bits(engine: DepthwiseEngine) -> tuple[int, ...]:
    """Bits of a tile on its way to the taps: what is known at once, its pixels, and its taps.

    Of the first and the last, first what is decided by.
    """
    row = largest(DepthwiseCommand, "bottom").bit_length()
    entry, word = (engine.tap_depth - 1).bit_length(), (engine.bank_depth - 1).bit_length()
    beats = -(-engine.lanes // engine.result_lanes)
    sizes = sum(largest(DepthwisePass, name).bit_length() for name in ("h", "w", "dh", "dw"))
    rows, columns = (largest(DepthwisePass, name).bit_length() for name in ("fh", "fw"))
    return (
        beats.bit_length() + 3,
        sizes + entry + word,
        engine.pixels * (2 * row + 1),
        rows + 1 + columns + 1 + 3,
        2 * row + entry + columns + 1,
    )


def memories(engine: DepthwiseEngine) -> tuple[Memories, ...]:
    """Commands, even and odd words of every lane's bank, which lie apart, taps, tiles, results."""
    bits, total = engine.operands.bits, engine.operands.accumulator_bits
    results = engine.results_per_clock or engine.pixels
    place = (engine.bank_depth - 1).bit_length() + max(1, (engine.pixels - 1).bit_length())
    return (
        Memories(OPERANDS, 1, engine.command_depth, command_bits()),
        Memories(OPERANDS, 2 * engine.lanes, engine.bank_depth // 2, engine.pixels * bits),
        Memories(OPERANDS, 1, engine.tap_depth, engine.lanes * bits + place),
        *(Memories(OPERANDS, 1, engine.queue_depth, width) for width in tile_bits(engine)),
        Memories(RESULTS, 1, engine.result_depth, results * total),
    )


def calibrated(engine: DepthwiseEngine) -> bool:
    """Whether synthesised cores are like this one: without a fill port, for the usual layers."""
    usual = DepthwiseEngine(
        engine.lanes,
        engine.pixels,
        bank_depth=engine.bank_depth,
        tap_depth=engine.tap_depth,
        operands=engine.operands,
    )
    return engine in (usual, replace(usual, results_per_clock=engine.pixels))


AREA = Area(features, memories, calibrated)
