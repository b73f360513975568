"""Hardware whose widths are explicit and whose unused bits are named, so that lint is silent.

It stands between Yosys's clean-up and its Verilog. Yosys lets operands of several widths meet;
here each is extended to the width at which the cell computes, comparisons to the wider of two.
Wires have the bits that something drives or reads. What is driven and never read, such as fields of
a word that a module passes by, goes into a wire called `unused`, which tools know by its name.
Nothing is computed differently.
"""

from collections.abc import Iterable, Mapping

from rtl.flow import rtlil
from rtl.flow.rtlil import Cell, Module, Signal, Slice, Wire, cut, extended, slices, width

UNUSED = "unused"

_ARITHMETIC = ("$add", "$sub", "$and", "$or", "$xor", "$xnor")
_OF_ONE = ("$not", "$neg", "$pos")
_COMPARISONS = ("$eq", "$ne", "$lt", "$le", "$gt", "$ge")
_SHIFTS = ("$shl", "$shr", "$sshl", "$sshr", "$shift")


def explicit(text: str) -> str:
    """RTLIL after Yosys's clean-up, made explicit."""
    modules = rtlil.read(text)
    inputs = {
        module.name: {wire.name for wire in module.wires.values() if wire.direction == "input"}
        for module in modules
    }
    for module in modules:
        module.cells = [each for cell in module.cells for each in _explicit(cell, module)]
        _cut_wires(module, inputs)
    return rtlil.write(modules)


# --- cells


def _explicit(cell: Cell, module: Module) -> Iterable[Cell]:
    """The cells that a cell becomes."""
    if cell.type in _ARITHMETIC or cell.type in _OF_ONE:
        _extend(cell, width(cell.ports["\\Y"]))
        _unsigned(cell)
    elif cell.type in _COMPARISONS:
        _extend(cell, max(width(cell.ports[port]) for port in _operands(cell)))
    elif cell.type in _SHIFTS:
        _extend_shifted(cell, module)
    elif cell.type == "$mul":
        _cut_factors(cell)
    elif cell.type == "$logic_not":
        bits = width(cell.ports["\\A"])
        if bits > 1:
            cell.type = "$eq"
            cell.ports = {"\\A": cell.ports["\\A"], "\\B": ("0" * bits,), "\\Y": cell.ports["\\Y"]}
            cell.parameters |= {"\\A_SIGNED": "0", "\\B_SIGNED": "0", "\\B_WIDTH": str(bits)}
    elif cell.type == "$pmux":
        return _chain(cell, module)
    return (cell,)


def _operands(cell: Cell) -> list[str]:
    return [port for port in ("\\A", "\\B") if port in cell.ports]


def _signed(cell: Cell) -> bool:
    """Whether operands are extended by their sign: Yosys does where both are signed."""
    return all(cell.number(f"{port}_SIGNED") for port in _operands(cell))


def _extend(cell: Cell, bits: int) -> None:
    """Give all operands so many bits."""
    signed = _signed(cell)
    for port in _operands(cell):
        cell.ports[port] = extended(cell.ports[port], bits, signed)
        cell.parameters[f"{port}_WIDTH"] = str(bits)
        cell.parameters[f"{port}_SIGNED"] = str(int(signed))


def _unsigned(cell: Cell) -> None:
    """Operands as wide as the result need no sign."""
    for port in _operands(cell):
        cell.parameters[f"{port}_SIGNED"] = "0"


def _cut_factors(cell: Cell) -> None:
    """Of factors that are wider than their product only the lower ends matter."""
    bits = width(cell.ports["\\Y"])
    for port in _operands(cell):
        cell.ports[port] = cut(cell.ports[port], 0, bits)
        cell.parameters[f"{port}_WIDTH"] = str(width(cell.ports[port]))


def _extend_shifted(cell: Cell, module: Module) -> None:
    """Shift at the wider of operand and result, of which the result is the lower end."""
    shifted, result = cell.ports["\\A"], cell.ports["\\Y"]
    bits = max(width(shifted), width(result))
    cell.ports["\\A"] = extended(shifted, bits, bool(cell.number("\\A_SIGNED")))
    if bits > width(result):
        cell.ports["\\Y"] = module.new_wire(bits)
        module.connections.append((result, cut(cell.ports["\\Y"], 0, width(result))))
    cell.parameters |= {"\\A_WIDTH": str(bits), "\\Y_WIDTH": str(bits)}


def _chain(cell: Cell, module: Module) -> Iterable[Cell]:
    """A choice among many as choices between two, the first selected first."""
    bits, default, result = cell.number("\\WIDTH"), cell.ports["\\A"], cell.ports["\\Y"]
    for place in reversed(range(cell.number("\\S_WIDTH"))):
        target = module.new_wire(bits) if place else result
        ports = {
            "\\A": default,
            "\\B": cut(cell.ports["\\B"], place * bits, bits),
            "\\S": cut(cell.ports["\\S"], place, 1),
            "\\Y": target,
        }
        yield Cell("$mux", module.new_name(), {"\\WIDTH": str(bits)}, ports)
        default = target


# --- wires

Masks = dict[str, int]  # bits of every wire


def _cut_wires(module: Module, inputs: Mapping[str, set[str]]) -> None:
    """Leave of every wire what is driven or read, and put into `unused` what is not read."""
    driven, used = _masks(module, inputs)
    # Names for what has another are dropped where nothing reads them.
    while unread := [each for each in module.connections if not _meets(used, each[0])]:
        module.connections = [each for each in module.connections if each not in unread]
        driven, used = _masks(module, inputs)
    unused: list[Slice | str] = []
    places: dict[str, list[tuple[int, Slice]]] = {}
    for wire in list(module.wires.values()):
        unused += _runs(wire.name, driven[wire.name] & ~used[wire.name])
        if not wire.direction:
            places[wire.name] = _cut(wire, driven[wire.name] | used[wire.name], module)

    def moved(signal: Signal) -> Signal:
        return tuple(each for part in signal for each in _moved(part, places))

    for cell in module.cells:
        cell.ports = {port: moved(signal) for port, signal in cell.ports.items()}
    module.connections = [(moved(target), moved(value)) for target, value in module.connections]
    if unused:
        _drop(module, moved(tuple(unused)))


def _masks(module: Module, inputs: Mapping[str, set[str]]) -> tuple[Masks, Masks]:
    """Bits of wires that are driven, and those that are read."""
    driven = dict.fromkeys(module.wires, 0)
    used = dict.fromkeys(module.wires, 0)
    for wire in module.wires.values():
        if wire.direction:
            (driven if wire.direction == "input" else used)[wire.name] = (1 << wire.bits) - 1
    for cell in module.cells:
        for port, signal in cell.ports.items():
            is_read = port in inputs[cell.type] if cell.type in inputs else port not in _OUTPUTS
            _mark(used if is_read else driven, signal)
    for target, value in module.connections:
        _mark(driven, target)
        _mark(used, value)
    return driven, used


_OUTPUTS = ("\\Y", "\\Q", "\\RD_DATA")  # of cells that are no parts


def _mark(masks: Masks, signal: Signal) -> None:
    for wire, low, bits in slices(signal):
        masks[wire] |= ((1 << bits) - 1) << low


def _meets(masks: Masks, signal: Signal) -> bool:
    """Whether any bit of a signal is in the masks."""
    return any(masks[wire] >> low & ((1 << bits) - 1) for wire, low, bits in slices(signal))


def _runs(wire: str, mask: int) -> list[Slice]:
    """The bits of a mask as slices."""
    runs = []
    while mask:
        low = (mask & -mask).bit_length() - 1
        bits = (~(mask >> low) & ((mask >> low) + 1)).bit_length() - 1
        runs.append(Slice(wire, low, bits))
        mask &= ~(((1 << bits) - 1) << low)
    return runs


def _cut(wire: Wire, mask: int, module: Module) -> list[tuple[int, Slice]]:
    """Replace a wire by one for each of its runs of bits that are there: where each begins."""
    runs = _runs(wire.name, mask)
    del module.wires[wire.name]
    places = []
    for _, low, bits in runs:
        name = wire.name if low == 0 else f"{wire.name}_from_{low}"
        attributes = [_part_of(each, low, bits) for each in wire.attributes]
        module.wires[name] = Wire(name, bits, wire.options, attributes)
        places.append((low, Slice(name, 0, bits)))
    return places


def _part_of(attribute: str, low: int, bits: int) -> str:
    """The attribute of a wire for some of its bits: of the value at power-on these."""
    name, _, value = attribute.rpartition(" ")
    if not name.endswith("\\init"):
        return attribute
    digits = rtlil.constant(value)
    return f"{name} {bits}'{digits[len(digits) - low - bits : len(digits) - low]}"


def _moved(part: Slice | str, places: Mapping[str, list[tuple[int, Slice]]]) -> Signal:
    """Where a part of a signal lies now; it may reach over several runs.

    Bits that do not matter are 0.
    """
    if isinstance(part, str):
        return (part.replace("x", "0"),)
    if part.wire not in places:
        return (part,)
    return tuple(
        Slice(run.wire, first - low, end - first)
        for low, run in places[part.wire]
        if (first := max(part.low, low)) < (end := min(part.low + part.bits, low + run.bits))
    )


def _drop(module: Module, signal: Signal) -> None:
    """Read bits that nothing else reads."""
    module.wires[f"\\{UNUSED}"] = Wire(f"\\{UNUSED}", 1, "", [])
    ports = {"\\A": (*signal, "0"), "\\Y": (Slice(f"\\{UNUSED}", 0, 1),)}
    parameters = {"\\A_SIGNED": "0", "\\A_WIDTH": str(width(signal) + 1), "\\Y_WIDTH": "1"}
    module.cells.append(Cell("$reduce_and", module.new_name(), parameters, ports))
