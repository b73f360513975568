"""All models of a folder like this one, larger ones too, beside what their manifest says.

    python -m tests.models.check FOLDER [golden | cycle]

prints, for each, multiply-accumulates, elements of its outputs and how many of them differ from
those of onnxruntime, in steps of the output where it has such; the status is 1 where anything is
beyond what the manifest allows: nothing for `exact`, 2 steps for `near`, a number for `float`.
Registers, of the preset `flexible`, take the first input and leave out models of reals.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np

import accelsim as ax
from accelsim.graph.network import GraphNetwork
from accelsim.importers import load
from tests.models import Model, Sample, manifest

NEAR = 2  # steps


def _load(model: Model, sample: Sample) -> GraphNetwork:
    sizes = {name: each.shape for name, each in sample.inputs.items()}
    network = load(model.path, sizes=sizes)
    assert isinstance(network, GraphNetwork)
    return network


def _step(network: GraphNetwork, name: str) -> float:
    """What a step of an output is: 1 of integers, the scale of those that become reals."""
    graph = network.graph
    makers = [node for node in graph.nodes if name in node.outputs]
    if graph.type(name).dtype.startswith("float") and makers[0].kind == "DequantizeLinear":
        return float(graph.constants[makers[0].inputs[1]].values)
    return 1.0


def _outputs(network: GraphNetwork, sample: Sample, fidelity: str) -> dict[str, Any]:
    result = ax.simulate(network, "flexible", fidelity=fidelity, data=sample.inputs)
    if fidelity == "cycle":
        assert result.values_equal
    made: dict[str, Any] = result.values.outputs
    return made


def check(model: Model, fidelity: str) -> bool:
    """Print what a model makes; whether it is as it should be."""
    samples = model.samples()[: 1 if fidelity == "cycle" else None]
    network, kind = _load(model, samples[0]), model.kind
    right = network.total_macs == model.entry["macs"]
    elements = different = 0
    worst = 0.0
    for sample in samples:
        made = _outputs(network, sample, fidelity)
        for name, expected in sample.outputs.items():
            away = np.abs(made[name].astype(np.float64) - expected)
            right &= made[name].dtype == expected.dtype
            steps = away.max() / (1.0 if kind == "float" else _step(network, name))
            elements, different = elements + away.size, different + int((away > 0).sum())
            worst = max(worst, steps)
    right &= worst <= {"exact": 0, "near": NEAR}.get(kind, model.entry["tolerance"].get("atol", 0))
    print(
        f"{model.name:<46}{kind:<7}{network.total_macs:>13,} MACs{elements:>11,} elements"
        f"{different:>9,} different, at most by {worst:.3g}{'' if right else '   WRONG'}",
        flush=True,
    )
    return right


def main(folder: str, fidelity: str = "golden") -> int:
    """0 where all is right."""
    models = [
        each for each in manifest(Path(folder)) if fidelity == "golden" or each.kind != "float"
    ]
    results = [check(each, fidelity) for each in models]
    return int(not all(results))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
