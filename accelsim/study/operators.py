"""The study of the field: every operator of the papers in one network, on one design."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

from accelsim.checks import check, one_of
from accelsim.errors import AccelsimWarning, NetworkError, ShapeError, UnsupportedError
from accelsim.find import find_network
from accelsim.hardware import Hardware
from accelsim.ir import BaseNetwork, Layer
from accelsim.networks.variants import BASELINE, parse, with_form
from accelsim.ops import papers
from accelsim.ops.papers.base import FORMS, INFERENCE, Reported
from accelsim.request import Request
from accelsim.result import Result
from accelsim.reuse import alias_of
from accelsim.simulation import answer


@dataclass(frozen=True)
class OperatorCost:
    """A network with one operator, as a variant, beside the network without it.

    cost_class : foldable, static irregular or input-dependent; None of the baseline.
    replaced : layers of the baseline in whose place the operator stands.
    cycles : of all layers that an engine runs; None where the variant does not apply.
    beside_cycles : of these, those of layers that the operator adds and that make a single pixel,
        or lead to a kernel: gates, and what is multiplied with, of every image.
    memory_cycles : clocks of the network with the memory of the design; None where it has none.
    macs, params : of all layers.
    weight_bytes : of all kernels, a byte a value; biases and scales left out.
    map_bytes : of all maps that layers make, a byte a value; what only addresses others left out.
    utilization : products with values of the map as a share of the multiplier clocks.
    reported : the accuracy that authors report of this variant of this network; None of none.
    why_not : why the variant does not apply, in a sentence; None where it does.
    """

    network: str
    variant: str
    operator: str | None
    cost_class: str | None
    replaced: int = 0
    cycles: int | None = None
    beside_cycles: int | None = None
    memory_cycles: int | None = None
    macs: int | None = None
    params: int | None = None
    weight_bytes: int | None = None
    map_bytes: int | None = None
    utilization: float | None = None
    reported: Reported | None = None
    why_not: str | None = None


Progress = Callable[[str, float], None]


def operators_study(
    make: Callable[[str], BaseNetwork] | str | Path,
    design: Hardware,
    form: str = INFERENCE,
    batch: int | None = None,
    progress: Progress | None = None,
) -> tuple[OperatorCost, ...]:
    """The baseline, then every operator in the settings that are studied.

    Parameters
    ----------
    make : the network of a variant; also the name of a network, or its file.
    form : inference, or train: what the operators cost before they are folded.
    batch : images that every layer takes at once; None for the network's.
    progress : called before each variant with what is done, and the share that is done by then.
    """
    check("form", form, one_of(FORMS), UnsupportedError)
    if isinstance(make, str | Path):
        make = partial(find_network, make)
    plain = make(BASELINE)
    result = answer(Request(plain, design, batch=batch))
    entries = [_entry(plain, plain, BASELINE, result)]
    variants = tuple(studied(plain.name))
    for place, variant in enumerate(variants):
        if progress:
            progress(f"studying {variant}", place / len(variants))
        try:
            with warnings.catch_warnings():
                # Of layers that an operator does not fit, those that it does are counted.
                warnings.simplefilter("ignore", AccelsimWarning)
                network = make(with_form(variant, form))
            result = answer(Request(network, design, batch=batch))
        except (NetworkError, ShapeError, UnsupportedError) as error:
            entries.append(_about(plain, variant, why_not=str(error)))
        else:
            entries.append(_entry(plain, network, variant, result))
    return tuple(entries)


def studied(network: str) -> tuple[str, ...]:
    """The variants: every operator as its paper has it, and in settings with a known accuracy."""
    variants = []
    for name in papers.VARIANTS:
        reported = (each for each in papers.find(name).reported if each.network == network)
        variants += [name, *(each.variant for each in reported)]
    return tuple(dict.fromkeys(variants))


def _about(plain: BaseNetwork, variant: str, **figures: Any) -> OperatorCost:
    operator = parse(variant).operator
    if operator is None:
        return OperatorCost(plain.name, variant, None, None, **figures)
    found = (each for each in operator.reported if each.network == plain.name)
    reported = next((each for each in found if each.variant == variant), None)
    about = plain.name, variant, operator.name, operator.cost_class
    return OperatorCost(*about, reported=reported, **figures)


def _entry(plain: BaseNetwork, network: BaseNetwork, variant: str, result: Result) -> OperatorCost:
    kept = {*plain.layers} & {*network.layers}
    names = {layer.name for layer in plain.layers}
    beside = _beside(network, names)
    return _about(
        plain,
        variant,
        replaced=len(plain.layers) - len(kept),
        cycles=result.total_cycles,
        beside_cycles=sum(layer.cycles for layer in result.layers if layer.name in beside),
        memory_cycles=result.total_memory_cycles,
        macs=result.total_macs,
        params=result.total_params,
        weight_bytes=sum(_weights(network, layer) for layer in network.layers),
        map_bytes=sum(_values(network, layer) for layer in network.layers),
        utilization=result.utilization,
    )


def _beside(network: BaseNetwork, plain: set[str]) -> set[str]:
    """Added layers that make a single pixel, or that are read as a kernel or to make one alone."""
    beside: set[str] = set()
    maps = {network.layers[-1].name}  # what other layers read
    for layer in reversed(network.layers):
        pixel = network.shape(layer.name)[1:] == (1, 1)
        if layer.name not in plain and (pixel or layer.name not in maps):
            beside.add(layer.name)
        elif layer.op.lower(*network.in_shapes(layer)):
            maps |= {*layer.inputs[:1]}
        else:
            maps |= {*layer.inputs}
    return beside


def _weights(network: BaseNetwork, layer: Layer) -> int:
    shape = layer.op.weight_shape(*network.in_shapes(layer))
    return prod(shape) if shape else 0


def _values(network: BaseNetwork, layer: Layer) -> int:
    """Of the map that a layer makes; none where it only says where others lie."""
    return prod(network.shape(layer.name)) if alias_of(network, layer) is None else 0
