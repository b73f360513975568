"""The systolic array under test: random passes and sequences for it, and its registers."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from accelsim.engines.systolic_array import ENGINE
from accelsim.engines.systolic_array.cycle import State, empty_state
from accelsim.hardware import SystolicArray
from accelsim.limits.systolic_array import limits
from accelsim.passes import ArrayPass, Opcode, array_words, largest
from rtl.engines.systolic_array import CORE
from tests.engines.base import (
    Kind,
    Registers,
    Sequence,
    Subject,
    at_most,
    random_operands,
    signals,
)
from tests.naive import systolic_array as plain

# Words of a bank; half of it holds some sequences at once, so that no command waits for operands.
ROOMY = 1 << 13


def random_state(array: SystolicArray, rng: np.random.Generator) -> State:
    """Registers as they are after power-up: random data, control bits zero."""
    high = 1 << (array.operands.bits - 1)
    wide = 1 << (array.operands.accumulator_bits - 1)

    def draw(bound: int, like: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return rng.integers(-bound, bound, like.shape).astype(like.dtype)

    zero = empty_state(array)
    drawn = State._make(draw(wide if r.dtype == np.int32 else high, r) for r in zero)
    p, q = (draw(2 * high * high, zero.p) for _ in range(2))
    return drawn._replace(p=p, q=q, f=zero.f, g=zero.g)


def random_array(
    rng: np.random.Generator, shape: tuple[int, int], overlap: bool = True, bank_depth: int = ROOMY
) -> SystolicArray:
    """An array of a shape with few taps and shallow accumulators.

    One column and one tap would leave mode rows without a pass.
    """
    return SystolicArray(
        *shape,
        max_taps=int(rng.integers(1 if shape[1] > 1 else 2, 9)),
        accumulator_depth=int(rng.integers(1, 20)),
        overlap=overlap,
        bank_depth=bank_depth,
        operands=random_operands(rng),
    )


def random_pass(rng: np.random.Generator, array: SystolicArray, opcode: Opcode) -> ArrayPass:
    """A pass of the given mode within the limits of the array, small sizes preferred."""

    def draw(low: int, high: int) -> int:
        return int(rng.integers(low, max(low, high) + 1))

    m, n = draw(1, array.rows), draw(1, array.columns)
    if opcode == Opcode.OS:
        return ArrayPass(opcode, m, n, draw(1, 12))
    if opcode in (Opcode.WS, Opcode.IS):
        return ArrayPass(opcode, draw(1, 12), n, m)
    taps, streams, fires = draw(1, array.max_taps), draw(1, 4), draw(1, 3)
    if fires > 1 and n > 1:
        m, taps, streams = min(m, n), min(taps, n - 1), 1
    else:
        fires = 1
    return ArrayPass(opcode, m, n, max(2, n - 1 + draw(0, taps)), taps, streams, fires)


def random_sequence(
    rng: np.random.Generator,
    array: SystolicArray,
    length: int,
    opcodes: tuple[Opcode, ...] = tuple(Opcode),
) -> Sequence:
    """At least `length` passes with random operands, also in chains that add up sums."""
    passes: list[ArrayPass] = []
    while len(passes) < length:
        p = _pass_within_limits(rng, array, opcodes)
        stationary = p.opcode in (Opcode.WS, Opcode.IS)
        alone = p.m > array.accumulator_depth if stationary else p.fires > 1
        if alone or rng.random() < 0.5:
            passes.append(p)
            continue
        links = int(rng.integers(2, 4))
        for link in range(links):
            last = link == links - 1
            step = _link(rng, array, p)._replace(accumulate=int(link > 0), emit=int(last))
            passes.append(step)
            if stationary and not last and rng.random() < 0.2:
                # Other work may come between the links; the accumulators keep their sums.
                passes.append(_pass_within_limits(rng, array, opcodes))
    return sequence(rng, array, tuple(passes))


def _link(rng: np.random.Generator, array: SystolicArray, p: ArrayPass) -> ArrayPass:
    """A pass whose sums may be added to those of another, of any length of its own."""
    if p.opcode == Opcode.ROWS:
        taps = int(rng.integers(1, array.max_taps + 1))
        k = int(rng.integers(max(2, p.n - 1), max(2, p.n + taps - 1) + 1))
        link = p._replace(k=k, taps=taps, streams=int(rng.integers(1, 4)))
    else:
        most = 12 if p.opcode == Opcode.OS else array.rows
        link = p._replace(k=int(rng.integers(1, most + 1)))
    return link if limits(array, link) is None else p


def random_memories(rng: np.random.Generator, array: SystolicArray) -> SystolicArray:
    """Any accumulators, and banks that are filled again and again, or hardly ever."""
    # In mode rows, half of a bank holds at least the values and taps of a window.
    least = 2 * (array.columns + 3)
    return replace(
        array,
        bank_depth=least + int(rng.choice((0, 1, 30, 200, 1000))),
        accumulator_depth=int(rng.integers(1, 20)),
    )


def extreme_pass(rng: np.random.Generator, array: SystolicArray, p: ArrayPass) -> ArrayPass:
    """The pass with as many products, rows or streams as it may have, or the longest line."""

    def largest_of(field: str) -> ArrayPass:
        highest = largest(ArrayPass, field)
        return at_most(limits, array, lambda value: p._replace(**{field: value}), highest)

    if p.opcode == Opcode.OS:
        return largest_of("k")
    if p.opcode in (Opcode.WS, Opcode.IS):
        # Rows of a chain of sums are those that its first pass has written.
        return largest_of("m") if p.emit and not p.accumulate else p
    if p.fires > 1:
        return largest_of("fires")
    if rng.random() < 0.5:
        return largest_of("streams")
    shortest = p._replace(k=max(2, p.n - 1), streams=1)

    def of(taps: int) -> ArrayPass:
        return shortest._replace(taps=max(taps, p.taps))

    return at_most(limits, array, of, array.max_taps)


def _pass_within_limits(
    rng: np.random.Generator, array: SystolicArray, opcodes: tuple[Opcode, ...]
) -> ArrayPass:
    while True:
        p = random_pass(rng, array, opcodes[int(rng.integers(len(opcodes)))])
        if limits(array, p) is None:
            return p


def sequence(
    rng: np.random.Generator, array: SystolicArray, passes: tuple[ArrayPass, ...]
) -> Sequence:
    """The passes with random operands, unused rows and columns included.

    One sequence in four has operands at the ends of their range only; in one of four, all passes
    read the same words.
    """
    high = 1 << (array.operands.bits - 1)
    extreme, shared = rng.random(2) < 0.25
    commands, used = [], []
    left_words = top_words = left_at = top_at = 0
    for index, p in enumerate(passes):
        lefts, tops, results = array_words(p)
        commands.append([*p, left_at, top_at, int(index == len(passes) - 1)])
        left_words, top_words = max(left_words, left_at + lefts), max(top_words, top_at + tops)
        if not shared:
            left_at, top_at = left_words, top_words
        used += [np.arange(array.columns) < p.n] * results

    def operands(count: int, width: int) -> npt.NDArray[np.int16]:
        if extreme:
            return rng.choice(np.array([-high, high - 1], np.int16), (count, width))
        return rng.integers(-high, high, (count, width)).astype(np.int16)

    return Sequence(
        passes,
        np.array(commands, np.int64),
        (operands(left_words, array.rows), operands(top_words, array.columns)),
        np.array(used, np.bool_).reshape(-1, array.columns),
    )


# --- registers

FACTORS = {"x": "a", "z": "y"}  # registers, and what their values are multiplied with


def registers(core: Any) -> Registers:
    """Those of all elements, and the tap buffers, by the names of State."""
    elements, taps = core.grid.elements, core.grid.taps
    shape = core.array.rows, core.array.columns
    grids = {
        name: signals(shape, lambda i, j, name=name: getattr(elements[i][j], name))
        for name in ("acc", "s", "p", "q", "a", "b", "w", "x", "y", "z")
    }
    bits = {
        name: signals(shape, lambda i, j, name=name: getattr(elements[i][j], name).as_value())
        for name in ("f", "g")
    }
    buffers = signals((shape[0], core.array.max_taps), lambda i, tap: taps[i][tap])
    return {**grids, **bits, "taps": buffers}


def first_registers(rng: np.random.Generator, array: SystolicArray) -> Registers:
    """Random data, and random control bits that an element may hold at power-up."""
    state = random_state(array, rng)
    f = rng.integers(0, 128, (array.rows, array.columns)).astype(np.int32)
    g = rng.integers(0, 1 << 12, f.shape).astype(np.int32)
    return state._replace(f=f, g=g)._asdict()


def check_registers(
    simulate: Callable[..., Any],
    array: SystolicArray,
    sequence: Sequence,
    words: npt.NDArray[np.int32],
    trace: Registers,
    clock: int,
) -> None:
    """Compare from the first frame of each element on, element (i, j) being i + j clocks late.

    The simulation begins with the registers of the RTL, so that all its words are equal, too,
    those of unused columns among them.
    """
    row, column = np.indices((array.rows, array.columns))
    last = len(trace["acc"]) - 1
    begins = np.minimum(row + column, last)
    grids = {name: trace[name][begins, row, column] for name in State._fields if name != "taps"}
    buffer = np.arange(array.rows)
    # The edge cells, and with them the taps, are a clock ahead of the elements.
    ahead = np.clip(buffer - 1, 0, last)
    state = State(**grids, taps=trace["taps"][ahead, buffer])
    first = State._make(
        register.astype(zero.dtype)
        for zero, register in zip(empty_state(array), state, strict=True)
    )
    run = simulate(array, sequence.commands, *sequence.memories, state=first, clock=clock)
    assert np.array_equal(run.words, words)
    begun = row + column < clock
    for name in grids:
        same = getattr(run.registers, name) == trace[name][clock]
        if name in FACTORS:  # beside an operand of 0 it is anything
            same |= trace[FACTORS[name]][clock] == 0
        assert (same | ~begun).all(), f"register {name} at clock {clock}"
    same = run.registers.taps == trace["taps"][max(clock - 1, 0)]
    assert same[:clock].all(), f"taps at clock {clock}"


def _kind(opcodes: tuple[Opcode, ...], overlap: bool) -> Kind:
    def sizes(rng: np.random.Generator, shape: tuple[int, int]) -> SystolicArray:
        return random_array(rng, shape, overlap)

    def passes(rng: np.random.Generator, array: SystolicArray, length: int) -> Sequence:
        return random_sequence(rng, array, length, opcodes)

    return Kind(sizes, passes, passes)


MIXED = tuple(Opcode)
MODES = (*((opcode,) for opcode in Opcode), MIXED)


def _named(opcodes: tuple[Opcode, ...], overlap: bool) -> str:
    mode = "mixed" if opcodes == MIXED else opcodes[0].name.lower()
    return mode if overlap else f"{mode}, one by one"


SUBJECT = Subject(
    engine=ENGINE,
    core=CORE,
    plain=plain,
    sequence=sequence,
    memories=random_memories,
    deep={"bank_depth": 1 << 16},
    extreme=extreme_pass,
    kinds={
        _named(opcodes, overlap): _kind(opcodes, overlap)
        for opcodes in MODES
        for overlap in (True, False)
    },
    registers=registers,
    check_registers=check_registers,
    first_registers=first_registers,
)
