"""Co-simulation: a sequence of passes on the RTL of a core, in one of three simulators.

The host (rtl/host) is the same for all: Amaranth's own simulator runs it beside the component,
cocotb runs it inside Icarus or Verilator beside the generated Verilog.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from amaranth.sim import Simulator

from accelsim.checks import suggestion
from accelsim.errors import AccelsimError, FileError
from accelsim.hardware import Hardware
from rtl.engines import core_of
from rtl.flow import simulators
from rtl.flow.fst import write_fst
from rtl.flow.generate import core_verilog
from rtl.flow.ports import ports
from rtl.flow.words import Fields, add_words, find_fields
from rtl.host import driver as host
from rtl.host import starts
from rtl.host.chunks import Int
from rtl.host.driver import REPORT_EVERY, Bytes, Host, Job, Stalls, save_job
from rtl.host.job import Operands, sums
from rtl.host.starts import Taken

SIMULATORS = ("amaranth", "icarus", "verilator")
SHORT = 50_000  # words of a job that takes less time than a compiler that optimises its model

Progress = Callable[[str, float], None]


def installed_simulator() -> str:
    """Of the generated Verilog where Verilator is installed, else Amaranth's own."""
    return "verilator" if simulators.has_verilator() else "amaranth"


class CosimResult(NamedTuple):
    """What the RTL returned.

    words : int32[result words, sums of a word], in the order in which they left; zero in columns
        and lanes that a pass does not use, where the hardware leaves anything.
    busy_cycles, stall_cycles : the core's own counters.
    earliest : int64[passes], clocks before which passes could not start, the first one at 0.
    """

    words: npt.NDArray[np.int32]
    busy_cycles: int
    stall_cycles: int
    earliest: Int


class _Returned(NamedTuple):
    """Bits of the result words, uint8[words, width], counters, and when the host was served."""

    bits: Bytes
    busy_cycles: int
    stall_cycles: int
    taken: Taken


def cosim(
    sizes: Any,
    commands: Int,
    *memories: Operands,
    simulator: str = "amaranth",
    stalls: Stalls | None = None,
    waves: Path | None = None,
    progress: Progress | None = None,
) -> CosimResult:
    """Results and counters of one sequence on the RTL of an engine, from reset.

    Parameters
    ----------
    sizes : of the engine, whose memories are as deep as they say.
    commands : int64[passes, fields], of the engine's commands; `last` is 1 at the end only.
    memories : what the commands point to, as the engine's golden model takes them.
    simulator : one of SIMULATORS.
    stalls : how often each stream is idle; none where absent.
    waves : file that records every signal, FST where it ends in .fst, VCD where in .vcd.
    progress : called with what is being done and the share of it that is done.
    """
    _check(simulator, waves)
    engine, report = core_of(sizes), progress or _ignore
    held = engine.memories(sizes, commands, *memories)
    if simulator == "amaranth":
        component = engine.core(sizes)
        job = engine.job(sizes, component, commands, held)
        with _recorded(waves, {}, report) as recorder:  # which records words by itself
            returned = _run_amaranth(component, job, stalls or Stalls(), recorder, report)
    else:
        report("making Verilog", 0.0)
        component, text = core_verilog(sizes)
        job = engine.job(sizes, component, commands, held)
        fields = {} if waves is None else find_fields(engine.core(sizes))
        with _recorded(waves, fields, report) as recorder:
            report(f"compiling with {simulator}", 0.0)
            if simulator == "icarus":
                command = simulators.icarus_command(text, recorder)
            else:
                optimise = "-O0" if job.words < SHORT else "-O1"
                command = simulators.verilator_command(text, ports(component), recorder, optimise)
            returned = _run_cocotb(simulator, command, job, stalls or Stalls(), report)
    report("simulated", 1.0)
    clocks = engine.could_start(sizes, commands, returned.taken)
    return CosimResult(
        sums(component, engine.used(sizes, commands), returned.bits),
        returned.busy_cycles,
        returned.stall_cycles,
        starts.earliest(clocks, int(clocks[0])),
    )


class Sequence(Protocol):
    """One layer on real data, as accelsim.lowering makes it."""

    @property
    def engine(self) -> str:
        """Name of the engine."""

    @property
    def commands(self) -> Int:
        """The engine's commands."""

    @property
    def memories(self) -> tuple[Operands, ...]:
        """What the commands point to."""


def level(
    hardware: Hardware,
    simulator: str = "amaranth",
    waves: Path | None = None,
    progress: Progress | None = None,
) -> Callable[[Sequence], CosimResult]:
    """The RTL of the hardware as the level that accelsim.cosimulation.cosim takes.

    simulator, waves, progress : as for `cosim`.
    """
    _check(simulator, waves)

    def run(sequence: Sequence) -> CosimResult:
        return cosim(
            hardware.engine(sequence.engine),
            sequence.commands,
            *sequence.memories,
            simulator=simulator,
            waves=waves,
            progress=progress,
        )

    return run


def _check(simulator: str, waves: Path | None) -> None:
    """Refuse an unknown simulator, one without cocotb, and waves that it cannot record."""
    if simulator not in SIMULATORS:
        raise AccelsimError(
            f"simulator is one of {', '.join(SIMULATORS)}, not {simulator!r}"
            f"{suggestion(SIMULATORS, simulator)}"
        )
    if simulator != "amaranth":
        simulators.check_cocotb()
    if waves is None:
        return
    if waves.suffix.lower() not in simulators.WAVES:
        raise FileError(f"{waves} must end in {' or '.join(simulators.WAVES)}")
    if not (waves.parent.is_dir() and os.access(waves.parent, os.W_OK)):
        raise FileError(f"{waves} cannot be written: {waves.parent} is no writable directory")


@contextmanager
def _recorded(waves: Path | None, fields: Fields, progress: Progress) -> Iterator[Path | None]:
    """Where a simulator is to record waves, which then become the file, whole or not at all.

    Waves of a core that is stuck are kept, those of an interrupted run are not. `fields` get
    variables of words beside those that have been recorded.
    """
    if waves is None:
        yield None
        return
    target = Path(os.path.realpath(waves))
    with tempfile.TemporaryDirectory(prefix=".accelsim-", dir=target.parent) as name:
        recorded = Path(name) / "waves.vcd"
        try:
            yield recorded
        except AccelsimError:
            _keep(recorded, target, fields)
            raise
        progress("writing waves", 1.0)
        _keep(recorded, target, fields)


def _keep(recorded: Path, target: Path, fields: Fields) -> None:
    """Put what was recorded, with words and as FST where asked, in its place."""
    if not recorded.is_file():
        return
    if fields:
        plain, recorded = recorded, recorded.with_name("words.vcd")
        add_words(plain, recorded, fields)
    if simulators.is_fst(target):
        vcd, recorded = recorded, recorded.with_suffix(".fst")
        write_fst(vcd, recorded)
    if target.exists() and not target.is_file():  # a device or a pipe
        shutil.copyfile(recorded, target)
    else:
        recorded.chmod(0o644)
        recorded.replace(target)


def _ignore(what: str, done: float) -> None:
    """Progress that nobody watches."""


def simulating(clocks: int) -> str:
    """What progress says while a simulator runs."""
    return f"simulating, clock {clocks:,}"


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
) -> _Returned:
    driver = Host(job, stalls)
    counters: list[int] = []

    async def run(context: Any) -> None:
        wires = AmaranthWires(component, context, job.streams)
        running = True
        while running:
            driver.drive(wires)
            running = driver.sample(wires)
            await context.tick()
            if driver.clocks % REPORT_EVERY == 0:
                progress(simulating(driver.clocks), len(driver.results) / max(job.results, 1))
        counters.extend((context.get(component.busy_cycles), context.get(component.stall_cycles)))

    simulation = Simulator(component)
    simulation.add_clock(1e-8)
    simulation.add_testbench(run)
    recorder = nullcontext() if waves is None else simulation.write_vcd(str(waves))
    with recorder:
        simulation.run()
    bits = result_bits(component, driver.results)
    busy, stall = counters
    return _returned(bits, busy, stall, driver.commands_taken, driver.results_taken)


def result_bits(component: Any, words: list[int]) -> Bytes:
    """Bits of result words, uint8[words, width], bit 0 first."""
    width = (len(component.results.payload.as_value()) + 7) // 8
    raw = b"".join(word.to_bytes(width, "little") for word in words)
    return np.unpackbits(np.frombuffer(raw, np.uint8).reshape(-1, width), axis=1, bitorder="little")


# --- cocotb in a simulator of the generated Verilog


def _run_cocotb(
    simulator: str, command: list[str], job: Job, stalls: Stalls, progress: Progress
) -> _Returned:
    progress(simulating(0), 0.0)
    with tempfile.TemporaryDirectory(prefix="accelsim-") as name:
        work = Path(name)
        save_job(work / host.JOB, job, stalls)

        def watch() -> None:
            with suppress(OSError, ValueError):
                clocks, results = map(int, (work / host.PROGRESS).read_text().split())
                progress(simulating(clocks), results / max(job.results, 1))

        environment = simulators.cocotb_environment("rtl.host.bench", work / "results.xml")
        environment[host.DIRECTORY] = str(work)
        simulators.run_logged(command, work, simulator, environment, watch)
        if not (work / host.RESULTS).is_file():
            raise simulators.failure(work / f"{simulator}.log", simulator)
        with np.load(work / host.RESULTS) as file:
            return _returned(*(file[name] for name in host.RETURNED))


def _returned(bits: Bytes, busy: int, stall: int, commands: Any, results: Any) -> _Returned:
    taken = Taken(np.asarray(commands, np.int64), np.asarray(results, np.int64))
    return _Returned(bits, int(busy), int(stall), taken)
