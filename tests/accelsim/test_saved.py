"""What `accelsim run --json` wrote is read back whole, and nothing else is."""

import json
from dataclasses import replace

import pytest

import accelsim as ax
from accelsim.errors import FileError
from accelsim.hardware import PRESETS
from accelsim.saved import load_result, restore

DEPTHWISE = ax.Hardware(ax.SystolicArray(8, 4), 123.0, ax.DepthwiseEngine(2, 8, fill_port=3))
DESIGNS = [*(preset.hardware for preset in PRESETS), DEPTHWISE]
NETWORK = ax.networks.mobilenet_v3_small(variant="fuse_half", input=(64, 96))


def save(tmp_path, found):
    path = tmp_path / "result.json"
    path.write_text(json.dumps(found))
    return path


@pytest.mark.parametrize("design", DESIGNS, ids=lambda design: design.label)
def test_a_result_comes_back(design, tmp_path):
    network = ax.networks.resnet18(input=(64, 64)) if design.array is None else NETWORK
    result = ax.simulate(network, design, seed=3)
    found = load_result(save(tmp_path, result.to_dict()))
    assert found.layers == result.layers
    assert found.hardware == design
    assert found.input == network.input
    for name in (
        "network",
        "variant",
        "timing",
        "fidelity",
        "seed",
        "total_cycles",
        "total_params",
    ):
        assert getattr(found, name) == getattr(result, name)
    assert restore(found) == result


def test_no_graph_for_a_network_that_is_not_ours(tmp_path):
    result = ax.simulate(NETWORK, DEPTHWISE, layers="b3.expand")
    saved = load_result(save(tmp_path, result.to_dict()))
    assert restore(saved) == result
    assert restore(replace(saved, network="mine")) is None
    assert restore(replace(saved, input=(3, 96, 96))) is None  # the layers are other ones


def damage(change):
    found = ax.simulate(NETWORK, DEPTHWISE).to_dict()
    found = json.loads(json.dumps(found))
    change(found)
    return found


def drop(key):
    return lambda found: found.pop(key)


MISTAKES = [
    (drop("layers"), "it has no 'layers'"),
    (lambda found: found.update(layers=[]), "it has no layers"),
    (lambda found: found["layers"].pop(), "total_cycles is "),
    (lambda found: found["layers"][0].pop("cycles"), "it has no 'cycles'"),
    (lambda found: found["layers"][0].update(cycles="1"), "cycles must be of type int, not '1'"),
    (lambda found: found["layers"][0].update(cycles=True), "cycles must be of type int, not True"),
    (lambda found: found.update(timing="mine"), "there is no timing 'mine'"),
    (lambda found: found.update(variant="\ud800"), "variant must be text"),
    (lambda found: found["layers"][0].update(cycles=-5), "cycles must be a number from 0 to"),
    (lambda found: found["layers"][0].update(read_bytes=10**400), "read_bytes must be a number"),
    (lambda found: found["layers"][0].update(utilization=float("nan")), "utilization must be a"),
    (lambda found: found["layers"][0].update(busy_utilization=float("inf")), "busy_utilization"),
    (lambda found: found["layers"][0].update(not_modelled=True), "cycles of what is not modelled"),
    (lambda found: found.update(input=[3, 64]), "input must be three whole numbers"),
    (lambda found: found["hardware"]["array"].update(rows=0), "array.rows must be a whole number"),
    (lambda found: found["hardware"].update(array=None), "hardware has no array"),
    (lambda found: found["hardware"].update(engine={"name": "x"}), "there is no engine 'x'"),
]


@pytest.mark.parametrize(("change", "words"), MISTAKES)
def test_a_damaged_result_is_refused(change, words, tmp_path):
    with pytest.raises(FileError, match=rf"^{tmp_path}/result.json .*: {words}"):
        load_result(save(tmp_path, damage(change)))


@pytest.mark.parametrize("found", [[], "x", 3, None])
def test_other_json_is_refused(found, tmp_path):
    with pytest.raises(FileError, match=r"is no result of `accelsim run --json`: it has no"):
        load_result(save(tmp_path, found))


def test_what_is_no_json_is_refused(tmp_path):
    path = tmp_path / "a.json"
    with pytest.raises(FileError, match="cannot be read: No such file"):
        load_result(path)
    for content in (b"{", b"\xff\xfe", b"[" * 100_000):
        path.write_bytes(content)
        with pytest.raises(FileError, match=r"a.json is not valid JSON$"):
            load_result(path)
