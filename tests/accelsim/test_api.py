"""What `import accelsim as ax` offers: wrong types are one sentence, results draw themselves."""

import re

import pytest

import accelsim as ax
from accelsim.result import PLOTS

ARRAY = ax.SystolicArray(4, 4)
DESIGN = ax.Hardware(ARRAY)

MISTAKES = [
    (
        lambda: ax.Hardware(64, 64),
        "an engine of a design is a record such as SystolicArray(64, 64)",
    ),
    (lambda: ax.Hardware("mobile"), "an engine of a design is a record"),
    (lambda: ax.Hardware(ax.SystolicArray), "an engine of a design is a record"),
    (lambda: ax.Hardware(ARRAY, ARRAY), "its clock cannot be of type SystolicArray (array)"),
    (
        lambda: ax.Hardware(ARRAY, ax.DepthwiseEngine(4, 4)),
        "other engines as depthwise or engines; its clock cannot be of type DepthwiseEngine (dep",
    ),
    (lambda: ax.Hardware(ARRAY, "500"), "clock.mhz must be a positive number, not '500'"),
    (lambda: ax.Hardware(ARRAY, depthwise=ARRAY), "a design has one engine of a name, not 2 array"),
    (lambda: ax.Hardware(ARRAY, engines=5), "engines of a design are a tuple of records, not 5"),
    (lambda: ax.load_hardware(""), "hardware needs a preset's name or a file, and that is empty"),
    (lambda: ax.simulate("resnet18", " "), "hardware needs a preset's name or a file"),
    (lambda: ax.simulate("resnet18", DESIGN, seed="1"), "seed must be of type int, not '1'"),
    (lambda: ax.simulate("resnet18", DESIGN, seed=True), "seed must be of type int, not True"),
    (lambda: ax.compare(5, [DESIGN]), "a simulation takes a Network, its name or a file, not 5"),
    (lambda: ax.compare("resnet18", "mobile"), "designs to compare are a list of at least one"),
    (lambda: ax.compare("resnet18", []), "designs to compare are a list of at least one, not []"),
    (lambda: ax.compare("resnet18", [4]), "a simulation takes a design, such as Hardware("),
    (lambda: ax.film("resnet18", "stem", DESIGN, clocks=3), "clocks must be of type range or null"),
    (lambda: ax.trace("resnet18", DESIGN, "stem", clocks="0..5"), "clocks must be of type range"),
    (lambda: ax.sweep.run(5, "out"), "a sweep takes a Spec or the file of one, not 5"),
]


@pytest.mark.parametrize(("use", "said"), MISTAKES, ids=[said for _, said in MISTAKES])
def test_a_wrong_type_is_one_sentence(use, said):
    with pytest.raises(ax.AccelsimError, match=re.escape(said)) as error:
        use()
    assert str(error.value).count("\n") == 0


def test_designs_are_compared_by_name_too():
    named = ax.compare("resnet18", ["mobile", DESIGN, ax.Entry("small", "tiny")], "stem")
    assert [entry.name for entry in named.entries] == ["mobile", "array 4x4", "small"]
    designs = [ax.load_hardware("mobile"), DESIGN, ax.load_hardware("tiny")]
    for place, design in enumerate(designs):
        assert (
            named.rows[0].costs[place] == ax.simulate("resnet18", design, layers="stem").layers[0]
        )


def test_files_of_one_name_are_told_apart(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "hw.toml").write_text("[array]\nrows = 4\ncolumns = 4\n")
    entries = ax.compare("resnet18", ["a/hw.toml", "b/hw.toml"], "stem").entries
    assert [entry.name for entry in entries] == ["a/hw.toml", "b/hw.toml"]


def test_a_study_takes_the_name_of_a_network():
    engine = ax.DepthwiseEngine(4, 4)
    points = ax.depthwise_study("mobilenet_v3_small", [(8, 8)], engine)
    make = ax.networks.mobilenet_v3_small
    assert points == ax.depthwise_study(lambda name: make(variant=name), [(8, 8)], engine)


def test_a_sweep_takes_the_file_of_a_specification(tmp_path):
    text = 'networks = ["mobilenet_v1"]\ninputs = "32x32"\n[array]\nsize = ["4x4", "8x8"]\n'
    (tmp_path / "a.toml").write_text(text)
    assert ax.sweep.run(tmp_path / "a.toml", tmp_path / "out").points == 2


@pytest.mark.parametrize("kind", PLOTS)
def test_a_result_draws_itself(kind):
    result = ax.simulate("resnet18", DESIGN, layers="stem..b1.conv2", energy="45nm")
    draw = {
        "layers": ax.plot.layers_figure,
        "stack": lambda each: ax.plot.stack([each]),
        "energy": lambda each: ax.plot.energy([each]),
    }
    expected = draw.get(kind, getattr(ax.plot, kind))(result)
    drawn = result.plot(kind)
    assert [text(axes) for axes in drawn.axes] == [text(axes) for axes in expected.axes]


def text(axes):
    return axes.get_title(), axes.get_xlabel(), [len(axes.patches), len(axes.lines)]


def test_a_kind_of_plot_that_is_none_is_refused():
    result = ax.simulate("resnet18", DESIGN, layers="stem")
    with pytest.raises(ax.AccelsimError, match=r"kind must be one of layers, .* did you mean lay"):
        result.plot("layer")
