"""The FuSeConv paper's figure: speed-ups of its variants over array size, published and ours."""

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

from accelsim import networks
from accelsim.hardware import Hardware, SystolicArray
from accelsim.simulation import simulate


class Comparison(NamedTuple):
    """A variant against a baseline under one timing model; the baseline may be kept to `os`."""

    label: str
    timing: str
    baseline_dataflow: str = "auto"


COMPARISONS = (
    Comparison("as published: timing fuseconv-2020", "fuseconv-2020"),
    Comparison("our hardware, baseline by im2col (os)", "rtl", "os"),
    Comparison("our hardware, every layer in its fastest mode", "rtl"),
)
# The networks of the paper's figure, as its authors defined them.
FUSECONV_NETWORKS = ("mobilenet_v1", "mobilenet_v2", "mobilenet_v3_large_fuseconv")


class Speedup(NamedTuple):
    """Cycles of a variant and of its baseline on one array, under one comparison."""

    comparison: str
    timing: str
    baseline_dataflow: str
    network: str
    variant: str
    side: int
    baseline_cycles: int
    cycles: int

    @property
    def ratio(self) -> float:
        """How much faster the variant is."""
        return self.baseline_cycles / self.cycles


def speedups(
    names: Sequence[str] = FUSECONV_NETWORKS,
    variants: Sequence[str] = ("fuse_full", "fuse_half"),
    sides: Sequence[int] = (8, 16, 32, 64, 128),
    comparisons: Sequence[Comparison] = COMPARISONS,
) -> list[Speedup]:
    """Speed-ups of variants over their baseline on side x side arrays."""
    points = []
    for label, timing, dataflow in comparisons:
        for name, side in product(names, sides):
            baseline = _cycles(name, "baseline", side, timing, dataflow)
            for variant in variants:
                cycles = _cycles(name, variant, side, timing, "auto")
                about = (label, timing, dataflow, name, variant, side)
                points.append(Speedup(*about, baseline, cycles))
    return points


def _cycles(name: str, variant: str, side: int, timing: str, dataflow: str) -> int:
    hardware = Hardware(SystolicArray(side, side))
    return simulate(networks.get(name, variant), hardware, dataflow, timing=timing).total_cycles
