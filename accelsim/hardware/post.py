"""Sizes of the post-processing unit."""

from dataclasses import dataclass
from typing import Any, ClassVar

from accelsim.checks import Requirement, check, is_tuple, one_of
from accelsim.errors import HardwareError
from accelsim.hardware.checks import check_whole

RULES = ("ort", "tfl_double", "tfl_single", "tfl_away")
MOST_TABLES = 8


@dataclass(frozen=True)
class PostProcessing:
    """A post-processing unit: what follows the sums of a layer, for many pixels of a channel.

    lanes : pixels of a channel that it takes in every clock.
    rules : of requantisation that it has: ort is onnxruntime's, in float32; the others are
        TFLite's, which round twice or once. What only others need is left out.
    tables : of 256 entries that it holds, up to 8; without any it has no memory for them.
    """

    name: ClassVar[str] = "post"
    lanes: int
    rules: tuple[str, ...] = ("ort",)
    tables: int = MOST_TABLES

    def __post_init__(self) -> None:
        check_whole("post.lanes", self.lanes, 1, 256)
        check("post.rules", self.rules, _some_of(RULES), HardwareError)
        check_whole("post.tables", self.tables, 0, MOST_TABLES)

    @property
    def label(self) -> str:
        """The unit in words."""
        return f"{self.name} {self.lanes} ({', '.join(self.rules)})"


def _some_of(words: tuple[str, ...]) -> Requirement:
    """One or more of some words, none of them twice."""

    def allows(value: Any) -> bool:
        some = is_tuple(value, one_of(words)) and len(value) > 0
        return some and len(set(value)) == len(value)

    return Requirement(f"some of {', '.join(words)}, each once", allows, words)
