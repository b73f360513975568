"""Sizes of the post-processing unit."""

import re
from dataclasses import dataclass
from typing import Any, ClassVar

from accelsim.checks import Requirement, check, is_tuple, one_of
from accelsim.errors import HardwareError
from accelsim.hardware.checks import check_whole

RULES = ("ort", "tfl_double", "tfl_single", "tfl_away")
OPERATIONS = ("add", "aligned_add", "multiply")
MOST_TABLES = 8


@dataclass(frozen=True)
class PostProcessing:
    """A post-processing unit: what follows the sums of a layer, for many pixels of a channel.

    lanes : pixels of a channel that it takes in every clock.
    rules : of requantisation that it has: ort is onnxruntime's, in float32; the others are
        TFLite's, which round twice or once. What only others need is left out.
    operations : on two maps: add is onnxruntime's, aligned_add TFLite's, multiply both's.
    tables : of 256 entries that it holds, up to 8; without any it has no memory for them.
    """

    name: ClassVar[str] = "post"
    lanes: int
    rules: tuple[str, ...] = ("ort",)
    operations: tuple[str, ...] = ()
    tables: int = MOST_TABLES

    def __post_init__(self) -> None:
        check_whole("post.lanes", self.lanes, 1, 256)
        check("post.rules", self.rules, _some_of(RULES, 1), HardwareError)
        check("post.operations", self.operations, _some_of(OPERATIONS, 0), HardwareError)
        if "aligned_add" in self.operations and self.rules == ("ort",):
            raise HardwareError("post.rules must have one of TFLite's for aligned_add")
        check_whole("post.tables", self.tables, 0, MOST_TABLES)

    @property
    def label(self) -> str:
        """The unit in words."""
        return f"{self.name} {self.lanes} ({', '.join(self.rules)})"


def parse_post(text: str) -> PostProcessing:
    """A unit such as 8, 8:ort,tfl_double or 8:ort:add,multiply: lanes, rules, operations."""
    lanes, *lists = (part.strip() for part in text.split(":"))
    if not re.fullmatch("-?[0-9]{1,9}", lanes) or len(lists) > 2:
        raise HardwareError(
            "post must be LANES:RULES:OPERATIONS, for instance 8 or 8:ort:add,multiply, not "
            f"{text!r}"
        )
    words = [tuple(word.strip() for word in each.split(",")) for each in lists]
    rules = words[0] if words else PostProcessing.rules
    operations = words[1] if len(words) > 1 else PostProcessing.operations
    return PostProcessing(int(lanes), rules, operations)


def _some_of(words: tuple[str, ...], least: int) -> Requirement:
    """So many of some words or more, none of them twice."""

    def allows(value: Any) -> bool:
        some = is_tuple(value, one_of(words)) and len(value) >= least
        return some and len(set(value)) == len(value)

    return Requirement(f"some of {', '.join(words)}, each once", allows, words)
