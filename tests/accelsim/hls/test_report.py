"""Reports of nests made by hand."""

import json

from accelsim.hls.nest import Loop, Section, Stage, Task
from accelsim.hls.reports import Resource, report


def test_report_of_a_nest_made_by_hand():
    multiply = Loop("multiply", 6, unroll=6)
    work = Stage("work", (Loop("beats", 5, (multiply,), pipeline=1),), ("x",))
    out = Stage("out", (Loop("words", 4, pipeline=1),), ("y",), offset=7)
    loop = Loop("layer", 3, (Task("t", (Section((work, out)),), tail=2),), dataflow=True)
    made = report(loop, (Resource("elements", 8, 100, 0), Resource("banks", 0, 0, 50)), 250.0)
    assert [(row.depth, row.kind, row.name) for row in made.rows] == [
        (0, "loop", "layer"),
        (1, "task", "t"),
        (2, "stage", "work"),
        (3, "loop", "beats"),
        (4, "loop", "multiply"),
        (2, "stage", "out"),
        (3, "loop", "words"),
    ]
    layer, task, work, beats, leaf, out, words = made.rows
    assert (layer.latency_cycles, layer.interval_cycles, layer.trip_count) == (5 + 5 + 13, 5, 3)
    assert (task.latency_cycles, task.interval_cycles, task.trip_count) == (13, 5, None)
    assert (work.start_cycles, out.start_cycles, out.ports) == (0, 7, ("y",))
    assert (beats.latency_cycles, beats.iteration_latency_cycles, beats.interval_cycles) == (
        5,
        1,
        1,
    )
    assert (leaf.latency_cycles, leaf.interval_cycles, leaf.trip_count) == (1, None, 6)
    assert [row.pragmas for row in (layer, task, beats, leaf, words)] == [
        ("dataflow",),
        (),
        ("pipeline II=1",),
        ("unroll 6",),
        ("pipeline II=1",),
    ]
    assert made.latency_cycles == 23
    assert made.nanoseconds(23) == 92.0  # 4 ns each
    assert (made.multiplies, made.multipliers) == (90, 8)
    assert made.busy_utilization == 90 / (8 * 23)
    values = json.loads(json.dumps(made.to_dict()))
    assert values["modules_and_loops"][0]["latency_ns"] == 92.0
    assert values["resources"][1] == {
        "name": "banks",
        "multipliers": 0,
        "register_bits": 0,
        "memory_bits": 50,
    }
