"""Every point of a sweep is what `simulate` says of its design, to the last bit."""

import math
from fractions import Fraction

import pytest

import accelsim as ax
from accelsim import reuse, sweep
from accelsim.engines import depthwise, systolic_array
from tests.accelsim.sweep.specs import CHEAP, LARGE, simulated, spec

POINTS = 1000


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    folder = tmp_path_factory.mktemp("large")
    sweep.run(spec(folder, LARGE), folder / "out")
    frame = sweep.load(folder / "out").sample(POINTS, seed=3)
    return frame.sort("bits", "rows", "columns", "overlap", "lanes", "input").to_dicts()


def bound_by(result, *names):
    """Layers that wait for one of these."""
    return sum(layer.bound_by in names for layer in result.layers)


def test_every_column_that_run_reports_is_equal(rows):
    supported = 0
    for row in rows:
        if not row["supported"]:
            with pytest.raises(ax.AccelsimError):
                simulated(row)
            assert row["total_cycles"] is None
            continue
        supported += 1
        result = simulated(row)
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
            "memory_bound_layers": bound_by(result, "memory"),
            "ports_bound_layers": bound_by(result, "fill", "results"),
            "multiplies_bound_layers": bound_by(result, "array"),
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
    assert POINTS // 10 < supported < POINTS  # both kinds are there


def test_columns_beyond_run_follow_from_it(rows):
    for row in rows[:200]:
        if not row["supported"]:
            continue
        result = simulated(row)
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
