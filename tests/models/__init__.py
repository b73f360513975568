"""Real models with their inputs and expected outputs; README.md says where they are from."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from accelsim.arrays import read_npz

FOLDER = Path(__file__).parent


class Sample(NamedTuple):
    """Inputs and expected outputs by name."""

    inputs: dict[str, np.ndarray]
    outputs: dict[str, np.ndarray]


class Model(NamedTuple):
    """An entry of the manifest."""

    name: str
    path: Path
    entry: dict[str, Any]

    @property
    def kind(self) -> str:
        """How close outputs must come: exact, near or float."""
        return self.entry["tolerance"]["kind"]

    def samples(self) -> list[Sample]:
        """All that the manifest gives."""
        folder = self.path.parents[1]
        given = read_npz(folder / self.entry["inputs"], "input")
        expected = read_npz(folder / self.entry["expected"], "output")
        numbers = sorted({key.split("_")[1] for key in given})
        return [
            Sample(
                _named(given, f"in_{number}", self.entry["input_names"]),
                _named(expected, f"ref_{number}", self.entry["output_names"]),
            )
            for number in numbers
        ]


def _named(arrays: Any, prefix: str, names: list[str]) -> dict[str, np.ndarray]:
    return {name: arrays[f"{prefix}_{place}"] for place, name in enumerate(names)}


def manifest(folder: Path = FOLDER) -> tuple[Model, ...]:
    """All ONNX models here, or of another folder of the same form."""
    entries = json.loads((folder / "MANIFEST.json").read_text())["models"]
    return tuple(Model(each["name"], folder / each["file"], each) for each in entries)
