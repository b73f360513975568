"""Registers behind block RAMs and multipliers: which the block takes in, and which stay."""

import copy

import pytest

from rtl.flow.netlist import absorb_registers

INPUTS = {"CLKA", "CLKB", "OCEA", "OCEB", "ADB4", "DI", "CLK", "CE", "LSR", "A"}
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
