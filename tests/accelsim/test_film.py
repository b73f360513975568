"""Films: the layer's own multiplies, its padding told apart, and the pictures made of it."""

import io
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

import accelsim as ax
from accelsim.engines.activity import ElementState
from accelsim.errors import FileError, UnsupportedError
from accelsim.report import plot_film
from tests.accelsim.cli.probe import PROBE

TINY = """
name = "tiny"
input = [3, 7, 6]
[[layer]]
name = "dw"
op = "depthwise"
kernel = [3, 3]
[[layer]]
name = "pw"
op = "pointwise"
out_channels = 5
[[layer]]
name = "relu"
op = "activation"
function = "relu"
"""


@pytest.fixture
def tiny(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(TINY.split('[[layer]]\nname = "relu"', maxsplit=1)[0])
    return ax.load(path)


@pytest.fixture
def probe(tmp_path):
    path = tmp_path / "probe.toml"
    path.write_text(PROBE)
    return ax.load(path)


def whole(network, layer, hardware, dataflow):
    cycles = ax.simulate(network, hardware, dataflow, layers=layer).total_cycles
    return ax.film(network, layer, hardware, dataflow, clocks=range(cycles))


@pytest.mark.parametrize("overlap", [True, False], ids=["overlapped", "plain"])
@pytest.mark.parametrize("dataflow", ["os", "ws", "is", "rows"])
def test_busy_elements_are_the_products_inside_the_map(tiny, dataflow, overlap):
    """3 x 3 taps with padding 1: (3 h - 2) (3 w - 2) of them meet the map, in every dataflow."""
    hardware = ax.Hardware(ax.SystolicArray(4, 6, overlap=overlap))
    film = whole(tiny, "dw", hardware, dataflow)
    assert film.count(ElementState.BUSY).sum() == 3 * (3 * 7 - 2) * (3 * 6 - 2)
    assert film.activity.multiplies.sum() == film.multiplies
    assert film.multiplies >= 3 * 7 * 6 * 9
    assert film.share == pytest.approx(film.activity.multiplies.mean() / 24)


@pytest.mark.parametrize("dataflow", ["os", "ws", "is"])
@pytest.mark.parametrize("layer", ["stem", "fc"])
def test_dense_layers_multiply_every_operand_once(probe, layer, dataflow):
    film = whole(probe, layer, ax.Hardware(ax.SystolicArray(5, 4)), dataflow)
    assert film.activity.multiplies.sum() == film.multiplies
    if layer == "fc":  # no padding: every weight once
        assert film.count(ElementState.BUSY).sum() == probe.macs(probe.layer(layer))
    else:  # 3 x 3 at stride (2, 1), dilation (1, 2), padding 1, 0, 0, 2
        down = sum(0 <= 2 * y + k - 1 < 17 for y in range(9) for k in range(3))
        across = sum(x + 2 * k < 19 for x in range(17) for k in range(3))
        assert film.count(ElementState.BUSY).sum() == 5 * 3 * down * across


KINDS = """
name = "kinds"
input = [3, 11, 13]
[[layer]]
name = "strided"
op = "depthwise"
kernel = [3, 3]
stride = [2, 2]
[[layer]]
name = "line"
op = "depthwise"
kernel = [1, 3]
inputs = ["input"]
[[layer]]
name = "column"
op = "depthwise"
kernel = [5, 1]
inputs = ["input"]
[[layer]]
name = "dilated"
op = "depthwise"
kernel = [3, 3]
dilation = [2, 2]
inputs = ["input"]
"""


@pytest.mark.parametrize("shape", [(3, 4), (4, 7), (6, 5)], ids=str)
@pytest.mark.parametrize("layer", ["strided", "line", "column", "dilated"])
def test_row_streams_do_the_products_of_the_layer(layer, shape, tmp_path):
    """Windows that a stride throws away, and lines that fire more than once, are no exception."""
    path = tmp_path / "kinds.toml"
    path.write_text(KINDS)
    network = ax.load(path)
    film = whole(network, layer, ax.Hardware(ax.SystolicArray(*shape)), "rows")
    op = network.layer(layer).op
    sides = zip((11, 13), op.kernel, op.stride, op.dilation, strict=True)
    expected = 3
    for size, kernel, stride, dilation in sides:
        before = dilation * (kernel - 1) // 2
        expected *= sum(
            0 <= at + dilation * k - before < size
            for at in range(0, size, stride)
            for k in range(kernel)
        )
    assert film.count(ElementState.BUSY).sum() == expected
    assert film.activity.multiplies.sum() == film.multiplies


def test_im2col_starves_the_array_of_a_depthwise_layer():
    """One column of sixteen by os; row streams use as many as a line has windows."""
    network = ax.networks.mobilenet_v2()
    hardware = ax.Hardware(ax.SystolicArray(16, 16))
    by_os, by_rows = (ax.film(network, "b5.dw", hardware, way) for way in ("os", "rows"))
    assert by_os.clocks == by_rows.clocks == range(96)
    busy = [film.activity.states >= ElementState.WASTE for film in (by_os, by_rows)]
    assert not busy[0][:, :, 1:].any()
    assert busy[0].any(axis=0).sum() == 16
    assert busy[1].any(axis=(0, 1)).sum() == 14  # windows of a pass of b5.dw, 28 wide
    assert by_rows.share > 4 * by_os.share


@pytest.mark.parametrize(
    ("layer", "clocks", "message"),
    [
        ("sum", None, r"layer sum \(add\) runs on the host; only layers on an engine have a film"),
        (
            "fc",
            range(10**6, 10**6 + 3),
            r"clocks of layer fc are 0\.\.\d+, .* not 1000000..1000002",
        ),
        ("fc", range(5, 5), r"clocks of layer fc are 0\.\.\d+, one after another, not 5..4"),
        ("fc", range(0, 8, 2), r"one after another"),
    ],
)
def test_what_no_film_shows(probe, layer, clocks, message):
    with pytest.raises(UnsupportedError, match=message):
        ax.film(probe, layer, ax.Hardware(ax.SystolicArray(4, 4)), clocks=clocks)


def test_films_have_a_limit():
    network = ax.networks.mobilenet_v2()
    hardware = ax.Hardware(ax.SystolicArray(128, 128))
    with pytest.raises(
        UnsupportedError, match=r"16,384 elements has at most 4,096 clocks, not 5,000"
    ):
        ax.film(network, "b5.dw", hardware, "os", clocks=range(5000))


# ---- pictures ------------------------------------------------------------------------------


@pytest.fixture
def films(tiny):
    hardware = ax.Hardware(ax.SystolicArray(4, 6))
    return [ax.film(tiny, "dw", hardware, way) for way in ("os", "rows")]


def colour(value):
    return tuple(np.round(255 * np.array(to_rgb(value))).astype(int).tolist())


def test_a_strip_shows_states_clocks_and_shares(films):
    figure = plot_film.strip(films, 5)
    parts = figure.subfigs
    assert len(parts) == 2
    for part, film in zip(parts, films, strict=True):
        *frames, share = part.axes
        assert [frame.get_title() for frame in frames] == [
            f"clock {clock}" for clock in (0, 7, 14, 21, 29)
        ]
        for frame, at in zip(frames, (0, 7, 14, 21, 29), strict=True):
            picture = frame.images[0].get_array()
            for i in range(4):
                for j in range(6):
                    corner = picture[i * plot_film.CELL + 1, j * plot_film.CELL + 1]
                    bar = picture[(i + 1) * plot_film.CELL - 2, j * plot_film.CELL + 1]
                    inside = plot_film.COLOURS[ElementState(int(film.activity.states[at, i, j]))]
                    assert tuple(corner.tolist()) == colour(inside)
                    leaves = film.activity.drain[at, i, j]
                    expected = plot_film.DRAIN if leaves else inside
                    assert tuple(bar.tolist()) == colour(expected)
        tops = share.patches[1].get_data().values
        assert tops == pytest.approx(film.activity.multiplies / 24)
        assert film.dataflow in part.get_suptitle()
        assert f"{film.cycles:,} cycles" in part.get_suptitle()
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == [*plot_film.LABELS.values(), "a result leaves downward"]


def test_all_panels_of_a_frame_are_at_one_clock(films, tiny, monkeypatch):
    hardware = ax.Hardware(ax.SystolicArray(4, 6))
    cut = ax.film(tiny, "dw", hardware, "rows", clocks=range(12))
    short = replace(cut, cycles=12)
    for other, why in ((short, "done"), (cut, "not filmed")):
        parts = plot_film.strip([films[0], other], 4).subfigs
        titles = [[axes.get_title() for axes in part.axes[:-1]] for part in parts]
        clocks = (0, 9, 19, 29)
        assert titles[0] == [f"clock {clock}" for clock in clocks]
        late = [clock for clock in clocks if clock not in other.clocks]
        assert titles[1] == [f"clock {c}: {why}" if c in late else f"clock {c}" for c in clocks]
        idle = parts[1].axes[3].images[0].get_array()
        assert tuple(idle[1, 1].tolist()) == colour(plot_film.COLOURS[ElementState.IDLE])
        assert parts[0].axes[-1].get_xlim() == parts[1].axes[-1].get_xlim() == (0, 30)
    asked = []
    said = plot_film._said
    monkeypatch.setattr(
        plot_film, "_said", lambda film, clock: asked.append(clock) or said(film, clock)
    )
    plot_film.animation([films[0], short], 5)
    assert asked[2::2] == asked[3::2] == [0, 7, 14, 21, 29]  # the first two are of empty panels


def test_an_animation_moves_from_the_first_clock_to_the_last(films):
    gif = Image.open(io.BytesIO(plot_film.animation(films, 4)))
    assert (gif.format, gif.n_frames) == ("GIF", 4)
    shots = []
    for frame in range(4):
        gif.seek(frame)
        shots.append(np.asarray(gif.convert("RGB")))
    assert all((a != b).any() for a, b in pairwise(shots))
    shown = {tuple(c) for c in np.unique(np.concatenate(shots).reshape(-1, 3), axis=0).tolist()}
    for value in (*plot_film.COLOURS.values(), plot_film.DRAIN):
        assert colour(value) in shown  # the palette keeps the colours of the legend


def test_one_clock_is_a_film(films):
    tiny = [film.activity for film in films]
    assert all(activity.states.shape == (30, 4, 6) for activity in tiny)
    assert Image.open(io.BytesIO(plot_film.animation(films, 1))).n_frames == 1


def test_pictures_are_written_by_their_endings(films, tmp_path):
    for name, begin in (("a.png", b"\x89PNG"), ("a.gif", b"GIF89a"), ("a.svg", b"<?xml")):
        plot_film.write(tmp_path / name, films[:1], 2)
        assert (tmp_path / name).read_bytes().startswith(begin)
    with pytest.raises(FileError, match=r"a.mp4 must end in one of .gif, .pdf, .png, .svg"):
        plot_film.write(tmp_path / "a.mp4", films, 2)
    with pytest.raises(UnsupportedError, match="at least 1 frame, not -1"):
        plot_film.write(tmp_path / "b.gif", films, -1)


@pytest.mark.parametrize(("frames", "most"), [(0, "at least 1"), (65, "a strip has at most 64")])
def test_a_strip_has_a_limit(films, frames, most):
    long = [replace(film, clocks=range(200)) for film in films]
    with pytest.raises(UnsupportedError, match=most):
        plot_film.strip(long, frames)


@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("count", [1, 2])
def test_titles_and_legend_of_a_strip_lie_within_it(films, frames, count):
    long = [replace(film, network="n" * 90, layer=r"l$\foo{$" * 6) for film in films[:count]]
    figure = plot_film.strip(long, frames)
    figure.draw_without_rendering()
    right = figure.bbox.x1
    legend = figure.legends[0].get_window_extent()
    assert legend.x1 <= right
    for part in figure.subfigs:
        title = part._suptitle.get_window_extent()
        assert title.x1 <= right
        assert title.y0 >= max(axes.title.get_window_extent().y1 for axes in part.axes)
