"""Accounts of clocks: exact sums, multiplies counted from the passes, causes worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.engines import depthwise, systolic_array
from accelsim.hardware import DepthwiseEngine, SystolicArray
from accelsim.hls.account import DRAIN, MULTIPLIES, Cause, Kind, account
from accelsim.hls.nest import MULTIPLY, Loop, Section, Stage, Task
from accelsim.passes import ArrayPass, DepthwiseOpcode, DepthwisePass, Opcode, Repeat
from tests.accelsim.engines.depthwise.convolutions import engines
from tests.engines.systolic_array import random_array, random_sequence

RESULT, LOAD = Cause(Kind.PORT, "result"), Cause(Kind.STAGE, "load")


def clocks_of_multiplies(engine, sizes, passes):
    """Each clock of a pass has a multiply in every element that it uses."""
    clocks = 0
    for p in passes:
        rows, columns = engine.registers.used(sizes, p)
        each, rest = divmod(engine.traffic(sizes, p).macs, rows * columns)
        assert rest == 0
        clocks += each
    return clocks


@pytest.mark.parametrize("overlap", [True, False], ids=["overlapped", "plain"])
def test_sequences_of_the_array(overlap):
    rng, engine = np.random.default_rng([31, overlap]), systolic_array.ENGINE
    for _ in range(60):
        array = random_array(rng, tuple(rng.integers(1, 9, 2).tolist()), overlap)
        passes = random_sequence(rng, array, 8).passes
        trips = int(rng.integers(1, 30))
        found = account(engine.nest(array, (Repeat(trips, passes),), ""))
        assert found.total() == engine.cycles(array, (Repeat(trips, passes),))
        assert found == account(engine.nest(array, trips * passes, ""))  # nothing skipped
        assert found[MULTIPLIES] == trips * clocks_of_multiplies(engine, array, passes)
        assert all(clocks > 0 for clocks in found.values())


@given(sizes=engines(), data=st.data())
def test_sequences_of_the_depthwise_engine(sizes, data):
    body = []
    for _ in range(data.draw(st.integers(1, 3))):
        side = data.draw(st.integers(1, 9))
        kernel = data.draw(st.integers(1, min(3, side)))
        mode = data.draw(st.sampled_from(DepthwiseOpcode))
        channels, out = data.draw(st.integers(1, sizes.lanes)), side - kernel + 1
        body += [DepthwisePass(mode, channels, side, side, out, out, kernel, kernel)]
    engine, trips = depthwise.ENGINE, data.draw(st.integers(1, 9))
    found = account(engine.nest(sizes, (Repeat(trips, tuple(body)),), ""))
    assert found.total() == engine.cycles(sizes, (Repeat(trips, tuple(body)),))
    assert found[MULTIPLIES] == trips * clocks_of_multiplies(engine, sizes, body)


def of_array(*body, overlap=True):
    nest = systolic_array.ENGINE.nest(SystolicArray(8, 8, overlap=overlap), body, "")
    return dict(account(nest))


def test_a_short_k_waits_for_the_result_port():
    """Captures at 3 and, 8 results later, at 11; the last result is 8 + 8 + 8 + 2 behind it."""
    short = ArrayPass(Opcode.OS, 8, 8, 3)
    assert of_array(short, short) == {MULTIPLIES: 6, RESULT: 5, DRAIN: 26}
    long = short._replace(k=9)
    assert of_array(long, long) == {MULTIPLIES: 18, DRAIN: 26}


def test_without_overlap_every_pass_drains_by_itself():
    long = ArrayPass(Opcode.OS, 8, 8, 9)
    assert of_array(Repeat(5, (long,)), overlap=False) == {MULTIPLIES: 45, DRAIN: 130}


def test_a_short_stream_waits_for_what_stays():
    """Four words stream in while eight load; the first load hides behind nothing."""
    p = ArrayPass(Opcode.WS, 4, 8, 8)
    assert of_array(p, p, p) == {LOAD: 9 + 2 * 4, MULTIPLIES: 12, DRAIN: 12 + 7}


def test_few_taps_wait_for_the_result_port():
    """Four lanes in four clocks, one tap: three more clocks a tile, of which the last are drain."""
    sizes = DepthwiseEngine(4, 2, results_per_clock=2)
    p = DepthwisePass(DepthwiseOpcode.ROW, 4, 1, 6, 1, 6)
    found = account(depthwise.ENGINE.nest(sizes, (p, p), ""))
    wait = Cause(Kind.LOOP, "wait for the result port")
    assert dict(found) == {MULTIPLIES: 6, wait: 2 * 2 * 3, RESULT: 3, DRAIN: 10 + 4}


def test_loops_one_inside_another():
    multiply = Loop(MULTIPLY, 4, unroll=4)
    rows = Loop("rows", 3, (Loop("taps", 5, (multiply,), pipeline=1), Loop("results", 2)))
    assert account(rows) == {MULTIPLIES: 15, Cause(Kind.LOOP, "results"): 6}
    slow = Loop("slow", 4, (multiply,), pipeline=3)
    assert account(slow).total() == slow.latency == 10
    assert not account(Loop("none", 0, (multiply,)))


def test_two_places_that_multiply_at_a_time_are_counted_once():
    def task(port):
        stage = Stage("work", (Loop("work", 6, (Loop(MULTIPLY, 1),), 1),), (port,))
        return Task(port, (Section((stage,)),))

    body = Loop("body", 5, (task("a"), task("b")), dataflow=True)
    assert account(body) == {MULTIPLIES: 30}
    assert body.latency == 30


def test_the_longest_stage_in_front_is_what_is_waited_for():
    def stage(name, clocks, until=(1, 0)):
        return Stage(name, (Loop(name, clocks),), (name,), until=until)

    left, top, late = stage("left", 2), stage("top", 5), stage("late", 7, (2, 0))
    work = Stage("work", (Loop("work", 3, (Loop(MULTIPLY, 1),), 1),), ("result",))
    for stages in ((left, top), (top, left)):
        task = Task("pass", (Section(stages), Section((work,), after=5)))
        found = account(Loop("body", 1, (task,), dataflow=True))
        assert found == {Cause(Kind.STAGE, "top"): 5, MULTIPLIES: 3}
    task = Task("pass", (Section((left,)), Section((late,), after=2), Section((work,), after=7)))
    found = account(Loop("body", 1, (task,), dataflow=True))
    assert found == {Cause(Kind.STAGE, "late"): 9, MULTIPLIES: 3}
