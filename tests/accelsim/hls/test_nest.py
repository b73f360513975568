"""Loop nests: the generic rules against a list scheduler on a calendar and against textbooks."""

from itertools import accumulate, pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from accelsim.errors import UnsupportedError
from accelsim.hls.nest import Loop, Section, Stage, Task, operations, placements, sequential, times
from tests.accelsim.hls.calendar import Calendar, flatten, hold, loops, tasks


def trips(loop, trip):
    return loop._replace(trip=trip)


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
        for clocks, expected in zip(times(either, earliest), (started, retired), strict=True):
            assert clocks.tolist() == expected.tolist()


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
        ([0, -1], r"the earliest start of pass 1 is a clock from 0 to 2\*\*60, not -1"),
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


def test_operations_count_innermost_loops_by_name():
    multiply = Loop("multiply", 6, unroll=6)
    stage = Stage("s", (Loop("a", 5, (multiply, Loop("add", 3))), multiply), ("x",))
    loop = Loop("outer", 7, (Task("t", (Section((stage,)),)),), dataflow=True)
    assert operations(loop) == 7 * (5 * 6 + 6)
    assert operations(loop, "add") == 7 * 5 * 3
