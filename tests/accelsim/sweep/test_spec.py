"""Specifications: what they mean, and one sentence for every mistake in one."""

import pytest

import accelsim as ax
from accelsim.errors import AccelsimError
from accelsim.hardware import DepthwiseEngine
from accelsim.sweep import load_spec
from accelsim.sweep.axes import ENGINES, column, columns
from tests.accelsim.sweep.specs import SMALL, spec

HEAD = 'networks = ["mobilenet_v1"]\n'


def test_defaults_are_one_point_as_run_has_them(tmp_path):
    sweep = spec(tmp_path, HEAD)
    assert (sweep.grid, sweep.points, sweep.parts) == (1, 1, 1)
    assert sweep.sizes["array"] == (ax.SystolicArray(64, 64),)
    assert sweep.sizes["depthwise"] == (None,)
    assert [(each.variant, each.input) for each in sweep.workloads] == [("baseline", "224x224")]


def test_lists_ranges_and_single_values(tmp_path):
    text = """
[array]
rows = {from = 3, to = 11, step = 4}
columns = {from = 3, to = 30, times = 3}
max_taps = 5
overlap = false
"""
    arrays = spec(tmp_path, HEAD + text).sizes["array"]
    expected = [(rows, columns) for rows in (3, 7, 11) for columns in (3, 9, 27)]
    assert [(array.rows, array.columns) for array in arrays] == expected
    assert {(array.max_taps, array.overlap) for array in arrays} == {(5, False)}


def test_sizes_go_together_and_none_is_no_engine(tmp_path):
    text = """
[array]
size = ["8x16", "4x4"]
[depthwise]
size = ["none", "4x8"]
fill_port = [0, 4]
"""
    sweep = spec(tmp_path, HEAD + text)
    assert [(array.rows, array.columns) for array in sweep.sizes["array"]] == [(8, 16), (4, 4)]
    assert sweep.sizes["depthwise"] == (
        *(None, None),
        DepthwiseEngine(4, 8),
        DepthwiseEngine(4, 8, fill_port=4),
    )


def test_what_no_axis_says_comes_from_the_hardware(tmp_path):
    (tmp_path / "base.toml").write_text(
        "[array]\nrows = 5\ncolumns = 7\noverlap = false\n"
        "[depthwise]\nlanes = 2\npixels = 4\nresults_per_clock = 8\nbank_depth = 64\n"
        "[clock]\nmhz = 123\n"
    )
    head = f'hardware = "{tmp_path / "base.toml"}"\n{HEAD}'
    sweep = spec(tmp_path, head + "[array]\nrows = [6, 8]\n")
    assert sweep.sizes["array"] == tuple(
        ax.SystolicArray(rows, 7, overlap=False) for rows in (6, 8)
    )
    assert sweep.sizes["depthwise"] == (DepthwiseEngine(2, 4, results_per_clock=8, bank_depth=64),)
    assert sweep.axis("clock_mhz").values == ((123.0,),)
    # The result port follows the pixels, as with `run --depthwise`.
    sweep = spec(tmp_path, head + "[depthwise]\npixels = [4, 16]\n")
    assert [each.results_per_clock for each in sweep.sizes["depthwise"]] == [8, None]


def test_columns_bear_the_name_of_their_engine_except_for_short_ones():
    assert column("array", "rows") == "rows"
    assert column("depthwise", "lanes") == "lanes"
    assert column("depthwise", "bank_depth") == "depthwise_bank_depth"
    assert column("another", "lanes") == "another_lanes"
    taken = [key for engine in ENGINES for key in columns(engine.name).values()]
    assert len(taken) == len(set(taken))


def test_a_network_file_may_be_swept(tmp_path):
    (tmp_path / "probe.toml").write_text(
        'name = "probe"\ninput = [3, 17, 19]\n[[layer]]\nname = "stem"\nop = "conv2d"\n'
        "out_channels = 5\nkernel = [3, 3]\n"
    )
    head = f'networks = ["{tmp_path / "probe.toml"}"]\n'
    first = spec(tmp_path, head)
    assert [each.input for each in first.workloads] == ["17x19"]
    assert [each.input for each in spec(tmp_path, head + 'inputs = ["5x9"]').workloads] == ["5x9"]
    text = (tmp_path / "probe.toml").read_text()
    (tmp_path / "probe.toml").write_text(text.replace("= 5", "= 6"))
    assert spec(tmp_path, head).sha256 != first.sha256  # another network of the same name


def test_every_variant_in_every_form_that_it_has(tmp_path):
    text = "networks = ['cifar_quick']\nvariants = ['baseline', 'acb', 'mixconv:dense=true']\n"
    asked = spec(tmp_path, text + "form = ['inference', 'train']")
    variants = ["baseline", "acb", "acb:form=train", "mixconv:dense=true"]
    assert [each.variant for each in asked.workloads] == variants
    ax.sweep.run(asked, tmp_path / "out")
    rows = ax.sweep.load(tmp_path / "out")
    assert rows.get_column("variant").to_list() == variants
    cycles = [ax.simulate(ax.networks.cifar_quick(each), "mobile") for each in variants]
    assert rows.get_column("total_cycles").to_list() == [each.total_cycles for each in cycles]
    trained = spec(tmp_path, text + "form = 'train'")
    assert [each.variant for each in trained.workloads] == [*variants[:1], *variants[2:]]


def test_batches_are_those_of_the_sweep_or_of_each_network(tmp_path):
    text = (
        'name = "own"\ninput = [3, 5, 5]\nbatch = {}\n[[layer]]\nname = "a"\nop = "pointwise"\n'
        "out_channels = 5\n"
    )
    for images in (2, 3):
        (tmp_path / f"{images}.toml").write_text(text.format(images))
    both = f'networks = ["{tmp_path / "2.toml"}", "{tmp_path / "3.toml"}"]\n'
    asked = spec(tmp_path, both)
    assert [each.batch for each in asked.workloads] == [2, 3]
    ax.sweep.run(asked, tmp_path / "out")
    rows = ax.sweep.load(tmp_path / "out")
    assert rows.get_column("batch").to_list() == [2, 3]
    assert (rows.get_column("total_macs") == rows.get_column("batch") * 5 * 5 * 15).all()
    said = spec(tmp_path, both + "batch = {from = 1, to = 4, times = 2}")
    assert [each.batch for each in said.workloads] == 2 * [1, 2, 4]
    assert spec(tmp_path, HEAD + "batch = 1").batched
    assert not spec(tmp_path, HEAD).batched
    first = spec(tmp_path, f'networks = "{tmp_path / "2.toml"}"').sha256
    (tmp_path / "2.toml").write_text(text.format(7))
    assert spec(tmp_path, f'networks = "{tmp_path / "2.toml"}"').sha256 != first


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("netwoks = []", 1, "unknown key 'netwoks', allowed are networks, "),
        ("[array]\nrows = 8", 1, "a specification needs networks"),
        (HEAD + "[array]\nrow = 8", 3, r"unknown key 'row' in \[array\], allowed are size, rows"),
        (HEAD + "[memory]\nwidth = 8", 3, r"unknown key 'width' in \[memory\]"),
        (HEAD + "array = 8", 2, r"array must be a table, written \[array\]"),
        ("[networks]\nmobilenet_v1 = 1", 1, "networks must be no table"),
        ("networks = []", 1, "networks is empty; an axis needs at least one value"),
        (HEAD + "[array]\nrows = []", 3, "array.rows is empty"),
        (HEAD + "[array]\nsize = []", 3, "array.size is empty"),
        (HEAD + "[array]\nrows = {from = 9, to = 8, step = 1}", 3, "array.rows is empty"),
        (HEAD + "[clock]\nmhz = []", 3, "clock.mhz is empty"),
        (HEAD + "[array]\nrows = [8, 16, 8]", 3, "array.rows has 8 twice"),
        (HEAD + "[array]\nrows = [8, 0]", 3, "array.rows must be .* from 1 to 1024, not 0"),
        (HEAD + "[array]\nrows = [8, true]", 3, "array.rows must be .*, not True"),
        (HEAD + "[array]\nrows = ['8']", 3, "array.rows must be .*, not '8'"),
        (HEAD + "[array]\nrows = {from = 1, to = 9}\noverlap = 1", 4, "array.overlap must be true"),
        (HEAD + "[array]\nrows = {from = 1, till = 9}", 3, "array.rows must be a list, or a range"),
        (HEAD + "[array]\nrows = {from = 1, to = 9, step = 0}", 3, "array.rows must be a list, or"),
        (HEAD + "[array]\nrows = {from = 1, to = 9, times = 1}", 3, "array.rows must be a list"),
        (HEAD + "[array]\nrows = {from = 0, to = 9, times = 2}", 3, "begin at 1 or more, not 0"),
        (HEAD + "[array]\nrows = {from = 1, to = 999999999999}", 3, "at most 100,000 are"),
        (HEAD + "[array]\nsize = ['8x8', '8']", 3, "array size must be ROWSxCOLUMNS"),
        (HEAD + "[array]\nsize = '8x8'\nrows = 8", 4, r"\[array\] has size and rows"),
        (HEAD + "[depthwise]\nsize = 'some'", 3, "depthwise engine size must be LANESxPIXELS"),
        (HEAD + "[depthwise]\nsize = '8x0'", 3, "depthwise.pixels must be .* from 1 to 256, not 0"),
        (HEAD + "[depthwise]\nlanes = 4\npixels = 999", 4, "depthwise.pixels must be .*, not 999"),
        (HEAD + "[depthwise]\nsize = ['2x4', '4x4']\nfill_port = 99", 4, "from 0 to 16, not 99"),
        (HEAD + "[depthwise]\nsize = '4x8'\nfill_port = [[1]]", 4, r"must be .*, not \[1\]"),
        (HEAD + "[operands]\nbits = 16\naccumulator_bits = 24", 4, "must be .* 32, not 24"),
        (HEAD + "[memory]\nwidth_bytes = -1", 3, "memory.width_bytes must be .* from 0 .*, not -1"),
        (HEAD + "[memory]\nweight_kib = 0", 3, "memory.weight_kib must be .* from 1 .*, not 0"),
        (HEAD + "[memory]\nweight_kib = 1.5", 3, "memory.weight_kib must be .*, not 1.5"),
        (HEAD + "[clock]\nmhz = [100, 0]", 3, "clock.mhz must be a positive number, not 0"),
        (HEAD + "[clock]\nmhz = [100, nan]", 3, "clock.mhz must be a positive number, not nan"),
        (HEAD + "[clock]\nmhz = ['fast']", 3, "clock.mhz must be a positive number, not 'fast'"),
        ("networks = ['mobilenet_v9']", 1, "there is no network 'mobilenet_v9'"),
        ("networks = [3]", 1, "networks must be words in quotes, not 3"),
        (HEAD + "variants = ['fused']", 2, "there is no variant 'fused'"),
        (HEAD + "variants = ['acb:taps=4']", 2, "key taps of variant acb must be 3 or 5, not 4"),
        (HEAD + "form = ['train', 'both']", 2, "form must be one of inference, train, not 'both'"),
        (HEAD + "form = 'train'\nvariants = ['acb:form=inference']", 3, "gives form twice"),
        (HEAD + "form = []", 2, "form is empty"),
        (HEAD + "inputs = ['224']", 2, "input must be HEIGHTxWIDTH"),
        (HEAD + "batch = [1, 0]", 2, "batch must be a whole number from 1 to 65536, not 0"),
        (HEAD + "batch = [4, true]", 2, "batch must be a whole number from 1 to 65536, not True"),
        (HEAD + "batch = '4'", 2, "batch must be a whole number from 1 to 65536, not '4'"),
        (HEAD + "batch = [4, 4]", 2, "batch has 4 twice"),
        (HEAD + "batch = []", 2, "batch is empty"),
        (HEAD + "batch = {from = 0, to = 2}", 2, "batch must be .* from 1 to 65536, not 0"),
        (HEAD + "batch = {from = 4, till = 8}", 2, "batch must be a list, or a range of whole"),
        (HEAD + "dataflows = ['auto', 'od']", 2, "dataflow must be auto or some of .*, not 'od'"),
        (HEAD + "depthwise_on = ['here']", 2, "depthwise_on must be one of .*, not 'here'"),
        (HEAD + "depthwise_on = ['engine']", 2, "depthwise_on engine needs a depthwise engine"),
        (HEAD + "hardware = 'huge'", 2, "there is no preset 'huge'"),
        (HEAD + "hardware = 'window'", 2, "window is a model without RTL"),
        (HEAD + "hardware = 8", 2, "hardware must be a preset or a file, not 8"),
        (HEAD + "part_points = 0", 2, "part_points must be a whole number from 1 to 1000000"),
        (HEAD + "part_points = 1000001", 2, "part_points must be a whole number .*, not 1000001"),
        (HEAD + "[clock]\nmhz = {from = 1, to = 19000000}", 3, "clock.mhz has 19,000,000 values"),
        (HEAD + "[clock]\nmhz = [500, 500.0]", 3, "clock.mhz has 500.0 twice"),
        (HEAD + f"[clock]\nmhz = 1{'0' * 400}", 3, "clock.mhz must be from 0.001 to 100000, not 1"),
        (HEAD + "[clock]\nmhz = 5e-324", 3, "clock.mhz must be from 0.001 to 100000, not 5e-324"),
        (HEAD + "[array]\nsize = ['8x8', '8X8']", 3, "array.size has '8x8' twice"),
        (HEAD + "[depthwise]\nsize = ['none', 'none']", 3, "depthwise.size has 'none' twice"),
        (HEAD + "inputs = ['32x32', '032x032']", 2, "mobilenet_v1 baseline has the input 32x32 tw"),
        (HEAD + "inputs = '70000x9'", 2, "input must be at most 65536 a side, not '70000x9'"),
        (HEAD + "dataflows = ['os,ws', 'ws,os']", 2, "dataflows allow the same twice: 'ws,os'"),
        (HEAD + "[depthwise]\npixels = 8", 3, "depthwise.pixels needs an engine"),
        (HEAD + "[depthwise]\nsize = 'none'\nfill_port = 'a'", 4, "depthwise.fill_port needs an"),
        (HEAD + "[depthwise]\nlanes = false\npixels = 8", 3, "depthwise.lanes must be .*, not Fal"),
        (HEAD + "[sample]\nseed = 1", 2, r"\[sample\] needs points"),
        (HEAD + "[sample]\npoints = 0", 3, "sample.points must be a whole number from 1 to"),
        (
            HEAD + "[sample]\npoints = 2",
            3,
            "sample.points must be at most the 1 point of the grid",
        ),
    ],
)
def test_a_mistake_is_one_sentence_with_its_line(tmp_path, text, line, message):
    with pytest.raises(AccelsimError, match=message) as error:
        spec(tmp_path, text)
    said = str(error.value)
    assert said.startswith(f"{tmp_path / 'sweep.toml'}:{line}: ")
    assert "\n" not in said


def test_a_file_that_is_not_there_or_no_toml(tmp_path):
    with pytest.raises(AccelsimError, match="cannot be read"):
        load_spec(tmp_path / "none.toml")
    with pytest.raises(AccelsimError, match="is not valid TOML"):
        spec(tmp_path, "networks = [")
    for text in (f"part_points = 1{'0' * 5000}", f"networks = {'[' * 3000}{']' * 3000}"):
        with pytest.raises(AccelsimError, match="is not valid TOML: a number or a nest"):
            spec(tmp_path, text)
    with pytest.raises(AccelsimError, match="no file can have that name"):
        spec(tmp_path, 'networks = ["a\\u0000b.toml"]')


def test_more_than_a_machine_does_in_minutes_has_to_be_forced(tmp_path):
    points = (
        HEAD + "[clock]\nmhz = {from = 1, to = 5000}\n[memory]\nwidth_bytes = {from = 0, to = 5000}"
    )
    designs = HEAD + "[array]\nrows = {from = 1, to = 200}\ncolumns = {from = 1, to = 200}"
    with pytest.raises(AccelsimError, match=r"25,005,000 points, more than 20,000,000; --force"):
        spec(tmp_path, points)
    assert spec(tmp_path, points, force=True).points == 25_005_000
    assert spec(tmp_path, points + "\n[sample]\npoints = 1000").points == 1000
    buffers = (
        HEAD
        + "[memory]\n"
        + "".join(f"{key}_kib = {{from = 1, to = 200}}\n" for key in ("activation", "weight"))
    )
    with pytest.raises(AccelsimError, match=r"40,000 networks with buffers to lay out, more than"):
        spec(tmp_path, buffers + "[sample]\npoints = 1000")
    with pytest.raises(AccelsimError, match=r"40,000 networks on engines to schedule, more than"):
        spec(tmp_path, designs + "\n[sample]\npoints = 1000")
    assert spec(tmp_path, designs, force=True).grid == 40_000
    some = HEAD + "[array]\nrows = [4, 8]\n[depthwise]\nsize = ['none', '2x4', '4x4']"
    assert spec(tmp_path, some).schedules == 2 + 2  # none needs no schedule
    with pytest.raises(AccelsimError, match=r"2,000,000 files of part_points each, more than"):
        spec(tmp_path, "part_points = 10\n" + points + "\n[sample]\npoints = 20_000_000")


def test_the_hash_is_of_all_that_decides_results(tmp_path):
    base = spec(tmp_path, SMALL).sha256
    assert spec(tmp_path, "# a remark\n" + SMALL.replace("16]", "16,]")).sha256 == base
    changes = [
        ("part_points = 40", "part_points = 41"),
        ("rows = [8, 16]", "rows = [16, 8]"),
        ("mobilenet_v2", "mobilenet_v1"),
        ("[array]", "[array]\noverlap = false"),
        ("to = 1000", "to = 900"),
    ]
    hashes = [spec(tmp_path, SMALL.replace(*change)).sha256 for change in changes]
    hashes += [spec(tmp_path, f"{SMALL}[sample]\npoints = {n}").sha256 for n in (8, 9)]
    assert len({base, *hashes}) == 1 + len(changes) + 2
