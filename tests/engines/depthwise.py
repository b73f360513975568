"""The depthwise engine under test: random passes and sequences for it, and its registers."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from accelsim.dataflows.tap_serial import tap_places
from accelsim.engines.depthwise import ENGINE
from accelsim.engines.depthwise.cycle import ADDRESSED, ENTERED, FIRST, LAST, TAP
from accelsim.engines.depthwise.schedule import tile_count, words
from accelsim.hardware import DepthwiseEngine
from accelsim.limits.depthwise import limits
from accelsim.passes import DepthwiseOpcode, DepthwisePass, depthwise_command, largest
from rtl.engines.depthwise import CORE
from tests.engines.base import (
    Kind,
    Log,
    Registers,
    Sequence,
    Subject,
    at_most,
    random_operands,
    signals,
)
from tests.naive import depthwise as plain

CLOCKS = 300  # of the taps of a random pass, unless one or two tiles take more


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
        operands=random_operands(rng),
    )


def random_memories(rng: np.random.Generator, engine: DepthwiseEngine) -> DepthwiseEngine:
    """Any limits, and memories that are filled again and again, or hardly ever."""
    return replace(
        engine,
        bank_depth=int(rng.choice((30, 61, 200, 1000))),
        tap_depth=int(rng.choice((20, 51, 200, 1200))),
        max_kernel=int(rng.choice((2, 3, 7, 64, 255))),
        max_stride=int(rng.choice((1, 2, 4, 15))),
        max_dilation=int(rng.choice((1, 2, 8, 63))),
        max_padding=int(rng.choice((0, 2, 255, 4095))),
    )


def extreme_pass(
    rng: np.random.Generator, engine: DepthwiseEngine, p: DepthwisePass
) -> DepthwisePass:
    """The pass with a kernel, stride, dilation, padding, or map as large as it may be.

    Outputs are at most what few clocks make.
    """
    field = str(rng.choice(("fh", "fw", "sh", "sw", "dh", "dw", "pt", "pl", "h", "w", "oh", "ow")))

    def of(value: int) -> DepthwisePass:
        return p._replace(**{field: value})

    highest = largest(DepthwisePass, field)
    wide = at_most(limits, engine, of, highest) if limits(engine, of(1)) is None else p
    few = tile_count(engine, wide) * wide.fh * wide.fw <= CLOCKS
    return wide if few else p


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
    of one kind read the same words; in one of four, taps lie anywhere in the map of their pass.
    """
    high = 1 << (engine.operands.bits - 1)
    extreme, shared, anywhere = rng.random(3) < 0.25

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
            places_of = _any_places(rng, engine, p) if anywhere else None
            if places_of is None:
                places_of = tap_places(p, engine.pixels)
            taps.append(np.concatenate([places_of, weights], axis=1))
            at, entry = at + len(maps[-1]), entry + len(taps[-1])
        command = depthwise_command(p, engine, *places[p], int(index == len(passes) - 1))
        commands.append([*command.work, *command[1:]])
    return Sequence(
        passes,
        np.array(commands, np.int64),
        (np.concatenate(maps), np.concatenate(taps)),
        np.concatenate([_used(engine, p) for p in passes]),
    )


def _any_places(
    rng: np.random.Generator, engine: DepthwiseEngine, p: DepthwisePass
) -> npt.NDArray[np.int64] | None:
    """Places of taps for which all outputs find their values in the map; None where none is."""
    reach = (p.oh - 1) * p.layout(engine.pixels).pitch + p.ow
    room = words(engine, p) * engine.pixels - reach
    if room < 0:
        return None
    return np.stack(np.divmod(rng.integers(0, room + 1, p.fh * p.fw), engine.pixels), axis=-1)


def _used(engine: DepthwiseEngine, p: DepthwisePass) -> npt.NDArray[np.bool_]:
    """Result words of a pass: tile by tile, so many lanes at once, those with a channel first."""
    lanes = np.arange(-(-p.channels // engine.result_lanes) * engine.result_lanes) < p.channels
    tile = np.repeat(lanes, engine.pixels).reshape(-1, engine.result_lanes * engine.pixels)
    return np.tile(tile, (tile_count(engine, p), 1))


# --- registers


def registers(core: Any) -> Registers:
    """Those of lanes, steps and tiles, named as in the simulation.

    `tile` is the issue stage's valid bit, the word of its tile, and y and x of its pixels.
    """
    shared, lanes, pixels = core.lanes, core.lanes.lanes, core.engine.pixels
    grid = (pixels, len(lanes))
    of_pixels = {
        name: signals(grid, lambda p, lane, own=own: getattr(lanes[lane], own)[p])
        for name, own in (
            *((name, name) for name in ("value", "operand", "product", "term", "shadow")),
            ("total", "acc"),
        )
    }  # fmt: skip
    weights = [
        lambda lane: core.taps.entry.weights[lane],
        *(lambda lane, n=n: lanes[lane].weights[n] for n in range(len(lanes[0].weights))),
    ]
    masks = [*shared.masks, lanes[0].mask]
    shifts, odds = [*shared.shifts, lanes[0].shift], [*shared.odd_firsts, lanes[0].odd_first]
    of_stages = {
        "weights": signals((len(weights), grid[1]), lambda n, lane: weights[n](lane)),
        "masks": signals((len(masks), pixels), lambda n, p: masks[n][p]),
        "shifts": signals((len(shifts),), shifts.__getitem__),
        "odds": signals((len(odds),), odds.__getitem__),
        "first": signals((len(shared.steps),), lambda n: shared.steps[n].first),
        "last": signals((len(shared.steps),), lambda n: shared.steps[n].beats),
    }
    held, of_tile = core.issue.follows[-1].held, core.issue.pixels
    places = [*(of_tile.y[p] for p in range(pixels)), *(of_tile.x[p] for p in range(pixels))]
    tile = [held, core.issue.word, *places]
    return {**of_pixels, **of_stages, "tile": signals((len(tile),), tile.__getitem__)}


def check_registers(
    simulate: Callable[..., Any],
    engine: DepthwiseEngine,
    sequence: Sequence,
    words: npt.NDArray[np.int32],
    trace: Registers,
    clock: int,
) -> None:
    """Compare what belongs to a tap or a tile; what belongs to none is anything in hardware.

    Behind a fill port, lanes that have no channel keep what was there before, and maps lie where
    there is room for them: there, and where a sequence does not fit into half of the memories,
    places in the banks are not the same.
    """
    maps, taps = sequence.memories
    used = min(p.channels for p in sequence.passes) if engine.fill_port else engine.lanes
    fits = 2 * len(maps) <= engine.bank_depth, 2 * len(taps) <= engine.tap_depth
    placed = all(fits) and not engine.fill_port
    model = simulate(engine, sequence.commands, maps, taps, clock=clock).registers
    ours = {name: values[clock] for name, values in trace.items()}
    for name in ("value", "operand", "product", "term", "total", "shadow"):
        same = np.array_equal(ours[name][:, :used], getattr(model, name)[:, :used])
        assert same, f"register {name} at clock {clock}"
    has_tap = model.tags & TAP != 0
    assert np.array_equal(ours["masks"], model.masks), f"masks at clock {clock}"
    for name, ago, known in (
        ("weights", ENTERED, True), ("shifts", ADDRESSED, True), ("odds", ADDRESSED, placed),
    ):  # fmt: skip
        there = has_tap[ago - 1 :][: len(ours[name])]
        same = np.array_equal(ours[name][there], getattr(model, name)[there])
        assert same or not known, f"{name} at clock {clock}"
    for name, tag in (("first", FIRST), ("last", LAST)):
        assert np.array_equal(ours[name] != 0, model.tags & tag != 0), f"{name} at clock {clock}"
    valid, word, *pixels = ours["tile"].tolist()
    tile, there = model.tile, bool(model.counters.issue_valid)
    assert valid == there, f"a tile at clock {clock}"
    assert not there or pixels == [*tile.y, *tile.x], f"pixels of the tile at clock {clock}"
    assert not (there and placed) or word == tile.word, f"word of the tile at clock {clock}"


def counted(engine: DepthwiseEngine, sequences: list[Sequence], log: Log) -> list[tuple[int, int]]:
    """Busy and stall cycles of sequences, each by a plain machine of its own.

    A command that came before the sequence in front was over waited behind two registers, and
    could be taken then.
    """
    counters, over = [], 0
    passes = results = 0
    filled = dict.fromkeys(log.fills, 0)
    for sequence, end in zip(sequences, log.over, strict=True):
        commands = log.commands[passes : passes + len(sequence.passes)]
        came = [max(clock, over - 1) for clock in commands]
        zero = came[0] + CORE.lead(engine)
        fills = {
            stream: [clock - zero for clock in clocks[filled[stream] :]]
            for stream, clocks in log.fills.items()
        }
        host = plain.Host(
            [clock - zero for clock in came], fills.get("map_fill"), fills.get("tap_fill"),
            [clock - zero for clock in log.results],
        )  # fmt: skip
        machine = plain.Machine(
            engine, sequence.commands, *sequence.memories, host=host, reserved=results
        )
        for _ in plain.run(machine):
            pass
        counters.append((machine.busy, machine.stalls))
        passes, results, over = passes + len(commands), results + len(sequence.used), end
        for stream, taken in (("map_fill", machine.map_stream), ("tap_fill", machine.tap_stream)):
            filled[stream] = filled.get(stream, 0) + taken.taken
    return counters


def _kind(fill: bool) -> Kind:
    def sizes(rng: np.random.Generator, shape: tuple[int, int]) -> DepthwiseEngine:
        """Results one lane at a time or more: then a pass may wait for those before it.

        Without a fill port, the memories hold all words of some sequences at once.
        """
        engine = random_engine(rng, shape, fill)
        if not fill:
            # A host without a port fills a word a clock, longer than a pass of few clocks takes.
            engine = replace(engine, bank_depth=1 << 15, tap_depth=1 << 16)
        narrow = replace(engine, results_per_clock=engine.pixels)
        return narrow if rng.random() < 0.5 else engine

    return Kind(sizes, random_sequence, small_sequence)


SUBJECT = Subject(
    engine=ENGINE,
    core=CORE,
    plain=plain,
    sequence=sequence,
    memories=random_memories,
    deep={"bank_depth": 1 << 16, "tap_depth": 1 << 16},
    extreme=extreme_pass,
    kinds={"banks": _kind(False), "fill port": _kind(True)},
    registers=registers,
    check_registers=check_registers,
    from_reset=True,
    counted=counted,
)
