"""Co-simulation: a sequence of passes on the RTL of a core, in one of three simulators.

The host (rtl/host.py) is the same for all: Amaranth's own simulator runs it beside the component,
cocotb runs it inside Icarus or Verilator beside the generated Verilog.
"""

import dataclasses
import os
import tempfile
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from amaranth.sim import Simulator

from accelsim.errors import AccelsimError, FileError
from accelsim.hardware import SystolicArray
from rtl import host, simulators
from rtl.chunks import Int, bank_depth
from rtl.core import Core
from rtl.generate import core_verilog
from rtl.host import REPORT_EVERY, STREAMS, Bytes, Host, Job, Stalls, save_job
from rtl.job import Operands, check_sequence, make_job, sums
from rtl.ports import ports
from rtl.verilog import TOP

SIMULATORS = ("amaranth", "icarus", "verilator")

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
    left: Operands,
    top: Operands,
    simulator: str = "amaranth",
    stalls: Stalls | None = None,
    waves: Path | None = None,
    progress: Progress | None = None,
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
    """
    if simulator not in SIMULATORS:
        raise AccelsimError(f"simulator is one of {', '.join(SIMULATORS)}, not {simulator!r}")
    check_sequence(array, commands, left, top)
    _check_waves(waves)
    report = progress or _ignore
    if simulator == "amaranth":
        component = Core(array)
        job = make_job(array, component, commands, left, top)
        bits, *counters = _run_amaranth(component, job, stalls or Stalls(), waves, report)
    else:
        report("build", 0.0)
        component, text = core_verilog(array)
        recorder = None if waves is None else waves.absolute()
        if simulator == "icarus":
            command = simulators.icarus_command(text, recorder)
        else:
            command = simulators.verilator_command(text, ports(component), recorder)
        job = make_job(array, component, commands, left, top)
        bits, *counters = _run_cocotb(simulator, command, job, stalls or Stalls(), report)
    report("simulate", 1.0)
    return CosimResult(sums(component, commands, bits), *counters)


def _check_waves(waves: Path | None) -> None:
    if waves is not None and not (waves.parent.is_dir() and os.access(waves.parent, os.W_OK)):
        raise FileError(f"{waves} cannot be written: {waves.parent} is no writable directory")


def _ignore(what: str, done: float) -> None:
    """Progress that nobody watches."""


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
    component: Any, job: Job, stalls: Stalls, waves: Path | None, progress: Progress
) -> tuple[Bytes, int, int]:
    """Bits of the result words, busy cycles and stall cycles."""
    driver = Host(job, stalls)
    counters: list[int] = []

    async def run(context: Any) -> None:
        wires = _Ports(component, context)
        reported = 0
        running = True
        while running:
            driver.drive(wires)
            running = driver.sample(wires)
            await context.tick()
            if len(driver.results) >= reported + REPORT_EVERY:
                reported = len(driver.results)
                progress("simulate", reported / job.results)
        counters.extend((context.get(component.busy_cycles), context.get(component.stall_cycles)))

    simulation = Simulator(component)
    simulation.add_clock(1e-8)
    simulation.add_testbench(run)
    with nullcontext() if waves is None else simulation.write_vcd(str(waves)):
        simulation.run()
    width = len(component.results.payload.as_value())
    raw = b"".join(word.to_bytes((width + 7) // 8, "little") for word in driver.results)
    payloads = np.frombuffer(raw, np.uint8).reshape(len(driver.results), (width + 7) // 8)
    bits = np.unpackbits(payloads, axis=1, bitorder="little")
    busy, stall = counters
    return bits, busy, stall


# --- cocotb in a simulator of the generated Verilog


def _run_cocotb(
    simulator: str, command: list[str], job: Job, stalls: Stalls, progress: Progress
) -> tuple[Bytes, int, int]:
    """Bits of the result words, busy cycles and stall cycles."""
    progress("simulate", 0.0)
    with tempfile.TemporaryDirectory(prefix="accelsim-") as name:
        work = Path(name)
        save_job(work / host.JOB, job, stalls)

        def watch() -> None:
            with suppress(OSError, ValueError):
                progress("simulate", int((work / host.PROGRESS).read_text()) / job.results)

        environment = simulators.cocotb_environment("rtl.bench", work / "results.xml")
        environment[host.DIRECTORY] = str(work)
        simulators.run_logged(command, work, simulator, environment, watch)
        if not (work / host.RESULTS).is_file():
            raise simulators.failure(work / f"{simulator}.log", simulator)
        with np.load(work / host.RESULTS) as file:
            return file["bits"], int(file["busy_cycles"]), int(file["stall_cycles"])


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
    left: Operands,
    top: Operands,
    optimise: str = "-O1",
) -> Rate:
    """Speed of the Verilator model of a core driven from C++, operand banks filled before.

    Parameters are those of `cosim`; half of the banks must hold all operands. `optimise` is for
    the C++ compiler: more of it makes the model of a small array faster and of a large one slower.
    """
    check_sequence(array, commands, left, top)
    component, text = core_verilog(array)
    main = Path(__file__).with_name("bench.cpp")
    model = simulators.build_verilator(text, main, optimise=optimise)
    job = make_job(array, component, commands, left, top)
    if len(job.left_ends) > 1:
        raise AccelsimError(f"the operands do not fit into half of a bank of {array.bank_depth}")
    with tempfile.TemporaryDirectory(prefix="accelsim-") as name:
        work = Path(name)
        counts = []
        for stream in STREAMS:
            payloads: Bytes = getattr(job, stream)
            payloads.tofile(work / f"{stream}.bin")
            counts.append(str(len(payloads)))
        command = [str(model / TOP), str(work), *counts, str(job.results)]
        simulators.run_logged(command, work, "verilator")
        clocks, seconds, busy, stall = (work / "rate.txt").read_text().split()
        raw = np.fromfile(work / "results.bin", np.uint8)
    bits = np.unpackbits(raw.reshape(job.results, -1), axis=1, bitorder="little")
    result = CosimResult(sums(component, commands, bits), int(busy), int(stall))
    return Rate(result, int(clocks), float(seconds))
