"""What `accelsim rtl` writes: a core as Verilog, its parameters, and the page that documents it.

Names, widths and offsets come from the ports of the core itself, never from a list kept beside it.
"""

import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from accelsim.errors import FileError
from accelsim.hardware import DepthwiseEngine, SystolicArray
from accelsim.passes import Opcode
from rtl.core import Core
from rtl.depthwise_core import DepthwiseCore
from rtl.engines.depthwise import LaneModule
from rtl.engines.systolic_array import ProcessingElement
from rtl.manual import page
from rtl.ports import CLOCK, RESET, payload, ports, streams
from rtl.verilog import TOP, verilog

Progress = Callable[[str, float], None]


def core_verilog(array: SystolicArray) -> tuple[Core, str]:
    """The core of an array and its Verilog, with one module for all processing elements."""
    operands = array.operands
    element = ProcessingElement(operands.bits, operands.accumulator_bits)
    core = Core(array, shared_pe=True)
    return core, verilog(core, [("processing_element", element)])


def depthwise_verilog(engine: DepthwiseEngine) -> tuple[DepthwiseCore, str]:
    """The core of a depthwise engine and its Verilog, with one module for all lanes."""
    core = DepthwiseCore(engine, shared_lane=True)
    return core, verilog(core, [("depthwise_lane", LaneModule(engine))])


def generate(
    array: SystolicArray, directory: Path, progress: Progress | None = None
) -> tuple[Path, ...]:
    """Write core.sv, parameters.json and core.md into a directory; the paths written.

    The directory is made where it does not exist; each file is there whole or not at all.
    """
    report = progress or _ignore
    report("generate", 0.0)
    _check_writable(directory)
    core, text = core_verilog(array)
    report("generate", 0.9)
    files = {
        "core.sv": text,
        "parameters.json": json.dumps(parameters(array, core), indent=2) + "\n",
        "core.md": page(array, core),
    }
    written = tuple(_write(directory / name, content) for name, content in files.items())
    report("generate", 1.0)
    return written


def _ignore(what: str, done: float) -> None:
    """Progress that nobody watches."""


def _check_writable(directory: Path) -> None:
    """Make the directory; better refused before the minute of work than after it."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise FileError(f"{directory} cannot be written: {error.strerror}") from error


def _write(path: Path, content: str) -> Path:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(content)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except OSError as error:
        raise FileError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        Path(name).unlink(missing_ok=True)
    return path


def parameters(array: SystolicArray, core: Any) -> dict[str, Any]:
    """Sizes, ports and payload layouts of a core, as written to parameters.json."""
    directions = ("output", "input")
    return {
        "module": TOP,
        "array": asdict(array),
        "clock": CLOCK,
        "reset": RESET,
        "ports": [
            {"name": port.name, "direction": directions[port.is_input], "bits": port.bits}
            for port in ports(core)
        ],
        "payloads": {
            stream: [field._asdict() for field in payload(core, stream)]
            for stream in (*streams(core), "results")
        },
        "opcodes": {opcode.name.lower(): int(opcode) for opcode in Opcode},
    }
