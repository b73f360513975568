"""Named designs to start from, and sizes as users write them."""

import re
from dataclasses import replace
from typing import NamedTuple

from accelsim.checks import suggestion
from accelsim.errors import HardwareError
from accelsim.hardware.depthwise import DepthwiseEngine
from accelsim.hardware.design import Hardware, Sizes, dimensions, third_party_design
from accelsim.hardware.systolic_array import SystolicArray
from accelsim.hardware.third_party import ColumnArray, Gemmini, TapSerial, WindowEngine


class Preset(NamedTuple):
    """A named design to start from."""

    name: str
    about: str
    hardware: Hardware


PRESETS = (
    Preset("tiny", "fits a small FPGA", Hardware(SystolicArray(8, 8), 100.0)),
    Preset("edge", "a microcontroller's accelerator", Hardware(SystolicArray(16, 16), 250.0)),
    Preset("embedded", "a camera or a drone", Hardware(SystolicArray(32, 32), 500.0)),
    Preset("mobile", "a phone; the default", Hardware(SystolicArray(64, 64), 500.0)),
    Preset(
        "flexible",
        "a phone, with an engine for depthwise layers of any kernel",
        Hardware(SystolicArray(64, 64), 500.0, DepthwiseEngine(8, 64)),
    ),
    Preset("server", "an inference card", Hardware(SystolicArray(128, 128), 700.0)),
    Preset(
        "tap_serial",
        "512 multipliers after arXiv 2104.14125, split as we like; a model",
        third_party_design(TapSerial(8, 8, 8, 1, 8)),
    ),
    Preset(
        "window",
        "56 windows of 3x3 multipliers for depthwise layers beside the array; a model",
        third_party_design(WindowEngine(8, 7), SystolicArray(64, 64)),
    ),
    Preset(
        "column",
        "depthwise layers by im2col, a channel per column, beside the array; a model",
        third_party_design(ColumnArray(64, 8), SystolicArray(64, 64)),
    ),
    Preset(
        "gemmini", "Gemmini's mesh in its default size; a model", third_party_design(Gemmini(16))
    ),
)


def find_preset(name: str) -> Preset:
    """The preset of that name."""
    for preset in PRESETS:
        if preset.name == name:
            return preset
    names = [preset.name for preset in PRESETS]
    raise HardwareError(
        f"there is no preset {name!r}; there are {', '.join(names)}{suggestion(names, name)}"
    )


def parse_array(text: str) -> tuple[int, int]:
    """Rows and columns of an array size such as 64x64; HardwareError where none can have it."""
    rows, columns = _dimensions(text, SystolicArray(1, 1))
    return rows, columns


def parse_depthwise(text: str, design: Hardware) -> DepthwiseEngine | None:
    """The engine of a size such as 8x64 in that design, or None for `none`.

    A depthwise engine that the design has keeps its other parameters, but for the result port,
    which follows the pixels again.
    """
    size = parse_size(text, DepthwiseEngine(1, 1))
    if size is None:
        return None
    lanes, pixels = size
    if design.depthwise is not None:
        return replace(design.depthwise, lanes=lanes, pixels=pixels, results_per_clock=None)
    if design.array is None:
        return DepthwiseEngine(lanes, pixels)
    return DepthwiseEngine(lanes, pixels, operands=design.array.operands)


def parse_size(text: str, engine: Sizes) -> tuple[int, ...] | None:
    """The dimensions of a size such as 64x64; HardwareError where no such engine can have it.

    An engine that does not run every layer may be left out: None for `none`.
    """
    return None if text.strip() == "none" and not engine.runs_all else _dimensions(text, engine)


def _dimensions(text: str, engine: Sizes) -> tuple[int, ...]:
    names = dimensions(engine)
    size = re.fullmatch("[xX]".join(["(-?[0-9]{1,9})"] * len(names)), text.strip())
    if size is None:
        what = engine.name if engine.runs_all else f"{engine.name} engine"
        usual = find_preset("flexible").hardware.engine(engine.name) or engine
        example = "x".join(str(getattr(usual, name)) for name in names)
        none = "" if engine.runs_all else ", or none"
        raise HardwareError(
            f"{what} size must be {'x'.join(map(str.upper, names))}, for instance {example}{none}, "
            f"not {text!r}"
        )
    values = tuple(map(int, size.groups()))
    replace(engine, **dict(zip(names, values, strict=True)))  # type: ignore[type-var]
    return values
