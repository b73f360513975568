"""Networks from TFLite files, with the values of TFLite's reference kernels."""

from collections.abc import Mapping
from pathlib import Path

from accelsim.errors import NetworkError, ShapeError, UnsupportedError
from accelsim.graph.network import CHANNELS_LAST, GraphNetwork, as_network
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
    graph = build(read(path), RULES, INPUTS, sizes)
    try:
        return as_network(graph, CHANNELS_LAST)
    except (NetworkError, ShapeError, UnsupportedError) as error:
        raise type(error)(f"{path}: {error}") from None
