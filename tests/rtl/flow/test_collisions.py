"""No core uses a word of a memory that it writes in the clock in which it reads it.

Block RAM gives anything for such a word. `accelsim pnr` therefore lets Yosys leave out the logic
that would give the old one (-no-rw-check), which is what Verilog says.
"""

import re

import numpy as np
import pytest

from rtl.flow import cosim
from rtl.host.driver import Stalls
from tests.engines import every_way

MODULE = re.compile(r"^module .*?^endmodule\n", re.MULTILINE | re.DOTALL)
MEMORY = re.compile(r"^ +reg [^;]*?(\w+) \[\d+:0\];$", re.MULTILINE)
# Of a whole word or of some bits of it, perhaps under an enable.
WRITE = re.compile(r"^(?: +if \((.+)\)\n)? +(\w+)\[(.+?)\](?:\[\d+(?::\d+)?\])? <= ", re.MULTILINE)
READ = re.compile(r"(\w+) <= (\w+)\[([^;]+)\];$", re.MULTILINE)


def colliding(text):
    """The Verilog with the wrong word where a memory is read and written at the same address."""
    return MODULE.sub(_module, text)


def _module(found):
    text = found[0]
    memories = set(MEMORY.findall(text))
    writes = {memory: [] for memory in memories}
    for enable, memory, at in WRITE.findall(text):
        if memory in memories:
            writes[memory].append((enable or "1", at))
    assert all(writes.values())
    read = set()

    def wrong(found):
        target, memory, at = found.groups()
        if memory not in memories:
            return found[0]
        read.add(memory)
        same = (f"({enable}) && ({written}) == ({at})" for enable, written in writes[memory])
        word = f"{memory}[{at}]"
        return f"{target} <= ({' || '.join(same)}) ? ~{word} : {word};"

    made = READ.sub(wrong, text)
    assert read == memories
    return made


@pytest.mark.full
@every_way
def test_words_that_are_written_while_they_are_read_are_not_used(subject, kind, monkeypatch):
    plain = cosim.core_verilog

    def changed(sizes):
        core, text = plain(sizes)
        return core, colliding(text)

    monkeypatch.setattr(cosim, "core_verilog", changed)
    rng = np.random.default_rng(7)
    sizes = kind.sizes(rng, (2, 3))
    for stalls in (None, *[Stalls(0.5, 0.5, 0.5, 0.5), Stalls(results=0.9)] * 2):
        work = kind.sequence(rng, sizes, 12)
        made = cosim.cosim(
            sizes, work.commands, *work.memories, simulator="verilator", stalls=stalls
        )
        golden = subject.engine.registers.golden(sizes, work.commands, *work.memories)
        assert np.array_equal(made.words[work.used], golden[work.used])
