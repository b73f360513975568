"""What `accelsim rtl` writes: a core as Verilog, its parameters, and the page that documents it.

Names, widths and offsets come from the ports of the core itself, never from a list kept beside it.
"""

import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple

from amaranth.hdl import Module
from amaranth.lib.wiring import Component, Out, connect, flipped

from accelsim.errors import FileError
from accelsim.hardware import DepthwiseEngine, SystolicArray
from accelsim.passes import DepthwiseOpcode, Opcode
from rtl.engines.depthwise.core import DepthwiseCore
from rtl.engines.depthwise.lanes import LaneModule
from rtl.engines.depthwise.manual import depthwise_chapter
from rtl.engines.systolic_array.core import Core
from rtl.engines.systolic_array.element import ProcessingElement
from rtl.engines.systolic_array.manual import array_chapter
from rtl.flow.manual import Chapter, page
from rtl.flow.ports import CLOCK, RESET, payload, ports, streams
from rtl.flow.verilog import TOP, verilog

Progress = Callable[[str, float], None]


def core_verilog(array: SystolicArray) -> tuple[Core, str]:
    """The core of an array and its Verilog, with one module for all processing elements."""
    core = Core(array, shared_pe=True)
    return core, verilog(core, [_element(array)])


def depthwise_verilog(engine: DepthwiseEngine) -> tuple[DepthwiseCore, str]:
    """The core of a depthwise engine and its Verilog, with one module for all lanes."""
    core = DepthwiseCore(engine, shared_lane=True)
    return core, verilog(core, [_lane(engine)])


def _element(array: SystolicArray) -> tuple[str, Component]:
    operands = array.operands
    return "processing_element", ProcessingElement(operands.bits, operands.accumulator_bits)


def _lane(engine: DepthwiseEngine) -> tuple[str, Component]:
    return "depthwise_lane", LaneModule(engine)


class CorePair(Component):
    """The cores of both engines side by side.

    array, depthwise : their ports.  They share clock and reset and nothing else.
    """

    def __init__(self, array: Core, depthwise: DepthwiseCore) -> None:
        self.array_core, self.depthwise_core = array, depthwise
        super().__init__({"array": Out(array.signature), "depthwise": Out(depthwise.signature)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.array = self.array_core
        m.submodules.depthwise = self.depthwise_core
        connect(m, flipped(self.array), self.array_core)
        connect(m, flipped(self.depthwise), self.depthwise_core)
        return m


class Design(NamedTuple):
    """What is to be written.

    top : the module `core`.  text : its Verilog.
    array : core of the array.  depthwise : core of the depthwise engine, if there is one.
    """

    top: Component
    text: str
    array: Core
    depthwise: DepthwiseCore | None

    @property
    def cores(self) -> tuple[tuple[str, Core | DepthwiseCore], ...]:
        """The cores and the prefixes of their ports: none where there is but one."""
        if self.depthwise is None:
            return (("", self.array),)
        return ("array__", self.array), ("depthwise__", self.depthwise)


def make_design(array: SystolicArray, engine: DepthwiseEngine | None = None) -> Design:
    """Verilog of an array, and of a depthwise engine beside it if there is one."""
    if engine is None:
        core, text = core_verilog(array)
        return Design(core, text, core, None)
    pair = CorePair(Core(array, shared_pe=True), DepthwiseCore(engine, shared_lane=True))
    text = verilog(pair, [_element(array), _lane(engine)])
    return Design(pair, text, pair.array_core, pair.depthwise_core)


def generate(
    array: SystolicArray,
    directory: Path,
    depthwise: DepthwiseEngine | None = None,
    progress: Progress | None = None,
) -> tuple[Path, ...]:
    """Write core.sv, parameters.json and core.md into a directory; the paths written.

    The directory is made where it does not exist; each file is there whole or not at all.
    """
    report = progress or _ignore
    report("generate", 0.0)
    _check_writable(directory)
    design = make_design(array, depthwise)
    report("generate", 0.9)
    files = {
        "core.sv": design.text,
        "parameters.json": json.dumps(parameters(design), indent=2) + "\n",
        "core.md": page(chapters(design)),
    }
    written = tuple(_write(directory / name, content) for name, content in files.items())
    report("generate", 1.0)
    return written


def chapters(design: Design) -> list[tuple[str, Chapter]]:
    """What the page says of each engine, and the prefix of its ports."""
    (prefix, _), *others = design.cores
    found = [(prefix, array_chapter(design.array.array, design.array))]
    if design.depthwise is not None:
        ((prefix, _),) = others
        found.append((prefix, depthwise_chapter(design.depthwise.engine, design.depthwise)))
    return found


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


def parameters(design: Design) -> dict[str, Any]:
    """Sizes, ports and payload layouts of a core, as written to parameters.json."""
    directions = ("output", "input")
    engine = design.depthwise and design.depthwise.engine
    return {
        "module": TOP,
        "array": asdict(design.array.array),
        **({"depthwise": asdict(engine)} if engine else {}),
        "clock": CLOCK,
        "reset": RESET,
        "ports": [
            {"name": port.name, "direction": directions[port.is_input], "bits": port.bits}
            for port in ports(design.top)
        ],
        "payloads": {
            prefix + stream: [field._asdict() for field in payload(core, stream)]
            for prefix, core in design.cores
            for stream in (*streams(core), "results")
        },
        "opcodes": _opcodes(Opcode),
        **({"depthwise_opcodes": _opcodes(DepthwiseOpcode)} if engine else {}),
    }


def _opcodes(opcodes: type[IntEnum]) -> dict[str, int]:
    return {opcode.name.lower(): int(opcode) for opcode in opcodes}
