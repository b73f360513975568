"""Lowering takes the fastest allowed dataflow and says why where there is none."""

import contextlib
from dataclasses import dataclass, replace
from itertools import combinations, product
from typing import ClassVar, NamedTuple

import pytest

from accelsim import networks
from accelsim.dataflows import DATAFLOWS, Plan
from accelsim.engines import systolic_array
from accelsim.errors import UnsupportedError
from accelsim.hardware import DepthwiseEngine, Hardware, Operands, SystolicArray
from accelsim.ir import Layer
from accelsim.lowering import Allowed, Lowered, lower, parse_dataflows, public_name
from accelsim.ops import Conv2d, Depthwise, GlobalPool, Linear
from accelsim.passes import ArrayPass, Opcode, Repeat

ARRAY = SystolicArray(8, 8)
PLAIN = Hardware(ARRAY)
ROWS = parse_dataflows("rows")
OF_ARRAY = tuple(dataflow for dataflow in DATAFLOWS if dataflow.engine == ARRAY.name)
NAMES = tuple(dataflow.name for dataflow in OF_ARRAY)


def layer(op):
    return Layer("probe", op, ("input",))


def test_names_are_those_of_the_dataflows():
    assert tuple(map(public_name, OF_ARRAY)) == NAMES
    assert {"os", "ws", "is", "rows"} <= set(NAMES)


def test_a_dataflow_that_is_the_only_one_of_its_engine_has_no_name_for_users():
    others = [dataflow for dataflow in DATAFLOWS if dataflow not in OF_ARRAY]
    assert others
    assert not any(map(public_name, others))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("auto", NAMES),
        ("os", ("os",)),
        ("rows, os", ("os", "rows")),
        ("ws,ws", ("ws",)),
        (OF_ARRAY[1:], NAMES[1:]),
    ],
)
def test_parse(text, expected):
    allowed = parse_dataflows(text, "array")
    assert tuple(dataflow.name for dataflow in allowed.depthwise) == expected
    assert parse_dataflows(text).others == parse_dataflows(text).depthwise
    assert set(allowed.depthwise) < set(allowed.others)  # and those of other engines
    assert not set(allowed.depthwise) & set(parse_dataflows(text, "engine").depthwise)


@pytest.mark.parametrize("text", ["", "os,", "OS", "os;ws", "auto,os", "systolic"])
def test_parse_refuses(text):
    with pytest.raises(
        UnsupportedError, match=f"dataflow must be auto or some of {', '.join(NAMES)}"
    ):
        parse_dataflows(text)


@pytest.mark.parametrize("choice", [None, 5, DATAFLOWS[0]], ids=["None", "5", "a dataflow"])
def test_dataflows_are_a_text_or_a_tuple(choice):
    with pytest.raises(UnsupportedError, match="dataflow must be a text such as os,ws or a tuple"):
        parse_dataflows(choice)
    assert parse_dataflows(list(DATAFLOWS[:2]), "array").depthwise == DATAFLOWS[:2]


@pytest.mark.parametrize("overlap", [True, False])
@pytest.mark.parametrize("variant", ["baseline", "fuse_half"])
def test_every_layer_takes_the_fastest(variant, overlap):
    """By the schedule of the engine, which the choice does not ask."""
    plain = Hardware(SystolicArray(12, 20, overlap=overlap))
    network = networks.mobilenet_v2(variant)
    for each in network.layers:
        shapes = network.in_shapes(each)
        chosen = lower(each, shapes, plain)
        if chosen is None:
            assert network.macs(each) == 0
            continue
        cycles = {}
        for x in OF_ARRAY:
            with contextlib.suppress(UnsupportedError):
                cycles[x.name] = lower(each, shapes, plain, Allowed((x,), (x,))).cycles
        assert {"os", "ws", "is"} <= set(cycles)
        assert ("rows" in cycles) == isinstance(each.op, Depthwise)
        assert chosen.cycles == min(cycles.values())


def test_of_equally_fast_dataflows_the_first_is_taken():
    """In the order in which they are given, whichever of them is tried first."""
    tied = set()
    for overlap, (rows, columns) in product((True, False), ((1, 1), (2, 2), (4, 2))):
        plain = Hardware(SystolicArray(rows, columns, overlap=overlap))
        work = [
            *((Conv2d(k, (1, 1)), (c, 1, n)) for k, c, n in product((1, 2, 5), (1, 2), (1, 2, 5))),
            *((Depthwise(kernel), (2, 3, n)) for kernel, n in product(((1, 3), (3, 1)), (3, 4, 7))),
        ]
        for op, shape in work:
            cycles = {}
            for x in OF_ARRAY:
                with contextlib.suppress(UnsupportedError):
                    cycles[x] = lower(layer(op), (shape,), plain, Allowed((x,), (x,))).cycles
            fastest = [x for x in cycles if cycles[x] == min(cycles.values())]
            for order in (OF_ARRAY, OF_ARRAY[::-1]):
                first = next(x for x in order if x in fastest)
                assert (
                    lower(layer(op), (shape,), plain, Allowed(order, order)).dataflow == first.name
                )
            tied |= set(combinations((x.name for x in fastest), 2))
    assert tied >= {("os", "ws"), ("os", "is"), ("ws", "is"), ("ws", "rows")}


def test_of_equally_fast_engines_the_one_that_is_made_for_the_layer_is_taken():
    ties = 0
    hardware = Hardware(SystolicArray(3, 4), depthwise=DepthwiseEngine(2, 4))
    for c, h, w in product((1, 2, 3), (1, 2, 3), (1, 2, 3)):
        work = layer(Depthwise((1, 3))), ((c, h, w),), hardware
        on = [lower(*work, parse_dataflows("auto", where)).cycles for where in ("array", "engine")]
        ties += on[0] == on[1]
        assert lower(*work).engine == ("array" if on[0] < on[1] else "depthwise")
    assert ties > 2


def test_refusal_names_layer_and_reasons():
    with pytest.raises(UnsupportedError, match=r"^layer probe .*rows: .*depthwise"):
        lower(layer(Conv2d(4, (3, 3))), ((3, 8, 8),), PLAIN, ROWS)
    wide = layer(Depthwise((3, 11)))
    with pytest.raises(UnsupportedError, match=r"^layer probe .*8 taps .*3x11.*max_taps"):
        lower(wide, ((3, 16, 16),), PLAIN, ROWS)
    assert lower(wide, ((3, 16, 16),), PLAIN).dataflow != "rows"
    longer = Hardware(replace(ARRAY, max_taps=11))
    assert lower(wide, ((3, 16, 16),), longer, ROWS).dataflow == "rows"


class Rows(NamedTuple):
    """A dataflow of the user for fully connected layers: passes of k x 1 results, as many as said.

    It says clocks for what the array cannot run, too: the fewer, the more rows.
    """

    rows: tuple[int, ...]
    name: str = "mine"
    engine: str = ARRAY.name
    eager: bool = False
    program: None = None  # nothing runs

    def tilings(self, conv, sizes, most=None):
        return [(1000 - rows, rows) for rows in self.rows]

    def body(self, conv, sizes, rows):
        return (Repeat(conv.k // rows, (ArrayPass(Opcode.OS, rows, 1, conv.c),)),)


def test_limits_are_asked_for_what_a_dataflow_says_is_fast():
    """Of the passes that the array can run, the fastest; where there are none, the reason."""
    shapes = ((5, 1, 1),)
    work = lower(layer(Linear(48)), shapes, PLAIN, parse_dataflows((Rows((2, 8, 16, 6, 12)),)))
    assert [(trips, p.m) for trips, (p,), _ in work.body] == [(6, 8)]
    with pytest.raises(UnsupportedError, match=r"^layer probe .*mine: .* at most 8 rows, not 16"):
        lower(layer(Linear(48)), shapes, PLAIN, parse_dataflows((Rows((16, 24)),)))


class Tied(Rows):
    """One that takes as long with any number of rows."""

    def tilings(self, conv, sizes, most=None):
        return [(1000, rows) for rows in self.rows]


@pytest.mark.parametrize("rows", [(2, 4), (4, 2)])
def test_of_equally_fast_tilings_the_first_is_taken(rows):
    work = lower(layer(Linear(48)), ((5, 1, 1),), PLAIN, parse_dataflows((Tied(rows),)))
    assert [p.m for _, (p,), _ in work.body] == [rows[0]]


def test_sums_never_exceed_the_accumulators():
    """The largest product of int8 values is 2**14, the largest sum of 32 bits 2**31 - 1."""
    fits, exceeds = ((1 << 17) - 1, 1, 1), (1 << 17, 1, 1)
    assert lower(layer(Linear(1)), (fits,), PLAIN).dataflow in NAMES
    with pytest.raises(UnsupportedError, match=r"^layer probe adds up 131072 products.*32 bits"):
        lower(layer(Linear(1)), (exceeds,), PLAIN)
    narrow = Hardware(SystolicArray(8, 8, operands=Operands(bits=9, accumulator_bits=18)))
    assert lower(layer(Linear(1)), ((7, 1, 1),), narrow)
    with pytest.raises(UnsupportedError, match="18 bits"):
        lower(layer(Linear(1)), ((8, 1, 1),), narrow)


def test_host_layers_are_not_lowered():
    assert lower(layer(GlobalPool()), ((3, 8, 8),), PLAIN) is None


def traffic(*passes):
    plan = Plan((Repeat(3, passes),), None)
    model = systolic_array.ENGINE
    return Lowered(model, ARRAY, DATAFLOWS[0], (), (plan,), (1, 1, 1)).traffic


def test_traffic():
    """Bytes in, bytes out (four per sum) and products of three times each pass."""
    m, n, k, taps, streams, fires = 2, 5, 6, 3, 2, 4
    assert traffic(ArrayPass(Opcode.OS, m, n, k)) == (3 * k * (m + n), 3 * m * n * 4, 3 * m * n * k)
    quiet = ArrayPass(Opcode.WS, m, n, k, emit=0)
    assert traffic(quiet) == (3 * (m * k + k * n), 0, 3 * m * n * k)
    assert traffic(quiet._replace(emit=1)).write_bytes == 3 * m * n * 4
    assert traffic(ArrayPass(Opcode.ROWS, m, n, k, taps, streams)) == (
        3 * m * streams * (taps + k),
        3 * m * n * 4,
        3 * m * n * taps * streams,
    )
    assert traffic(ArrayPass(Opcode.ROWS, m, n, k, taps, 1, fires)) == (
        3 * m * (taps + k + (fires - 1) * n),
        3 * m * fires * n * 4,
        3 * m * fires * n * taps,
    )


def test_pieces_of_a_layer_are_priced_as_one_sequence():
    """Their passes overlap, so that the sum of their clocks alone says too little."""
    mix = layer(Depthwise(kernels=((1, 1), (3, 1)), stride=(3, 3)))
    plain = Hardware(SystolicArray(3, 13, max_taps=2))
    fastest = lower(mix, ((2, 13, 5),), plain)
    each = []
    for dataflow in OF_ARRAY:
        with contextlib.suppress(UnsupportedError):
            each.append(lower(mix, ((2, 13, 5),), plain, parse_dataflows((dataflow,))).cycles)
    assert len(each) > 1
    assert fastest.cycles == min(each)


ON_ENGINE = parse_dataflows("auto", "engine")
BOTH = Hardware(SystolicArray(8, 8), depthwise=DepthwiseEngine(4, 8))


def test_depthwise_layers_take_the_faster_engine():
    for each in networks.mobilenet_v2().layers:
        shapes = networks.mobilenet_v2().in_shapes(each)
        if isinstance(each.op, Depthwise):
            on = {
                where: lower(each, shapes, BOTH, parse_dataflows("auto", where))
                for where in ("array", "engine")
            }
            assert (on["array"].engine, on["engine"].engine) == ("array", "depthwise")
            chosen = lower(each, shapes, BOTH)
            assert chosen.cycles == min(work.cycles for work in on.values())
        elif lowered := lower(each, shapes, BOTH, ON_ENGINE):
            assert lowered.engine == "array"


def test_however_a_depthwise_convolution_is_written_it_may_run_on_its_engine():
    shapes = ((6, 9, 9),)
    written = layer(Conv2d(6, (3, 3), padding=(1, 1, 1, 1), groups=6))
    assert lower(written, shapes, BOTH, ON_ENGINE).engine == "depthwise"
    assert lower(layer(Conv2d(6, (3, 3))), ((1, 9, 9),), BOTH, ON_ENGINE).engine == "array"
    assert lower(layer(Depthwise((3, 3))), ((1, 9, 9),), BOTH, ON_ENGINE).engine == ("depthwise")


@pytest.mark.parametrize(
    ("op", "said"),
    [
        (
            Depthwise((65, 1)),
            "kernel 65 is more than .* 64; a larger max_kernel",
        ),
        (
            Depthwise((3, 3), (5, 1)),
            "stride 5 is more than .* 4; a larger max_stride",
        ),
        (Depthwise((2, 2), dilation=(1, 9)), "dilation 9 .* 8; a larger max_dilation"),
        (Depthwise((1, 1), padding=(0, 0, 256, 0)), "padding 256 .* 255; a larger max_padding"),
        (Depthwise((60, 60)), "kernel area 3600 .* 1024, half of 2048; a larger tap_depth"),
    ],
)
def test_what_the_engine_does_not_support_is_refused_with_the_way_out(op, said):
    shapes = ((4, 64, 64),)
    with pytest.raises(UnsupportedError, match=f"^layer probe cannot run on .*: {said}"):
        lower(layer(op), shapes, BOTH, ON_ENGINE)
    assert lower(layer(op), shapes, BOTH).engine == "array"


def test_idle_lanes_take_stripes():
    """Three channels on 16 lanes: stripes keep most lanes busy, and need a fifth of the time."""
    few = Hardware(SystolicArray(8, 8), depthwise=DepthwiseEngine(16, 8))
    work = lower(layer(Depthwise((5, 5))), ((3, 56, 56),), few, ON_ENGINE)
    assert work.plans[0].tiling.stripes == 5
    assert work.cycles < 1.2 * 3 * 56 * 56 * 25 / few.depthwise.multipliers


def test_a_design_with_an_engine_that_is_not_listed_is_refused():
    @dataclass(frozen=True)
    class Unknown:
        name: ClassVar[str] = "unknown"
        runs_all: ClassVar[bool] = False
        multipliers: int = 1
        label: str = "unknown"

    design = Hardware(ARRAY, engines=(Unknown(),))
    with pytest.raises(UnsupportedError, match="there is no engine 'unknown'; there are array, "):
        lower(layer(Linear(1)), ((3, 1, 1),), design)
