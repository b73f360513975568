"""Co-simulation: a sequence of passes on the RTL of a core, in one of three simulators.

The host (rtl/host.py) is the same for all: Amaranth's own simulator runs it beside the component,
cocotb runs it inside Icarus or Verilator beside the generated Verilog.
"""

import os
import tempfile
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from amaranth.sim import Simulator

from accelsim.errors import AccelsimError, FileError
from accelsim.hardware import DepthwiseEngine, Hardware, SystolicArray
from rtl.engines.depthwise.core import DepthwiseCore
from rtl.engines.depthwise.job import deep_engine, depthwise_job, depthwise_memories, used_sums
from rtl.engines.systolic_array.core import Core
from rtl.engines.systolic_array.job import array_job, array_memories, deep_array, used_columns
from rtl.flow import simulators
from rtl.flow.generate import core_verilog, depthwise_verilog
from rtl.flow.ports import ports
from rtl.flow.verilog import TOP
from rtl.host import driver as host
from rtl.host.chunks import Int
from rtl.host.driver import REPORT_EVERY, Bytes, Host, Job, Stalls, save_job
from rtl.host.job import Operands, sums

SIMULATORS = ("amaranth", "icarus", "verilator")

Progress = Callable[[str, float], None]


class CosimResult(NamedTuple):
    """What the RTL returned.

    words : int32[result words, sums of a word], in the order in which they left; zero in columns
        and lanes that a pass does not use, where the hardware leaves anything.
    busy_cycles, stall_cycles : the core's own counters.
    """

    words: npt.NDArray[np.int32]
    busy_cycles: int
    stall_cycles: int


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
    """Results and counters of one sequence on the RTL of an array, from reset.

    Parameters
    ----------
    array : its banks are made as deep as the sequence needs.
    commands : int64[passes, 12], fields of ArrayPass, left, top, last; `last` is 1 at the end only.
    left, top : int16[words, R], int16[words, C], the operands that the commands point to.
    simulator : one of SIMULATORS.
    stalls : how often each stream is idle; none where absent.
    waves : file that records every signal (VCD; FST from Icarus where it ends in .fst).
    progress : called with what is being done and the share of it that is done.
    """
    array = deep_array(array, commands)
    memories = array_memories(array, commands, left, top)
    return _cosim(
        _Device(
            lambda: Core(array),
            lambda: core_verilog(array),
            lambda core: array_job(array, core, commands, memories),
            used_columns(commands),
        ),
        *(simulator, stalls, waves, progress),
    )


def cosim_depthwise(
    engine: DepthwiseEngine,
    commands: Int,
    maps: Operands,
    taps: Operands,
    simulator: str = "amaranth",
    stalls: Stalls | None = None,
    waves: Path | None = None,
    progress: Progress | None = None,
) -> CosimResult:
    """Results and counters of one sequence on the RTL of a depthwise engine, from reset.

    Parameters
    ----------
    engine : without a fill port, its memories are made as deep as the sequence needs.
    commands : int64[passes, 22], fields of DepthwiseCommand; `last` is 1 at the end only.
    maps : int16[words, P, L], the banks that the commands point to.
    taps : int16[entries, 2 + L], the tap memory: word and shift of a tap, weights.
    simulator, stalls, waves, progress : as for `cosim`.
    """
    engine = deep_engine(engine, commands)
    memories = depthwise_memories(engine, commands, maps, taps)
    return _cosim(
        _Device(
            lambda: DepthwiseCore(engine),
            lambda: depthwise_verilog(engine),
            lambda core: depthwise_job(engine, core, commands, memories),
            used_sums(engine, commands),
        ),
        *(simulator, stalls, waves, progress),
    )


class Work(Protocol):
    """One layer on real data: a sequence as accelsim.lower makes it."""

    @property
    def engine(self) -> str:
        """Name of the engine: array or depthwise."""

    @property
    def commands(self) -> Int:
        """The engine's commands."""

    @property
    def memories(self) -> tuple[Operands, Operands]:
        """What the commands point to."""


def level(
    hardware: Hardware,
    simulator: str = "amaranth",
    waves: Path | None = None,
    progress: Progress | None = None,
) -> Callable[[Work], CosimResult]:
    """The RTL of the hardware as the level that accelsim.cosim.compare takes.

    simulator, waves, progress : as for `cosim`.
    """

    def run(work: Work) -> CosimResult:
        sequence = work.commands, *work.memories
        if work.engine == "array":
            return cosim(hardware.array, *sequence, simulator, waves=waves, progress=progress)
        engine = hardware.depthwise
        assert engine is not None  # a layer was lowered to it
        return cosim_depthwise(engine, *sequence, simulator, waves=waves, progress=progress)

    return run


class _Device(NamedTuple):
    """A core to be simulated and what it is to do.

    component : the core for Amaranth's simulator.  verilog : the core and its Verilog.
    job : what the host of such a core sends.
    used : int64[result words], sums of each word that mean something.
    """

    component: Callable[[], Any]
    verilog: Callable[[], tuple[Any, str]]
    job: Callable[[Any], Job]
    used: Int


def _cosim(
    device: _Device,
    simulator: str,
    stalls: Stalls | None,
    waves: Path | None,
    progress: Progress | None,
) -> CosimResult:
    if simulator not in SIMULATORS:
        raise AccelsimError(f"simulator is one of {', '.join(SIMULATORS)}, not {simulator!r}")
    _check_waves(waves)
    report = progress or _ignore
    if simulator == "amaranth":
        component = device.component()
        job = device.job(component)
        bits, *counters = _run_amaranth(component, job, stalls or Stalls(), waves, report)
    else:
        report("build", 0.0)
        component, text = device.verilog()
        recorder = None if waves is None else waves.absolute()
        if simulator == "icarus":
            command = simulators.icarus_command(text, recorder)
        else:
            command = simulators.verilator_command(text, ports(component), recorder)
        job = device.job(component)
        bits, *counters = _run_cocotb(simulator, command, job, stalls or Stalls(), report)
    report("simulate", 1.0)
    return CosimResult(sums(component, device.used, bits), *counters)


def _check_waves(waves: Path | None) -> None:
    if waves is not None and not (waves.parent.is_dir() and os.access(waves.parent, os.W_OK)):
        raise FileError(f"{waves} cannot be written: {waves.parent} is no writable directory")


def _ignore(what: str, done: float) -> None:
    """Progress that nobody watches."""


# --- Amaranth's own simulator


class AmaranthWires:
    """The ports of a component in Amaranth's simulator as the host sees them."""

    def __init__(self, component: Any, context: Any, streams: tuple[str, ...]) -> None:
        self._get, self._set = context.get, context.set
        self._component = component
        self._payload = component.results.payload.as_value()
        self._streams = {name: getattr(component, name) for name in streams}

    def ready(self, stream: str) -> bool:
        return bool(self._get(self._streams[stream].ready))

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
        wires = AmaranthWires(component, context, job.streams)
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
    busy, stall = counters
    return result_bits(component, driver.results), busy, stall


def result_bits(component: Any, words: list[int]) -> Bytes:
    """Bits of result words, uint8[words, width], bit 0 first."""
    width = (len(component.results.payload.as_value()) + 7) // 8
    raw = b"".join(word.to_bytes(width, "little") for word in words)
    return np.unpackbits(np.frombuffer(raw, np.uint8).reshape(-1, width), axis=1, bitorder="little")


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

        environment = simulators.cocotb_environment("rtl.host.bench", work / "results.xml")
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
    array: SystolicArray, commands: Int, left: Operands, top: Operands, optimise: str = "-O1"
) -> Rate:
    """Speed of the Verilator model of an array's core driven from C++, banks filled before.

    Parameters are those of `cosim`; half of the banks must hold all operands. `optimise` is for
    the C++ compiler: more of it makes the model of a small array faster and of a large one slower.
    """
    memories = array_memories(array, commands, left, top)
    component, text = core_verilog(array)
    job = array_job(array, component, commands, memories)
    return _rate(component, text, job, used_columns(commands), optimise)


def verilator_depthwise_rate(
    engine: DepthwiseEngine, commands: Int, maps: Operands, taps: Operands, optimise: str = "-O1"
) -> Rate:
    """The same for a depthwise engine without a fill port; parameters of `cosim_depthwise`."""
    memories = depthwise_memories(engine, commands, maps, taps)
    component, text = depthwise_verilog(engine)
    job = depthwise_job(engine, component, commands, memories)
    return _rate(component, text, job, used_sums(engine, commands), optimise)


def _rate(component: Any, text: str, job: Job, used: Int, optimise: str) -> Rate:
    if not all(fill.always_ready and len(fill.ends) == 1 for fill in job.fills):
        raise AccelsimError("the operands do not fit into half of the memories")
    main = Path(__file__).with_name("bench.cpp")
    names = (f"-D{name}={fill.stream}" for name, fill in zip(_FILLS, job.fills, strict=True))
    flags = [flag for name in names for flag in ("-CFLAGS", name)]
    model = simulators.build_verilator(text, main, flags=flags, optimise=optimise)
    payloads = job.commands, *(fill.words for fill in job.fills)
    with tempfile.TemporaryDirectory(prefix="accelsim-") as name:
        work = Path(name)
        for stream, words in zip(job.streams, payloads, strict=True):
            words.tofile(work / f"{stream}.bin")
        counts = [str(len(words)) for words in payloads]
        command = [str(model / TOP), str(work), *counts, str(job.results)]
        simulators.run_logged(command, work, "verilator")
        clocks, seconds, busy, stall = (work / "rate.txt").read_text().split()
        raw = np.fromfile(work / "results.bin", np.uint8)
    bits = np.unpackbits(raw.reshape(job.results, -1), axis=1, bitorder="little")
    result = CosimResult(sums(component, used, bits), int(busy), int(stall))
    return Rate(result, int(clocks), float(seconds))


_FILLS = ("FIRST_FILL", "SECOND_FILL")  # names of the streams in bench.cpp
