"""The systolic array: limits, schedule, golden model, registers, activity."""

from accelsim.engines.systolic_array.golden import golden
from accelsim.engines.systolic_array.schedule import (
    FLAG_BITS,
    MODES,
    REMEMBERED,
    STATIONARY,
    Body,
    check,
    cycles,
    flatten,
    limits,
    nest,
    resources,
    result_depth,
    task,
    words,
)

__all__ = [
    "FLAG_BITS",
    "MODES",
    "REMEMBERED",
    "STATIONARY",
    "Body",
    "check",
    "cycles",
    "flatten",
    "golden",
    "limits",
    "nest",
    "resources",
    "result_depth",
    "task",
    "words",
]
