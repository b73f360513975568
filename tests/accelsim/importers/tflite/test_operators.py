"""Every operator in every type, against the outputs of TFLite's reference kernels."""

import re
from pathlib import Path

import numpy as np
import pytest

from accelsim.arrays import read_npz
from accelsim.graph.evaluate import evaluate
from accelsim.graph.functions import FUNCTIONS
from accelsim.graph.types import Function
from accelsim.importers import load
from accelsim.importers.tflite.operators import RULES
from tests.models.tflite_cases import FAMILIES, cases
from tests.models.tflite_reference import CASES, TOLERANCE, drawn, kept

PAGE = Path(__file__).parents[4] / "docs/networks.md"
NO_KERNEL = ("elu", "round")  # not among the reference kernels of ai-edge-litert
EXPECTED = read_npz(CASES, "tensor")


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """Of all cases by name."""
    path = tmp_path_factory.mktemp("cases") / "case.tflite"
    made = {}
    for name, data in cases().items():
        path.write_bytes(data)
        made[name] = load(path)
    return made


def test_all_operators_and_functions_have_a_case(networks):
    nodes = [node for network in networks.values() for node in network.graph.nodes]
    kinds = {node.kind for node in nodes}
    folded = {"DENSIFY", "FILL", "PACK", "SHAPE"}
    assert kinds | folded >= RULES.keys()
    used = {node.work.name for node in nodes if isinstance(node.work, Function)}
    assert used >= {name for name in FUNCTIONS if name.startswith("tflite.")}


@pytest.mark.parametrize("family", range(len(FAMILIES)), ids=lambda n: FAMILIES[n].__name__)
def test_outputs_are_those_of_the_reference_kernels(networks, family):
    names = [name for name, _ in FAMILIES[family](np.random.default_rng([0, family]))]
    assert len(names) > 5
    for name in names:
        network = networks[name]
        made = evaluate(network.graph, drawn(network))
        for place, (output, values) in enumerate(made.items()):
            assert values.shape == network.graph.type(output).shape
            if name.startswith(NO_KERNEL):
                continue
            found, wanted = kept(values), EXPECTED[f"{name}/{place}"]
            if values.dtype.kind == "f":
                np.testing.assert_allclose(
                    found, wanted, rtol=TOLERANCE, atol=TOLERANCE * np.nanmax(np.abs(wanted))
                )
            else:
                assert found == wanted, name


def test_the_page_names_all_operators():
    section = PAGE.read_text().partition("## Models of TFLite")[2].partition("\n## ")[0]
    table = "".join(line for line in section.splitlines() if line.startswith("|"))
    assert set(re.findall(r"`([A-Z0-9_]+)`", table)) == RULES.keys()
