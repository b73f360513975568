"""Golden, schedule, register-accurate simulation and RTL of the depthwise engine agree."""

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from accelsim.hardware import DepthwiseEngine, Operands
from accelsim.passes import DepthwiseOpcode, DepthwisePass
from rtl.engines.depthwise.job import deepened
from rtl.host.driver import Stalls
from tests.engines.depthwise import Sequence, random_engine, random_sequence, sequence
from tests.rtl.depthwise_agreement import Tally, check

ROW, FLAT = DepthwiseOpcode
PACES = (
    None,
    Stalls(0.1, 0.1, 0.1, 0.1),
    Stalls(commands=0.95),
    Stalls(first_fill=0.5, second_fill=0.7),
    Stalls(results=0.8),
)
# A failure names its engine and passes; nothing smaller is found by drawing other seeds.
PHASES = (Phase.explicit, Phase.generate)

# One lane, one pixel, primes, and more of one or the other; the largest costs most.
SHAPES = (
    (1, 1), (1, 2), (2, 1), (1, 8), (8, 1), (2, 3), (3, 2), (3, 7), (4, 4), (5, 3), (7, 5), (8, 8),
)  # fmt: skip
EVERY_SHAPE = tuple((lanes, pixels) for lanes in range(1, 9) for pixels in range(1, 9))


def random_check(
    shape: tuple[int, int],
    seed: int,
    pace: Stalls | None,
    fill: bool,
    trace: bool,
    sequences: int,
) -> Tally:
    """Random sequences on a random engine of the given shape."""
    rng = np.random.default_rng((*shape, seed))
    engine = random_engine(rng, shape, fill)
    work = [random_sequence(rng, engine, int(rng.integers(1, 7))) for _ in range(sequences)]
    stalls = Stalls(*vars(pace).values()) if pace else None
    return check(engine, work, stalls, trace)


@st.composite
def options(draw: st.DrawFn) -> tuple[int, Stalls | None, bool, bool]:
    """Seed, pace of the host, whether there is a fill port, whether registers are compared."""
    return (
        draw(st.integers(0, 2**32 - 1)),
        draw(st.sampled_from(PACES)),
        draw(st.booleans()),
        draw(st.booleans()),
    )


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@settings(max_examples=3, phases=PHASES)
@given(case=options())
def test_random_sequences_agree(shape, case):
    random_check(shape, *case, sequences=2)


@pytest.mark.full
@pytest.mark.parametrize("shape", EVERY_SHAPE, ids=str)
@settings(max_examples=8, phases=PHASES)
@given(case=options())
def test_many_random_sequences_agree(shape, case):
    random_check(shape, *case, sequences=4)


def row(channels, h, w, oh, ow, *rest):
    return DepthwisePass(ROW, channels, h, w, oh, ow, *rest)


def flat(channels, h, w, oh, ow, *rest):
    return DepthwisePass(FLAT, channels, h, w, oh, ow, *rest)


# On 3 lanes x 4 pixels, one result word per lane: fh, fw, sh, sw, dh, dw, pt, pl.
CASES = {
    "one tap": (row(3, 2, 5, 2, 5), row(1, 1, 1, 1, 1), flat(1, 1, 1, 1, 1), flat(3, 2, 5, 2, 5)),
    "tiles of one clock behind tiles of three results": (
        row(3, 1, 4, 1, 4), row(1, 1, 4, 1, 4), row(3, 1, 4, 1, 4), row(1, 1, 4, 1, 4, 1, 2),
        row(1, 1, 4, 1, 4),
    ),
    "no tap meets the map": (
        row(2, 2, 2, 6, 9, 2, 2, 1, 1, 1, 1, 3, 0), row(1, 1, 1, 2, 2, 1, 1, 1, 1, 1, 1, 5, 5),
        flat(2, 2, 2, 6, 9, 2, 2, 1, 1, 1, 1, 0, 3),
    ),
    "a tile over several rows": (flat(3, 5, 1, 5, 1, 3, 1, 1, 1, 1, 1, 1, 0),
                                 flat(2, 4, 2, 4, 2, 3, 3, 1, 1, 1, 1, 1, 1)),
    "a row ends in the first pixel of a tile": (row(2, 2, 9, 2, 9, 3, 3, 1, 1, 1, 1, 1, 1),
                                                flat(2, 3, 5, 3, 5, 3, 3, 1, 1, 1, 1, 1, 1)),
    "tiles between two rows": (flat(2, 3, 14, 3, 2, 3, 12), flat(1, 2, 14, 2, 1, 1, 5, 1, 1, 1, 3)),
    "strides": (row(2, 9, 9, 5, 5, 3, 3, 2, 2, 1, 1, 1, 1), row(2, 9, 9, 3, 9, 3, 3, 4, 1),
                flat(2, 9, 9, 5, 3, 3, 3, 2, 3, 1, 1, 1, 1)),
    "dilations": (row(2, 9, 9, 9, 9, 3, 3, 1, 1, 8, 2, 8, 2),
                  flat(2, 9, 9, 3, 9, 2, 3, 3, 1, 5, 7)),
    "even kernels": (row(2, 6, 6, 6, 6, 2, 4, 1, 1, 1, 1, 1, 2), flat(2, 6, 6, 6, 6, 4, 2)),
    "lines": (row(2, 3, 20, 3, 20, 1, 31, 1, 1, 1, 1, 0, 15), flat(1, 20, 2, 20, 2, 31, 1, 1, 1, 1,
                                                                   1, 15, 0)),
    "large kernels": (row(1, 4, 6, 4, 6, 5, 51, 1, 1, 1, 1, 2, 25),
                      flat(1, 4, 4, 4, 4, 51, 5, 1, 1, 1, 1, 25, 2),
                      row(2, 4, 4, 2, 4, 31, 31, 1, 1, 1, 1, 15, 15)),
    "padding on one side": (row(2, 3, 3, 3, 3, 3, 3, 1, 1, 1, 1, 2, 0),
                            flat(2, 3, 3, 6, 6, 3, 3, 1, 1, 1, 1, 0, 5)),
    "kernels of several shapes": tuple(
        work(channels, 5, 6, 5, 6, fh, fw, 1, 1, 1, 1, fh // 2, fw // 2)
        for work, channels, fh, fw in (
            (row, 3, 3, 3), (flat, 2, 5, 5), (flat, 1, 1, 1), (row, 2, 1, 7), (row, 3, 2, 2),
        )
    ),
}  # fmt: skip


@pytest.mark.parametrize(("results", "fill"), [(4, 0), (8, 0), (12, 0), (4, 1), (8, 5), (12, 12)])
def test_explicit_cases_agree(results, fill):
    rng = np.random.default_rng(fill)
    engine = DepthwiseEngine(3, 4, results, fill, tap_depth=4096)
    work = [sequence(rng, engine, passes) for passes in CASES.values()]
    if fill == 1:
        work = work[:7]  # the others take long to fill
    check(engine, work, Stalls(0.1, 0.1, 0.1, 0.1, seed=1) if results == 8 else None)


def test_registers_of_explicit_cases_agree():
    rng = np.random.default_rng(6)
    for index, passes in enumerate(CASES.values()):
        engine = DepthwiseEngine(3, 4, 8, fill_port=7 * (index % 2))
        check(engine, [sequence(rng, engine, passes)], Stalls(0.1, 0.1, 0.1, 0.3), trace=True)


def test_memories_are_filled_again_while_passes_run():
    """As shallow as they may be; both halves many times, and nobody waits for each other."""
    rng = np.random.default_rng(4)
    least = DepthwiseEngine(2, 3, bank_depth=4, tap_depth=2)
    refills = []
    for length in (1, 2, 3, 30, 40):
        passes = tuple(row(2, 3, 7, 1, 4, 1 + n % 3, 1 + n % 2) for n in range(length))
        deep = deepened(least, sequence(rng, DepthwiseEngine(2, 3), passes).commands)
        made = sequence(rng, deep, passes)
        for pace in (Stalls(), Stalls(0.0, 0.0, 0.8, 0.0), Stalls(0.1, 0.2, 0.3, 0.4)):
            check(deep, [made], pace)
        refills.append(len(made.maps) / deep.bank_depth)
    assert max(refills) > 2


@pytest.mark.parametrize("fill", [0, 3])
def test_a_core_is_frozen_by_what_is_missing(fill):
    """Values and busy cycles do not change, every frozen clock is counted."""
    rng = np.random.default_rng(7)
    engine = DepthwiseEngine(2, 3, fill_port=fill)
    work = [sequence(rng, engine, (row(2, 1, 3, 1, 3), flat(1, 2, 2, 1, 2)) * 5) for _ in range(2)]
    assert check(engine, work).stall_cycles == 0
    streams = ("commands", "results") + ("first_fill", "second_fill") * (fill > 0)
    for stream in streams:
        assert check(engine, work, Stalls(**{stream: 0.9})).stall_cycles > 20, stream


def constant(made: Sequence, a: int, b: int) -> Sequence:
    """The sequence with value a in all maps and b in all weights."""
    taps = made.taps.copy()
    taps[:, 2:] = b
    return made._replace(maps=np.full_like(made.maps, a), taps=taps)


@pytest.mark.parametrize(("a", "b"), [(-256, -256), (-256, 255), (255, -256), (255, 255)])
def test_extreme_operands_agree(a, b):
    """The widest sums that the operands and a narrow accumulator allow: 7 products of 2^16."""
    engine = DepthwiseEngine(2, 3, operands=Operands(9, 20))
    passes = (row(2, 3, 7, 3, 7, 1, 7, 1, 1, 1, 1, 0, 3), flat(2, 3, 4, 3, 4, 7, 1))
    check(engine, [constant(sequence(np.random.default_rng(0), engine, passes), a, b)])


def test_shallow_and_odd_memories():
    """Depths that are no powers of two; words below the map and beyond the bank are never used."""
    rng = np.random.default_rng(2)
    passes = (
        row(2, 3, 4, 3, 4, 3, 3, 1, 1, 1, 1, 1, 1),
        flat(2, 3, 4, 3, 4, 3, 3, 1, 1, 1, 1, 1, 1),
    )
    for depth, taps in ((6, 18), (7, 19), (9, 27)):
        for fill in (0, 4):
            engine = DepthwiseEngine(2, 4, fill_port=fill, bank_depth=depth, tap_depth=taps)
            for p in passes:
                check(engine, [sequence(rng, engine, (p,))], trace=True)
