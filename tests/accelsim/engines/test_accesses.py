"""Accesses of passes: the schedule's closed forms against counts from registers at every clock."""

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from accelsim import networks
from accelsim.engines import depthwise, systolic_array
from accelsim.engines.base import Accesses
from accelsim.hardware import DepthwiseEngine, Hardware, SystolicArray
from accelsim.passes import ArrayPass, DepthwiseOpcode, DepthwisePass, Opcode
from accelsim.request import Request
from tests.engines import SUBJECTS, Subject, every_kind
from tests.engines import depthwise as of_depthwise
from tests.engines import systolic_array as of_array

SHAPES = st.tuples(st.integers(1, 7), st.integers(1, 7))
SEEDS = st.integers(0, 2**32 - 1)


def differing(subject: Subject, sizes, work, schedule=None):
    """The passes of a sequence, and the kinds, of which both levels do not count the same."""
    schedule = schedule or subject.engine.accesses
    counted = subject.engine.registers.accesses(sizes, work.commands)
    pairs = zip(work.passes, counted, strict=True)
    return [
        (p, name, here, there)
        for p, registers in pairs
        for name, here, there in zip(registers._fields, registers, schedule(sizes, p), strict=True)
        if here != there
    ]


@every_kind
@settings(max_examples=25, phases=(Phase.generate,))
@given(shape=SHAPES, seed=SEEDS)
def test_schedule_counts_what_registers_do(subject, kind, shape, seed):
    rng = np.random.default_rng(seed)
    sizes = kind.sizes(rng, shape)
    work = kind.small(rng, sizes, 4)
    assert not differing(subject, sizes, work)


@pytest.mark.full
@every_kind
@settings(max_examples=150, phases=(Phase.generate,))
@given(shape=SHAPES, seed=SEEDS)
def test_schedule_counts_what_registers_do_in_long_passes(subject, kind, shape, seed):
    rng = np.random.default_rng(seed)
    sizes = kind.sizes(rng, shape)
    work = kind.sequence(rng, sizes, 6)
    assert not differing(subject, sizes, work)


@pytest.mark.parametrize(
    ("sizes", "p", "expected"),
    [
        pytest.param(
            # 2 x 3 results of 4 products on 3 x 5 elements: each of 8 operands on the left passes 5
            # columns, each of 12 on top 3 rows; 6 sums are captured, 3 of them move down a row.
            SystolicArray(3, 5), ArrayPass(Opcode.OS, 2, 3, 4),
            {
                "multiply": 24, "add": 24, "operand_move": 8 * 5 + 12 * 3, "sum_move": 24 + 6 + 3,
                "row_bank_read": 8, "row_bank_write": 8, "column_bank_read": 12,
                "column_bank_write": 12, "result_read": 6, "result_write": 6, "fill": 20,
            },
            id="os",
        ),
        pytest.param(
            # A tile of 2 x 3 on 3 x 5 elements, past which 4 words stream: its first word moves
            # down 2 rows, its second one, both then beside the sums, which pass 3 rows.
            SystolicArray(3, 5), ArrayPass(Opcode.WS, 4, 3, 2, accumulate=1, emit=0),
            {
                "multiply": 24, "add": 24 + 12, "operand_move": 3 * 3 + 6 + 8 * 5, "sum_move": 36,
                "row_bank_read": 8, "row_bank_write": 8, "column_bank_read": 6,
                "column_bank_write": 6, "accumulator_read": 12, "accumulator_write": 12,
                "fill": 14,
            },
            id="ws",
        ),
        pytest.param(
            # 2 rows, 3 windows of 2 taps over 4 values, on 2 x 3 elements. The values come to
            # 3 + 3 + 2 + 1 registers a and, a frame later, 3 + 2 + 1 registers b; taps pass 3.
            SystolicArray(2, 3), ArrayPass(Opcode.ROWS, 2, 3, 4, taps=2),
            {
                "multiply": 12, "add": 12, "operand_move": 2 * (9 + 6) + 2 * 2 * 3,
                "sum_move": 12 + 6 + 3, "row_bank_read": 12, "row_bank_write": 12, "tap_read": 4,
                "tap_write": 4, "result_read": 6, "result_write": 6, "fill": 12,
            },
            id="rows",
        ),
        pytest.param(
            # 3 channels, a map of 2 x 4 in 2 words of 4, a kernel of 1 x 3 with padding: 2 tiles of
            # 3 taps. Results leave lane by lane, so that those of lane 2 move up twice.
            DepthwiseEngine(4, 4),
            DepthwisePass(DepthwiseOpcode.ROW, 3, 2, 4, 2, 4, 1, 3, pl=1),
            {
                "multiply": 72, "add": 72, "operand_move": 2 * 3 * 3 * 5,
                "sum_move": 72 + 24 + 2 * 4 * 3, "lane_bank_read": 2 * 72, "lane_bank_write": 24,
                "tap_read": 18, "tap_write": 9, "result_read": 24, "result_write": 24, "fill": 33,
            },
            id="depthwise",
        ),
    ],
)  # fmt: skip
def test_counts_by_hand(sizes, p, expected):
    subject = next(each for each in SUBJECTS if each.name == sizes.name)
    counts = subject.engine.accesses(sizes, p)._asdict()
    assert {name: count for name, count in counts.items() if count} == expected
    if not p._asdict().get("accumulate"):
        work = subject.sequence(np.random.default_rng(0), sizes, (p,))
        assert not differing(subject, sizes, work)


def test_macs_are_those_of_traffic():
    """Products are counted by both, in one way; so are the bytes that are filled."""
    rng = np.random.default_rng(3)
    array, engine = (
        of_array.random_array(rng, (5, 6)),
        of_depthwise.random_engine(rng, (5, 6), True),
    )
    for module, sizes, work in (
        (systolic_array, array, of_array.random_sequence(rng, array, 20)),
        (depthwise, engine, of_depthwise.small_sequence(rng, engine, 20)),
    ):
        for p in work.passes:
            counts, moved = module.ENGINE.accesses(sizes, p), module.ENGINE.traffic(sizes, p)
            assert (counts.multiply, counts.fill) == (moved.macs, moved.read_bytes)


ERRORS = {
    "unused columns pass nothing on": lambda sizes, p, counts: counts._replace(
        operand_move=counts.operand_move - counts.row_bank_read * (sizes.columns - p.n)
    ),
    "every word of a tile moves down all of its rows": lambda sizes, p, counts: counts._replace(
        operand_move=counts.operand_move
        + (p.n * p.k * (p.k - 1) // 2 if p.opcode in (Opcode.WS, Opcode.IS) else 0)
    ),
    "results leave without a move": lambda sizes, p, counts: counts._replace(
        sum_move=counts.multiply
    ),
    "kept sums are captured": lambda sizes, p, counts: counts._replace(
        sum_move=counts.sum_move + (1 - p.emit) * p.m * p.n
    ),
    "accumulators are read in any case": lambda sizes, p, counts: counts._replace(
        accumulator_read=counts.accumulator_read or counts.accumulator_write
    ),
    "taps are read once a line": lambda sizes, p, counts: counts._replace(
        tap_read=counts.tap_write
    ),
}


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_an_error_in_the_schedule_is_seen(error):
    subject = SUBJECTS[0]
    rng = np.random.default_rng(5)
    array = of_array.random_array(rng, (4, 6))
    work = of_array.random_sequence(rng, array, 30)

    def planted(sizes, p):
        return error(sizes, p, subject.engine.accesses(sizes, p))

    assert differing(subject, array, work, planted)


LANE_ERRORS = {
    "a tap reads one word": lambda engine, p, counts: counts._replace(
        lane_bank_read=counts.lane_bank_read // 2
    ),
    "results leave without a move": lambda engine, p, counts: counts._replace(
        sum_move=counts.multiply + counts.result_write
    ),
    "all lanes work": lambda engine, p, counts: counts._replace(
        tap_read=counts.tap_read // p.channels * engine.lanes
    ),
}


@pytest.mark.parametrize("fill", [False, True], ids=["wide", "fill port"])
@pytest.mark.parametrize("error", LANE_ERRORS.values(), ids=LANE_ERRORS)
def test_an_error_in_the_schedule_of_lanes_is_seen(error, fill):
    subject = SUBJECTS[1]
    rng = np.random.default_rng(6)
    engine = of_depthwise.random_engine(rng, (5, 3), fill)
    work = of_depthwise.small_sequence(rng, engine, 8)

    def planted(sizes, p):
        return error(sizes, p, subject.engine.accesses(sizes, p))

    assert differing(subject, engine, work, planted)


def test_banks_are_written_through_the_fill_port(monkeypatch):
    """What the loader takes is counted, not what the command says."""
    rng = np.random.default_rng(7)
    engine = of_depthwise.random_engine(rng, (3, 3), True)
    work = of_depthwise.small_sequence(rng, engine, 4)
    monkeypatch.setattr(depthwise.accesses._Counts, "port", lambda *stages: None)
    assert {name for _, name, *_ in differing(SUBJECTS[1], engine, work)} == {
        "lane_bank_write", "tap_write", "fill",
    }  # fmt: skip


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_every_kind_of_access_has_a_store(subject):
    """What the engine never does has none, and is no part of its energy."""
    rng = np.random.default_rng(8)
    kind = next(iter(subject.kinds.values()))
    sizes = kind.sizes(rng, (3, 4))
    stores = subject.engine.stores(sizes)
    done = {
        name
        for each in subject.kinds.values()
        for _ in range(5)
        for p in each.small(rng, sizes, 4).passes
        for name, count in subject.engine.accesses(sizes, p)._asdict().items()
        if count and name != "fill"
    }
    assert set(stores) == done
    assert all(
        store.bits in (sizes.operands.bits, sizes.operands.accumulator_bits)
        for store in stores.values()
    )


LAYERS = ("b1.dw", "b1.project", "b4.dw")


@pytest.mark.parametrize("dataflow", ["os", "ws", "is", "os,rows"])
@pytest.mark.parametrize("engine", [None, DepthwiseEngine(4, 8, fill_port=3)], ids=["", "engine"])
def test_layers_of_a_network_do_what_registers_do(engine, dataflow):
    """Repeats of passes, and passes that add up sums, as dataflows make them."""
    network = networks.mobilenet_v2(input=(16, 16))
    design = Hardware(SystolicArray(8, 6, accumulator_depth=40), depthwise=engine)
    request = Request(network, design, dataflow)
    for name in LAYERS:
        layer = network.layer(name)
        lowered = request.lower(layer)
        shapes = network.in_shapes(layer)
        zeros = np.zeros(shapes[0], np.int8), np.zeros(layer.op.weight_shape(*shapes), np.int8)
        commands = lowered.sequence(*zeros).commands
        counted = lowered.registers.accesses(lowered.sizes, commands)
        sums = {kind: sum(counts) for kind, *counts in zip(Accesses._fields, *counted, strict=True)}
        assert lowered.accesses == {kind: sums[kind] for kind in lowered.accesses}
        assert all(kind in lowered.accesses for kind, count in sums.items() if count)
