"""Energy: tables, sums of parts, and what a network spends."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import accelsim as ax
from accelsim.cli import main
from accelsim.energy import (
    GROUPS,
    PRESETS,
    by_group,
    load_energy,
    outside,
    preset_text,
    spent,
)
from accelsim.energy.table import KINDS
from accelsim.engines import engine_of
from accelsim.engines.base import Accesses, Store
from accelsim.errors import AccelsimError, UnsupportedError
from accelsim.hardware import Memory, find_preset
from accelsim.lowering import Lowered
from accelsim.phrases import significant
from accelsim.saved import load_result

KIB = 8192  # bits


def table_text(**entries) -> str:
    """A table of zeros, but for some entries."""
    said = dict.fromkeys(KINDS, "0") | entries
    return "\n".join(f"{kind} = {value}" for kind, value in said.items())


def printed(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        main([*arguments])
    said = capsys.readouterr()
    assert (stop.value.code, said.err) == (0, "")
    return said.out


@pytest.fixture
def write(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "table.toml"
        path.write_text(text)
        return path

    return write


# ---- tables --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("preset", "kind", "store", "pj"),
    [
        # Horowitz, ISSCC 2014, figure 1.1.9.
        ("45nm", "multiply", Store(8), 0.2),
        ("45nm", "multiply", Store(32), 3.1),
        ("45nm", "add", Store(8), 0.03),
        ("45nm", "add", Store(32), 0.1),
        ("45nm", "lane_bank_read", Store(64, 8 * KIB), 10),
        ("45nm", "accumulator_write", Store(64, 32 * KIB), 20),
        ("45nm", "fill", Store(64, 1024 * KIB), 100),
        ("45nm", "fill", Store(8, 1024 * KIB), 100 / 8),
        ("45nm", "offchip_read", Store(8), 1300 / 8),
        # Jouppi et al., ISCA 2021, table 2.
        ("7nm", "multiply", Store(8), 0.07),
        ("7nm", "multiply", Store(32), 1.48),
        ("7nm", "add", Store(8), 0.007),
        ("7nm", "add", Store(32), 0.03),
        ("7nm", "row_bank_write", Store(64, 8 * KIB), 7.5),
        ("7nm", "result_read", Store(64, 32 * KIB), 8.5),
        ("7nm", "fill", Store(64, 1024 * KIB), 14),
        ("7nm", "offchip_write", Store(8), 350 / 8),
        # Between figures: over bits squared, over bits, over the square root of the size.
        ("45nm", "multiply", Store(16), 0.2 + 2.9 * (256 - 64) / (1024 - 64)),
        ("45nm", "add", Store(20), 0.03 + 0.07 / 2),
        ("45nm", "tap_read", Store(64, 18 * KIB), 15),  # the root of 18 is half way from 8 to 32
        # Where there is no figure beyond, the last one holds.
        ("45nm", "fill", Store(64, 8192 * KIB), 100),
        # A register, bit by bit.
        ("45nm", "operand_move", Store(9), 9 * 0.009),
    ],
)
def test_presets_have_the_published_figures(preset, kind, store, pj):
    assert load_energy(preset).price(kind).pj(store) == pytest.approx(pj, rel=1e-12)


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_files_with_their_sources(preset, write):
    read = load_energy(write(preset_text(preset)))
    assert read.prices == load_energy(preset).prices
    assert read.about == load_energy(preset).about
    assert "ISCA" in preset_text(preset)


@given(low=st.floats(0, 4000), high=st.floats(0, 4000))
def test_a_larger_memory_never_takes_less(low, high):
    low, high = sorted((low, high))
    for preset in PRESETS:
        price = load_energy(preset).price("row_bank_read")
        small, large = (price.pj(Store(8, round(size * KIB))) for size in (low, high))
        assert small <= large


BAD = [
    ("", "table.toml:1: multiply is missing"),
    (
        table_text() + "\nmultply = 1",
        "table.toml:20: unknown key 'multply', allowed are about, mult",
    ),
    (table_text() + "\nmultply = 1", "offchip_write; did you mean multiply?"),
    (table_text(add="-1"), "table.toml:2: add must be pJ, a number from 0 to 1,000,000, not -1"),
    (table_text(add="nan"), "table.toml:2: add must be pJ"),
    (table_text(add="inf"), "table.toml:2: add must be pJ"),
    (table_text(add="true"), "table.toml:2: add must be pJ"),
    (table_text(add="[1]"), "table.toml:2: add must be pJ"),
    (table_text(add='"1.0"'), "table.toml:2: add must be pJ or the name of a kind"),
    (table_text(add='"fill"', fill='"add"'), "add must be pJ or the name of a kind"),
    (table_text(add="{}"), "table.toml:2: add must have one of pj, pj_by_bits, pj_by_kib"),
    (table_text(add="{pj = 1, pj_by_bits = {8 = 1}}"), "not pj and pj_by_bits"),
    (table_text(add="{pj = 1, bit = 2}"), "table.toml:2: unknown key 'bit' in add"),
    (table_text(add="{pj = 1, bits = 0}"), "add.bits must be a whole number of bits"),
    (table_text(add="{pj = 1, bits = true}"), "add.bits must be a whole number of bits"),
    (table_text(add="{pj = 1, bits = 1.5}"), "add.bits must be a whole number of bits"),
    (table_text(add="1000001"), "add must be pJ, a number from 0 to 1,000,000, not 1000001"),
    (table_text(add='"fil"'), "not 'fil'; did you mean fill?"),
    (table_text(add="{pj = -1}"), "table.toml:2: add.pj must be pJ"),
    (table_text(add="{pj_by_bits = {8 = 1}, bits = 8}"), "no other bits beside them"),
    (table_text(add="{pj_by_bits = {}}"), "table.toml:2: add.pj_by_bits must be a table"),
    (table_text(add="{pj_by_bits = 3}"), "table.toml:2: add.pj_by_bits must be a table"),
    (table_text(fill="{pj_by_kib = {large = 3}}"), "must have numbers from 0 on as its keys"),
    (table_text(fill="{pj_by_kib = {-8 = 3}}"), "must have numbers from 0 on as its keys"),
    (table_text(fill="{pj_by_kib = {8 = 3, 08 = 4}}"), "each once, not '08'"),
    (table_text(fill="{pj_by_kib = {8 = inf}}"), "fill.pj_by_kib.8 must be pJ"),
    (table_text() + "\nabout = 7", "table.toml:20: about must be text, not 7"),
    ("multiply = ", "table.toml is not valid TOML"),
]


@pytest.mark.parametrize(("text", "message"), BAD)
def test_a_bad_table_is_one_sentence(text, message, write, capsys):
    path = write(text)
    with pytest.raises(SystemExit) as stop:
        main(["run", "mobilenet_v2", "--energy", str(path)])
    said = capsys.readouterr().err
    assert stop.value.code == 2
    assert message in said
    assert said.count("\n") == 1


def test_forms_of_prices(write):
    """Of an access as a whole, or in proportion to its bits; at most MOST_PJ."""
    table = load_energy(
        write(
            table_text(
                add="1000000",
                fill="{pj_by_kib = {1 = 3}}",
                tap_read="{pj_by_kib = {1 = 3}, bits = 4}",
                tap_write="{pj = 5}",
                sum_move="{pj = 5, bits = 2}",
            )
        )
    )
    store = Store(8, KIB)
    prices = {kind: table.price(kind).pj(store) for kind in KINDS if table.price(kind).pj(store)}
    assert prices == {"add": 1e6, "fill": 3, "tap_read": 6, "tap_write": 5, "sum_move": 20}


def test_a_file_needs_no_ending(write):
    path = write(table_text(add="2"))
    other = path.rename(path.with_name("mine"))
    assert load_energy(other).price("add").pj(Store(8)) == 2
    assert (load_energy(other).name, load_energy(str(other)).about) == ("mine", "")


def test_what_lies_outside_the_figures_is_told(write, capsys):
    table = load_energy(write(table_text(fill="{pj_by_kib = {8 = 1, 32 = 2}}", add="1")))
    sizes = {7.9: True, 8: False, 20: False, 32: False, 32.1: True}
    for kib, told in sizes.items():
        assert outside(table, {"fill": Store(8, int(kib * KIB))}) == (("fill",) if told else ())
    assert outside(table, {"add": Store(32)}) == ()
    said = printed(capsys, "run", "mobilenet_v2", "--hardware", "server", "--energy", "45nm")
    assert "the nearest of the table are taken of fill." in said
    said = printed(capsys, "run", "mobilenet_v2", "--energy", "45nm")
    assert "nearest" not in said


@pytest.mark.parametrize("name", ["45", "table"])
def test_a_table_that_is_not_there(name, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["run", "mobilenet_v2", "--energy", name])
    assert stop.value.code == 2
    assert f"there is no energy table '{name}'" in capsys.readouterr().err


def test_energy_prints_tables(capsys):
    said = printed(capsys, "energy")
    assert all(preset_text(preset) in said for preset in PRESETS)
    assert printed(capsys, "energy", "7nm").splitlines()[1:] == preset_text("7nm").splitlines()


def test_groups_hold_every_kind_once():
    kinds = [kind for group in GROUPS.values() for kind in group]
    assert sorted(kinds) == sorted(Accesses._fields)
    assert by_group({"multiply": 1.0, "add": 2.0, "fill": 0.5}) == {"arithmetic": 3, "buffers": 0.5}


# ---- networks ------------------------------------------------------------------------------

DESIGN = find_preset("flexible").hardware


@pytest.fixture(scope="module")
def network():
    return ax.networks.mobilenet_v2(input=(64, 64))


@pytest.mark.parametrize("preset", PRESETS)
def test_parts_add_up(network, preset):
    """In any order, exactly."""
    data = ax.simulate(network, DESIGN, energy=preset).to_dict()
    for layer in data["layers"]:
        assert list(layer["energy"]) == list(layer["accesses"])
        assert layer["energy_pj"] == sum(reversed([*layer["energy"].values()]))
        assert layer["energy_pj"] == math.fsum(layer["energy"].values())
    assert data["total_energy_pj"] == sum(layer["energy_pj"] for layer in data["layers"])
    assert data["total_energy_pj"] == sum(data["total_energy"].values())


def test_with_one_price_the_total_is_that_count(network, write):
    counts = {}
    for kind in KINDS:
        table = write(table_text(**{kind: "1"}))
        result = ax.simulate(network, DESIGN, dataflow="ws", energy=table)
        counts[kind] = sum((layer.accesses or {}).get(kind, 0) for layer in result.layers)
        assert result.total_energy_pj == counts[kind]
    result = ax.simulate(network, DESIGN, dataflow="ws")
    assert counts["offchip_read"] + counts["offchip_write"] == result.total_offchip_bytes
    assert counts["fill"] == sum(layer.read_bytes or 0 for layer in result.layers)
    busy = sum(
        (layer.busy_utilization or 0) * layer.cycles * (4096 if layer.engine == "array" else 512)
        for layer in result.layers
    )
    assert counts["multiply"] == round(busy)
    assert all(counts[kind] for kind in KINDS)


def test_energy_is_pj_times_accesses(network):
    table = load_energy("45nm")
    result = ax.simulate(network, DESIGN, energy=table)
    layer = next(layer for layer in result.layers if layer.name == "b2.expand")
    sizes = DESIGN.array
    bank = table.price("row_bank_read").pj(Store(9, 1024 * 9))
    expected = {
        "multiply": 0.2 + 2.9 * (81 - 64) / (1024 - 64),
        "add": 0.1,
        "operand_move": 0.009 * 9,
        "sum_move": 0.009 * 32,
        "row_bank_read": bank,
        "column_bank_write": bank,
        "result_write": table.price("fill").pj(Store(32, sizes.result_depth * 32)),
        "fill": table.price("fill").pj(Store(8, 256 * KIB)),
        "offchip_read": 162.5,
    }
    for kind, pj in expected.items():
        assert layer.energy[kind] == pytest.approx(layer.accesses[kind] * pj, abs=1 / 1024)


def test_more_buffer_never_takes_more_memory_energy(network):
    """A byte off chip always takes what the table says, and there are never more of them."""
    least = math.inf
    for kib in (1, 4, 16, 64, 256, 1024, 4096):
        design = replace(DESIGN, memory=Memory(kib, kib, 16))
        result = ax.simulate(network, design, energy="45nm")
        offchip = by_group(result.total_energy)["off chip"]
        assert offchip == 162.5 * result.total_offchip_bytes
        assert offchip <= least
        least = offchip


def test_without_memory_nothing_of_it_is_counted(network):
    result = ax.simulate(network, replace(DESIGN, memory=None), energy="45nm")
    assert not {"fill", "offchip_read", "offchip_write"} & set(result.total_energy)
    hosted = [layer for layer in result.layers if layer.not_modelled]
    assert all(layer.energy is None for layer in hosted)
    assert result.total_energy_pj > 0


def test_default_output_has_no_energy(network, capsys):
    """Nothing of it is printed or written unless it is asked for."""
    result = ax.simulate(network, DESIGN)
    text = json.dumps(result.to_dict())
    assert "energy" not in text
    assert "accesses" not in text
    assert "energy" not in " ".join(result.to_frame().columns)
    assert result.total_energy_pj is None
    said = printed(capsys, "run", "mobilenet_v2", "--input", "64x64", "--layers", "stem")
    assert "nergy" not in said


def test_json_csv_and_frame_have_the_same_energy(tmp_path, network, capsys):
    files = [str(tmp_path / name) for name in ("r.json", "r.csv")]
    arguments = ["run", "mobilenet_v2", "--input", "64x64", "--energy", "7nm", "--hardware"]
    said = printed(capsys, *arguments, "flexible", "--json", files[0], "--csv", files[1])
    assert "uJ" in said
    data = json.loads(Path(files[0]).read_text())
    head, *lines = (line.split(",") for line in Path(files[1]).read_text().splitlines())
    frame = ax.simulate(network, DESIGN, energy="7nm").to_frame()
    assert head == frame.columns
    for layer, line, row in zip(data["layers"], lines, frame.to_dicts(), strict=True):
        cells = dict(zip(head, line, strict=True))
        assert float(cells["energy_pj"]) == layer["energy_pj"] == row["energy_pj"]
        for kind, pj in layer["energy"].items():
            assert float(cells[f"{kind}_pj"]) == pj == row[f"{kind}_pj"]
            assert int(cells[f"{kind}_accesses"]) == layer["accesses"][kind]
            assert row[f"{kind}_accesses"] == layer["accesses"][kind]
        assert data["energy_table"] == "7nm"


@pytest.mark.parametrize("fidelity", ["schedule", "golden", "cycle"])
def test_all_fidelities_have_the_same_energy(fidelity):
    network = ax.networks.mobilenet_v2(input=(32, 32))
    design = ax.Hardware(ax.SystolicArray(16, 16), memory=Memory(64, 64, 8))
    result = ax.simulate(
        network, design, layers="b1.dw..b1.project", fidelity=fidelity, energy="7nm"
    )
    expected = ax.simulate(network, design, layers="b1.dw..b1.project", energy="7nm")
    assert [layer.energy for layer in result.layers] == [layer.energy for layer in expected.layers]


def test_batches_take_more(network):
    one, four = (ax.simulate(network, DESIGN, batch=batch, energy="45nm") for batch in (1, 4))
    assert one.total_energy_pj < four.total_energy_pj < 4 * one.total_energy_pj


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--hardware", "gemmini"], "energy needs counts of accesses, and gemmini is a model"),
        (["--timing", "fuseconv-2020"], "energy is counted for timing rtl"),
    ],
)
def test_no_energy_where_accesses_are_not_known(options, message, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["run", "mobilenet_v2", "--energy", "45nm", *options])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_an_engine_without_accesses_is_refused(network, monkeypatch):
    monkeypatch.setattr(Lowered, "accesses", None)
    with pytest.raises(UnsupportedError, match=r"engine array has none \(layer stem\)"):
        ax.simulate(network, ax.Hardware(ax.SystolicArray(8, 8)), energy="45nm")


@pytest.mark.parametrize("energy", [3, b"45nm"])
def test_what_is_no_table_is_refused(network, energy):
    with pytest.raises(AccelsimError, match="energy must be a table"):
        ax.simulate(network, DESIGN, energy=energy)


def test_spent_is_rounded_to_1024ths():
    table = load_energy("45nm")
    pj = spent(table, {"multiply": 3}, {"multiply": Store(8)})["multiply"]
    assert pj == round(0.6 * 1024) / 1024


# ---- files ---------------------------------------------------------------------------------


def saved(tmp_path, network, damage=lambda data: None):
    data = ax.simulate(network, DESIGN, energy="45nm").to_dict()
    damage(data)
    path = tmp_path / "result.json"
    path.write_text(json.dumps(data))
    return load_result(path)


def test_energy_comes_back(tmp_path, network):
    result = ax.simulate(network, DESIGN, energy="45nm")
    assert saved(tmp_path, network).layers == result.layers


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data["layers"][0]["energy"].update(fill=-1.0), "fill of energy must be"),
        (lambda data: data["layers"][0]["accesses"].update(fill="9"), "fill must be of type int"),
        (lambda data: data["layers"][0]["energy"].update(wires=1.0), "a kind of energy must be"),
        (lambda data: data["layers"][0].pop("accesses"), "without the other"),
        (lambda data: data["layers"][0]["energy"].update(fill=1.0), "total_energy_pj is"),
        (lambda data: data.update(layers=[3]), "a layer must be a table, not 3"),
        (lambda data: data.pop("energy_table"), "without the other"),
        (lambda data: data.update(energy_table=45), "energy_table must be of type str"),
    ],
)
def test_damaged_energy_is_refused(damage, message, tmp_path, network):
    with pytest.raises(AccelsimError, match=message):
        saved(tmp_path, network, damage)


def test_a_page_shows_where_energy_goes(tmp_path, network, capsys):
    result = ax.simulate(network, DESIGN, energy="45nm")
    saved, page = tmp_path / "r.json", tmp_path / "r.html"
    saved.write_text(json.dumps(result.to_dict()))
    printed(capsys, "report", str(saved), "-o", str(page))
    text = page.read_text()
    total = significant(result.total_energy_pj / 1e6)
    assert f"<dt>energy by 45nm</dt><dd>{total} uJ</dd>" in text
    for kind, pj in result.total_energy.items():
        assert f'<td class="word">{kind}</td><td>{significant(pj / 1e6)}</td>' in text


# ---- several designs -----------------------------------------------------------------------


def test_compare_has_the_energy_of_every_design(tmp_path, network, capsys):
    names = ("mobile", "flexible")
    file = tmp_path / "c.json"
    said = printed(
        capsys, "compare", "mobilenet_v2", "--input", "64x64", "--hardware", names[0],
        "--hardware", names[1], "--energy", "7nm", "--json", str(file),
    )  # fmt: skip
    designs = json.loads(file.read_text())["designs"]
    row = next(line for line in said.splitlines() if line.startswith("energy uJ"))
    shown = row.split()[2:]
    for name, design in zip(names, designs, strict=True):
        result = ax.simulate(network, find_preset(name).hardware, energy="7nm")
        assert design["total_energy_pj"] == result.total_energy_pj
        assert design["total_energy"] == result.total_energy
        costs = {layer.name: layer.energy for layer in result.layers}
        assert all(layer["energy"] == costs[layer["name"]] for layer in design["layers"])
        assert significant(result.total_energy_pj / 1e6) in shown
        assert f"Energy of {name}: " in said
    assert said.count("* ") >= 1


def test_several_results_have_a_column(network, capsys):
    arguments = ["mobilenet_v2", "--input", "64x64,96x96", "--hardware", "flexible"]
    said = printed(capsys, "run", *arguments, "--energy", "45nm")
    assert "energy uJ" in said
    assert all(f"Energy of {size}: " in said for size in ("64x64", "96x96"))
    total = ax.simulate(network, DESIGN, energy="45nm").total_energy_pj
    assert significant(total / 1e6) in said
    assert "nergy" not in printed(capsys, "run", *arguments)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"), (1234.0, "1,230"), (999.6, "1,000"), (0.12345, "0.123"), (0.0999999, "0.100"),
        (12.0, "12.0"), (7.861, "7.86"), (0.00012, "0.000120"), (99.95, "100"), (1.0, "1.00"),
    ],
)  # fmt: skip
def test_three_digits_are_shown(number, text):
    assert significant(number) == text


def test_segments_of_the_plot_are_the_groups(network):
    results = [
        ax.simulate(network, find_preset(name).hardware, energy="45nm")
        for name in ("mobile", "flexible")
    ]
    figure = ax.plot.energy(results)
    axes = figure.axes[0]
    spent = [by_group(result.total_energy) for result in results]
    widths = [bar.get_width() for bar in axes.patches]
    assert widths == pytest.approx([pj / 1e6 for groups in spent for pj in groups.values()])
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == [group for group in GROUPS if group in spent[1]]


def test_a_plot_needs_energy(tmp_path, network, capsys):
    path = tmp_path / "plain.json"
    path.write_text(json.dumps(ax.simulate(network, DESIGN).to_dict()))
    with pytest.raises(SystemExit) as stop:
        main(["plot", "energy", str(path), "-o", str(tmp_path / "a.png")])
    assert stop.value.code == 2
    assert "mobilenet_v2 has no energy" in capsys.readouterr().err


def test_files_tell_results_of_one_design_apart(tmp_path, network, capsys):
    for name, flow in (("one", "os"), ("two", "rows,os")):
        result = ax.simulate(network, DESIGN, dataflow=flow, energy="45nm")
        (tmp_path / f"{name}.json").write_text(json.dumps(result.to_dict()))
    picture = tmp_path / "a.svg"
    files = (str(tmp_path / f"{name}.json") for name in ("one", "two"))
    printed(capsys, "plot", "energy", *files, "-o", str(picture))
    assert "two: mobilenet_v2 baseline" in picture.read_text()


# ---- what is written about it --------------------------------------------------------------

DOCS = (Path(__file__).parents[3] / "docs" / "energy.md").read_text()


def test_docs_name_every_kind_and_group():
    for kind in KINDS:
        first, _, last = kind.rpartition("_")
        assert f"`{kind}`" in DOCS or (f"`{first}_" in DOCS and f"`_{last}`" in DOCS), kind
    assert all(f"| {group} |" in DOCS for group in GROUPS)


def test_the_table_in_the_docs_is_read(write):
    shown = DOCS.split("```toml\n")[1].split("```")[0]
    named = {line.split(" = ")[0] for line in shown.splitlines()}
    rest = "".join(f"{kind} = 0\n" for kind in KINDS if kind not in named)
    table = load_energy(write(shown + rest))
    assert table.about == "where the figures are from"
    assert table.price("sum_move").pj(Store(32)) == pytest.approx(32 * 0.009)
    assert table.price("row_bank_read").pj(Store(8, 2 * KIB)) == pytest.approx(
        (0.58 + 9.42 / 2) / 8
    )


# ---- one layer -----------------------------------------------------------------------------


def test_explain_shows_every_kind(tmp_path, network, capsys):
    file = tmp_path / "e.json"
    said = printed(
        capsys, "explain", "mobilenet_v2", "--input", "64x64", "--hardware", "flexible",
        "--layer", "b3.dw", "--energy", "45nm", "--json", str(file),
    )  # fmt: skip
    data = json.loads(file.read_text())
    result = ax.simulate(network, DESIGN, energy="45nm")
    layer = next(layer for layer in result.layers if layer.name == "b3.dw")
    assert (data["energy"], data["accesses"]) == (layer.energy, layer.accesses)
    assert data["energy_pj"] == layer.energy_pj
    rows = [line.split() for line in said.splitlines() if line.split(" ")[0] in KINDS]
    assert {row[0]: int(row[1].replace(",", "")) for row in rows} == {
        kind: count for kind, count in layer.accesses.items() if count
    }
    for kind, _, each, whole, *_ in rows:
        assert each == significant(layer.energy[kind] / layer.accesses[kind])
        assert whole == significant(layer.energy[kind] / 1e6)
    plain = printed(capsys, "explain", "mobilenet_v2", "--layer", "b3.dw", "--json", "-")
    assert "energy" not in plain
    assert "accesses" not in plain


def test_layers_are_sorted_by_energy(network, capsys):
    arguments = ["run", "mobilenet_v2", "--input", "64x64", "--energy", "7nm", "--sort", "energy"]
    said = printed(capsys, *arguments, "--hardware", "flexible", "--top", "1")
    layers = ax.simulate(network, DESIGN, energy="7nm").layers
    most = max((x for x in layers if not x.not_modelled), key=lambda layer: layer.energy_pj)
    assert said.splitlines()[4].split()[0] == most.name


def test_a_kind_without_a_store_is_refused(network, monkeypatch):
    engine = engine_of(DESIGN.array)
    stores = engine.stores(DESIGN.array)
    del stores["sum_move"]
    monkeypatch.setattr(Lowered, "stores", stores)
    with pytest.raises(UnsupportedError, match=r"array has none of sum_move \(layer stem\)"):
        ax.simulate(network, DESIGN, energy="45nm")
