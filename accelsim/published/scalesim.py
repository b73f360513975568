"""SCALE-Sim v3: the compute cycles that it reports (Raj et al., ISPASS 2025).

It is the "Total Cycles" of its COMPUTE_REPORT.csv, in version 3.0.0 with estimated bandwidth
(InterfaceBandwidth CALC), where nothing stalls. With im2col, M output pixels, N filters and K
window values (fh fw c), on R rows and C columns:

    os  ceil(M/R) ceil(N/C) folds of K + R + C - 2
    ws  ceil(K/R) ceil(N/C) folds of M + 2 R + C - 2
    is  ceil(K/R) ceil(M/C) folds of N + 2 R + C - 2

which are the lines of its demand matrices (scalesim/compute/systolic_compute_{os,ws,is}.py). The
total is one short, the number of the last cycle counted from 0; so are these.

Sizes of maps are rounded up, ceil((h - f + s) / s), where the stride leaves a rest
(topologies.topo_calc_hyperparams of scalesim/topology_utils.py): its M counts pixels that the layer
does not have. A topology has no padding; an axis that is padded is written as long as its outputs
need, (o - 1) s + f, so that o is the layer's own. A topology file has one stride for both axes;
two are counted as its Python interface does (topologies.load_layer_params_from_list).

Depthwise layers: "one-filter", as its topologies are shipped, takes one filter over all channels,
which has the right MACs but not the right result; "per-channel" runs every channel as a layer of
its own, each one short. That is what it always does, and we do, with layers that have DP in their
name; they may have several filters for each channel. Fully connected layers count (M = 1). One
product on one multiplier in os is 0 cycles, by which SCALE-Sim divides and stops; it is refused
here.

Not modelled: drain in os, overlap of folds, and pooling, adding, scaling and activation.
"""

from dataclasses import dataclass
from typing import ClassVar

from accelsim.errors import UnsupportedError
from accelsim.importers.scalesim import PER_CHANNEL
from accelsim.ir import Layer, Shape
from accelsim.published.convolutions import NOT_MODELLED, Cost, PaddedConv, padded_conv

DEPTHWISE = ("one-filter", "per-channel")


@dataclass(frozen=True)
class ScaleSim:
    """One dataflow for all layers, and a convention for depthwise layers."""

    rows: int
    columns: int
    dataflow: str
    depthwise: str = "one-filter"
    name: ClassVar[str] = "scalesim"
    dataflows: ClassVar[tuple[str, ...]] = ("os", "ws", "is")

    def __post_init__(self) -> None:
        if self.dataflow not in self.dataflows:
            raise UnsupportedError(
                f"timing {self.name} needs one dataflow of {', '.join(self.dataflows)}, "
                f"not {self.dataflow!r}"
            )
        if self.depthwise not in DEPTHWISE:
            raise UnsupportedError(
                f"depthwise layers of timing {self.name} are {' or '.join(DEPTHWISE)}, "
                f"not {self.depthwise!r}"
            )

    def cost(self, layer: Layer, in_shapes: tuple[Shape, ...]) -> Cost:
        """Cycles of a layer."""
        one_by_one = self.depthwise == "per-channel" or PER_CHANNEL in layer.name
        item = padded_conv(layer, in_shapes, self.name, multiplier=one_by_one)
        if item is None:
            return NOT_MODELLED
        conv = item.conv
        pixels, window = _pixels(item), conv.fh * conv.fw
        if not item.depthwise:
            cycles = self._reported(pixels, conv.k, window * conv.c)
        elif one_by_one:
            cycles = conv.c * self._reported(pixels, conv.k // conv.c, window)
        else:
            cycles = self._reported(pixels, 1, window * conv.c)
        if cycles == 0:
            raise UnsupportedError(
                f"timing {self.name} has no figure for one product on one multiplier, "
                f"array {self.rows}x{self.columns}: it counts 0 cycles (layer {layer.name})"
            )
        return Cost(cycles, self.dataflow)

    def _reported(self, m: int, n: int, k: int) -> int:
        """Cycles of an (m x k)(k x n) product, less one."""
        down, across, streamed = {"os": (m, n, k), "ws": (k, n, m), "is": (k, m, n)}[self.dataflow]
        folds = -(-down // self.rows) * -(-across // self.columns)
        load = 0 if self.dataflow == "os" else self.rows
        return folds * (streamed + load + self.rows + self.columns - 2) - 1


def _pixels(item: PaddedConv) -> int:
    """Output pixels as a topology gives them: unpadded axes are rounded up."""
    conv = item.conv
    rows = conv.oh if item.padded_h > conv.h else -(-(conv.h - conv.fh + conv.sh) // conv.sh)
    columns = conv.ow if item.padded_w > conv.w else -(-(conv.w - conv.fw + conv.sw) // conv.sw)
    return rows * columns
