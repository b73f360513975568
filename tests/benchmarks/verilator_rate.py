"""Speed of the Verilator model of a core alone, driven from C++."""

import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from accelsim.errors import AccelsimError
from rtl.engines import core_of
from rtl.flow import simulators
from rtl.flow.cosim import CosimResult
from rtl.flow.generate import core_verilog
from rtl.flow.verilog import TOP
from rtl.host.chunks import Int
from rtl.host.job import Operands, sums

FILLS = ("FIRST_FILL", "SECOND_FILL")  # names of the streams in bench.cpp


class Rate(NamedTuple):
    """A run of the Verilator model without Python.

    clocks : simulated, from the first command to the end of the sequence.
    cpu_seconds : that they took on one thread.
    """

    result: CosimResult
    clocks: int
    cpu_seconds: float


def verilator_rate(sizes: Any, commands: Int, *memories: Operands, optimise: str = "-O1") -> Rate:
    """A sequence on the Verilator model of an engine, its memories filled before.

    Half of the memories must hold all operands, and be always ready. `optimise` is for the C++
    compiler: more of it makes the model of a small array faster and of a large one slower.
    """
    engine = core_of(sizes)
    held = engine.memories(sizes, commands, *memories)
    component, text = core_verilog(sizes)
    job = engine.job(sizes, component, commands, held)
    if not all(fill.always_ready and len(fill.ends) == 1 for fill in job.fills):
        raise AccelsimError("the operands do not fit into half of the memories")
    main = Path(__file__).with_name("bench.cpp")
    names = (f"-D{name}={fill.stream}" for name, fill in zip(FILLS, job.fills, strict=True))
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
    words = sums(component, engine.used(sizes, commands), bits)
    result = CosimResult(words, int(busy), int(stall), np.zeros(len(commands), np.int64))
    return Rate(result, int(clocks), float(seconds))
