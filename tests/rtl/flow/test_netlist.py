"""Registers around block RAMs and multipliers, LUTs in front of carries: what a cell takes in."""

import copy
from itertools import product
from random import Random

import pytest

from rtl.flow.netlist import absorb_logic, absorb_registers

INPUTS = (
    {"CLKA", "CLKB", "OCEA", "OCEB", "ADB4", "DI", "CLK", "CE", "LSR", *"ABCD", "CIN"}
    | {f"{port}{bit}" for port in "AB" for bit in range(3)}
    | {f"{port}{bit}" for port in "CD" for bit in range(2)}
)
CLOCK, ENABLE, FIRST, SECOND = 2, 3, 10, 11


def cell(kind, parameters, **connections):
    directions = {port: "input" if port in INPUTS else "output" for port in connections}
    return {
        "type": kind,
        "parameters": parameters,
        "port_directions": directions,
        "connections": {port: [net] for port, net in connections.items()},
    }


def register(data, output):
    parameters = {"CLKMUX": "CLK", "CEMUX": "1 ", "LSRMUX": "LSR", "REGSET": "RESET"}
    return cell("TRELLIS_FF", parameters, CLK=CLOCK, LSR="0", DI=data, Q=output)


def design():
    """A block RAM of two bits in use, a register behind each, and what reads these."""
    parameters = {f"REGMODE_{port}": "NOREG" for port in "AB"}
    parameters |= {f"CLK{port}MUX": f"CLK{port}" for port in "AB"}
    ports = {"CLKA": CLOCK, "CLKB": CLOCK, "OCEA": "0", "OCEB": "1", "ADB4": 5}
    outputs = {"DOB0": FIRST, "DOB1": SECOND, "DOB2": 12}
    return {
        "ports": {"out": {"direction": "output", "bits": [20]}},
        "cells": {
            "memory": cell("DP16KD", parameters, **ports, **outputs),
            "first": register(FIRST, 20),
            "second": register(SECOND, 21),
            "reader": cell("LUT4", {}, A=21, Z=30),
        },
    }


def test_registers_behind_all_outputs_go_into_the_block():
    module = design()
    assert absorb_registers(module) == 1
    assert set(module["cells"]) == {"memory", "reader"}
    memory = module["cells"]["memory"]
    assert [memory["connections"][port] for port in ("DOB0", "DOB1")] == [[20], [21]]
    assert memory["parameters"]["REGMODE_B"] == "OUTREG"
    assert [memory["connections"][port] for port in ("OCEA", "OCEB")] == [["1"], ["1"]]


def test_an_enable_that_all_share_becomes_that_of_the_block():
    module = design()
    for name in ("first", "second"):
        module["cells"][name]["parameters"]["CEMUX"] = "CE"
        module["cells"][name]["connections"]["CE"] = [ENABLE]
        module["cells"][name]["port_directions"]["CE"] = "input"
    assert absorb_registers(module) == 1
    assert module["cells"]["memory"]["connections"]["OCEB"] == [ENABLE]


def test_a_register_behind_a_multiplier_goes_into_it():
    module = design()
    module["cells"]["memory"] = cell("MULT18X18D", {}, A=5, P0=FIRST, P1=SECOND, P2=12)
    assert absorb_registers(module) == 1
    multiplier = module["cells"]["memory"]
    assert set(module["cells"]) == {"memory", "reader"}
    assert [multiplier["connections"][port] for port in ("P0", "P1")] == [[20], [21]]
    assert multiplier["parameters"] == {
        "REG_OUTPUT_CLK": "CLK0",
        "REG_OUTPUT_CE": "CE0",
        "REG_OUTPUT_RST": "RST0",
    }
    assert [multiplier["connections"][port] for port in ("CLK0", "CE0", "RST0")] == [
        [CLOCK],
        ["1"],
        ["0"],
    ]
    assert absorb_registers(module) == 0


def multiplier_with_inputs():
    """Two bits that are multiplied with one, the sign twice, all from registers behind others."""
    module = design()
    inputs = {"A0": 40, "A1": 41, "A2": 41, "B0": 42, "B1": "0"}
    module["cells"]["memory"] = cell("MULT18X18D", {}, **inputs, P0=FIRST, P1=SECOND)
    for net in (40, 41, 42):
        module["cells"][f"near {net}"] = register(net + 10, net)
        module["cells"][f"far {net}"] = register(net + 20, net + 10)
    return module


FAR = {f"far {net}" for net in (40, 41, 42)}


def test_registers_of_the_inputs_of_a_multiplier_go_into_it():
    module = multiplier_with_inputs()
    assert absorb_registers(module) == 1
    assert set(module["cells"]) == {"memory", "reader", *FAR}
    nets = module["cells"]["memory"]["connections"]
    assert [nets[port] for port in ("A0", "A1", "A2", "B0", "B1")] == [
        [50],
        [51],
        [51],
        [52],
        ["0"],
    ]
    assert module["cells"]["memory"]["parameters"] == {
        f"REG_{place}_{port}": f"{port}0"
        for place in ("INPUTA", "INPUTB", "OUTPUT")
        for port in ("CLK", "CE", "RST")
    }
    assert [nets[port] for port in ("CLK0", "CE0", "RST0")] == [[CLOCK], ["1"], ["0"]]
    assert absorb_registers(module) == 0


INPUTS_STAY = {
    "another reader": lambda module: module["cells"].update(more=cell("LUT4", {}, A=41, Z=31)),
    "logic in front": lambda module: module["cells"].update({"far 41": cell("LUT4", {}, Z=51)}),
    "no register": lambda module: module["cells"].update({"near 40": cell("LUT4", {}, Z=40)}),
    "a constant 1": lambda module: change(module, "memory", A2="1"),
    "a reset": lambda module: change(module, "near 40", LSR=4),
    "another clock": lambda module: change(module, "near 40", CLK=9),
    "another clock than the output": lambda module: [
        change(module, name, CLK=9) for name in ("near 40", "near 41")
    ],
    "an input with registers": lambda module: module["cells"]["memory"]["parameters"].update(
        REG_INPUTA_CLK="CLK0"
    ),
}


@pytest.mark.parametrize("why", INPUTS_STAY)
def test_registers_of_one_input_stay_and_the_others_go(why):
    module = multiplier_with_inputs()
    INPUTS_STAY[why](module)
    before = copy.deepcopy(module)
    assert absorb_registers(module) == 1
    assert set(before["cells"]) - set(module["cells"]) == {"near 42", "first", "second"}
    for port in ("A0", "A1", "A2"):
        nets = (each["cells"]["memory"]["connections"][port] for each in (module, before))
        assert len({tuple(net) for net in nets}) == 1


def multipliers_that_share():
    """Another multiplier, of the sign of one factor and the other factor."""
    module = multiplier_with_inputs()
    module["cells"]["other"] = cell("MULT18X18D", {}, A0=41, B0=42, P0=70)
    return module


def test_registers_that_multipliers_share_go_into_each():
    module = multipliers_that_share()
    assert absorb_registers(module) == 2
    assert set(module["cells"]) == {"memory", "other", "reader", *FAR}
    nets = [module["cells"][name]["connections"] for name in ("memory", "other")]
    assert [nets[0][port] for port in ("A0", "A1", "A2", "B0")] == [[50], [51], [51], [52]]
    assert [nets[1][port] for port in ("A0", "B0")] == [[51], [52]]


def test_a_register_stays_as_well_where_another_multiplier_cannot_be_it():
    module = multipliers_that_share()
    module["cells"]["logic"] = cell("LUT4", {}, Z=43)
    change(module, "other", A1=43)
    assert absorb_registers(module) == 2
    assert {name for name in module["cells"] if name.startswith("near")} == {"near 41"}
    assert module["cells"]["other"]["connections"]["A0"] == [41]
    assert module["cells"]["memory"]["connections"]["A1"] == [51]


def test_a_register_between_two_blocks_goes_into_the_one_in_front():
    module = multiplier_with_inputs()
    module["cells"]["other"] = cell("MULT18X18D", {}, A0=61, P0=50, P1=51)
    for net in (40, 41):
        del module["cells"][f"far {net}"]
    assert absorb_registers(module) == 2
    assert {"near 40", "near 41"}.isdisjoint(module["cells"])
    assert module["cells"]["other"]["connections"]["P0"] == [40]
    assert "REG_INPUTA_CLK" not in module["cells"]["memory"]["parameters"]


def change(module, name, **connections):
    of_cell = module["cells"][name]
    for port, net in connections.items():
        of_cell["connections"][port] = [net]
        of_cell["port_directions"][port] = "input" if port in INPUTS else "output"


STAYS = {
    "another reader": lambda module: change(module, "reader", A=FIRST),
    "an output of the design": lambda module: module["ports"]["out"]["bits"].append(SECOND),
    "no register": lambda module: module["cells"].update(second=cell("LUT4", {}, A=SECOND, Z=21)),
    "a reset": lambda module: change(module, "first", LSR=4),
    "another clock": lambda module: change(module, "first", CLK=9),
    "a falling edge": lambda module: module["cells"]["first"]["parameters"].update(CLKMUX="INV"),
    "a value of 1": lambda module: module["cells"]["first"]["parameters"].update(REGSET="SET"),
    "two enables": lambda module: (
        change(module, "first", CE=ENABLE),
        module["cells"]["first"]["parameters"].update(CEMUX="CE"),
    ),
    "an inverted enable": lambda module: [
        module["cells"][name]["parameters"].update(CEMUX="INV") for name in ("first", "second")
    ],
    "a block with registers": lambda module: module["cells"]["memory"]["parameters"].update(
        REGMODE_B="OUTREG"
    ),
    "nothing read": lambda module: [module["cells"].pop(name) for name in ("first", "second")],
}


@pytest.mark.parametrize("why", STAYS)
def test_registers_stay_where_the_block_cannot_be_them(why):
    module = design()
    STAYS[why](module)
    before = copy.deepcopy(module)
    assert absorb_registers(module) == 0
    assert module == before


ADD = 0x96AA  # of A and B, where D is 1 and C is 0; less B, where C is 1
P, Q, R, S = 50, 51, 52, 53
MADE = 60  # by a LUT


def carries(*nets, table=ADD):
    """The lower bit of a sum, whose upper one adds nothing."""
    bits = dict(zip(("A0", "B0", "C0", "D0"), nets, strict=True))
    upper = dict.fromkeys(("A1", "B1", "C1", "D1"), "0")
    tables = {"INIT0": f"{table:016b}", "INIT1": f"{ADD:016b}"}
    return cell("CCU2C", tables, CIN=70, **bits, **upper, S0=71, COUT=72)


def lut(table, *nets):
    pins = dict(zip("ABCD", nets, strict=False))
    return cell("LUT4", {"INIT": f"{table:016b}"}, **pins, Z=MADE)


def sum_of(*nets, behind):
    """A bit that adds what a LUT says."""
    cells = {"sum": carries(*nets), "lut": behind}
    return {"ports": {"out": {"direction": "output", "bits": [71, 72]}}, "cells": cells}


def at(table, number):
    return int(table[len(table) - 1 - number])


def bit(module, values):
    """Sum and carry of the lower bit, by Lattice's definition of a CCU2C."""
    known = {**values, "0": 0, "1": 1}
    if "lut" in module["cells"]:
        made = module["cells"]["lut"]
        pins = [made["connections"].get(pin, ["0"])[0] for pin in "ABCD"]
        known[MADE] = at(made["parameters"]["INIT"], sum(known[p] << n for n, p in enumerate(pins)))
    adder = module["cells"]["sum"]
    number = sum(known[adder["connections"][f"{pin}0"][0]] << n for n, pin in enumerate("ABCD"))
    passes = at(adder["parameters"]["INIT0"], number)
    makes = at(adder["parameters"]["INIT0"], number % 4)
    return passes ^ known[70], known[70] if passes else makes


def outcomes(module):
    """What comes of all that may come in."""
    return [bit(module, dict(zip((P, Q, R, S, 70), values, strict=True)))
            for values in product((0, 1), repeat=5)]  # fmt: skip


CHOOSES = 0xCACA  # A where C is 0, else B
MASKS = 0x8888  # A and B


@pytest.mark.parametrize(
    "module",
    {
        "chosen": sum_of(P, MADE, "0", "1", behind=lut(CHOOSES, Q, R, S, "0")),
        "chosen, in front": sum_of(MADE, P, "0", "1", behind=lut(CHOOSES, Q, R, S, "0")),
        "masked": sum_of(P, MADE, "0", "1", behind=lut(MASKS, Q, R, "0", "0")),
        "masked, subtracted": sum_of(P, MADE, "1", "1", behind=lut(MASKS, Q, R, "0", "0")),
        "masked by the other": sum_of(P, MADE, "0", "1", behind=lut(CHOOSES, Q, R, P, "0")),
    }.items(),
    ids=lambda item: item[0],
)
def test_a_lut_in_front_of_a_carry_goes_into_it(module):
    module = copy.deepcopy(module[1])
    before = outcomes(module)
    assert absorb_logic(module) == 1
    assert set(module["cells"]) == {"sum"}
    assert outcomes(module) == before
    assert len(set(before)) == 4


def test_any_lut_in_front_of_any_bit_leaves_the_sum_as_it_was():
    random, changed = Random(0), 0
    for _ in range(2000):
        nets = [random.choice((P, Q, R, S, "0", "1")) for _ in range(4)]
        behind = [random.choice((P, Q, R, S, "0", "1")) for _ in range(4)]
        nets[random.randrange(2)] = MADE
        module = sum_of(*nets, behind=lut(random.getrandbits(16), *behind))
        module["cells"]["sum"]["parameters"]["INIT0"] = f"{random.getrandbits(16):016b}"
        before = outcomes(module)
        changed += absorb_logic(module)
        assert outcomes(module) == before
    assert 0 < changed < 2000


@pytest.mark.parametrize(
    "stays",
    {
        "another reader": lambda cells: cells.update(reader=cell("LUT4", {}, A=MADE, Z=30)),
        "five inputs": lambda cells: cells.update(lut=lut(CHOOSES, Q, R, S, 54)),
        "no LUT": lambda cells: cells.update(lut=register(Q, MADE)),
    }.items(),
    ids=lambda item: item[0],
)
def test_a_lut_stays_where_the_carry_cannot_be_it(stays):
    module = sum_of(P, MADE, "0", "1", behind=lut(CHOOSES, Q, R, S, "0"))
    stays[1](module["cells"])
    before = copy.deepcopy(module)
    assert absorb_logic(module) == 0
    assert module == before


def test_only_luts_in_front_of_the_lower_half_of_a_sum_go_into_it():
    module = {"ports": {}, "cells": {}}
    for n in range(5):
        adder = cell("CCU2C", {"INIT0": f"{ADD:016b}", "INIT1": f"{ADD:016b}"},
                     **dict(zip(("A0", "B0", "C0", "D0"), (P, MADE + n, "0", "1"), strict=True)),
                     **dict.fromkeys(("A1", "B1", "C1", "D1"), "0"),
                     CIN=100 + n if n else "0", COUT=101 + n)  # fmt: skip
        made = cell("LUT4", {"INIT": f"{MASKS:016b}"}, A=Q, B=R, C="0", D="0", Z=MADE + n)
        module["cells"] |= {f"sum {n}": adder, f"lut {n}": made}
    assert absorb_logic(module) == 3
    assert {name for name in module["cells"] if name.startswith("lut")} == {"lut 3", "lut 4"}
