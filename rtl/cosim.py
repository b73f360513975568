"""Co-simulation: a sequence of passes on the RTL of a core, in one of three simulators.

The host (rtl/host.py) is the same for all: Amaranth's own simulator runs it beside the component,
cocotb runs it inside Icarus or Verilator beside the generated Verilog.
"""

import dataclasses
import tempfile
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from amaranth.hdl import Shape
from amaranth.lib import data
from amaranth.lib.wiring import Component
from amaranth.sim import Simulator

from accelsim.errors import AccelsimError
from accelsim.hardware import SystolicArray
from rtl import bench, simulators
from rtl.bench import REPORT_EVERY, STREAMS, UNDEFINED
from rtl.host import (
    COLUMNS,
    LAST,
    LEFT,
    TOP,
    Block,
    Bytes,
    Chunk,
    Host,
    Int,
    Job,
    Stalls,
    bank_depth,
    chunks,
    save_job,
    words,
)
from rtl.verilog import TOP as MODULE
from rtl.verilog import flat_ports, verilog

SIMULATORS = ("amaranth", "icarus", "verilator")

Make = Callable[[SystolicArray], Component]
Progress = Callable[[str, float], None]


class CosimResult(NamedTuple):
    """What the RTL returned.

    words : int32[result words, C], in the order in which they left; zero in columns that a pass
        does not use, where the hardware leaves anything.
    busy_cycles, stall_cycles : the core's own counters.
    """

    words: npt.NDArray[np.int32]
    busy_cycles: int
    stall_cycles: int


def cosim_array(array: SystolicArray, commands: Int) -> SystolicArray:
    """The array with banks deep enough for a sequence, in powers of two so that few differ."""
    depth = bank_depth(commands, array.rows, array.columns)
    return dataclasses.replace(array, bank_depth=max(array.bank_depth, depth))


def cosim(
    array: SystolicArray,
    commands: Int,
    left: npt.NDArray[np.integer[Any]],
    top: npt.NDArray[np.integer[Any]],
    simulator: str = "amaranth",
    stalls: Stalls | None = None,
    waves: Path | None = None,
    progress: Progress | None = None,
    make: Make | None = None,
) -> CosimResult:
    """Results and counters of one sequence on the RTL, from reset.

    Parameters
    ----------
    array : of `cosim_array`, or with banks at least as deep.
    commands : int64[passes, 12], fields of ArrayPass, left, top, last; `last` is 1 at the end only.
    left, top : int16[words, R], int16[words, C], the operands that the commands point to.
    simulator : one of SIMULATORS.
    stalls : how often each stream is idle; none where absent.
    waves : file that records every signal (VCD; FST from Icarus where it ends in .fst).
    progress : called with what is being done and the share of it that is done.
    make : makes the core; rtl.core.Core where absent.
    """
    if simulator not in SIMULATORS:
        raise AccelsimError(f"simulator is one of {', '.join(SIMULATORS)}, not {simulator!r}")
    component = (make or _core)(array)
    job = _job(array, component, commands, left, top)
    run = _run_amaranth if simulator == "amaranth" else _run_verilog
    report = progress or _ignore
    result = run(simulator, component, commands, job, stalls or Stalls(), waves, report)
    report("simulate", 1.0)
    return result


def _core(array: SystolicArray) -> Component:
    from rtl.core import Core

    return Core(array)


def _ignore(what: str, done: float) -> None:
    """Progress that nobody watches."""


# --- the job: what the host sends, as bits of the core's ports


def _job(
    array: SystolicArray,
    component: Any,
    commands: Int,
    left: npt.NDArray[np.integer[Any]],
    top: npt.NDArray[np.integer[Any]],
) -> Job:
    _check_sequence(array, commands, left, top)
    placed, parts = chunks(commands, array.bank_depth)
    used = words(commands)
    chunk_of = np.repeat(np.arange(len(parts)), [part.end - part.first for part in parts])
    left_blocks = [part.left for part in parts]
    top_blocks = [part.top for part in parts]
    longest = int(max(used.left.max(), used.top.max()))
    command_layout = component.commands.payload.shape()
    return Job(
        commands=_pack(_fields(command_layout), placed),
        left_fill=_fill(component.left_fill.payload.shape(), left_blocks, left),
        top_fill=_fill(component.top_fill.payload.shape(), top_blocks, top),
        command_after=chunk_of + 1,
        left_after=_passes_before(parts, left_blocks),
        top_after=_passes_before(parts, top_blocks),
        left_ends=_ends(left_blocks),
        top_ends=_ends(top_blocks),
        results=int(used.results.sum()),
        patience=4 * (longest + array.rows + array.columns) + 1000,
    )


def _check_sequence(array: SystolicArray, commands: Int, left: Any, top: Any) -> None:
    if len(commands) == 0 or commands[-1, LAST] != 1 or commands[:-1, LAST].any():
        raise AccelsimError("a sequence has `last` at its end and nowhere else")
    used = words(commands)
    for name, bank, width, base, count in (
        ("left", left, array.rows, commands[:, LEFT], used.left),
        ("top", top, array.columns, commands[:, TOP], used.top),
    ):
        if bank.ndim != 2 or bank.shape[1] != width:
            raise AccelsimError(f"{name} words have {width} operands, not shape {bank.shape}")
        if (base + count).max() > len(bank):
            raise AccelsimError(
                f"commands read {name} word {(base + count).max() - 1} of {len(bank)}"
            )
        most = 1 << (array.operands.bits - 1)
        if bank.size and not -most <= bank.min() <= bank.max() < most:
            raise AccelsimError(f"{name} operands do not fit {array.operands.bits} bits")


def _passes_before(parts: list[Chunk], blocks: list[tuple[Block, ...]]) -> Int:
    """Per fill word: passes to be read before it is sent, those of the chunk before last."""
    counts = [sum(block.length for block in chunk) for chunk in blocks]
    before = [0, 0, *(part.end for part in parts)][: len(parts)]
    return np.repeat(np.array(before, np.int64), counts)


def _ends(blocks: list[tuple[Block, ...]]) -> Int:
    counts = [sum(block.length for block in chunk) for chunk in blocks]
    return np.cumsum(np.array(counts, np.int64))


def _fill(
    layout: data.StructLayout, blocks: list[tuple[Block, ...]], words: npt.NDArray[Any]
) -> Bytes:
    """Payloads of a fill stream for blocks of operand words, in order."""
    table = np.array([block for chunk in blocks for block in chunk], np.int64).reshape(-1, 3)
    source, length, address = table.T
    within = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
    values = [
        (np.repeat(address, length) + within)[:, None],
        words[np.repeat(source, length) + within],
    ]
    return _pack(_fields(layout), np.concatenate(values, axis=1))


def _fields(layout: Any) -> list[tuple[int, int]]:
    """Offset and width of every scalar of a layout, in order."""
    if not isinstance(layout, data.Layout):
        return [(0, Shape.cast(layout).width)]
    return [
        (field.offset + offset, width)
        for _, field in layout
        for offset, width in _fields(field.shape)
    ]


def _pack(fields: list[tuple[int, int]], values: npt.NDArray[Any]) -> Bytes:
    """Words whose fields hold the columns of `values`: uint8[words, bytes], bit 0 first."""
    width = max(offset + bits for offset, bits in fields)
    packed = np.zeros((len(values), (width + 7) // 8), np.uint8)
    # In slices, since a word of bits takes eight times the memory of the word.
    for start in range(0, len(values), _SLICE):
        part = values[start : start + _SLICE].astype(np.int64)
        bits = np.zeros((len(part), width), np.uint8)
        for (offset, count), column in zip(fields, part.T, strict=True):
            bits[:, offset : offset + count] = column[:, None] >> np.arange(count) & 1
        packed[start : start + _SLICE] = np.packbits(bits, axis=1, bitorder="little")
    return packed


_SLICE = 1 << 14


def _sums(component: Any, commands: Int, bits: Bytes) -> npt.NDArray[np.int32]:
    """Sums in result words given as bits, uint8[words, width], zero where a pass has no column."""
    fields = _fields(component.results.payload.shape())
    passes = np.repeat(commands[:, COLUMNS], words(commands).results)
    sums = np.zeros((len(bits), len(fields)), np.int32)
    for column, (offset, width) in enumerate(fields):
        (rows,) = np.nonzero(column < passes)
        field = bits[rows, offset : offset + width]
        if (field == UNDEFINED).any():
            raise AccelsimError(f"column {column} of the results has undefined bits")
        weights = 1 << np.arange(width, dtype=np.int64)
        weights[-1] = -weights[-1]
        sums[rows, column] = field.astype(np.int64) @ weights
    return sums


# --- Amaranth's own simulator


class _Ports:
    """The ports of a component in Amaranth's simulator as the host sees them."""

    def __init__(self, component: Any, context: Any) -> None:
        self._get, self._set = context.get, context.set
        self._component = component
        self._payload = component.results.payload.as_value()
        self._streams = {name: getattr(component, name) for name in STREAMS}

    def commands_ready(self) -> bool:
        return bool(self._get(self._component.commands.ready))

    def passes_read(self) -> int:
        return int(self._get(self._component.passes_read))

    def idle(self) -> bool:
        return bool(self._get(self._component.idle))

    def result(self) -> int | None:
        if self._get(self._component.results.valid):
            return int(self._get(self._payload))
        return None

    def drive(self, stream: str, word: int | None) -> None:
        port = self._streams[stream]
        if word is not None:
            self._set(port.payload.as_value(), word)
        self._set(port.valid, word is not None)

    def accept(self, ready: bool) -> None:
        self._set(self._component.results.ready, ready)


def _run_amaranth(
    simulator: str,
    component: Any,
    commands: Int,
    job: Job,
    stalls: Stalls,
    waves: Path | None,
    progress: Progress,
) -> CosimResult:
    host = Host(job, stalls)
    counters: list[int] = []

    async def run(context: Any) -> None:
        ports = _Ports(component, context)
        reported = 0
        running = True
        while running:
            host.drive(ports)
            running = host.sample(ports)
            await context.tick()
            if len(host.results) >= reported + REPORT_EVERY:
                reported = len(host.results)
                progress("simulate", reported / job.results)
        counters.extend((context.get(component.busy_cycles), context.get(component.stall_cycles)))

    simulation = Simulator(component)
    simulation.add_clock(1e-8)
    simulation.add_testbench(run)
    with nullcontext() if waves is None else simulation.write_vcd(str(waves)):
        simulation.run()
    width = len(component.results.payload.as_value())
    data = b"".join(word.to_bytes((width + 7) // 8, "little") for word in host.results)
    payloads = np.frombuffer(data, np.uint8).reshape(len(host.results), (width + 7) // 8)
    bits = np.unpackbits(payloads, axis=1, bitorder="little")
    return CosimResult(_sums(component, commands, bits), *counters)


# --- cocotb in a simulator of the generated Verilog


def _run_verilog(
    simulator: str,
    component: Any,
    commands: Int,
    job: Job,
    stalls: Stalls,
    waves: Path | None,
    progress: Progress,
) -> CosimResult:
    progress("build", 0.0)
    text = verilog(component)
    recorder = None if waves is None else waves.absolute()
    if simulator == "icarus":
        command = simulators.icarus_command(text, recorder)
    else:
        command = simulators.verilator_command(text, ports(component), recorder)
    progress("simulate", 0.0)
    with tempfile.TemporaryDirectory(prefix="accelsim-") as name:
        work = Path(name)
        save_job(work / bench.JOB, job, stalls)

        def watch() -> None:
            with suppress(OSError, ValueError):
                progress("simulate", int((work / bench.PROGRESS).read_text()) / job.results)

        environment = simulators.cocotb_environment(bench.__name__, work / "results.xml")
        environment[bench.DIRECTORY] = str(work)
        simulators.run_logged(command, work, simulator, environment, watch)
        if not (work / bench.RESULTS).is_file():
            raise simulators.failure(work / f"{simulator}.log", simulator)
        with np.load(work / bench.RESULTS) as file:
            sums = _sums(component, commands, file["bits"])
            return CosimResult(sums, int(file["busy_cycles"]), int(file["stall_cycles"]))


# --- the model alone, driven from C++


class Rate(NamedTuple):
    """A run of the Verilator model without Python.

    clocks : simulated, from the first command to the end of the sequence.
    cpu_seconds : that they took on one thread.
    """

    result: CosimResult
    clocks: int
    cpu_seconds: float


def verilator_rate(
    array: SystolicArray,
    commands: Int,
    left: npt.NDArray[np.integer[Any]],
    top: npt.NDArray[np.integer[Any]],
    make: Make | None = None,
) -> Rate:
    """Speed of the Verilator model of a core driven from C++, operand banks filled before.

    Parameters are those of `cosim`; the banks must hold all operands in one half.
    """
    component = (make or _core)(array)
    job = _job(array, component, commands, left, top)
    if len(job.left_ends) > 1:
        raise AccelsimError(f"the operands do not fit into half of a bank of {array.bank_depth}")
    main = Path(__file__).with_name("bench.cpp")
    model = simulators.build_verilator(verilog(component), main, {}, optimise=_FASTEST)
    with tempfile.TemporaryDirectory(prefix="accelsim-") as name:
        work = Path(name)
        counts = []
        for stream in STREAMS:
            words: Bytes = getattr(job, stream)
            words.tofile(work / f"{stream}.bin")
            counts.append(str(len(words)))
        command = [str(model / MODULE), str(work), *counts, str(job.results)]
        simulators.run_logged(command, work, "verilator")
        clocks, seconds, busy, stall = (work / "rate.txt").read_text().split()
        data = np.fromfile(work / "results.bin", np.uint8)
    bits = np.unpackbits(data.reshape(job.results, -1), axis=1, bitorder="little")
    sums = _sums(component, commands, bits)
    return Rate(CosimResult(sums, int(busy), int(stall)), int(clocks), float(seconds))


_FASTEST = "-O3 -march=native"


def ports(component: Component) -> dict[str, bool]:
    """Names of the ports of a component's Verilog and whether each is an input."""
    named = {name: is_input for name, is_input, _ in flat_ports(component)}
    return {"clk": True, "rst": True} | named
