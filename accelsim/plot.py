"""Plots as users of the library call them: what is left out of a call is computed here."""

from collections.abc import Callable, Sequence

from matplotlib.figure import Figure

from accelsim.report import plot
from accelsim.report.plot import layers, layers_figure, layers_size, write_speedups
from accelsim.report.plot_designs import operators_study as operators
from accelsim.report.plot_energy import energy
from accelsim.report.plot_results import roofline, stack, timeline
from accelsim.result import Result
from accelsim.study.fuseconv import COMPARISONS, FUSECONV_NETWORKS, Comparison, Speedup, speedups

__all__ = [
    "COMPARISONS",
    "FUSECONV_NETWORKS",
    "Comparison",
    "Speedup",
    "energy",
    "layers",
    "layers_figure",
    "layers_size",
    "of_result",
    "operators",
    "roofline",
    "speedup",
    "speedups",
    "stack",
    "timeline",
    "write_speedups",
]


_OF_RESULT: dict[str, Callable[[Result], Figure]] = {
    "layers": layers_figure,
    "stack": lambda result: stack([result]),
    "energy": lambda result: energy([result]),
    "roofline": roofline,
    "timeline": timeline,
}


def of_result(result: Result, kind: str) -> Figure:
    """The figure of a result, of a kind of accelsim.result.PLOTS."""
    return _OF_RESULT[kind](result)


def speedup(points: Sequence[Speedup] | None = None) -> Figure:
    """The FuSeConv paper's figure of speed-ups over array size, and the same on our hardware.

    Parameters
    ----------
    points : None for those of the paper's networks.
    """
    return plot.speedup(speedups() if points is None else points)
