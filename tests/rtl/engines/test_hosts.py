"""No reasonable host stops a core: values are right, and every result comes in its time."""

from functools import cache

import numpy as np
import pytest

from accelsim.hardware import DepthwiseEngine, SystolicArray
from accelsim.passes import columns
from tests.engines import depthwise, systolic_array
from tests.rtl.bench import in_a_row
from tests.rtl.engines.depthwise.cases import flat, row
from tests.rtl.engines.systolic_array.cases import input_stationary, os, rows, ws
from tests.rtl.hosts import HOSTS, Play, Work

ARRAY = (
    (os(3, 4, 5), ws(3, 4, 2, 0, 0), ws(3, 4, 3, 1, 1), rows(2, 3, 4, 3), os(1, 1, 1)),
    (rows(3, 4, 4, 2, fires=2), input_stationary(7, 2, 3), os(3, 4, 2)),
)
DEPTHWISE = (
    (row(3, 3, 5, 3, 5, 3, 3, 1, 1, 1, 1, 1, 1), flat(1, 2, 2, 2, 2, 2, 2), row(2, 1, 4, 1, 4)),
    (
        flat(3, 3, 4, 3, 4, 1, 3, 1, 1, 1, 1, 0, 1),
        row(3, 2, 4, 1, 2, 2, 3, 2, 2),
        flat(1, 1, 1, 1, 1),
    ),
)  # fmt: skip
CORES = {
    "array": (systolic_array, SystolicArray(3, 4, accumulator_depth=4, bank_depth=32), ARRAY),
    "depthwise": (depthwise, DepthwiseEngine(3, 4, bank_depth=32, tap_depth=32), DEPTHWISE),
    "depthwise, fill port": (
        depthwise, DepthwiseEngine(3, 4, fill_port=5, bank_depth=32, tap_depth=32), DEPTHWISE,
    ),
}  # fmt: skip


@cache
def made(name):
    """A core to play with, the values that it returns, and those that mean something."""
    module, sizes, lists = CORES[name]
    subject = module.SUBJECT
    rng = np.random.default_rng(3)
    work = [module.sequence(rng, sizes, passes) for passes in lists]
    core = subject.core.core(sizes)
    commands, memories = in_a_row(subject, work)
    as_one = commands.copy()
    as_one[:-1, columns(subject.engine.registers.command)["last"]] = 0
    job = subject.core.job(sizes, core, commands, subject.core.memories(sizes, as_one, *memories))
    golden = subject.engine.registers.golden(sizes, as_one, *memories)
    used = np.concatenate([sequence.used for sequence in work])
    passes = [p for part in lists for p in part]
    longest = max(subject.engine.cycles(sizes, (p,)) for p in passes)
    counts = [len(module.sequence(rng, sizes, (p,)).used) for p in passes]
    plan = Work(
        np.cumsum(counts), _ends(sizes, job, passes), np.cumsum([len(part) for part in lists])
    )
    return Play(core, job, plan, longest + SLACK), golden, used


SLACK = 24  # clocks of all registers between the streams and the engine


def _ends(sizes, job, passes):
    """Words of every fill up to the end of a group, see Work."""
    if not getattr(sizes, "fill_port", 0):
        return {fill.stream: fill.ends for fill in job.fills}
    maps = [
        p.layout(sizes.pixels).words * -(-p.channels * sizes.pixels // sizes.fill_port)
        for p in passes
    ]
    return {"map_fill": np.cumsum(maps), "tap_fill": np.cumsum([p.fh * p.fw for p in passes])}


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("name", CORES)
def test_hosts_of_every_order_get_their_results(name, host):
    play, golden, used = made(name)
    words = play.run(HOSTS[host])
    assert np.array_equal(words[used], golden[used])


def spoiled(job, held):
    """The job, with a fill that inverts the words of every pass as soon as it has been read."""
    fills = []
    for fill, memory in zip(job.fills, held, strict=True):
        counts = memory.reads.words
        assert len(fill.words) == counts.sum(), "every pass has words of its own"
        places = np.arange(len(fill.words)).reshape(-1)
        parts = np.split(places, np.cumsum(counts)[:-1])
        again = np.concatenate([part[::-1] for part in parts])
        address = (memory.depth - 1).bit_length()
        opposite = np.unpackbits(fill.words[again], axis=1, bitorder="little")
        opposite[:, address:] ^= 1
        words = np.packbits(opposite, axis=1, bitorder="little")
        after = np.concatenate([fill.after, np.repeat(np.arange(len(counts)) + 1, counts)])
        fills.append(fill._replace(words=np.concatenate([fill.words, words]), after=after))
    return job._replace(fills=tuple(fills))


LONG = (
    *(os(1, n, k) for n in (9, 1, 2) for k in (1, 9)),
    rows(1, 9, 8, 2),
    ws(3, 9, 1),
)
OVERWRITTEN = {
    "one row, many columns": (systolic_array, SystolicArray(1, 9, bank_depth=256), LONG),
    "two rows, many columns": (systolic_array, SystolicArray(2, 12, bank_depth=256), LONG),
    "many rows, two columns": (
        systolic_array, SystolicArray(9, 2, bank_depth=256),
        (os(9, 2, 3), ws(3, 2, 9), rows(9, 1, 2, 2), os(1, 1, 1), input_stationary(1, 2, 9)),
    ),
    "depthwise": (
        depthwise, DepthwiseEngine(3, 4, bank_depth=512, tap_depth=512),
        (*DEPTHWISE[0], *DEPTHWISE[1], *DEPTHWISE[0]),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OVERWRITTEN)
def test_words_that_have_been_read_may_be_overwritten_at_once(name):
    module, sizes, passes = OVERWRITTEN[name]
    subject = module.SUBJECT
    work = module.sequence(np.random.default_rng(1), sizes, passes)
    core = subject.core.core(sizes)
    held = subject.core.memories(sizes, work.commands, *work.memories)
    job = spoiled(subject.core.job(sizes, core, work.commands, held), held)
    none = Work(np.zeros(len(passes)), {fill.stream: fill.ends for fill in job.fills}, np.ones(1))
    words = Play(core, job, none, subject.engine.cycles(sizes, passes) + SLACK).run(HOSTS[FASTEST])
    golden = subject.engine.registers.golden(sizes, work.commands, *work.memories)
    assert np.array_equal(words[work.used], golden[work.used])


FASTEST = "as fast as it can"
