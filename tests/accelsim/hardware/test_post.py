"""Sizes of a post-processing unit, and how they are written."""

import pytest

from accelsim.errors import HardwareError
from accelsim.hardware import PostProcessing, parse_post


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("8", PostProcessing(8)),
        ("1:tfl_double", PostProcessing(1, ("tfl_double",))),
        ("4: ort, tfl_single : add", PostProcessing(4, ("ort", "tfl_single"), ("add",))),
    ],
)
def test_sizes_are_read(text, sizes):
    assert parse_post(text) == sizes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x", "post must be LANES:RULES:OPERATIONS, .* not 'x'"),
        ("8:ort:add:1", "post must be LANES:RULES:OPERATIONS"),
        ("0", "post.lanes must be a whole number from 1 to 256, not 0"),
        ("8:", "post.rules must be some of ort, .*, each once, not \\[''\\]"),
        ("8:ort,ort", "post.rules must be some of ort, .*, each once"),
        ("8:ort:sub", "post.operations must be some of add, aligned_add, multiply, each once"),
        ("8:ort:aligned_add", "post.rules must have one of TFLite's for aligned_add"),
    ],
)
def test_others_are_refused(text, message):
    with pytest.raises(HardwareError, match=message):
        parse_post(text)
