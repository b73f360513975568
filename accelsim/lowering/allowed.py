"""What users allow: dataflows, and the engines of depthwise layers."""

from typing import NamedTuple

from accelsim import dataflows, engines
from accelsim.checks import suggestion
from accelsim.dataflows import Dataflow
from accelsim.errors import UnsupportedError
from accelsim.hardware import Hardware, Sizes

AUTO = "auto"
DEPTHWISE_ON = (AUTO, "array", "engine")

# What an engine with several dataflows may use: auto, names with commas, or dataflows themselves,
# of the user's own too.
Choice = str | tuple[Dataflow, ...]


class Allowed(NamedTuple):
    """The dataflows that layers may take; each is tied to its engine.

    depthwise : those of depthwise layers.  others : those of all other layers.
    """

    depthwise: tuple[Dataflow, ...]
    others: tuple[Dataflow, ...]


def public_name(dataflow: Dataflow) -> str | None:
    """How users call a dataflow; None where it is the only one of its engine, which says it all."""
    others = (
        each.engine == dataflow.engine and each is not dataflow for each in dataflows.DATAFLOWS
    )
    return dataflow.name if any(others) else None


def parse_dataflows(choice: Choice, depthwise_on: str = AUTO) -> Allowed:
    """The dataflows of auto, of a list such as os,ws, or of a tuple of dataflows.

    depthwise_on : of DEPTHWISE_ON, the engines of depthwise layers: array, which runs all layers;
        engine, which is made for some; or auto, the faster.
    """
    if depthwise_on not in DEPTHWISE_ON:
        raise UnsupportedError(
            f"depthwise-on must be one of {', '.join(DEPTHWISE_ON)}, not {depthwise_on!r}"
            f"{suggestion(DEPTHWISE_ON, depthwise_on)}"
        )
    named = tuple(each for each in dataflows.DATAFLOWS if public_name(each) is not None)
    special = tuple(each for each in dataflows.DATAFLOWS if public_name(each) is None)
    chosen = _named(choice, named) if isinstance(choice, str) else _checked(choice)
    by_place = {AUTO: (*chosen, *special), "array": chosen, "engine": special}
    return Allowed(by_place[depthwise_on], (*chosen, *special))


def _checked(choice: tuple[Dataflow, ...]) -> tuple[Dataflow, ...]:
    """The dataflows of a user, which have all that a dataflow has."""
    if not isinstance(choice, tuple | list):
        raise UnsupportedError(
            f"dataflow must be a text such as os,ws or a tuple of dataflows, not {choice!r}"
        )
    wanted = [name for name in vars(Dataflow) if not name.startswith("_")]
    for dataflow in choice:
        if missing := [name for name in wanted if not hasattr(dataflow, name)]:
            shown = getattr(dataflow, "name", dataflow)
            raise UnsupportedError(
                f"a dataflow has a name, an engine, eager, tilings, body and program; {shown!r} "
                f"has no {missing[0]}"
            )
    return tuple(choice)


def _named(choice: str, named: tuple[Dataflow, ...]) -> tuple[Dataflow, ...]:
    if choice.strip() == AUTO:
        return named
    names = [name.strip() for name in choice.split(",")]
    known = [dataflow.name for dataflow in named]
    for name in names:
        if name not in known:
            close = suggestion((AUTO, *known) if name == choice else known, name)
            raise UnsupportedError(
                f"dataflow must be {AUTO} or some of {', '.join(known)} with commas, not {choice!r}"
                f"{close}"
            )
    return tuple(dataflow for dataflow in named if dataflow.name in names)


def check_place(hardware: Hardware, depthwise_on: str) -> None:
    """Raise UnsupportedError where the hardware cannot send depthwise layers there."""
    if (model := hardware.third_party) is not None:
        if depthwise_on != AUTO:
            raise UnsupportedError(
                f"depthwise-on must be {AUTO} where {model.name} runs the depthwise layers, not "
                f"{depthwise_on!r}"
            )
    elif depthwise_on == "engine" and not any(map(_made_for_depthwise, hardware.engines)):
        raise UnsupportedError(
            "depthwise-on engine needs a depthwise engine, for instance --depthwise 8x64"
        )


def _made_for_depthwise(sizes: Sizes) -> bool:
    """Whether an engine runs depthwise layers and not all others."""
    return not sizes.runs_all and engines.engine_of(sizes).takes((), True)
