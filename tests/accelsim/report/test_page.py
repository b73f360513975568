"""The page of a result: nothing but itself, and a browser shows all of it."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

import accelsim as ax
from accelsim.cli import main
from accelsim.hardware import PRESETS
from accelsim.report import page
from accelsim.report.page import STYLE
from accelsim.saved import load_result, restore
from accelsim.study.published import published_models
from accelsim.study.ways import depthwise_ways
from tests.accelsim.report.reading import look

BOTH = ax.Hardware(ax.SystolicArray(64, 64), depthwise=ax.DepthwiseEngine(8, 64))
PEER = next(preset.hardware for preset in PRESETS if preset.name == "gemmini")


def saved(tmp_path, result):
    path = tmp_path / "result.json"
    path.write_text(json.dumps(result.to_dict()))
    return load_result(path)


def html(result):
    known = restore(result)
    studies = (depthwise_ways(known), published_models(known)) if known else (None, ())
    return page.html(result, known, *studies)


class Reader(HTMLParser):
    """Collects tags and attributes, and checks that every tag is closed."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.links = [], [], []

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if re.fullmatch(r"(\w+:)?(href|src)", name)]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def read(text):
    reader = Reader()
    reader.feed(text)
    assert not reader.open
    return reader


RESULTS = {
    "engine": lambda: ax.simulate(ax.networks.mobilenet_v2(), BOTH),
    "published": lambda: ax.simulate(
        ax.networks.mobilenet_v1(variant="fuse_half"),
        BOTH.__class__(BOTH.array),
        timing="scalesim",
        dataflow="ws",
    ),
    "peer": lambda: ax.simulate(ax.networks.resnet18(), PEER),
    "part": lambda: ax.simulate(ax.networks.mobilenet_v2(), BOTH, layers="b3.expand..b4.project"),
    "host": lambda: ax.simulate(ax.networks.mobilenet_v2(), BOTH, layers="pool"),
}


@pytest.mark.parametrize("kind", RESULTS)
def test_a_page_needs_nothing_else(kind, tmp_path):
    text = html(saved(tmp_path, RESULTS[kind]()))
    reader = read(text)
    assert not {"script", "link", "img", "iframe", "object", "embed", "base"} & set(reader.tags)
    assert all(link.startswith("#") for link in reader.links)
    assert all(link.startswith("#") for link in re.findall(r"url\((.*?)\)", text))
    assert "@import" not in text
    namespaces = re.findall(r'xmlns(?::\w+)?="[^"]*"', text)
    assert len(re.findall("https?:", text)) == len(namespaces)  # names, which nobody fetches


def test_names_are_text_not_markup(tmp_path):
    result = saved(tmp_path, ax.simulate(ax.networks.resnet18(), BOTH))
    layers = (replace(result.layers[0], name="<b>&"), *result.layers[1:])
    text = html(replace(result, network="<script>alert(1)</script>", layers=layers))
    assert "<script>" not in text
    assert "<b>" not in text
    assert "it cannot be compared" in text  # no network of ours
    read(text)


def test_the_same_result_makes_the_same_page(tmp_path):
    result = saved(tmp_path, RESULTS["part"]())
    assert html(result) == html(result)


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What a browser makes of the page that the command line writes."""
    folder = tmp_path_factory.mktemp("page")
    network = ax.networks.mobilenet_v2(variant="fuse_half")
    result = ax.simulate(network, BOTH)
    (folder / "result.json").write_text(json.dumps(result.to_dict()))
    with pytest.raises(SystemExit, match="0"):
        main(["report", str(folder / "result.json"), "-o", str(folder / "report.html")])
    return result, look((folder / "report.html").read_text())


def test_a_browser_has_nothing_to_mend(seen):
    _, page = seen
    assert page["mode"] == "no quirks"
    assert page["repeated"] == []
    assert page["dangling"] == []
    assert page["title"] == "mobilenet_v2 fuse_half, array 64x64, depthwise 8x64"


def test_what_is_wider_than_the_window_scrolls(seen):
    _, page = seen
    assert page["frames"] == {("div", "wide"), ("figure", "")}
    for frame in (".wide", "figure"):
        assert re.search(rf"^{re.escape(frame)} {{[^}}]*overflow-x: auto", STYLE, re.MULTILINE)


def test_a_browser_shows_every_layer_and_the_totals(seen):
    result, page = seen
    assert f"{result.total_cycles:,}" in page["text"]
    table = next(table for table in page["tables"] if table[0][0] == "layer")
    columns, *rows, total = table
    assert [row[0] for row in rows] == [layer.name for layer in result.layers]
    cycles = [row[columns.index("cycles")].replace(",", "") for row in rows]
    assert [0 if text == "-" else int(text) for text in cycles] == [
        layer.cycles for layer in result.layers
    ]
    assert total[columns.index("MACs")] == f"{result.total_macs:,}"
    hosted = [row[3] for row, layer in zip(rows, result.layers, strict=True) if layer.not_modelled]
    assert set(hosted) == {"not modelled"}


def test_a_browser_shows_what_published_models_say(seen):
    _, page = seen
    table = next(table for table in page["tables"] if table[0][0] == "model")
    shown = {row[0]: row[1] for row in table[1:]}
    assert shown["fuseconv-2020"] == "411,910"  # as published
    assert shown["fuseconv-2021"] == "411,682"
    assert {"scalesim os", "scalesim ws", "scalesim is"} < set(shown)


def test_a_browser_shows_every_plot(seen):
    result, page = seen
    assert len(page["plots"]) == 4
    for plot in page["plots"]:
        assert plot["label"]
        assert plot["width"] > 450
        assert plot["height"] > 150
        assert plot["marks"] > 10
        assert plot["outside"] == set()  # no label is cut off
    assert {layer.name for layer in result.layers if layer.cycles} <= set(page["plots"][1]["words"])
    drawn = set().union(*(plot["colours"] for plot in page["plots"]))
    assert {"#0072b2", "#d55e00", "#009e73"} <= drawn
