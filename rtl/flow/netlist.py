"""What Yosys leaves to be done on a netlist of an ECP5: registers into block RAMs and multipliers.

A block RAM and a multiplier have registers behind their outputs. Yosys does not use them: a
register that follows is one in the fabric, at the end of a way of its own. Lattice's tools move
such registers into the block, and so does this. No register is added, and none changes its clock.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

Cell = dict[str, Any]

MEMORY, MULTIPLIER, REGISTER = "DP16KD", "MULT18X18D", "TRELLIS_FF"
PORTS = ("A", "B")  # of a block RAM


def absorb_registers(module: dict[str, Any]) -> int:
    """Move registers behind block RAMs and multipliers into these; how many blocks that changed.

    module : of a netlist as Yosys writes it in JSON; changed in place. A block is changed only if
        every output that is used goes to one register and nothing else, and all of these registers
        have the same clock, for a block RAM its own, and the same enable, and no reset.
    """
    cells: dict[str, Cell] = module["cells"]
    readers = Counter(_readers(module))
    registers = {
        cell["connections"]["DI"][0]: name
        for name, cell in cells.items()
        if cell["type"] == REGISTER and "DI" in cell["connections"]
    }
    changed = 0
    for block in [cell for cell in cells.values() if cell["type"] in (MEMORY, MULTIPLIER)]:
        outputs = {
            port: nets[0]
            for port, nets in block["connections"].items()
            if block["port_directions"][port] == "output" and readers[nets[0]]
        }
        behind = {registers.get(net) for net in outputs.values() if readers[net] == 1}
        if not outputs or None in behind or len(behind) < len(outputs):
            continue
        controls = {_control(cells[name]) for name in behind if name is not None}
        if len(controls) == 1 and (control := controls.pop()) and _put(block, *control):
            for port, net in outputs.items():
                block["connections"][port] = cells.pop(registers[net])["connections"]["Q"]
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


def _control(register: Cell) -> tuple[Any, Any] | None:
    """Clock and enable of a register, "1" for always; None for one that no block can hold."""
    parameters, nets = register["parameters"], register["connections"]
    enable = {"1": "1", "CE": nets.get("CE", ["1"])[0]}.get(parameters["CEMUX"].strip())
    rising = parameters["CLKMUX"] == "CLK"
    plain = nets.get("LSR", ["0"]) == ["0"] and parameters["REGSET"] == "RESET"
    return (nets["CLK"][0], enable) if rising and plain and enable is not None else None


def _put(block: Cell, clock: Any, enable: Any) -> bool:
    """Let the outputs of a block be registers; whether it can have them."""
    parameters, nets = block["parameters"], block["connections"]
    if block["type"] == MEMORY:
        if any(
            nets[f"CLK{port}"] != [clock]
            or parameters[f"CLK{port}MUX"] != f"CLK{port}"
            or parameters[f"REGMODE_{port}"] != "NOREG"
            for port in PORTS
        ):
            return False
        parameters |= {f"REGMODE_{port}": "OUTREG" for port in PORTS}
        nets |= {f"OCE{port}": [enable] for port in PORTS}
        return True
    if any(name.startswith("REG_") and value != "NONE" for name, value in parameters.items()):
        return False
    added = {"CLK0": [clock], "CE0": [enable], "RST0": ["0"]}
    parameters |= {f"REG_OUTPUT_{port.rstrip('0')}": port for port in added}
    nets |= added
    block["port_directions"] |= dict.fromkeys(added, "input")
    return True
