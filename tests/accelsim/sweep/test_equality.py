"""Every point of a sweep is what `simulate` says of its design, to the last bit."""

import math
import random
from fractions import Fraction
from functools import partial

import polars
import pytest

import accelsim as ax
from accelsim import reuse, sweep
from accelsim.engines import depthwise, systolic_array
from accelsim.hardware import to_toml
from tests.accelsim.clocks import handmade
from tests.accelsim.sweep.specs import CHEAP, LARGE, simulated, spec

BINDS = {
    "memory_bound_layers": ("memory",),
    "ports_bound_layers": ("fill", "results"),
    "multiplies_bound_layers": ("array",),
}


@pytest.fixture(scope="module")
def points(tmp_path_factory):
    """Rows, and what `simulate` says of their designs; None where it refuses."""
    folder = tmp_path_factory.mktemp("large")
    sweep.run(spec(folder, LARGE), folder / "out")
    frame = sweep.load(folder / "out")
    rows = frame.sort("bits", "rows", "columns", "overlap", "lanes", "input").to_dicts()
    return [(row, result_of(row)) for row in rows]


def result_of(row):
    try:
        return simulated(row)
    except ax.AccelsimError:
        return None


def bound_by(result, *names):
    """Layers that wait for one of these."""
    return sum(layer.bound_by in names for layer in result.layers)


def test_every_column_that_run_reports_is_equal(points):
    supported = 0
    for row, result in points:
        assert row["supported"] == (result is not None)
        if result is None:
            assert row["total_cycles"] is None
            continue
        supported += 1
        layers, hardware = result.layers, result.hardware
        offered = hardware.multipliers * result.total_cycles
        engines = {"array": hardware.array, "depthwise": hardware.depthwise}
        executed = sum(
            layer.busy_utilization * layer.cycles * engines[layer.engine].multipliers
            for layer in layers
            if layer.busy_utilization is not None
        )
        expected = {
            "total_cycles": result.total_cycles,
            "total_macs": result.total_macs,
            "total_params": result.total_params,
            "array_cycles": sum(each.cycles for each in layers if each.engine == "array"),
            "depthwise_cycles": sum(each.cycles for each in layers if each.engine == "depthwise"),
            "bound_cycles": sum(each.bound_cycles or 0 for each in layers),
            "read_bytes": sum(each.read_bytes or 0 for each in layers),
            "write_bytes": sum(each.write_bytes or 0 for each in layers),
            "not_modelled_layers": sum(each.not_modelled for each in layers),
            "multipliers": hardware.multipliers,
            "total_live_macs": result.total_live_macs,
            "total_skipped_macs": result.total_skipped_macs,
            "utilization": result.total_live_macs / offered,
            "time_ms": result.time_ms,
            **{column: bound_by(result, *names) for column, names in BINDS.items()},
            "clocks": result.total_cycles,
        }
        if hardware.memory is not None:
            expected |= {
                "clocks": result.total_memory_cycles,
                "offchip_read_bytes": sum(each.offchip_read_bytes for each in layers),
                "offchip_write_bytes": sum(each.offchip_write_bytes for each in layers),
            }
        assert {key: row[key] for key in expected} == expected
        assert row["busy_utilization"] * offered == pytest.approx(executed, rel=1e-12)
    assert len(points) // 10 < supported < len(points)  # both kinds are there


def test_columns_beyond_run_follow_from_it(points):
    for row, result in points:
        if result is None:
            continue
        hardware, network = result.hardware, result.graph
        parts = list(systolic_array.schedule.resources(hardware.array))
        if hardware.depthwise:
            parts += depthwise.schedule.resources(hardware.depthwise)
        kib = row["activation_kib"] + row["weight_kib"]
        assert row["memory_bits"] == sum(part.memory_bits for part in parts) + kib * 8192
        assert row["register_bits"] == sum(part.register_bits for part in parts)

        moved = reuse.moved(network, row["activation_kib"] * 1024, row["weight_kib"] * 1024)
        assert row["offchip_read_bytes"] == sum(each.read for each in moved)
        assert row["offchip_write_bytes"] == sum(each.write for each in moved)

        width, clocks = row["memory_width_bytes"], 0
        kinds = {"memory": 0, "ports": 0, "multiplies": 0}
        for layer, (read, write) in zip(result.layers, moved, strict=True):
            of_memory = math.ceil(Fraction(read + write, width)) if width else 0
            clocks += max(layer.cycles, of_memory)
            if layer.not_modelled:
                continue
            engine = {"array": hardware.array, "depthwise": hardware.depthwise}[layer.engine]
            if of_memory > layer.cycles:
                kinds["memory"] += 1
            elif layer.bound_cycles * engine.multipliers >= layer.live_macs + engine.multipliers:
                kinds["ports"] += 1
            else:
                kinds["multiplies"] += 1
        assert row["clocks"] == clocks
        assert row["time_ms"] == row["clocks"] / (row["clock_mhz"] * 1e3)
        assert {kind: row[f"{kind}_bound_layers"] for kind in kinds} == kinds


NETWORKS = ("mobilenet_v3_small", "mnasnet_b1", "resnet18", "shufflenet_v2_x1_0")


def random_sweep(rng):
    """A specification of axes chosen at random, and the hardware file that it starts from."""
    some = partial(rng.sample, k=2)
    base = f"[array]\nrows = {rng.randint(3, 20)}\ncolumns = {rng.randint(3, 20)}\n"
    if rng.random() < 0.5:
        base += f"[depthwise]\nlanes = {rng.randint(1, 9)}\npixels = {rng.randint(1, 17)}\n"
    if rng.random() < 0.7:
        rooms = rng.randint(1, 600), rng.randint(1, 300), rng.choice((1, 4, 17, 64))
        keys = ("activation_kib", "weight_kib", "width_bytes")
        base += "[memory]\n" + "".join(f"{key} = {n}\n" for key, n in zip(keys, rooms, strict=True))
    text = f"networks = {[rng.choice(NETWORKS)]}\nhardware = 'base.toml'\ninputs = '96x64'\n"
    text += f"batch = {some((1, 2, 3, 8, 50))}\n" if rng.random() < 0.6 else ""
    tables = {
        "operands": {"bits": some((8, 9, 10, 16))},
        "array": {"overlap": "[true, false]", "max_taps": some(range(1, 12))},
        "depthwise": {"size": ["none", f"{rng.randint(1, 8)}x{rng.randint(1, 9)}"]},
        "memory": {
            "activation_kib": some(range(1, 900)),
            "weight_kib": some(range(1, 900)),
            "width_bytes": some((0, 1, 2, 3, 5, 8, 16, 100)),
        },
        "clock": {"mhz": some(range(1, 900))},
    }
    for table, keys in tables.items():
        said = [f"{key} = {values}\n" for key, values in keys.items() if rng.random() < 0.6]
        text += f"[{table}]\n{''.join(said)}" if said else ""
    return text, base


@pytest.mark.parametrize("seed", range(6))
def test_any_point_of_any_sweep_is_what_run_says_of_its_hardware_file(seed, tmp_path, monkeypatch):
    rng = random.Random(seed)
    text, base = random_sweep(rng)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base.toml").write_text(base)
    asked = spec(tmp_path, text)
    sweep.run(asked, tmp_path / "out")
    rows = sweep.load(tmp_path / "out").to_dicts()
    for row in rng.sample(rows, min(len(rows), 4)):
        (tmp_path / "point.toml").write_text(to_toml(asked.hardware(row)))
        size = tuple(map(int, row["input"].split("x")))
        network = ax.networks.get(row["network"], row["variant"], size)
        images = row.get("batch", 1)
        result = ax.simulate(network, tmp_path / "point.toml", row["dataflow"], batch=images)
        said = result.to_dict()
        clocks = said["total_memory_cycles"]
        assert row["clocks"] == (said["total_cycles"] if clocks is None else clocks)
        shared = [key for key in said if key in row and key not in ("network", "variant", "input")]
        assert {"total_cycles", "total_macs", "total_params", "time_ms", "clock_mhz"} <= set(shared)
        assert {key: row[key] for key in shared} == {key: said[key] for key in shared}
        frame = result.to_frame()
        for key in set(frame.columns) & set(row):
            if key in frame.select(polars.selectors.integer()).columns and frame[key].count():
                assert row[key] == frame[key].sum(), key
        for column, names in BINDS.items():
            assert row[column] == bound_by(result, *names)
        if not base.count("[memory]") and not text.count("width_bytes"):
            assert clocks is None


def test_sums_that_could_overflow_are_refused(tmp_path):
    text = "networks = ['replknet_xl']\ninputs = '65536x65536'\n[array]\nsize = '1x1'\n"
    with pytest.raises(ax.AccelsimError, match="more than a sweep can count"):
        sweep.run(spec(tmp_path, text), tmp_path / "out")


def test_points_of_a_sample_differ_and_lie_all_over_the_grid(tmp_path):
    drawn = 4000
    text = f"{CHEAP}[sample]\npoints = {drawn}\nseed = 5\n"
    sweep.run(spec(tmp_path, text), tmp_path / "out")
    frame = sweep.load(tmp_path / "out")
    design = frame.columns[1 : frame.columns.index("total_macs")]
    assert frame.select(design).is_unique().all()
    axes = [name for name in design if frame.get_column(name).n_unique() > 1]
    assert len(axes) > 6
    for axis in axes:
        shares = frame.get_column(axis).value_counts(normalize=True).get_column("proportion")
        # A fair draw is within five standard deviations of equal shares.
        share = 1 / len(shares)
        assert (shares - share).abs().max() < 5 * (share * (1 - share) / drawn) ** 0.5, axis


def test_a_grid_holds_every_combination_once_in_order(tmp_path):
    text = """
networks = ["mobilenet_v1"]
variants = ["baseline", "fuse_half"]
[array]
rows = [4, 8]
columns = [4, 6, 8]
[clock]
mhz = [1, 2, 3]
"""
    sweep.run(spec(tmp_path, text), tmp_path / "out")
    frame = sweep.load(tmp_path / "out")
    designs = frame.select("variant", "rows", "columns", "clock_mhz").rows()
    expected = [
        (variant, rows, columns, mhz)
        for variant in ("baseline", "fuse_half")
        for rows in (4, 8)
        for columns in (4, 6, 8)
        for mhz in (1.0, 2.0, 3.0)
    ]
    assert designs == expected
    assert frame.get_column("point").to_list() == list(range(36))


OWN_CLOCKS = """
networks = ["mobilenet_v3_small"]
inputs = ["64x64"]
[array]
size = ["1x1", "2x2", "2x3", "8x4", "8x8", "16x16"]
[operands]
bits = [8, 9]
[depthwise]
size = ["none", "1x1", "2x2", "4x4"]
"""


def test_designs_without_a_clock_have_that_of_run(tmp_path):
    with handmade(tmp_path):
        sweep.run(spec(tmp_path, OWN_CLOCKS), tmp_path / "out")
        rows = sweep.load(tmp_path / "out").to_dicts()
        for row in rows:
            operands = ax.Operands(row["bits"])
            design = ax.load_hardware("mobile").with_engine(
                ax.SystolicArray(row["rows"], row["columns"], operands=operands)
            )
            if row["lanes"]:
                engine = ax.DepthwiseEngine(row["lanes"], row["pixels"], operands=operands)
                design = design.with_engine(engine)
            assert (row["clock_mhz"], row["clock_source"]) == design.clock, design.label
            assert row["time_ms"] == design.milliseconds(row["clocks"])
            assert spec(tmp_path, OWN_CLOCKS).hardware(row) == design
    sources = [row["clock_source"] for row in rows]
    assert {source: sources.count(source) for source in set(sources)} == {
        "measured": 4,
        "estimated": 6,
        "assumed": 38,
    }
