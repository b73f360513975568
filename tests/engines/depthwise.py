"""Random passes and sequences for any depthwise engine, as banks, tap memory and commands."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.dataflows.tap_serial import tap_places
from accelsim.engines.base import Body
from accelsim.engines.depthwise.schedule import limits, tile_count, words
from accelsim.hardware import DepthwiseEngine
from accelsim.passes import DepthwiseOpcode, DepthwisePass, depthwise_command

CLOCKS = 300  # of the taps of a random pass, unless one or two tiles take more


class Sequence(NamedTuple):
    """A sequence of passes with its data."""

    passes: tuple[DepthwisePass, ...]
    commands: npt.NDArray[np.int64]
    maps: npt.NDArray[np.int16]
    taps: npt.NDArray[np.int16]

    @property
    def body(self) -> Body:
        return self.passes


def random_engine(
    rng: np.random.Generator, shape: tuple[int, int], fill: bool, depth: int = 4096
) -> DepthwiseEngine:
    """An engine of a shape with any result port, and any fill port or none."""
    lanes, pixels = shape
    return DepthwiseEngine(
        lanes,
        pixels,
        results_per_clock=pixels * int(rng.integers(1, lanes + 1)),
        fill_port=int(rng.integers(1, lanes * pixels + 1)) if fill else 0,
        bank_depth=depth,
        tap_depth=2048,
    )


def random_kernel(rng: np.random.Generator) -> tuple[int, int]:
    """Small squares mostly; lines, even, lopsided and the largest kernels too."""
    side = int(rng.choice((2, 3, 3, 4, 5, 7)))
    long = int(rng.integers(2, 52))
    kernels = (
        (side, side), (side, side), (1, 1), (1, long), (long, 1), (side, int(rng.integers(1, 8))),
        (51, 5), (5, 51), (int(rng.integers(9, 32)),) * 2,
    )  # fmt: skip
    # The largest ones take clocks.
    chances = np.array((8, 8, 2, 3, 3, 6, 1, 1, 1), float)
    return kernels[int(rng.choice(len(kernels), p=chances / chances.sum()))]


def random_pass(rng: np.random.Generator, engine: DepthwiseEngine) -> DepthwisePass:
    """A pass within the limits of the engine, few clocks preferred."""

    def draw(low: int, high: int) -> int:
        return int(rng.integers(low, high + 1))

    while True:
        fh, fw = random_kernel(rng)
        size = 20 if fh * fw < 30 else 8
        strides, dilations = rng.choice((1, 1, 1, 2, 3, 4), 2), rng.choice((1, 1, 1, 2, 3, 5, 8), 2)
        p = DepthwisePass(
            int(rng.choice(list(DepthwiseOpcode))),
            draw(1, engine.lanes),
            *(draw(1, size) for _ in range(4)),
            fh,
            fw,
            *strides.tolist(),
            *dilations.tolist(),
            draw(0, fh * 2 if draw(0, 1) else fh // 2),
            draw(0, fw * 2 if draw(0, 1) else fw // 2),
        )
        reasonable = tile_count(engine, p) * fh * fw <= max(CLOCKS, 2 * fh * fw)
        if limits(engine, p) is None and reasonable:
            return p


def random_sequence(rng: np.random.Generator, engine: DepthwiseEngine, length: int) -> Sequence:
    """Passes with kernels of all kinds, or with one for all."""
    passes = [random_pass(rng, engine) for _ in range(length)]
    if rng.random() < 0.3:
        passes = [passes[0]._replace(channels=p.channels) for p in passes]
    return sequence(rng, engine, tuple(passes))


def small_sequence(rng: np.random.Generator, engine: DepthwiseEngine, length: int) -> Sequence:
    """Passes of few clocks with every kind of kernel, padding and stride."""
    passes: list[DepthwisePass] = []
    while len(passes) < length:
        sizes = rng.integers(1, 6, 4).tolist()
        fh, fw = rng.choice((1, 2, 3, 5), 2).tolist()
        strides = rng.choice((1, 1, 2, 4), 2).tolist()
        dilations = rng.choice((1, 1, 2, 8), 2).tolist()
        pads = rng.integers(0, (2 * fh, 2 * fw)).tolist()
        p = DepthwisePass(
            int(rng.choice(list(DepthwiseOpcode))), int(rng.integers(1, engine.lanes + 1)),
            *sizes, fh, fw, *strides, *dilations, *pads,
        )  # fmt: skip
        if limits(engine, p) is None and tile_count(engine, p) * fh * fw < 60:
            passes.append(p)
    return sequence(rng, engine, tuple(passes))


def sequence(
    rng: np.random.Generator, engine: DepthwiseEngine, passes: tuple[DepthwisePass, ...]
) -> Sequence:
    """The passes with random operands, also in words' corners that belong to no map.

    One sequence in four has operands at the ends of their range only; in one of four, all passes
    of one kind read the same words.
    """
    high = 1 << (engine.operands.bits - 1)
    extreme, shared = rng.random(2) < 0.25

    def operands(*shape: int) -> npt.NDArray[np.int16]:
        if extreme:
            return rng.choice(np.array([-high, high - 1], np.int16), shape)
        return rng.integers(-high, high, shape).astype(np.int16)

    commands, maps, taps = [], [], []
    places: dict[DepthwisePass, tuple[int, int]] = {}
    at = entry = 0
    for index, p in enumerate(passes):
        if not shared or p not in places:
            places[p] = at, entry
            maps.append(operands(words(engine, p), engine.pixels, engine.lanes))
            weights = operands(p.fh * p.fw, engine.lanes)
            weights[:, p.channels :] = 0
            taps.append(np.concatenate([tap_places(p, engine.pixels), weights], axis=1))
            at, entry = at + len(maps[-1]), entry + len(taps[-1])
        command = depthwise_command(p, engine.pixels, *places[p], int(index == len(passes) - 1))
        commands.append([*command.work, *command[1:]])
    return Sequence(
        passes,
        np.array(commands, np.int64),
        np.concatenate(maps),
        np.concatenate(taps).astype(np.int16),
    )
