"""Timing models that others published, kept apart from our hardware's."""

from typing import ClassVar, Protocol

from accelsim.errors import UnsupportedError
from accelsim.ir import Layer, Shape
from accelsim.published.convolutions import NOT_MODELLED, Cost
from accelsim.published.fuseconv import Fuseconv2020, Fuseconv2021
from accelsim.published.scalesim import DEPTHWISE, ScaleSim

__all__ = [
    "DEPTHWISE",
    "MODELS",
    "NOT_MODELLED",
    "TIMINGS",
    "Cost",
    "Fuseconv2020",
    "Fuseconv2021",
    "ScaleSim",
    "Timing",
    "get",
]


class Timing(Protocol):
    """A published model for an array of one size.

    name : as the user writes it.
    dataflows : those that it can be told to use; auto alone where it chooses itself.
    """

    name: ClassVar[str]
    dataflows: ClassVar[tuple[str, ...]]

    def cost(self, layer: Layer, in_shapes: tuple[Shape, ...]) -> Cost:
        """Cycles of a layer; UnsupportedError names what the publication does not cover."""


_OF_SIZES = (Fuseconv2020, Fuseconv2021)  # those that know nothing but rows and columns
MODELS: tuple[type[Timing], ...] = (*_OF_SIZES, ScaleSim)
TIMINGS = tuple(model.name for model in MODELS)


def get(
    name: str,
    rows: int,
    columns: int,
    dataflow: str = "auto",
    scalesim_depthwise: str = "one-filter",
) -> Timing:
    """The published model of that name; what it cannot take is refused."""
    if name == ScaleSim.name:
        return ScaleSim(rows, columns, dataflow, scalesim_depthwise)
    for model in _OF_SIZES:
        if name == model.name:
            if dataflow != "auto":
                raise UnsupportedError(
                    f"timing {name} has its own dataflow; --dataflow must be auto, not {dataflow!r}"
                )
            return model(rows, columns)
    raise UnsupportedError(f"there is no published timing {name!r}; there are {', '.join(TIMINGS)}")
