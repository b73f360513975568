"""What Yosys leaves to be done on a netlist of an ECP5: registers behind memories, into them.

A block RAM has registers behind its output. Yosys does not use them: a register that follows a
memory is one in the fabric, at the end of a long way and of the memory's own 5.8 ns. Lattice's
tools move such registers into the block, and so does this. No register is added or removed.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

Cell = dict[str, Any]

MEMORY, REGISTER = "DP16KD", "TRELLIS_FF"
PORTS = ("A", "B")


def absorb_registers(module: dict[str, Any]) -> int:
    """Move registers behind block RAMs into these; how many block RAMs have them afterwards.

    module : of a netlist as Yosys writes it in JSON; changed in place. A block RAM is changed only
        if every output that is used goes to one register and nothing else, and all of these
        registers have its clock, the same enable, and no reset.
    """
    cells: dict[str, Cell] = module["cells"]
    readers = Counter(_readers(module))
    registers = {
        cell["connections"]["DI"][0]: name
        for name, cell in cells.items()
        if cell["type"] == REGISTER and "DI" in cell["connections"]
    }
    changed = 0
    for memory in [cell for cell in cells.values() if cell["type"] == MEMORY]:
        outputs = {
            port: nets[0]
            for port, nets in memory["connections"].items()
            if port.startswith("DO") and readers[nets[0]]
        }
        behind = [registers.get(net) for net in outputs.values()]
        single = all(readers[net] == 1 for net in outputs.values())
        enables = {_enable(memory, cells[name]) if name else None for name in behind}
        if outputs and single and len(enables) == 1 and (enable := enables.pop()) is not None:
            _absorb(memory, {port: cells.pop(registers[net]) for port, net in outputs.items()})
            memory["connections"] |= {f"OCE{port}": [enable] for port in PORTS}
            changed += 1
    return changed


def _readers(module: dict[str, Any]) -> Iterator[Any]:
    """Every net as often as something reads it."""
    for cell in module["cells"].values():
        for port, nets in cell["connections"].items():
            if cell["port_directions"][port] == "input":
                yield from nets
    for port in module["ports"].values():
        if port["direction"] == "output":
            yield from port["bits"]


def _enable(memory: Cell, register: Cell) -> Any:
    """The net that enables a register, "1" for always; None where the memory cannot hold it."""
    parameters, nets = register["parameters"], register["connections"]
    clocks = {tuple(memory["connections"][f"CLK{port}"]) for port in PORTS}
    if (
        clocks != {tuple(nets["CLK"])}
        or parameters["CLKMUX"] != "CLK"
        or any(memory["parameters"][f"CLK{port}MUX"] != f"CLK{port}" for port in PORTS)
        or any(memory["parameters"][f"REGMODE_{port}"] != "NOREG" for port in PORTS)
        or nets.get("LSR", ["0"]) != ["0"]
        or parameters["REGSET"] != "RESET"
    ):
        return None
    always = parameters["CEMUX"].strip() == "1"
    return "1" if always else nets["CE"][0] if parameters["CEMUX"] == "CE" else None


def _absorb(memory: Cell, registers: dict[str, Cell]) -> None:
    """Let a memory's outputs, by their ports, be those of registers."""
    for port, register in registers.items():
        memory["connections"][port] = register["connections"]["Q"]
    memory["parameters"] |= {f"REGMODE_{port}": "OUTREG" for port in PORTS}
