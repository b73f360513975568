"""The files of a post-processing unit: what they say is what the unit has, and lint is silent."""

import json
import re

import pytest

from accelsim.hardware import Hardware, PostProcessing, SystolicArray
from accelsim.hardware.post import OPERATIONS, RULES
from accelsim.passes import PostChannel, PostLayer, meanings
from rtl.flow.generate import generate
from rtl.post.files import post_files
from tests.rtl.linting import lint_files

SIZES = PostProcessing(2, ("tfl_single",), ("aligned_add",), 2)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("post")
    for name, text in post_files(SIZES, "// head\n\n").items():
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(
    "sizes",
    [
        PostProcessing(1, tables=0),
        pytest.param(PostProcessing(2, RULES, OPERATIONS), marks=pytest.mark.full),
        pytest.param(PostProcessing(2, ("ort", "tfl_double"), ("add",)), marks=pytest.mark.full),
        pytest.param(PostProcessing(5, ("tfl_away",), ("multiply",)), marks=pytest.mark.full),
    ],
    ids=lambda sizes: sizes.label,
)
def test_lint_of_parts(sizes, tmp_path):
    (tmp_path / "post_processor.sv").write_text(post_files(sizes, "")["post_processor.sv"])
    lint_files(tmp_path, "post_processor.sv")


def test_lint(written):
    lint_files(written, "post_processor.sv")


def test_ports_of_the_json_are_those_of_the_verilog(written):
    text = (written / "post_processor.sv").read_text()
    assert text.startswith("// head\n")
    head = re.search(r"module post_processor \((.*?)\);", text, re.DOTALL)
    ports = re.findall(r"(input|output) (?:wire|reg) (?:\[(\d+):0\] )?(\w+)", head[1])
    said = json.loads((written / "post_processor.json").read_text())
    assert {(name, direction, int(high or 0) + 1) for direction, high, name in ports} == {
        (port["name"], port["direction"], port["bits"]) for port in said["ports"]
    }
    bits = {port["name"]: port["bits"] for port in said["ports"]}
    for stream, fields in said["payloads"].items():
        assert sum(field["bits"] for field in fields) == bits[f"{stream}__payload"]
    assert [field["name"] for field in said["payloads"]["commands"]] == list(meanings(PostLayer))


def test_every_port_and_field_is_on_the_page(written):
    text = (written / "post_processor.md").read_text()
    said = json.loads((written / "post_processor.json").read_text())
    assert f"`results` {said['latency']} clocks later" in text
    for port in said["ports"]:
        assert f"| `{port['name']}` | {port['direction']} | {port['bits']} |" in text
    for fields in said["payloads"].values():
        for name, bits, offset in places(fields):
            assert f"| {name} | {bits} | {offset} |" in text
    for words in (*meanings(PostLayer).values(), *meanings(PostChannel).values()):
        assert f"| {words} |" in text


def places(fields):
    """What the page says of where fields are: of those of each lane in one row."""
    by_name = {}
    for field in fields:
        by_name.setdefault(field["name"].partition("[")[0], []).append(field)
    for name, same in by_name.items():
        bits, at = same[0]["bits"], same[0]["offset"]
        assert [field["offset"] for field in same] == [at + bits * i for i in range(len(same))]
        if "[" in same[0]["name"]:
            yield f"`{name}`[i], i = 0 .. {len(same) - 1}", bits, f"{at} + {bits} i"
        else:
            yield f"`{name}`", bits, at


def test_it_is_written_beside_a_core(tmp_path):
    paths = generate(Hardware(SystolicArray(1, 1)), tmp_path, post=PostProcessing(1))
    names = [path.name for path in paths]
    assert names[3:] == ["post_processor.sv", "post_processor.json", "post_processor.md"]
    lint_files(tmp_path, "core.sv")
