"""Sequences of the depthwise engine as jobs of its host."""

from functools import partial
from typing import Any

import numpy as np

from accelsim.errors import AccelsimError
from accelsim.hardware import DepthwiseEngine
from accelsim.limits.depthwise import limits
from accelsim.passes import (
    DepthwiseCommand,
    DepthwisePass,
    DepthwiseWords,
    addresses,
    columns,
    depthwise_command,
    depthwise_words,
)
from rtl.engines.depthwise.commands import Commands
from rtl.flow.ports import payload
from rtl.host.chunks import Int, Reads
from rtl.host.driver import Fill, Job
from rtl.host.job import (
    Memory,
    Operands,
    check_bits,
    check_memory,
    check_sequence,
    make_job,
    pack,
    pack_commands,
    steps,
)

_COLUMNS = columns(DepthwiseCommand)
CHANNELS = _COLUMNS["channels"]
MAP, TAPS = addresses(DepthwiseCommand)


def _pass_words(engine: DepthwiseEngine, commands: Int) -> DepthwiseWords:
    work = DepthwisePass(*commands.T[: len(DepthwisePass._fields)])
    return depthwise_words(work, engine.pixels, engine.result_lanes)


def _wrong(engine: DepthwiseEngine, command: DepthwiseCommand) -> str | None:
    """Why a command, its addresses and `last` 0, cannot run; None where it can."""
    if reason := limits(engine, command.work):
        return reason
    expected = depthwise_command(command.work, engine, map=0, taps=0, last=0)
    for name, value, right in zip(command._fields, command, expected, strict=True):
        if value != right:
            return f"{name} of this pass is {right}, not {value}"
    return None


def memories(
    engine: DepthwiseEngine, commands: Int, maps: Operands, taps: Operands
) -> tuple[Memory, Memory]:
    """What a sequence keeps in the banks of the lanes and in the tap memory.

    AccelsimError where it is not one sequence. Parameters are those of `rtl.flow.cosim`.
    """
    check_sequence(DepthwiseCommand, commands, partial(_wrong, engine))
    lanes, pixels, bits = engine.lanes, engine.pixels, engine.operands.bits
    if maps.ndim != 3 or maps.shape[1:] != (pixels, lanes):
        raise AccelsimError(f"map words have {pixels} x {lanes} operands, not shape {maps.shape}")
    if taps.ndim != 2 or taps.shape[1] != 2 + lanes:
        raise AccelsimError(f"taps have a place and {lanes} weights, not shape {taps.shape}")
    by_lane = maps.transpose(0, 2, 1).reshape(len(maps), -1)
    words = _pass_words(engine, commands)
    held = (
        Memory("map_fill", MAP, Reads(commands[:, MAP], words.map), by_lane, engine.bank_depth),
        Memory("tap_fill", TAPS, Reads(commands[:, TAPS], words.taps), taps, engine.tap_depth),
    )
    check_memory("map", held[0])
    check_memory("tap", held[1])
    check_bits("map", maps, bits)
    check_bits("tap", taps[:, :2], 32)  # the core takes a word modulo the addresses of a bank
    check_bits("weight", taps[:, 2:], bits)
    if len(taps) and not 0 <= taps[:, 1].min() <= taps[:, 1].max() < pixels:
        raise AccelsimError(f"shifts of taps are from 0 to {pixels - 1}")
    return held


def of_sequence(
    engine: DepthwiseEngine, component: Any, commands: Int, held: tuple[Memory, Memory]
) -> Job:
    """The job of a sequence on a core."""
    results = len(used(engine, commands))
    words = _pass_words(engine, commands)
    longest = int(max(words.map.max(), words.taps.max()))
    patience = 4 * (longest + engine.multipliers) + 1000
    if not engine.fill_port:
        return make_job(component, commands, held, results, patience)
    turn = np.arange(len(commands)) % 2
    bases = [turn * (memory.depth // 2) for memory in held]
    return Job(
        commands=pack_commands(component, commands, held, bases),
        command_after=np.zeros(len(commands), np.int64),
        fills=(
            _map_fill(engine, component, commands, held[0], bases[0]),
            _tap_fill(component, held[1], bases[1]),
        ),
        results=results,
        patience=patience,
    )


def _words(memory: Memory, base: Int) -> tuple[Int, Operands]:
    """Address and contents of all words in the order in which passes take them."""
    first, words = memory.reads
    within = steps(words)
    return np.repeat(base, words) + within, memory.words[np.repeat(first, words) + within]


def _map_fill(
    engine: DepthwiseEngine, component: Any, commands: Int, memory: Memory, base: Int
) -> Fill:
    """Maps through a fill port: of every word as many parts as its channels fill."""
    port = engine.fill_port
    address, words = _words(memory, base)
    parts = -(-commands[:, CHANNELS] * engine.pixels // port)
    count = np.repeat(parts, memory.reads.words)
    part = steps(count)
    missing = -words.shape[1] % port
    split = np.pad(words, ((0, 0), (0, missing))).reshape(len(words), -1, port)
    values = split[np.repeat(np.arange(len(words)), count), part]
    return _streamed(component, memory.stream, np.repeat(address, count), part[:, None], values)


def _tap_fill(component: Any, memory: Memory, base: Int) -> Fill:
    address, words = _words(memory, base)
    return _streamed(component, memory.stream, address, words)


def _streamed(component: Any, stream: str, address: Int, *values: Operands) -> Fill:
    """A fill that waits for nothing but the core's ready."""
    return Fill(
        stream,
        pack(payload(component, stream), np.column_stack((address, *values))),
        after=np.zeros(len(address), np.int64),
        ends=np.zeros(0, np.int64),
        always_ready=False,
    )


def used(engine: DepthwiseEngine, commands: Int) -> Int:
    """Sums of every result word that mean something: those of lanes with a channel."""
    channels, count = commands[:, CHANNELS], _pass_words(engine, commands).results
    beats = -(-channels // engine.result_lanes)
    beat = steps(count) % np.repeat(beats, count)
    left = np.repeat(channels, count) - beat * engine.result_lanes
    sums: Int = np.minimum(left, engine.result_lanes) * engine.pixels
    return sums


def lead(engine: DepthwiseEngine) -> int:
    """Clocks from taking a command to the first word of a fill port, or the first tap."""
    return Commands.LATENCY + (1 if engine.fill_port else engine.lead)


def pause(engine: DepthwiseEngine) -> int:
    """Clocks from the last result of a sequence to the same of the next, whose command is there."""
    return lead(engine) - Commands.LATENCY + 1
