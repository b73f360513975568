"""What all operators of papers promise: formulas, what runs where, values at every level."""

import re
from dataclasses import fields

import pytest

import accelsim as ax
from accelsim.ir import INPUT
from accelsim.ops import papers
from accelsim.ops.papers.base import DYNAMIC, FOLDABLE, FORMS, INFERENCE, IRREGULAR
from accelsim.ops.papers.example import CHANNELS, SIDE, example, runs_on

OPERATORS = list(dict.fromkeys(map(papers.find, papers.VARIANTS)))
BOTH = [(op, form) for op in OPERATORS for form in op.forms]
NAMES = [f"{op.name}-{form}" for op, form in BOTH]


def value(formula, words):
    """A formula with numbers in place of words; a sum is over the groups of channels."""
    assert re.fullmatch(r"[\w\s()+*/^-]+", formula)
    while match := re.search(r"sum(\((?:[^()]|\([^()]*\))*\))", formula):
        each = [re.sub(r"\b(\w+)_i\b", rf"\1_{i}", match[1]) for i in range(words["kernels"])]
        formula = formula.replace(match[0], f"({'+'.join(each)})")
    return eval(formula.replace("^", "**"), {"__builtins__": {"int": int}}, words)


def numbers(operator):
    values = {each.name: getattr(operator, each.name) for each in fields(operator)}
    numbers = {name: x for name, x in values.items() if isinstance(x, int | float)}
    for i, kernel in enumerate(values.get("kernels", ())):
        rest = CHANNELS % len(values["kernels"]) if i == 0 else 0
        count = CHANNELS // len(values["kernels"]) + rest
        numbers |= {f"Ci_{i}": count, f"Co_{i}": count, f"k_{i}": kernel}
        numbers[f"g_{i}"] = count if values.get("out_channels", 1) is None else 1
    for key, each in operator.all_keys().items():
        if key not in values and operator.default(key).isdigit():
            numbers[key] = each.read(operator.default(key))
    return numbers | {name: len(x) for name, x in values.items() if isinstance(x, tuple)}


@pytest.mark.parametrize(("operator", "form"), BOTH, ids=NAMES)
def test_formulas_give_the_costs_of_the_layers(operator, form):
    made = example(operator, form)
    conv, pixels = made.replaced, SIDE * SIDE
    words = {"Ci": CHANNELS, "Co": conv.out_channels, "g": conv.groups, "k": conv.kernel[0]}
    words |= {"s": 1, "HW": pixels, "HWo": pixels} | numbers(made.operator)
    words |= made.operator.words((CHANNELS, SIDE, SIDE))
    found = made.network.total_params, made.network.total_macs
    assert [value(formula, words) for formula in operator.cost[form]] == [*found]


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda op: op.name)
def test_what_is_told_of_an_operator(operator):
    assert operator.cost_class in (FOLDABLE, IRREGULAR, DYNAMIC)
    assert operator.forms in (FORMS, (INFERENCE,))
    assert set(operator.cost) == set(operator.forms)
    assert re.fullmatch(r"(\d{4}\.\d{5})?", operator.paper.arxiv)
    for key in operator.all_keys():
        assert operator.default(key) not in ("", "None")


@pytest.mark.parametrize(("operator", "form"), BOTH, ids=NAMES)
def test_what_runs_where_is_what_a_simulation_says(operator, form):
    network = example(operator, form).network
    places = runs_on(network)
    beside = ax.Hardware(ax.SystolicArray(8, 8), depthwise=ax.DepthwiseEngine(4, 4))
    result = ax.simulate(network, beside, depthwise_on="engine")
    engines = {"array": "array", "depthwise engine or array": "depthwise"}
    counted = {name: sum(places.get(name, {}).values()) for name in engines}
    for name, engine in engines.items():
        assert counted[name] == sum(layer.engine == engine for layer in result.layers)
    assert sum(sum(each.values()) for each in places.values()) == len(network.layers)
    assert any(INPUT in layer.inputs for layer in network.layers)


@pytest.mark.parametrize("depthwise", [None, ax.DepthwiseEngine(2, 4)], ids=["array", "both"])
@pytest.mark.parametrize(("operator", "form"), BOTH, ids=NAMES)
def test_every_level(operator, form, depthwise):
    """Golden and registers agree in every value and clock, the schedule where no data decide."""
    network = example(operator, form, 16, 9).network
    design = ax.Hardware(ax.SystolicArray(8, 8), depthwise=depthwise)
    result = ax.simulate(network, design, fidelity="cycle")
    assert result.values_equal
    golden = ax.simulate(network, design, fidelity="golden")
    assert [x.cycles for x in result.layers] == [x.cycles for x in golden.layers]
    for before, after in zip(ax.simulate(network, design).layers, result.layers, strict=True):
        assert before.cycles == before.cycles_max == after.cycles_max
        assert before.cycles_min == after.cycles_min <= after.cycles <= after.cycles_max
