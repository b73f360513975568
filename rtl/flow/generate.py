"""What `accelsim rtl` writes: a design as Verilog, its parameters, and the page that documents it.

Names, widths and offsets come from the ports of the cores themselves, never from a list kept
beside them.
"""

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple

from amaranth.hdl import Module
from amaranth.lib.wiring import Component, Out, connect, flipped

from accelsim.errors import FileError
from accelsim.files import check_writable
from accelsim.hardware import Hardware, PostProcessing, Sizes
from accelsim.version import __version__
from rtl.engines import core_of
from rtl.flow import axi
from rtl.flow.manual import Chapter, flat, page
from rtl.flow.ports import CLOCK, RESET, CoreOfDesign, payload, ports, streams
from rtl.flow.testbench import Stimulus, testbench_files
from rtl.flow.verilog import TOP, located, verilog
from rtl.post.files import post_files

Progress = Callable[[str, float], None]


def core_verilog(sizes: Sizes) -> tuple[Any, str]:
    """The core of an engine and its Verilog, with one module for all its repeated parts."""
    engine = core_of(sizes)
    core = engine.core(sizes, shared=True)
    return core, verilog(core, engine.shared(sizes))


class Cores(Component):
    """Cores side by side, each with its ports under the name of its engine.

    They share clock and reset and nothing else.
    """

    def __init__(self, cores: dict[str, Any]) -> None:
        self.cores = cores
        super().__init__({name: Out(core.signature) for name, core in cores.items()})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for name, core in self.cores.items():
            m.submodules[name] = core
            connect(m, flipped(getattr(self, name)), core)
        return m


class Generated(NamedTuple):
    """What is to be written.

    top : the module `core`.  text : its Verilog.
    """

    top: Component
    text: str
    cores: tuple[CoreOfDesign, ...]

    def engine(self, name: str) -> CoreOfDesign:
        """The core of the engine of that name."""
        (core,) = (each for each in self.cores if each.sizes.name == name)
        return core


def make_cores(hardware: Hardware) -> Generated:
    """Verilog of the engines of a design."""
    if len(hardware.engines) == 1:
        (sizes,) = hardware.engines
        core, text = core_verilog(sizes)
        return Generated(core, text, (CoreOfDesign("", sizes, core),))
    cores = {sizes.name: core_of(sizes).core(sizes, shared=True) for sizes in hardware.engines}
    top = Cores(cores)
    shared = [module for sizes in hardware.engines for module in core_of(sizes).shared(sizes)]
    text = verilog(top, shared)
    parts = (
        CoreOfDesign(f"{sizes.name}__", sizes, cores[sizes.name]) for sizes in hardware.engines
    )
    return Generated(top, text, tuple(parts))


def generate(
    hardware: Hardware,
    directory: Path,
    progress: Progress | None = None,
    stimulus: Stimulus | None = None,
    command: str | None = None,
    axi_stream: bool = False,
    post: PostProcessing | None = None,
) -> tuple[Path, ...]:
    """Write core.sv, parameters.json and core.md into a directory; the paths written.

    With `axi_stream` also the wrapper of rtl.flow.axi, of which the other files then speak, too.

    With `post` also post_processor.sv, .json and .md, a unit of its own.

    With a stimulus also testbench.sv, what it reads, and testbench.md. The directory is made where
    it does not exist; the files are there whole or not at all. `command` is what core.sv says it
    was made by.
    """
    report = progress or _ignore
    report("making Verilog", 0.0)
    with _whole(directory) as written:
        made = make_cores(hardware)
        report("making Verilog", 0.9)
        engines = {sizes.name: sizes for _, sizes, _ in made.cores}
        written["core.sv"] = located(_head(engines, command) + made.text)
        said, text = parameters(made), page(chapters(made))
        if axi_stream:
            said["axi_stream"] = axi.parameters(made.top)
            text += axi.page(ports(made.top))
        written["parameters.json"] = json.dumps(said, indent=2) + "\n"
        written["core.md"] = text
        if axi_stream:
            written[axi.FILE] = axi.axi_verilog(made.top)
        if post is not None:
            written |= post_files(post, _head({post.name: post}, command))
        if stimulus is not None:
            written |= testbench_files(made.engine(stimulus.engine), made.top, stimulus, axi_stream)
    report("making Verilog", 1.0)
    return tuple(directory / name for name in written)


def _head(parts: dict[str, Any], command: str | None) -> str:
    """Comments in front of the Verilog: what made it, and the sizes of what it holds."""
    by = "" if command is None else f": {' '.join(command.split())}"
    lines = [f"// Written by accelsim {__version__}{by}"]
    for name, sizes in parts.items():
        lines += ["//", f"// {name}"]
        lines += [f"//   {name} = {value}" for name, value in flat(asdict(sizes))]
    return "\n".join(lines) + "\n\n"


def chapters(made: Generated) -> list[tuple[str, Chapter]]:
    """What the page says of each engine, and the prefix of its ports."""
    return [(prefix, core_of(sizes).chapter(sizes, core)) for prefix, sizes, core in made.cores]


def _ignore(what: str, done: float) -> None:
    """Progress that nobody watches."""


@contextmanager
def _whole(directory: Path) -> Iterator[dict[str, str]]:
    """Names and contents of files that are to be written, all of them or none.

    The directory is made first: better refused before the minute of work than after it. It is gone
    again where nothing is written.
    """
    missing = [place for place in (directory, *directory.parents) if not place.exists()]
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".accelsim-", dir=directory) as name:
            files: dict[str, str] = {}
            yield files
            for file, content in files.items():
                (Path(name) / file).write_text(content)
            for file in files:
                check_writable(directory / file)
            for file in files:
                (Path(name) / file).replace(directory / file)
    except BaseException as error:
        for place in missing:
            with suppress(OSError):
                place.rmdir()
        if isinstance(error, OSError):
            raise FileError(f"{directory} cannot be written: {error.strerror}") from error
        raise


def parameters(made: Generated) -> dict[str, Any]:
    """Sizes, ports and payload layouts of a core, as written to parameters.json."""
    directions = ("output", "input")
    return {
        "module": TOP,
        **{sizes.name: asdict(sizes) for _, sizes, _ in made.cores},
        "clock": CLOCK,
        "reset": RESET,
        "ports": [
            {"name": port.name, "direction": directions[port.is_input], "bits": port.bits}
            for port in ports(made.top)
        ],
        "payloads": {
            prefix + stream: [field._asdict() for field in payload(core, stream)]
            for prefix, _, core in made.cores
            for stream in (*streams(core), "results")
        },
        **{
            "opcodes" if sizes.runs_all else f"{sizes.name}_opcodes": _numbers(opcodes)
            for _, sizes, _ in made.cores
            if (opcodes := core_of(sizes).opcodes) is not None
        },
    }


def _numbers(opcodes: type[IntEnum]) -> dict[str, int]:
    return {opcode.name.lower(): int(opcode) for opcode in opcodes}
