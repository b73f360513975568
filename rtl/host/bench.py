"""The cocotb test that works off a job on the generated Verilog; runs inside the simulator.

Inputs are driven and outputs are read at the falling edge of the clock, where every simulator
has settled, so that the rising edge between two of them transfers what was seen.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge, ReadOnly

from rtl.host.driver import (
    DIRECTORY,
    JOB,
    PROGRESS,
    REPORT_EVERY,
    RESULTS,
    UNDEFINED,
    Bytes,
    Host,
    load_job,
)


class _Ports:
    """The ports of the core as the host sees them."""

    def __init__(self, dut: Any, streams: Sequence[str]) -> None:
        self._inputs = {
            name: (getattr(dut, f"{name}__payload"), getattr(dut, f"{name}__valid"))
            for name in streams
        }
        self._ready: dict[str, Any] = {
            name: getattr(dut, f"{name}__ready", None) for name in streams
        }
        self._offering = dict.fromkeys(self._inputs, False)
        self._results_valid = dut.results__valid
        self._results_payload = dut.results__payload
        self._results_ready = dut.results__ready
        self._passes_read = dut.passes_read
        self._idle = dut.idle

    def ready(self, stream: str) -> bool:
        return str(self._ready[stream].value) == "1"

    def passes_read(self) -> int:
        return int(self._passes_read.value)

    def idle(self) -> bool:
        return str(self._idle.value) == "1"

    def result(self) -> str | None:
        if str(self._results_valid.value) == "1":
            return str(self._results_payload.value)
        return None

    def drive(self, stream: str, word: int | None) -> None:
        payload, valid = self._inputs[stream]
        if word is not None:
            payload.value = word
        offering = word is not None
        if self._offering[stream] is not offering:
            valid.value = int(offering)
            self._offering[stream] = offering

    def accept(self, ready: bool) -> None:
        self._results_ready.value = int(ready)


@cocotb.test()
async def run_job(dut: Any) -> None:
    """Reset the core, work off the job, write results and counters."""
    directory = Path(os.environ[DIRECTORY])
    job, stalls = load_job(directory / JOB)
    for name in job.streams:
        getattr(dut, f"{name}__valid").value = 0
        getattr(dut, f"{name}__payload").value = 0
    dut.results__ready.value = 0
    dut.rst.value = 1
    Clock(dut.clk, 2, "step", impl="gpi").start()
    await ClockCycles(dut.clk, 2)
    falling, settled = FallingEdge(dut.clk), ReadOnly()
    await falling
    dut.rst.value = 0

    host, ports = Host(job, stalls), _Ports(dut, job.streams)
    running = True
    while running:
        if host.drive(ports):
            await settled
        running = host.sample(ports)
        await falling
        if host.clocks % REPORT_EVERY == 0:
            (directory / PROGRESS).write_text(f"{host.clocks} {len(host.results)}")
    np.savez(
        directory / RESULTS,
        bits=_bits(host.results),
        busy_cycles=int(dut.busy_cycles.value),
        stall_cycles=int(dut.stall_cycles.value),
        commands_taken=host.commands_taken,
        results_taken=host.results_taken,
    )


def _bits(words: list[str]) -> Bytes:
    """Bits of words written most significant first: uint8[words, width], bit 0 first, 2 for x."""
    if not words:
        return np.zeros((0, 0), np.uint8)
    text = np.frombuffer("".join(words).encode(), np.uint8).reshape(len(words), -1)[:, ::-1]
    defined = (text == ord("0")) | (text == ord("1"))
    return np.where(defined, text & 1, UNDEFINED).astype(np.uint8)
