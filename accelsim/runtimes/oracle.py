"""What a runtime made of a file."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy.typing as npt

LONGEST = 300  # characters of what a runtime says of an error


class Oracle(NamedTuple):
    """Tensors by name, and how the runtime was made to compute them.

    runtime : its name and version.
    options : those that were set, since integers are not exact without them.
    form : in one sentence, the form of the network that it computed.
    tensors : outputs of the file, and what is between its layers as far as the runtime has it.
    """

    runtime: str
    options: Mapping[str, str]
    form: str
    tensors: Mapping[str, npt.NDArray[Any]]


def as_sentence(error: Exception) -> str:
    """What a runtime says of an error, in one line of reasonable length."""
    said = " ".join(str(error).split()) or type(error).__name__
    return said if len(said) <= LONGEST else f"{said[:LONGEST]}..."
