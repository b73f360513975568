"""Plots of sweeps show the numbers of the frames, and of many rows only what can be seen."""

import itertools
import math

import numpy as np
import polars
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from accelsim.errors import SelectionError
from accelsim.report import plot_sweep
from accelsim.report.words import short, wording
from tests.naive import fronts


def designs() -> polars.DataFrame:
    rows = [
        (network, variant, side, columns, mhz, work * 4096 // (side * columns) + side, 1000 / mhz)
        for network, work in (("a", 64), ("b", 640))
        for variant, work in (("baseline", work), ("fuse_half", work // 2))
        for side in (8, 16, 32)
        for columns in (8, 16)
        for mhz in (100, 200)
    ]
    names = ["network", "variant", "rows", "columns", "clock_mhz", "total_cycles", "load_pj"]
    return polars.DataFrame(rows, schema=names, orient="row")


def points(line):
    return list(zip(line.get_xdata(), line.get_ydata(), strict=True))


def test_the_front_lies_on_top_of_all_designs():
    frame = designs().with_row_index("name")
    figure = plot_sweep.pareto(
        frame, ["rows", "total_cycles"], colour="network", across=["network", "variant"]
    )
    (axes,) = figure.axes
    lines = {line.get_label(): line for line in axes.lines}
    every = {(row["rows"], row["total_cycles"]) for row in frame.iter_rows(named=True)}
    assert set(points(lines["all designs (48)"])) == every
    best = fronts.pareto(frame.select("name", "rows", "total_cycles").rows())
    for network in ("a", "b"):
        kept = [
            (row["rows"], row["total_cycles"])
            for row in frame.iter_rows(named=True)
            if row["name"] in best and row["network"] == network
        ]
        label = f"front, network {network} ({len(kept)})"
        assert (set(points(lines[label])) == set(kept)) if kept else label not in lines
    assert axes.get_xlabel() == "rows, less is better"
    assert axes.get_ylabel() == "total cycles, less is better"
    assert axes.get_title(loc="left").replace("\n", " ") == (
        "best over network, variant, rows, columns, clock_mhz; across network, variant"
    )


def test_every_workload_has_a_front_of_its_own():
    frame = designs().with_row_index("name")
    names = ["columns", "total_cycles"]
    figure = plot_sweep.pareto(frame, names, where=["clock_mhz=100"])
    (axes,) = figure.axes
    lines = {line.get_label(): line for line in axes.lines}
    stairs = [line for line in axes.lines if line.get_drawstyle().startswith("steps")]
    assert len(stairs) == 4
    for network, variant in itertools.product(("a", "b"), ("baseline", "fuse_half")):
        those = [
            (row["name"], *(row[name] for name in names))
            for row in frame.iter_rows(named=True)
            if (row["network"], row["variant"], row["clock_mhz"]) == (network, variant, 100)
        ]
        best = fronts.pareto(those)
        kept = {tuple(rest) for name, *rest in those if name in best}
        assert set(points(lines[f"front, {network} {variant} ({len(best)})"])) == kept
        assert any(set(points(line)) == kept for line in stairs)
    title = axes.get_title(loc="left").replace("\n", " ")
    assert title == "fixed: clock_mhz=100; best over rows, columns"


@pytest.mark.parametrize("less", [(True, True), (True, False), (False, True), (False, False)])
def test_the_stairs_of_a_front_never_enter_what_is_better(less):
    random = np.random.default_rng(1)
    angles, radii = random.random(300) * 6.28, random.random(300)
    frame = polars.DataFrame({"x": radii * np.cos(angles), "y": radii * np.sin(angles)})
    goals = [
        [name for name, fewer in zip("xy", less, strict=True) if fewer == wanted]
        for wanted in (True, False)
    ]
    signs = [1 if name in goals[0] else -1 for name in (*goals[0], *goals[1])]
    axes = plot_sweep.pareto(frame, *goals).axes[0]
    (stairs,) = (line for line in axes.lines if line.get_drawstyle().startswith("steps"))
    assert len(points(stairs)) > 3
    for (x0, y0), (x1, y1) in itertools.pairwise(points(stairs)):
        corner = (x1, y0) if stairs.get_drawstyle() == "steps-post" else (x0, y1)
        for end in ((x0, y0), (x1, y1)):
            assert all(s * c >= s * e for s, c, e in zip(signs, corner, end, strict=True))


def test_a_scatter_of_many_designs_has_one_point_per_cell():
    random = np.random.default_rng(0)
    frame = polars.DataFrame({"x": 1 + random.random(300_000), "y": 1 + random.random(300_000)})
    figure = plot_sweep.pareto(frame, ["x", "y"])
    cloud = next(line for line in figure.axes[0].lines if "all designs" in line.get_label())
    assert cloud.get_label() == "all designs (300,000)"
    assert 100_000 < len(cloud.get_xdata()) <= 401**2


def test_scaling_takes_the_best_of_every_size():
    frame = designs()
    figure = plot_sweep.scaling(frame)
    for axes, network in zip(figure.axes, ("a", "b"), strict=True):
        assert axes.get_title() == network
        for line, variant in zip(axes.lines, ("baseline", "fuse_half"), strict=True):
            least = {}
            for row in frame.iter_rows(named=True):
                if (row["network"], row["variant"]) == (network, variant):
                    size = row["rows"] * row["columns"]
                    least[size] = min(row["total_cycles"], least.get(size, 1 << 60))
            assert points(line) == sorted(least.items())
    assert figure.axes[0].get_ylabel() == "total cycles, the least of each size"
    assert figure.axes[0].get_xlabel() == "multipliers of the array"


def test_square_arrays_are_named_by_their_sides():
    figure = plot_sweep.scaling(designs(), where=["columns=8", "rows=8"])
    assert figure.axes[0].get_xlabel() == "array size (rows x columns)"
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["8x8"]


def test_labels_of_many_sizes_do_not_touch():
    sides = [8, 12, 16, 24, 32, 40, 48, 64, 96, 128]
    frame = polars.DataFrame({"network": "a", "variant": "b", "rows": sides, "columns": sides})
    figure = plot_sweep.scaling(frame.with_columns(total_cycles=1 << 20))
    (axes,) = figure.axes
    FigureCanvasAgg(figure).draw()
    labels = axes.get_xticklabels()
    boxes = [label.get_window_extent() for label in labels]
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))
    assert len(labels) > 4
    for place, label in zip(axes.get_xticks(), labels, strict=True):
        assert label.get_text() == f"{math.isqrt(int(place))}x{math.isqrt(int(place))}"


def with_inputs(frame):
    """Every design at two inputs, of which the second costs more, in its own way."""
    small, large = (
        frame.with_columns(
            polars.lit(size).alias("input"), polars.col("total_cycles") * factor + add
        )
        for size, factor, add in (("32x32", 1, 0), ("64x64", 3, 7))
    )
    return polars.concat([small, large])


def test_a_line_is_of_one_input_and_the_title_says_over_what_it_is_the_least():
    frame = with_inputs(designs())
    figure = plot_sweep.scaling(frame, where=["network=b"])
    (axes,) = figure.axes
    for line, (variant, size) in zip(
        axes.lines, itertools.product(("baseline", "fuse_half"), ("32x32", "64x64")), strict=True
    ):
        assert line.get_label() == f"{variant} {size}"
        least = {}
        for row in frame.iter_rows(named=True):
            if (row["network"], row["variant"], row["input"]) == ("b", variant, size):
                at = row["rows"] * row["columns"]
                least[at] = min(row["total_cycles"], least.get(at, 1 << 60))
        assert points(line) == sorted(least.items())
    assert figure.get_suptitle().replace("\n", " ") == (
        "fixed: b; least over clock_mhz; of several shapes of a size, the least"
    )
    both = plot_sweep.scaling(frame, where=["network=b"], across=["input"])
    assert [line.get_label() for line in both.axes[0].lines] == ["baseline", "fuse_half"]
    assert points(both.axes[0].lines[0]) == points(axes.lines[0])  # the smaller input is the least
    assert "least over input, clock_mhz" in both.get_suptitle()


@pytest.mark.parametrize("maximise", [False, True])
def test_a_heat_map_has_the_best_of_every_cell(maximise):
    frame = designs().filter(~((polars.col("rows") == 32) & (polars.col("columns") == 8)))
    figure = plot_sweep.heatmap(with_inputs(frame), maximise=maximise, where=["variant=baseline"])
    best, word = (max, "most") if maximise else (min, "least")
    *maps, bar = figure.axes
    for axes, (network, size) in zip(
        maps, itertools.product(("a", "b"), ("32x32", "64x64")), strict=True
    ):
        assert axes.get_title() == f"{network} {size}"
        values = axes.images[0].get_array()
        for y, rows in enumerate((8, 16, 32)):
            for x, columns in enumerate((8, 16)):
                cells = [
                    row["total_cycles"]
                    for row in with_inputs(frame).iter_rows(named=True)
                    if (row["rows"], row["columns"]) == (rows, columns)
                    and (row["network"], row["variant"]) == (network, "baseline")
                    and row["input"] == size
                ]
                assert (values[y, x] == best(cells)) if cells else values.mask[y, x]
    assert [label.get_text() for label in maps[0].get_yticklabels()] == ["8", "16", "32"]
    assert bar.get_ylabel() == f"{word} total cycles"
    about = figure.get_suptitle().replace("\n", " ")
    assert about == f"fixed: baseline; {word} over clock_mhz"
    every = ["network", "variant", "input"]
    (one, _) = plot_sweep.heatmap(with_inputs(frame), maximise=maximise, across=every).axes
    values = one.images[0].get_array()
    assert values[0, 0] == best(
        row["total_cycles"]
        for row in with_inputs(frame).iter_rows(named=True)
        if row["rows"] == row["columns"] == 8
    )


def test_words_beside_an_axis_do_not_touch():
    networks = [f"a_network_of_a_long_name_{index}" for index in range(10)]
    frame = polars.DataFrame(
        {"network": networks, "rows": 8, "columns": 8, "total_cycles": range(1, 11)}
    )
    for figure in (
        plot_sweep.heatmap(frame, x="network", across=["network"]),
        plot_sweep.sensitivity(frame, "network", "total_cycles", ["rows"]),
    ):
        FigureCanvasAgg(figure).draw()
        labels = figure.axes[0].get_xticklabels()
        assert [label.get_text() for label in labels] == networks
        # Slanted by 35 degrees, lines of text are apart by the sine of that.
        ends = [label.get_window_extent().x1 for label in labels]
        gaps = [right - left for left, right in itertools.pairwise(ends)]
        assert min(gaps) * math.sin(math.radians(35)) > 8 / 72 * figure.dpi


def test_a_large_heat_map_stays_readable():
    sides = np.arange(1, 201)
    rows, columns = (side.ravel() for side in np.meshgrid(sides, sides))
    frame = polars.DataFrame({"rows": rows, "columns": columns, "total_cycles": rows * columns})
    figure = plot_sweep.heatmap(frame)
    axes = figure.axes[0]
    assert len(axes.get_xticks()) <= 16
    assert not axes.texts
    assert axes.images[0].get_array().shape == (200, 200)


def test_sensitivity_is_relative_to_the_first_value():
    held = ["network", "variant", "columns", "clock_mhz"]
    figure = plot_sweep.sensitivity(designs(), "rows", "total_cycles", held)
    (axes,) = figure.axes
    frame = {row[:5]: row[5] for row in designs().iter_rows()}
    ratios = [
        frame[(*key[:2], 32, *key[3:])] / value for key, value in frame.items() if key[2] == 8
    ]
    assert axes.lines[0].get_ydata()[2] == pytest.approx(np.median(ratios))
    assert axes.get_ylabel() == "total cycles, relative to 8 rows"
    assert axes.get_title(loc="left").replace("\n", " ") == (
        "16 designs at each value; over network, variant, columns, clock_mhz"
    )
    one = plot_sweep.sensitivity(designs(), "rows", "total_cycles", held, ["network=b"])
    assert one.axes[0].get_title(loc="left").replace("\n", " ") == (
        "8 designs at each value; fixed: b; over variant, columns, clock_mhz"
    )


def test_what_cannot_be_drawn_is_explained():
    frame = designs()
    many = polars.DataFrame({"x": range(20), "y": range(20, 0, -1), "kind": range(20)})
    for draw, words in [
        (lambda: plot_sweep.pareto(frame, ["rows"]), "over two objectives or more, not 1"),
        (
            lambda: plot_sweep.pareto(many, ["x", "y"], colour="kind"),
            "kind has 20 values; at most 14",
        ),
        (lambda: plot_sweep.heatmap(frame, x="rows"), "different columns, not rows twice"),
        (lambda: plot_sweep.heatmap(frame, where=["rows>99"]), "no design meets the conditions"),
        (lambda: plot_sweep.scaling(frame, "speed"), "there is no column 'speed'"),
        (lambda: plot_sweep.scaling(frame, "network"), "network holds no numbers"),
    ]:
        with pytest.raises(SelectionError, match=words):
            draw()


def test_long_names_leave_room_for_the_data():
    files = [f"/home/someone/a_long_way/to_a_folder/of/networks/network_{n}.toml" for n in "abc"]
    frame = polars.concat(
        designs().filter(network="a").with_columns(network=polars.lit(name)) for name in files
    )
    figure = plot_sweep.heatmap(frame, x="columns", y="network")
    figure.draw_without_rendering()  # which warns where no room is left
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert [text[-14:] for text in labels] == [f"network_{n}.toml"[-14:] for n in "abc"]
    assert all(len(text) <= 32 for text in labels)
    for axes in plot_sweep.scaling(frame).axes:
        assert len(axes.get_title()) <= 32


def test_words():
    assert wording("memory_bits") == "memory (bits)"
    assert wording("time_ms") == "time (ms)"
    assert wording("total_cycles") == "total cycles"
    assert wording("rows") == "rows"
    for value, text in [
        (0, "0"),
        (999.4, "999"),
        (999.6, "1 k"),
        (12_500_000, "12.5 M"),
        (0.25, "0.25"),
        (-2000, "-2 k"),
    ]:
        assert short(value) == text
