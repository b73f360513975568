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


def save(tmp_path, saved):
    path = tmp_path / "result.json"
    path.write_text(json.dumps(saved))
    return path


@pytest.mark.parametrize("design", DESIGNS, ids=lambda design: design.label)
def test_a_result_comes_back(design, tmp_path):
    network = ax.networks.resnet18(input=(64, 64)) if design.array is None else NETWORK
    result = ax.simulate(network, design, seed=3)
    restored = load_result(save(tmp_path, result.to_dict()))
    assert restored.layers == result.layers
    assert restored.hardware == design
    assert restored.input == network.input
    for name in (
        "network",
        "variant",
        "timing",
        "fidelity",
        "seed",
        "total_cycles",
        "total_params",
        "total_memory_cycles",
        "time_ms",
    ):
        assert getattr(restored, name) == getattr(result, name)
    assert restore(restored) == result


def test_no_graph_for_a_network_that_is_not_ours(tmp_path):
    result = ax.simulate(NETWORK, DEPTHWISE, layers="b3.expand")
    saved = load_result(save(tmp_path, result.to_dict()))
    assert restore(saved) == result
    assert restore(replace(saved, network="mine")) is None
    assert restore(replace(saved, input=(3, 96, 96))) is None  # the layers are other ones


def damage(change):
    saved = ax.simulate(NETWORK, replace(DEPTHWISE, memory=ax.Memory(64, 64, 4))).to_dict()
    saved = json.loads(json.dumps(saved))
    change(saved)
    return saved


def drop(key):
    return lambda saved: saved.pop(key)


MISTAKES = [
    (drop("layers"), "it has no 'layers'"),
    (lambda saved: saved.update(layers=[]), "it has no layers"),
    (lambda saved: saved["layers"].pop(), "total_cycles is "),
    (lambda saved: saved["layers"][0].pop("cycles"), "it has no 'cycles'"),
    (
        lambda saved: saved["layers"][0].update(cycles="1"),
        "cycles must be of type int, not '1'",
    ),
    (
        lambda saved: saved["layers"][0].update(cycles=True),
        "cycles must be of type int, not True",
    ),
    (lambda saved: saved.update(timing="mine"), "there is no timing 'mine'"),
    (lambda saved: saved.update(variant="\ud800"), "variant must be text"),
    (lambda saved: saved["layers"][0].update(cycles=-5), "cycles must be a number from 0 to"),
    (
        lambda saved: saved["layers"][0].update(read_bytes=10**400),
        "read_bytes must be a number",
    ),
    (
        lambda saved: saved["layers"][0].update(utilization=float("nan")),
        "utilization must be a",
    ),
    (
        lambda saved: saved["layers"][0].update(busy_utilization=float("inf")),
        "busy_utilization",
    ),
    (
        lambda saved: saved["layers"][0].update(not_modelled=True),
        "cycles of what is not modelled",
    ),
    (lambda saved: saved.update(input=[3, 64]), "input must be three whole numbers"),
    (
        lambda saved: saved["hardware"]["array"].update(rows=0),
        "array.rows must be a whole number",
    ),
    (lambda saved: saved["hardware"].update(array=None), "hardware has no array"),
    (lambda saved: saved["hardware"].pop("memory"), "it has no 'memory'"),
    (
        lambda saved: saved["hardware"].update(memory=None),
        "its layers have memory_cycles, but its hardware no memory",
    ),
    (
        lambda saved: saved["hardware"]["memory"].update(width_bytes=0),
        "memory.width_bytes must be a whole number from 1 to",
    ),
    (
        lambda saved: saved["layers"][0].update(memory_cycles=1),
        "total_memory_cycles is ",
    ),
    (
        lambda saved: saved["layers"][0].update(bound_by="me"),
        "bound_by of layer stem must be one of array, results, fill, memory, not 'me'",
    ),
    (lambda saved: saved["hardware"].update(engine={"name": "x"}), "there is no engine 'x'"),
]


@pytest.mark.parametrize(("change", "words"), MISTAKES)
def test_a_damaged_result_is_refused(change, words, tmp_path):
    with pytest.raises(FileError, match=rf"^{tmp_path}/result.json .*: {words}"):
        load_result(save(tmp_path, damage(change)))


@pytest.mark.parametrize("saved", [[], "x", 3, None])
def test_other_json_is_refused(saved, tmp_path):
    with pytest.raises(FileError, match=r"is not a result of `accelsim run --json`: it has no"):
        load_result(save(tmp_path, saved))


def test_what_is_no_json_is_refused(tmp_path):
    path = tmp_path / "a.json"
    with pytest.raises(FileError, match="cannot be read: No such file"):
        load_result(path)
    for saved in (b"{", b"\xff\xfe", b"[" * 100_000):
        path.write_bytes(saved)
        with pytest.raises(FileError, match=r"a.json is not valid JSON$"):
            load_result(path)
