"""What Yosys leaves to be done on a netlist of an ECP5: what a cell could hold, and does not.

A block RAM and a multiplier have registers behind their outputs, a multiplier has some at its
inputs, too. Yosys does not use them: such a register is one in the fabric, and the way between them
one of its own. Lattice's tools move such registers into the block, and so does this. No register is
added but where several multipliers have the same, and none changes its clock.

A bit of a sum has a LUT of four inputs in front of its carry, of which Yosys uses two. Where a LUT
chooses what is added, both may fit into one. That shortens the way of the lower half of a sum,
whose carries have furthest to go; for the other half it would gain nothing, and where all inputs of
neighbouring LUTs are in use, wires are scarce.
"""

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import permutations, product
from typing import Any, NamedTuple

Cell = dict[str, Any]

MEMORY, MULTIPLIER, REGISTER = "DP16KD", "MULT18X18D", "TRELLIS_FF"
CARRIES, LUT = "CCU2C", "LUT4"
PORTS = ("A", "B")  # of a block RAM, and the inputs of a multiplier
PINS = "ABCD"  # of a LUT
CONSTANTS = ("0", "1")


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


def absorb_logic(module: dict[str, Any]) -> int:
    """Move LUTs in front of the lower bits of sums into these; how many that changed.

    module : as for `absorb_registers`, before it. A LUT goes into a bit if nothing else reads it,
        and what both of them read is no more than four nets.
    """
    cells: dict[str, Cell] = module["cells"]
    readers = Counter(_readers(module))
    luts = {
        cell["connections"]["Z"][0]: name for name, cell in cells.items() if cell["type"] == LUT
    }
    changed = 0
    for carries in _lower_halves(cells):
        for bit in "01":
            for pin in PORTS:  # an operand each
                net = carries["connections"][pin + bit][0]
                name = luts.get(net)
                if name in cells and readers[net] == 1:
                    changed += _absorb_lut(carries, bit, net, cells, name)
    return changed


def _lower_halves(cells: dict[str, Cell]) -> list[Cell]:
    """The carries in the lower halves of all sums."""
    carries = [cell for cell in cells.values() if cell["type"] == CARRIES]
    made = {cell["connections"]["COUT"][0] for cell in carries}
    behind = {cell["connections"]["CIN"][0]: cell for cell in carries}
    lower = []
    for cell in carries:
        if cell["connections"]["CIN"][0] not in made:
            chain = [cell]
            while (net := chain[-1]["connections"]["COUT"][0]) in behind:
                chain.append(behind[net])
            lower += chain[: (len(chain) + 1) // 2]
    return lower


def _absorb_lut(carries: Cell, bit: str, net: Any, cells: dict[str, Cell], name: str) -> bool:
    """Move a LUT that drives a net into the bit that reads it; whether that is possible."""
    pins = [pin + bit for pin in PINS]
    reads = tuple(carries["connections"][pin][0] for pin in pins)
    lut = cells[name]
    behind = tuple(lut["connections"].get(pin, ["0"])[0] for pin in PINS)
    leaves = [leaf for leaf in dict.fromkeys((*reads, *behind)) if leaf not in (net, *CONSTANTS)]
    if len(leaves) > len(PINS):
        return False
    numbers = {leaf: number for number, leaf in enumerate(leaves)} | {net: "lut"}
    found = _merged(
        _table(carries["parameters"][f"INIT{bit}"]),
        tuple(numbers.get(read, read) for read in reads),
        _table(lut["parameters"]["INIT"]),
        tuple(numbers.get(read, read) for read in behind),
        len(leaves),
    )
    if found is None:
        return False
    carries["parameters"][f"INIT{bit}"] = "".join(map(str, reversed(found.table)))
    for pin, number in zip(pins, found.reads, strict=True):
        carries["connections"][pin] = [number if number in CONSTANTS else leaves[number]]
    del cells[name]
    return True


class _Bit(NamedTuple):
    """A bit of a sum: its table, and what each of its pins reads, a number or a constant."""

    table: tuple[int, ...]
    reads: tuple[Any, ...]


def _table(text: str) -> tuple[int, ...]:
    """What a LUT says for every number that its pins make, pin A the lowest bit."""
    return tuple(map(int, reversed(text)))


@cache
def _merged(
    bit: tuple[int, ...],
    reads: tuple[Any, ...],
    lut: tuple[int, ...],
    behind: tuple[Any, ...],
    leaves: int,
) -> _Bit | None:
    """One table for that of a bit and that of the LUT which drives a pin of it, if there is one.

    The table says whether a carry passes. Where none does, its first four entries say, by pins A
    and B alone, whether the bit makes one: so these have two meanings, which must agree.
    """
    cases = []
    for values in product((0, 1), repeat=leaves):
        known: dict[Any, int] = {**dict(enumerate(values)), "0": 0, "1": 1}
        known["lut"] = lut[_number(known, behind)]
        at = _number(known, reads)
        cases.append((known, bit[at], bit[at & 3]))
    for spare in product(CONSTANTS, repeat=len(PINS) - leaves):
        for pins in permutations((*range(leaves), *spare)):
            places = [_number(known, pins) for known, _, _ in cases]
            asked = [(at, passes) for at, (_, passes, _) in zip(places, cases, strict=True)]
            asked += [
                (at & 3, makes)
                for at, (_, passes, makes) in zip(places, cases, strict=True)
                if not passes
            ]
            table = dict(asked)
            if all(table[at] == value for at, value in asked):
                return _Bit(tuple(table.get(at, 0) for at in range(1 << len(PINS))), pins)
    return None


def _number(known: dict[Any, int], pins: tuple[Any, ...]) -> int:
    """What pins read as a number."""
    return sum(known[pin] << place for place, pin in enumerate(pins))


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
