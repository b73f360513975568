"""Spans against a calendar of reservations, and against what registers do at the ports."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.engines import depthwise, systolic_array
from accelsim.engines.base import passes_of
from accelsim.hls.nest import operations
from accelsim.hls.spans import Kind, spans_of
from accelsim.passes import STATIONARY, DepthwiseOpcode, DepthwisePass, Opcode, Repeat
from tests.accelsim.engines.depthwise.convolutions import engines
from tests.accelsim.hls.calendar import PORTS, Calendar, loops
from tests.engines.systolic_array import random_array, random_sequence
from tests.naive.depthwise_law import law, law_with_fill

MODES = (*((mode,) for mode in Opcode), tuple(Opcode))


def ports(spans):
    """Port -> [(start, end), ...] in order, what is held on joined to what holds it."""
    held = {}
    for span in spans:
        if span.kind in (Kind.STAGE, Kind.HELD) and span.place.startswith("port "):
            taken = held.setdefault(span.place.removeprefix("port "), [])
            if span.kind is Kind.HELD and taken and taken[-1][1] == span.start:
                taken[-1] = (taken[-1][0], span.end)
            else:
                taken.append((span.start, span.end))
    return held


def assert_apart(spans):
    for port, taken in ports(spans).items():
        for (_, end), (start, _) in pairwise(sorted(taken)):
            assert end <= start, (port, taken)


@given(loop=loops(3))
def test_spans_are_those_of_a_calendar(loop):
    calendar = Calendar()
    end = calendar.run(loop)
    spans = list(spans_of(loop))
    tasks = [span for span in spans if span.kind is Kind.TASK]
    assert [span.start for span in tasks] == calendar.starts
    assert max((span.end for span in tasks), default=0) == end == loop.latency
    assert_apart(spans)
    held = ports(spans)
    for port in PORTS:
        expected = [(start, finish) for start, finish in calendar.reserved[port] if finish > start]
        assert sorted(held.get(port, [])) == sorted(expected), port


@pytest.mark.parametrize("overlap", [True, False], ids=["overlapped", "plain"])
@pytest.mark.parametrize("modes", MODES, ids=lambda modes: "+".join(m.name for m in modes))
def test_sequences_end_with_their_cycles_and_share_no_port(modes, overlap):
    rng = np.random.default_rng([15, *modes, overlap])
    for _ in range(40):
        array = random_array(rng, tuple(rng.integers(1, 9, 2).tolist()), overlap)
        passes = random_sequence(rng, array, 8, modes).passes
        nest = systolic_array.schedule.nest(array, passes)
        spans = list(spans_of(nest))
        tasks = [span for span in spans if span.kind is Kind.TASK]
        assert len(tasks) == len(passes)
        assert max(span.end for span in tasks) == systolic_array.ENGINE.cycles(array, passes)
        assert sum(span.multiplies for span in tasks) == operations(nest)
        assert_apart(spans)
        # The loops of a stage lie in it, one behind the other.
        for number in range(len(tasks)):
            inner = [s for s in spans if s.number == number and s.kind is Kind.LOOP]
            for place in {span.place for span in inner}:
                there = [span for span in inner if span.place == place]
                assert all(a.end == b.start for a, b in pairwise(there))
                around = [
                    (s.start, s.end)
                    for s in spans
                    if (s.number, s.kind, s.place) == (number, Kind.STAGE, place)
                ]
                assert (there[0].start, there[-1].end) in around


@pytest.mark.parametrize("overlap", [True, False], ids=["overlapped", "plain"])
def test_the_result_port_is_taken_when_registers_leave(overlap):
    """Column 0: results that leave the bottom row, by registers, are those of the spans."""
    rng = np.random.default_rng([16, overlap])
    for _ in range(30):
        array = random_array(rng, tuple(rng.integers(1, 7, 2).tolist()), overlap)
        work = random_sequence(rng, array, 6)
        clocks = range(systolic_array.ENGINE.cycles(array, work.passes))
        leaves = systolic_array.ENGINE.registers.activity(
            array, work.commands, work.memories, work.used, clocks
        )
        # Between the fires of a pass the port is kept, and where sums stay, though nothing leaves.
        single = {
            number
            for number, p in enumerate(work.passes)
            if p.fires == 1 and (p.emit or p.opcode in STATIONARY)
        }
        spans = list(spans_of(systolic_array.schedule.nest(array, work.passes)))
        expected, kept = set(), set()
        for start, end, number in (
            (s.start, s.end, s.number) for s in spans if s.place == "port result"
        ):
            (expected if number in single else kept).update(range(start, end))
        leaving = set(np.flatnonzero(leaves.drain[:, -1, 0]).tolist())
        assert leaving - kept == expected - kept
        assert leaving <= expected | kept


@given(engine=engines(), data=st.data())
def test_depthwise_sequences_too(engine, data):
    body = []
    for _ in range(data.draw(st.integers(1, 3))):
        side = data.draw(st.integers(1, 9))
        kernel = data.draw(st.integers(1, min(3, side)))
        out = side - kernel + 1
        mode = data.draw(st.sampled_from(DepthwiseOpcode))
        channels = data.draw(st.integers(1, engine.lanes))
        p = DepthwisePass(mode, channels, side, side, out, out, kernel, kernel)
        body.append(Repeat(data.draw(st.integers(1, 3)), (p,), "passes"))
    body = tuple(body)
    spans = list(spans_of(depthwise.schedule.nest(engine, body)))
    expected = law_with_fill(engine, body) if engine.fill_port else law(engine, body)
    assert max(span.end for span in spans if span.kind is Kind.TASK) == expected
    assert_apart(spans)
    macs = sum(depthwise.schedule.macs(engine, p) for p in passes_of(body))
    assert sum(span.multiplies for span in spans if span.kind is Kind.TASK) == macs


def test_a_part_holds_what_overlaps_it():
    rng = np.random.default_rng(17)
    array = random_array(rng, (6, 5))
    nest = systolic_array.schedule.nest(array, random_sequence(rng, array, 20).passes)
    whole = list(spans_of(nest))
    for clocks in (range(40, 70), range(1), range(nest.latency - 1, nest.latency)):
        expected = [s for s in whole if s.start < clocks.stop and s.end > clocks.start]
        assert list(spans_of(nest, clocks)) == expected
        assert expected
