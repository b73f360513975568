"""What Yosys leaves to be done on a netlist of an ECP5: registers into block RAMs and multipliers.

A block RAM and a multiplier have registers behind their outputs, a multiplier has some at its
inputs, too. Yosys does not use them: such a register is one in the fabric, and the way between them
one of its own. Lattice's tools move such registers into the block, and so does this. No register is
added but where several multipliers have the same, and none changes its clock.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

Cell = dict[str, Any]

MEMORY, MULTIPLIER, REGISTER = "DP16KD", "MULT18X18D", "TRELLIS_FF"
PORTS = ("A", "B")  # of a block RAM, and the inputs of a multiplier


def absorb_registers(module: dict[str, Any]) -> int:
    """Move registers into block RAMs and multipliers; how many blocks that changed.

    module : of a netlist as Yosys writes it in JSON; changed in place. Registers go into a block
        only if all of them have the same clock, for a block RAM its own, and the same enable, and
        no reset. Those behind it, if every output that is used goes to one register and nothing
        else. Those of an input of a multiplier, if they have what other registers had a clock
        before, and nothing but multipliers reads them: behind logic, a register is better near
        that.
    """
    cells: dict[str, Cell] = module["cells"]
    readers = Counter(_readers(module))
    factors = Counter(_factors(cells))
    behind, before = _registers(cells, "DI"), _registers(cells, "Q")
    changed = 0
    for block in [cell for cell in cells.values() if cell["type"] in (MEMORY, MULTIPLIER)]:
        moved = _absorb_outputs(cells, block, readers, behind)
        if block["type"] == MULTIPLIER:
            for port in PORTS:
                moved |= _absorb_input(cells, block, port, readers, factors, before)
        changed += moved
    return changed


def _registers(cells: dict[str, Cell], port: str) -> dict[Any, str]:
    """The names of registers by the nets at a port of theirs."""
    return {
        cell["connections"][port][0]: name
        for name, cell in cells.items()
        if cell["type"] == REGISTER and port in cell["connections"]
    }


def _absorb_outputs(
    cells: dict[str, Cell], block: Cell, readers: Counter[Any], registers: dict[Any, str]
) -> bool:
    """Move registers behind a block into it, by the nets that they read; whether there are any."""
    outputs = {
        port: nets[0]
        for port, nets in block["connections"].items()
        if block["port_directions"][port] == "output" and readers[nets[0]]
    }
    behind = {registers.get(net) for net in outputs.values() if readers[net] == 1}
    if not outputs or None in behind or len(behind) < len(outputs):
        return False
    control = _shared([cells[registers[net]] for net in outputs.values()])
    if control is None:
        return False
    if not (
        _put_in_memory(block, *control)
        if block["type"] == MEMORY
        else _put_in_multiplier(block, "OUTPUT", *control)
    ):
        return False
    for port, net in outputs.items():
        block["connections"][port] = cells.pop(registers[net])["connections"]["Q"]
    return True


def _absorb_input(
    cells: dict[str, Cell],
    block: Cell,
    port: str,
    readers: Counter[Any],
    factors: Counter[Any],
    registers: dict[Any, str],
) -> bool:
    """Move the registers of an input into a multiplier, by the nets that they drive."""
    inputs = _input(block, port)
    read = Counter(inputs.values())
    if not inputs or any(
        readers[net] > factors[net] or registers.get(net) not in cells for net in read
    ):
        return False
    held = {net: cells[registers[net]] for net in read}
    data = {net: cell["connections"]["DI"] for net, cell in held.items()}
    if any(nets[0] not in registers for nets in data.values()):
        return False
    control = _shared(list(held.values()))
    if control is None or not _put_in_multiplier(block, f"INPUT{port}", *control):
        return False
    for name, net in inputs.items():
        block["connections"][name] = data[net]
    readers -= read
    factors -= read
    for net in read:
        if not readers[net]:
            del cells[registers[net]]
    return True


def _input(block: Cell, port: str) -> dict[str, Any]:
    """The nets of an input of a multiplier, by its pins."""
    return {
        name: nets[0]
        for name, nets in block["connections"].items()
        if re.fullmatch(rf"{port}\d+", name) and nets != ["0"]
    }


def _factors(cells: dict[str, Cell]) -> Iterator[Any]:
    """Every net as often as an input of a multiplier reads it."""
    for cell in cells.values():
        if cell["type"] == MULTIPLIER:
            for port in PORTS:
                yield from _input(cell, port).values()


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


def _shared(registers: list[Cell]) -> tuple[Any, Any] | None:
    """Clock and enable of registers, if they have the same ones and a block can hold them."""
    controls = {_control(register) for register in registers}
    return controls.pop() if len(controls) == 1 else None


def _put_in_memory(block: Cell, clock: Any, enable: Any) -> bool:
    """Let the outputs of a block RAM be registers; whether it can have them."""
    parameters, nets = block["parameters"], block["connections"]
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


def _put_in_multiplier(block: Cell, place: str, clock: Any, enable: Any) -> bool:
    """Let an input or the output of a multiplier be registers; whether it can have them."""
    parameters, nets = block["parameters"], block["connections"]
    added = {"CLK0": [clock], "CE0": [enable], "RST0": ["0"]}
    if parameters.get(f"REG_{place}_CLK", "NONE") != "NONE":
        return False
    if any(nets.get(port, net) != net for port, net in added.items()):
        return False
    parameters |= {f"REG_{place}_{port.rstrip('0')}": port for port in added}
    nets |= added
    block["port_directions"] |= dict.fromkeys(added, "input")
    return True
