"""Networks from TFLite files, with the values of TFLite's reference kernels."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from accelsim.errors import NetworkError, ShapeError, UnsupportedError
from accelsim.graph.network import CHANNELS_LAST, GraphNetwork, as_network
from accelsim.graph.types import Graph
from accelsim.importers.tflite import dilated
from accelsim.importers.tflite.build import build
from accelsim.importers.tflite.operators import INPUTS, RULES
from accelsim.importers.tflite.read import read


def load(
    path: Path, sizes: tuple[int, int] | Mapping[str, tuple[int, ...]] | None = None
) -> GraphNetwork:
    """The network of a file.

    sizes : height and width of the image, or shapes of inputs by their names, where they are to be
        others than in the file.

    FileError where it is no TFLite file or is damaged, UnsupportedError with all operators that
    are not supported.
    """
    graph = build(dilated.joined(read(path)), RULES, INPUTS, sizes)
    try:
        return replace(as_network(graph, CHANNELS_LAST), caveats=tuple(_caveats(graph)))
    except (NetworkError, ShapeError, UnsupportedError) as error:
        raise type(error)(f"{path}: {error}") from None


# Operators on integers that XNNPACK of ai-edge-litert 2.3.0 was seen to round in another way, on
# random maps of random scales.
ROUNDED_OTHERWISE = (
    "BATCH_MATMUL",
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "FULLY_CONNECTED",
    "LEAKY_RELU",
    "MEAN",
    "MUL",
    "QUANTIZE",
    "RESIZE_BILINEAR",
    "TRANSPOSE_CONV",
)


def _caveats(graph: Graph) -> Iterator[str]:
    """That TFLite itself does not always compute these integers."""
    kinds = {
        node.kind for node in graph.nodes if graph.type(node.outputs[0]).dtype in ("int8", "uint8")
    }
    if found := sorted(kinds.intersection(ROUNDED_OTHERWISE)):
        yield (
            "Integers are those of TFLite's reference kernels. The kernels that it takes by "
            f"default, of XNNPACK, round {', '.join(found)} in another way: single values differ, "
            "mostly by one."
        )
