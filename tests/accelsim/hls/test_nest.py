"""Loop nests: the generic rules against a list scheduler on a calendar and against textbooks."""

import json
import math
import re
from itertools import accumulate, pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from accelsim import networks
from accelsim.cli import main
from accelsim.csynth import csynth
from accelsim.engines.systolic_array import ENGINE
from accelsim.engines.systolic_array.schedule import nest, resources, task
from accelsim.errors import NetworkError, UnsupportedError
from accelsim.hardware import Hardware, SystolicArray
from accelsim.hls.nest import Loop, Section, Stage, Task, operations, placements, sequential, times
from accelsim.hls.report import Resource, report
from accelsim.passes import ArrayPass, Opcode, Repeat
from tests.sequences import random_sequence

PORTS = ("x", "y", "z")


# The oracle: tasks one by one on absolute time, every port with a calendar of its reservations.


def flatten(node):
    """The tasks of a dataflow nest, in order."""
    if isinstance(node, Task):
        yield node
    else:
        for _ in range(node.trip):
            for child in node.body:
                yield from flatten(child)


def clocks(loop):
    """Clocks of a loop without tasks, iteration by iteration."""
    inside = sum(clocks(child) for child in loop.body) if loop.body else 1
    starts = range(0, loop.trip, loop.unroll)
    step = inside if loop.pipeline is None else loop.pipeline
    return max((index * step + inside for index, _ in enumerate(starts)), default=0)


class Calendar:
    """Places tasks as early as the rules of accelsim.hls.nest allow."""

    def __init__(self):
        self.reserved = {port: [] for port in (*PORTS, "left", "top", "result")}
        self.starts = []
        self.started = []
        self.ends = []

    def place(self, step, earliest=0):
        starts = []
        pending = []
        end = 0
        soonest = max(earliest, (self.starts or [0])[-1])
        self.started.append(self.soonest(step.sections[0], soonest))
        for index, section in enumerate(step.sections):
            start = starts[-1] + section.after if starts else soonest
            for stage in section.stages:
                for port in stage.ports:
                    start = max(start, self.free(port) - stage.offset)
            starts.append(start)
            for stage in section.stages:
                begin = start + stage.offset
                finish = begin + sum(clocks(loop) for loop in stage.loops)
                end = max(end, finish + step.tail)
                until, after = stage.until or (index, 0)
                pending += [(port, begin, finish, until, after) for port in stage.ports]
            for port, begin, finish, until, after in pending:
                if until == index:
                    self.reserved[port].append((begin, max(finish, start + after)))
            pending = [entry for entry in pending if entry[3] > index]
        self.starts.append(starts[0])
        self.ends.append(end)

    def soonest(self, section, start):
        """When the clocks ahead begin, or all, where there are none: each has its port free."""
        stages = [each for each in section.stages if each.offset < (section.ahead or math.inf)]
        while any(self.free(port) > start + s.offset for s in stages for port in s.ports):
            start += 1
        return start

    def free(self, port):
        return self.reserved[port][-1][1] if self.reserved[port] else 0

    def run(self, loop, earliest=None):
        for index, step in enumerate(flatten(loop)):
            self.place(step, earliest[index] if earliest else 0)
        return max(self.ends, default=0)


@st.composite
def tasks(draw):
    """A task of one or two sections on some ports, each used once per section."""
    sections = []
    free = list(PORTS)
    two = draw(st.booleans())
    for index in range(2 if two else 1):
        stages = []
        for port in draw(st.lists(st.sampled_from(free), min_size=1, unique=True)):
            length, offset = draw(st.integers(1, 9)), draw(st.integers(0, 12))
            loops = (Loop("work", length, pipeline=draw(st.sampled_from((None, 1)))),)
            stages.append(Stage(port, loops, (port,), offset))
        after = draw(st.integers(0, 6)) if index else 0
        if two and index == 0:
            # The first stage keeps its port about until the second section begins.
            held = stages[0]
            stages[0] = held._replace(until=(1, draw(st.integers(-3, 5))))
            free.remove(held.ports[0])
        ahead = draw(st.integers(0, 6)) if index == 0 else 0
        sections.append(Section(tuple(stages), after, ahead))
    return Task("task", tuple(sections), draw(st.integers(0, 4)))


def loops(most, depth=2):
    """Dataflow nests whose loops have up to `most` trips."""
    inner = tasks() if depth == 0 else tasks() | loops(most, depth - 1)
    bodies = st.lists(inner, min_size=1, max_size=3).map(tuple)
    made = st.tuples(st.integers(0, most), bodies)
    return made.map(lambda pair: Loop("loop", *pair, dataflow=True))


def trips(loop, trip):
    return loop._replace(trip=trip)


def hold(port, length, offset=0):
    """A task that needs one port."""
    stage = Stage(port, (Loop("work", length, pipeline=1),), (port,), offset)
    return Task(f"{port} {length}", (Section((stage,)),))


# Two ports of nearly the same rate: the steady state begins after a hundred iterations.
SLOW_START = Loop("slow", 150, (hold("x", 100), hold("y", 101)), dataflow=True)


def two_sections(first, second, after):
    return Task("two", (Section((first,)), Section((second,), after)))


# Two tasks whose state comes back after every second iteration only.
SECOND_STEP = Loop(
    "second",
    61,
    (
        two_sections(
            Stage("w", (Loop("work", 11),), ("z",), 14, (1, 2)),
            Stage("y", (Loop("work", 1),), ("y",), 11),
            7,
        ),
        two_sections(
            Stage("x", (Loop("work", 4),), ("x",), 0, (1, 8)),
            Stage("y", (Loop("work", 11),), ("y",), 2),
            3,
        ),
    ),
    dataflow=True,
)


@given(loops(4))
@example(SLOW_START)
@example(trips(SLOW_START, 101))
@example(SECOND_STEP)
@example(trips(SECOND_STEP, 62))
@example(Loop("outer", 7, (trips(SECOND_STEP, 9), hold("x", 3)), dataflow=True))
def test_latency_equals_that_of_a_list_scheduler(loop):
    assert loop.latency == Calendar().run(loop)


@given(loops(30, depth=1))
def test_large_trip_counts_are_exact(loop):
    assert loop.latency == Calendar().run(loop)


@given(loops(4))
def test_no_port_is_reserved_twice(loop):
    calendar = Calendar()
    calendar.run(loop)
    for reserved in calendar.reserved.values():
        for (begin, end), (start, finish) in pairwise(sorted(reserved)):
            assert begin < end <= start < finish


@given(loops(4, depth=1), st.integers(2, 12))
def test_interval_is_what_the_last_iteration_adds(loop, trip):
    starts = []
    for count in (trip - 1, trip):
        calendar = Calendar()
        calendar.run(trips(loop, count))
        starts.append(calendar.starts[-1] if calendar.starts else 0)
    assert trips(loop, trip).interval == starts[1] - starts[0]


@given(tasks())
def test_interval_of_a_task_is_that_between_two_of_them(task):
    calendar = Calendar()
    calendar.run(Loop("two", 2, (task,), dataflow=True))
    assert task.interval == calendar.starts[1] - calendar.starts[0]


@given(loops(3))
def test_without_overlap_latencies_add_up(loop):
    alone = [Calendar().run(Loop("one", 1, (task,), dataflow=True)) for task in flatten(loop)]
    assert sequential(loop).latency == sum(alone)


def earliest_starts(steps):
    """Clocks before which so many tasks do not start; about half of them may at any time."""
    clocks = st.just(0) | st.integers(0, 200)
    return st.lists(clocks, min_size=steps, max_size=steps)


@given(loops(3), st.data())
def test_tasks_start_and_are_done_as_on_the_calendar(loop, data):
    calendar, late = Calendar(), Calendar()
    calendar.run(loop)
    earliest = data.draw(earliest_starts(len(calendar.starts)))
    late.run(loop, earliest)
    for placed, limits in ((calendar, None), (late, earliest)):
        started, retired = times(loop, limits)
        assert started.tolist() == placed.started
        assert retired.tolist() == list(accumulate(placed.ends, max))
        assert [each.starts[0] for each in placements(loop, limits)] == placed.starts


@given(loops(3))
def test_the_last_one_is_done_when_the_nest_is(loop):
    for either in (loop, sequential(loop)):
        _, retired = times(either)
        assert max(retired.tolist(), default=0) == either.latency


@given(loops(3), st.data())
def test_earliest_starts_that_are_past_change_nothing(loop, data):
    for either in (loop, sequential(loop)):
        started, retired = times(either)
        earliest = [data.draw(st.integers(0, clock)) for clock in started.tolist()]
        for found, expected in zip(times(either, earliest), (started, retired), strict=True):
            assert found.tolist() == expected.tolist()


@given(loops(3), st.data())
def test_without_overlap_tasks_wait_for_the_one_before_and_for_their_time(loop, data):
    steps = list(flatten(loop))
    earliest = data.draw(earliest_starts(len(steps)))
    now, expected = 0, []
    for step, clock in zip(steps, earliest, strict=True):
        start = max(now, clock)
        now = start + step.latency
        expected.append((start, now))
    assert list(zip(*map(list, times(sequential(loop), earliest)), strict=True)) == expected


def test_what_may_run_ahead_does_not_wait_for_the_other_port():
    # y is taken until clock 25; the task needs it after 10 clocks, 8 of which may be early.
    parts = (
        Stage("make", (Loop("make", 10),), ("x",)),
        Stage("use", (Loop("use", 5),), ("y",), 10),
    )
    late = [Task("late", (Section(parts, ahead=ahead),)) for ahead in (0, 8)]
    for step, start in zip(late, (15, 5), strict=True):
        body = (hold("y", 25), step)
        started, retired = times(Loop("two", 1, body, dataflow=True), [0, 5])
        assert (started.tolist(), retired.tolist()) == ([0, start], [25, 30])


@pytest.mark.parametrize(
    ("earliest", "reason"),
    [
        ([0, -1], "the earliest start of pass 1 is a clock from 0 on, not -1"),
        ([0], "every one of 2 passes has an earliest start, not 1 of them"),
    ],
)
def test_earliest_starts_that_cannot_be(earliest, reason):
    loop = Loop("two", 2, (hold("x", 3),), dataflow=True)
    for either in (loop, sequential(loop)):
        with pytest.raises(UnsupportedError, match=f"^{reason}$"):
            times(either, earliest)


@given(loops(1000, depth=1))
def test_a_billion_trips_take_as_long_as_counted_by_multiplication(loop):
    # Far beyond any transient, another period adds what the last one added.
    latency = [trips(loop, 10**9 + extra).latency for extra in (0, 720, 1440)]
    assert latency[2] - latency[1] == latency[1] - latency[0]


# Published and hand-made examples of plain loops.


def test_pipelined_loop_takes_the_interval_for_all_but_one_iteration():
    # "there are three clock cycles between each input read (so II=3), and it requires 12 clock
    # cycles [to] fully execute the loop compared to 6 when the pragma is used" (AMD XD099 2023.1,
    # Pipelining for Throughput), which are four iterations.
    body = (Loop("read", 1), Loop("compute", 1), Loop("write", 1))
    plain, pipelined = Loop("plain", 4, body), Loop("pipelined", 4, body, pipeline=1)
    assert (plain.interval, plain.latency) == (3, 12)
    assert (pipelined.interval, pipelined.latency) == (1, 6)


@pytest.mark.parametrize(
    ("trip", "pipeline", "unroll", "latency"),
    [
        (100, None, 1, 400),
        (100, 1, 1, 103),
        (100, 2, 1, 202),
        (100, 4, 1, 400),
        (100, None, 4, 100),
        (100, 1, 4, 28),
        (101, 1, 4, 29),  # a part of an iteration is one
        (100, None, 100, 4),
        (1, 7, 1, 4),
        (0, 1, 1, 0),
        (0, None, 1, 0),
    ],
)
def test_latency_of_a_loop_of_four_clocks(trip, pipeline, unroll, latency):
    body = (Loop("first", 3), Loop("second", 1))
    assert Loop("loop", trip, body, pipeline, unroll).latency == latency


def test_nested_loops_multiply():
    inner = Loop("inner", 10, (Loop("step", 2),), pipeline=1)  # 2 + 9
    outer = Loop("outer", 5, (Loop("before", 1), inner))
    assert (inner.latency, outer.iteration_latency, outer.latency) == (11, 12, 60)


def test_dataflow_takes_the_slower_stage_per_iteration():
    # A producer of 10 clocks and a consumer of 7 that starts 10 clocks later.
    make = Stage("make", (Loop("make", 10),), ("x",))
    use = Stage("use", (Loop("use", 7),), ("y",), offset=10)
    loop = Loop("items", 8, (Task("item", (Section((make, use)),)),), dataflow=True)
    assert (loop.latency, loop.interval, loop.iteration_latency) == (7 * 10 + 17, 10, 17)
    assert sequential(loop).latency == 8 * 17


def test_a_stage_that_keeps_its_port_delays_the_next_task():
    # A buffer is filled in 5 clocks and free 3 clocks after the second section has begun.
    fill = Section((Stage("fill", (Loop("fill", 5),), ("x",), until=(1, 3)),))
    drain = Section((Stage("drain", (Loop("drain", 4),), ("y",)),), after=6)
    loop = Loop("items", 10, (Task("item", (fill, drain)),), dataflow=True)
    assert (loop.interval, loop.latency) == (9, 9 * 9 + 10)


def test_slow_start_by_hand():
    # y needs 101 clocks per iteration, x 100: x[i] starts at max(100 i, start of y[i-1]).
    x = y = 0
    for i in range(1, 150):
        x = max(100 * i, y)
        y = max(x, y + 101)
    assert SLOW_START.latency == max(x + 100, y + 101)


@pytest.mark.parametrize(
    "wrong",
    [
        {"trip": -1},
        {"unroll": 0},
        {"pipeline": 0},
        {"dataflow": True, "pipeline": 1},
        {"dataflow": True, "unroll": 2},
    ],
)
def test_impossible_loops_are_refused(wrong):
    with pytest.raises(ValueError, match="loop bad"):
        _ = Loop(**{"name": "bad", "trip": 4} | wrong).latency


def test_sections_must_be_tied_together():
    first, second = (Section(hold(port, 5).sections[0].stages) for port in "xy")
    with pytest.raises(ValueError, match="section 0 holds nothing"):
        Task("loose", (first, second))


def test_a_loop_beside_tasks_must_be_dataflow():
    inner = Loop("inner", 2, (hold("x", 3),))
    with pytest.raises(ValueError, match="inner stands beside tasks"):
        _ = Loop("outer", 2, (inner,), dataflow=True).latency


# Reports.


def test_operations_count_innermost_loops_by_name():
    multiply = Loop("multiply", 6, unroll=6)
    stage = Stage("s", (Loop("a", 5, (multiply, Loop("add", 3))), multiply), ("x",))
    loop = Loop("outer", 7, (Task("t", (Section((stage,)),)),), dataflow=True)
    assert operations(loop) == 7 * (5 * 6 + 6)
    assert operations(loop, "add") == 7 * 5 * 3


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


# The systolic array as a nest.


def one_by_one(array, passes):
    """Clocks of passes by the oracle, which knows nothing of repetitions."""
    calendar = Calendar()
    total = 0
    for p in passes:
        if not array.overlap:
            calendar = Calendar()
        calendar.place(task(array.rows, p))
        total += max(calendar.ends)
    return total if not array.overlap else max(calendar.ends)


@pytest.mark.parametrize("overlap", [True, False])
@pytest.mark.parametrize("size", [(1, 1), (1, 6), (5, 1), (3, 3), (4, 7), (8, 8)])
def test_cycles_of_random_sequences_equal_the_list_schedulers(size, overlap):
    array = SystolicArray(*size, overlap=overlap, accumulator_depth=32)
    rng = np.random.default_rng(7)
    for _ in range(10):
        passes = random_sequence(rng, array, 12).passes
        body = (Repeat(3, (*passes[:4], Repeat(5, passes[4:6]))), *passes[6:])
        flat = (passes[:4] + passes[4:6] * 5) * 3 + passes[6:]
        assert ENGINE.cycles(array, body) == one_by_one(array, flat)


def test_recursion_of_the_design_gives_the_same_clocks():
    # e' = e + max(load', drain); the end is the largest e + R + drain + n - 2.
    array = SystolicArray(6, 5)
    rng = np.random.default_rng(3)
    for _ in range(50):
        sizes = rng.integers(1, (7, 6, 20), (8, 3)).tolist()
        body = tuple(ArrayPass(Opcode.OS, m, n, k) for m, n, k in sizes)
        end = drain = total = 0
        for m, n, k in sizes:
            end += max(k, drain)
            drain = m
            total = max(total, end + array.rows + m + n - 2)
        assert ENGINE.cycles(array, body) == total


NETWORK = networks.get("mobilenet_v2", "fuse_half")


@pytest.mark.parametrize("dataflow", ["auto", "os", "ws", "is"])
@pytest.mark.parametrize("overlap", [True, False])
def test_report_agrees_with_what_a_run_counts(dataflow, overlap):
    from accelsim.simulate import simulate

    hardware = Hardware(SystolicArray(16, 12, overlap=overlap), clock_mhz=200.0)
    counted = simulate(NETWORK, hardware, dataflow)
    for layer in counted.layers[:12]:
        if layer.not_modelled:
            continue
        made = csynth(NETWORK, layer.name, hardware, dataflow)
        assert made.dataflow == layer.dataflow
        assert made.report.latency_cycles == layer.cycles
        assert made.report.busy_utilization == layer.busy_utilization
        assert made.utilization == layer.utilization
        assert made.report.nanoseconds(1) == 5.0


def test_multiplies_are_those_of_the_passes():
    # Every result of os adds k products, of ws and is k, of rows taps x streams.
    array = SystolicArray(8, 8)
    body = (
        ArrayPass(Opcode.OS, 5, 6, 7),
        ArrayPass(Opcode.WS, 9, 4, 3),
        ArrayPass(Opcode.IS, 2, 8, 8),
        ArrayPass(Opcode.ROWS, 3, 6, 7, 3, 4),
        Repeat(3, (ArrayPass(Opcode.ROWS, 3, 6, 7, 3, 1, 5),)),
    )
    found = operations(nest(array, body))
    assert found == 5 * 6 * 7 + 9 * 4 * 3 + 2 * 8 * 8 + 3 * 6 * 12 + 3 * (3 * 6 * 3 * 5)


def test_what_runs_on_the_host_has_no_report():
    with pytest.raises(UnsupportedError, match=r"pool .*runs on the host"):
        csynth(NETWORK, "pool", Hardware(SystolicArray(8, 8)))


def test_an_unknown_layer_is_refused():
    with pytest.raises(NetworkError, match="no layer 'b99'"):
        csynth(NETWORK, "b99", Hardware(SystolicArray(8, 8)))


# Resources against the hardware that is generated.


def elaborated(component):
    """Flip-flop bits by signal, and memory bits, of every module of an Amaranth design."""
    from amaranth.hdl import Fragment, MemoryInstance, Shape
    from amaranth.hdl._ast import SignalSet

    registers, memories = [], []

    def visit(fragment, path):
        if isinstance(fragment, MemoryInstance):
            data = fragment._data
            memories.append((path, data.depth * Shape.cast(data.shape).width))
        else:
            for domain, statements in fragment.statements.items():
                if domain != "comb":
                    driven = SignalSet(s for each in statements for s in each._lhs_signals())
                    registers.extend(((*path, s.name), len(s)) for s in driven)
        for child, name, _ in fragment.subfragments:
            visit(child, (*path, name or ""))

    visit(Fragment.get(component, None), ())
    return registers, memories


@pytest.mark.parametrize(
    "array",
    [
        SystolicArray(3, 4, max_taps=5, accumulator_depth=20, bank_depth=40),
        SystolicArray(4, 3, max_taps=1, accumulator_depth=7, bank_depth=9),
        SystolicArray(1, 1),
    ],
    ids=lambda array: f"{array.rows}x{array.columns}",
)
def test_resources_are_those_of_the_generated_core(array):
    from rtl.engines.systolic_array.core import Core

    registers, memories = elaborated(Core(array))

    def register_bits(pattern):
        """Of the registers of the grid with such names."""
        return sum(
            b for path, b in registers if path[0] == "grid" and re.fullmatch(pattern, path[-1])
        )

    def memory_bits(prefix):
        return sum(bits for path, bits in memories if path[1].startswith(prefix))

    counted = {part.name: part for part in resources(array)}
    assert counted["processing elements"].register_bits == register_bits(
        r"(a|b|w|acc|s|f)(_\d+_\d+)?"
    )
    assert counted["tap buffers"].register_bits == register_bits(r"taps_\d+")
    assert counted["accumulators"].memory_bits == memory_bits("accumulator_")
    assert counted["result memory"].memory_bits == memory_bits("result_")
    banks = counted["row banks"].memory_bits + counted["column banks"].memory_bits
    assert banks == memory_bits("bank_")
    assert sum(part.memory_bits for part in counted.values()) == sum(bits for _, bits in memories)
    assert counted["processing elements"].multipliers == array.rows * array.columns


def test_registers_left_out_are_few():
    from rtl.engines.systolic_array.core import Core

    array = SystolicArray(16, 16)
    registers, _ = elaborated(Core(array))
    counted = sum(part.register_bits for part in resources(array))
    assert 0.9 < counted / sum(bits for _, bits in registers) < 1


# The command.


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as end:
        main(["csynth", "mobilenet_v2", *arguments])
    return end.value.code, capsys.readouterr()


def test_command_prints_the_tree_and_the_resources(capsys):
    code, shown = run(capsys, "--layer", "b2.expand", "--array", "64x64", "--dataflow", "os")
    assert code == 0
    for word in ("b2.expand", "pixel tiles", "unroll", "pipeline II=1", "register bits", "us at"):
        assert word in shown.out
    assert "401,408" in shown.out  # 98 flip-flops in each of 4096 elements
    assert not shown.err


def test_command_prints_json(capsys):
    code, shown = run(capsys, "--layer", "b2.dw", "--array", "8x8", "--clock", "100", "--json", "-")
    made = json.loads(shown.out)
    expected = csynth(networks.get("mobilenet_v2"), "b2.dw", Hardware(SystolicArray(8, 8), 100.0))
    assert code == 0
    assert made["latency_cycles"] == expected.report.latency_cycles
    assert made["latency_ns"] == 10 * made["latency_cycles"]
    assert made["hardware"]["array"]["rows"] == 8


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--layer", "nothing"), "has no layer 'nothing'"),
        (("--layer", "pool"), "runs on the host"),
        (("--layer", "b2.dw", "--dataflow", "xs"), "not 'xs'"),
        (("--layer", "b2.dw", "--depthwise", "8"), "LANESxPIXELS"),
        (("--layer", "b2.dw", "--array", "0x8"), "not 0"),
    ],
)
def test_mistakes_are_one_sentence(capsys, arguments, reason):
    code, shown = run(capsys, *arguments)
    assert code == 2
    assert reason in shown.err
    assert shown.err.count("\n") == 1
