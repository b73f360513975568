"""Variants: transforms that replace layers of a network."""

import re
from collections.abc import Mapping
from dataclasses import replace
from itertools import chain
from typing import Any, NamedTuple

from accelsim.checks import check, one_of, show, suggestion
from accelsim.errors import NetworkError, ShapeError, warn
from accelsim.graph.host import HostNode
from accelsim.graph.network import GraphNetwork
from accelsim.ir import INPUT, BaseNetwork, Layer, Network
from accelsim.networks import fuse
from accelsim.networks.fuse import NO_RULES, Rules
from accelsim.ops import papers
from accelsim.ops.papers.base import FORMS, INFERENCE, Key, PaperOperator

BASELINE = "baseline"
# ddc is of networks with context modules, whose definitions make it.
VARIANTS = (BASELINE, *papers.VARIANTS, "ddc")

__all__ = [
    "BASELINE",
    "FORMS",
    "INFERENCE",
    "VARIANTS",
    "Rules",
    "Variant",
    "apply",
    "parse",
    "replace_layers",
    "variant_keys",
    "with_form",
]


class Variant(NamedTuple):
    """A variant as the user writes it, NAME[:key=value,...], in parts."""

    name: str
    keys: tuple[tuple[str, Any], ...]

    @property
    def operator(self) -> type[PaperOperator] | None:
        """What it puts in the place of layers; None where it is no operator of a paper."""
        return papers.find(self.name) if self.name in papers.VARIANTS else None


def parse(text: str) -> Variant:
    """The parts of NAME[:key=value,...]; NetworkError where it does not exist."""
    if not isinstance(text, str):
        raise NetworkError(f"variant must be one of {', '.join(VARIANTS)}, not {text!r}")
    name, colon, rest = text.partition(":")
    if name not in VARIANTS:
        raise NetworkError(
            f"there is no variant {name!r}; there are {', '.join(VARIANTS)}"
            f"{suggestion(VARIANTS, name)}"
        )
    operator = Variant(name, ()).operator
    allowed = operator.all_keys() if operator else {}
    keys: dict[str, Any] = {}
    for item in rest.split(",") if colon else []:
        key, equals, value = item.partition("=")
        if not (key and equals and value):
            raise NetworkError(f"variant {text!r} must read NAME[:key=value,...]")
        if key not in allowed:
            takes = f"only the keys {', '.join(allowed)}" if allowed else "no keys"
            raise NetworkError(f"variant {name} takes {takes}, not {key!r}")
        if key in keys:
            raise NetworkError(f"variant {text!r} gives {key} twice")
        keys[key] = _read(f"key {key} of variant {name}", allowed[key], value)
    return Variant(name, tuple(keys.items()))


def _read(what: str, key: Key, text: str) -> Any:
    """The value of a key."""
    try:
        value = key.read(text)
    except ValueError:
        value = None
    if value is None or not key.requirement.allows(value):
        raise NetworkError(f"{what} must be {key.requirement.phrase}, not {text}")
    return value


def with_form(variant: str, form: str) -> str:
    """The variant in that form, if it is not the one for inference, in which it is without.

    Operators that are the same in both forms stay as they are. NetworkError where the variant is of
    no operator.
    """
    check("form", form, one_of(FORMS), NetworkError)
    if form == INFERENCE:
        return variant
    name, keys = parse(variant)
    operator = Variant(name, keys).operator
    if operator is None:
        raise NetworkError(
            f"form {form} is of variants that are operators, and {name} is none; such are "
            f"{', '.join(papers.VARIANTS)}"
        )
    if "form" not in operator.all_keys() or ("form", form) in keys:
        return variant
    return f"{variant}{',' if keys else ':'}form={form}"


def variant_keys(variant: str) -> dict[str, str]:
    """What JSON says of a network's variant: its name with keys, and the form of its operators."""
    forms = [item.removeprefix("form=") for item in re.split("[:,]", variant) if "form=" in item]
    return {"variant": variant, "form": forms[0] if forms else INFERENCE}


def apply(network: BaseNetwork, variant: str, rules: Rules = NO_RULES) -> Network:
    """The network with its layers replaced as the variant says."""
    name, keys = parsed = parse(variant)
    if not isinstance(network, Network):
        raise NetworkError(
            f"variant {name} replaces layers of a graph, and {network.name} is a list of "
            "independent layers"
        )
    if name == BASELINE:
        return network
    if isinstance(network, GraphNetwork):
        network = network.without_values()
    if name in fuse.VARIANTS:
        return fuse.fuse(network, name, rules)
    if parsed.operator is None:
        raise NetworkError(f"variant ddc replaces context modules, and {network.name} has none")
    return replace_layers(network, variant, parsed.operator, dict(keys))


def replace_layers(
    network: Network, variant: str, operator: type[PaperOperator], keys: Mapping[str, Any]
) -> Network:
    """The network with an operator in the place of all layers that it replaces.

    AccelsimWarning for each of them that stays, as the operator does not fit, with the reason;
    NetworkError where all stay.
    """
    placed: dict[str, tuple[Layer, ...]] = {}
    reasons: list[str] = []
    shared = {layer.tied for layer in network.layers}
    for layer in network.layers:
        if operator.replaces(network, layer, **keys):
            try:
                if layer.tied or layer.name in shared:
                    raise ShapeError("its kernel is that of another layer too")
                op = operator.of(network, layer, **keys)
                beside = _beside(_with(network, placed), layer, op) if op.reads else ()
                placed |= _replacement(network, layer, op, beside)
            except ShapeError as error:
                reasons.append(f"{error} (layer {layer.name})")
    if not placed:
        why = "; ".join(reasons) or f"{network.name} has none"
        raise NetworkError(f"variant {variant} replaces {operator.target}: {why}")
    for reason in reasons:
        warn(f"variant {variant} leaves a layer of {network.name} as it is: {reason}")
    return replace(_with(network, placed), variant=variant)


def _with(network: Network, placed: Mapping[str, tuple[Layer, ...]]) -> Network:
    """The network with others in the place of some layers, by their names."""
    layers = (placed.get(layer.name, (layer,)) for layer in network.layers)
    return replace(network, layers=tuple(chain.from_iterable(layers)))


def _beside(network: Network, layer: Layer, op: PaperOperator) -> tuple[Layer, ...]:
    """What stands for the layers that an operator reads beside its input.

    ShapeError where one of them is not in front of the layer whose place it takes.
    """
    before = {each.name for each in network.layers[: network.layers.index(layer)]}
    if missing := [name for name in op.reads if name not in before]:
        raise ShapeError(f"it reads {missing[0]}, and no layer before it makes that map")
    return tuple(Layer(name, HostNode("map", network.shape(name)), (INPUT,)) for name in op.reads)


def _replacement(
    network: Network, layer: Layer, op: PaperOperator, beside: tuple[Layer, ...]
) -> dict[str, tuple[Layer, ...]]:
    """What is in the place of a layer, and of those that change with it, by name.

    beside : what stands for other layers that it reads.

    ShapeError where what follows would not fit any more.
    """
    (shape,) = network.in_shapes(layer)
    *first, last = op.expand(layer.name, (INPUT,), shape)
    if layer.prenorm and first:
        raise ShapeError("prenorm folds into one layer, and the operator has several")
    made = (*first, replace(last, layer_scale=layer.layer_scale, prenorm=layer.prenorm))
    others = {each.name for each in network.layers}
    for each in first:
        if each.name in others:
            raise ShapeError(f"{op.name} needs a layer {each.name}, and there is one already")
    alone = Network(op.name, shape, (*beside, *made))
    before, after = network.shape(layer.name), alone.shape(layer.name)
    (source,) = layer.inputs
    placed = {
        layer.name: tuple(
            replace(
                each,
                inputs=tuple(source if name == INPUT else name for name in each.inputs),
                dtype=layer.dtype,
            )
            for each in made
        )
    }
    if changes := op.changes(network, layer):
        placed |= {name: (each,) for name, each in changes.items()}
        _check_outputs(network, placed)
    elif after != before:
        raise ShapeError(f"its map {show(before)} would become {show(after)}")
    return placed


def _check_outputs(network: Network, placed: Mapping[str, tuple[Layer, ...]]) -> None:
    """ShapeError where a network cannot be without its layers, or makes something else."""
    other = _with(network, placed)
    read = {source for layer in network.layers for source in layer.inputs}
    for name in (layer.name for layer in network.layers if layer.name not in read):
        if other.shape(name) != network.shape(name):
            raise ShapeError(
                f"what {name} makes, {show(network.shape(name))}, would become "
                f"{show(other.shape(name))}"
            )
