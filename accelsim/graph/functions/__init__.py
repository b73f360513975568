"""Functions of tensors in NumPy, by name: what runs on the host between the layers of an engine.

Names, order of inputs and attributes are those of ONNX's newest operator set, where it has the
function; types among attributes have the names that NumPy gives them. An input that is left out
is None. Integers stay exact; reals keep their type. A function of several results returns a tuple,
of which a node may name the first few only.
"""

from collections.abc import Callable, Mapping
from typing import Any

from accelsim.graph.functions import (
    activations,
    elementwise,
    normalisation,
    pools,
    quantisation,
    reductions,
    resize,
    shapes,
    tflite,
)

FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    **activations.FUNCTIONS,
    **elementwise.FUNCTIONS,
    **normalisation.FUNCTIONS,
    **pools.FUNCTIONS,
    **quantisation.FUNCTIONS,
    **reductions.FUNCTIONS,
    **resize.FUNCTIONS,
    **shapes.FUNCTIONS,
    **tflite.FUNCTIONS,
}
