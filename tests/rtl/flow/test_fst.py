"""FST holds what VCD holds, by a reader that knows the format only.

Files written in the same way have been read with GTKWave's fst2vcd and with wellen.
"""

import gzip
import struct
import zlib

import numpy as np
import pytest

from accelsim.hardware import SystolicArray
from rtl.flow import fst as module
from rtl.flow.cosim import cosim
from rtl.flow.fst import write_fst
from tests.engines.systolic_array import random_sequence

VCD = (
    """$timescale 10 ns $end
$scope module top $end
$var wire 1 ! clk $end
$var reg 9 " word [8:0] $end
$scope task part $end
$var wire 1 ! clock $end
$upscope $end
$var wire 300 & wide $end
$var string 1 ( state $end
$upscope $end
$enddefinitions $end
$dumpvars
0!
bx "
sidle (
$end
#5
1!
sbusy (
b10 "
#7
x!
bz1x "
b1 &
#7
b1"""
    + 299 * "0"
    + """ &
#300
z!
b0 "
sa_longer_word (
"""
)
CHANGES = {
    "top.clk": [(5, "1"), (7, "x"), (300, "z")],
    "top.word [8:0]": [(5, "000000010"), (7, "zzzzzzz1x"), (300, "000000000")],
    "top.part.clock": [(5, "1"), (7, "x"), (300, "z")],
    "top.wide": [(7, 299 * "0" + "1"), (7, "1" + 299 * "0")],
}


class Reader:
    """What an FST file says, block by block."""

    def __init__(self, path):
        self.data, self.at = path.read_bytes(), 0
        self.changes, self.firsts, self.names = {}, [], {}
        self.sizes, sections = [], []
        while self.at < len(self.data):
            kind, (length,) = self.take(1)[0], struct.unpack(">Q", self.take(8))
            end = self.at + length - 8
            {0: self.header, 1: sections.append, 3: self.geometry, 4: self.hierarchy}[kind](
                self.at if kind == 1 else end
            )
            self.at = end
        for self.at in sections:
            self.section()

    def take(self, count):
        self.at += count
        return self.data[self.at - count : self.at]

    def numbers(self, count):
        return struct.unpack(f">{count}Q", self.take(8 * count))

    def varint(self):
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def header(self, end):
        self.first, self.last = self.numbers(2)
        assert struct.unpack("=d", self.take(8)) == (2.7182818284590452354,)
        self.counts = self.numbers(5)[1:]
        self.exponent = struct.unpack("b", self.take(1))[0]
        assert self.at + 128 + 119 + 1 + 8 == end

    def geometry(self, end):
        size, signals = self.numbers(2)
        packed = self.take(end - self.at)
        inner = inside(packed if len(packed) == size else zlib.decompress(packed))
        sizes = [inner.varint() for _ in range(signals)]
        self.sizes = [0 if size == 0xFFFFFFFF else size for size in sizes]  # words have none

    def hierarchy(self, end):
        (size,) = self.numbers(1)
        inner = inside(gzip.decompress(self.take(end - self.at)))
        assert len(inner.data) == size
        scopes, handle = [], 0
        while inner.at < size:
            kind = inner.take(1)[0]
            if kind == 254:
                inner.take(1)
                scopes.append(inner.word())
                assert inner.word() == ""
            elif kind == 255:
                scopes.pop()
            else:
                inner.take(1)
                name = ".".join((*scopes, inner.word()))
                bits, alias = inner.varint(), inner.varint()
                handle += alias == 0
                self.names[name] = alias or handle, bits

    def word(self):
        end = self.data.index(b"\0", self.at)
        return self.take(end - self.at + 1)[:-1].decode()

    def section(self):
        begin = self.at - 8
        (length,) = struct.unpack(">Q", self.data[begin : begin + 8])
        first, last, _ = self.numbers(3)
        size, packed, signals = self.varint(), self.varint(), self.varint()
        frame = self.take(packed)
        self.firsts.append(frame if size == packed else zlib.decompress(frame))
        assert self.varint() == signals == len(self.sizes)
        waves = self.at
        assert self.take(1) == b"Z"
        self.at = begin + length - 24
        size, packed, count = self.numbers(3)
        self.at = begin + length - 24 - packed
        times = self.take(packed)
        inner = inside(times if size == packed else zlib.decompress(times))
        times = list(np.cumsum([inner.varint() for _ in range(count)]).tolist())
        assert first <= times[0] <= times[-1] <= last
        self.at = begin + length - 24 - packed - 8
        chain_end = self.at
        (chain,) = self.numbers(1)
        self.at = chain_end - chain
        places, place = {}, 0
        signal = 0
        while self.at < chain_end:
            value = self.varint()
            if value & 1:
                place += value >> 1
                places[signal] = waves + place
                signal += 1
            else:
                signal += value >> 1
        assert signal == signals
        ends = [*list(places.values())[1:], chain_end - chain]
        for (signal, self.at), end in zip(places.items(), ends, strict=True):
            size = self.varint()
            wave = self.take(end - self.at)
            self.changes.setdefault(signal + 1, []).extend(
                changes(inside(zlib.decompress(wave) if size else wave), self.sizes[signal], times)
            )


def inside(data):
    """A reader of bytes."""
    reader = Reader.__new__(Reader)
    reader.data, reader.at = data, 0
    return reader


def changes(wave, bits, times):
    place = 0
    while wave.at < len(wave.data):
        value = wave.varint()
        if bits == 1:
            place += value >> (4 if value & 1 else 2)
            yield times[place], "xzhuwl-?"[value >> 1 & 7] if value & 1 else str(value >> 1 & 1)
        else:
            place += value >> 1
            if bits == 0:
                text = wave.take(wave.varint()).decode()
            elif value & 1:
                text = wave.take(bits).decode()
            else:
                raw = int.from_bytes(wave.take(-(-bits // 8)), "big") >> -bits % 8
                text = f"{raw:0{bits}b}"
            yield times[place], text


@pytest.mark.parametrize("most", [1 << 20, 1], ids=["one", "several"])
def test_changes_are_those_of_the_vcd(tmp_path, monkeypatch, most):
    """Of one stretch of time, and of one for every two changes."""
    monkeypatch.setattr(module, "_MOST_CHANGES", most)
    (tmp_path / "a.vcd").write_text(VCD)
    write_fst(tmp_path / "a.vcd", tmp_path / "a.fst")
    found = Reader(tmp_path / "a.fst")
    assert {name: bits for name, (_, bits) in found.names.items()} == {
        "top.clk": 1,
        "top.word [8:0]": 9,
        "top.part.clock": 1,
        "top.wide": 300,
        "top.state": 0,
    }
    assert (found.exponent, found.last) == (-8, 300)
    assert found.counts[:3] == (2, 5, 4)
    assert found.counts[3] == len(found.firsts)
    assert (len(found.firsts) > 1) is (most == 1)
    for name, expected in CHANGES.items():
        assert found.changes[found.names[name][0]] == expected, name
    words = found.changes[found.names["top.state"][0]]
    assert words[0] == (5, "idle")
    assert dict(words) == ({5: "busy"} if most > 1 else {5: "busy", 7: "busy"}) | {
        300: "a_longer_word"
    }
    assert found.firsts[0] == b"0" + b"x" * 309
    if most == 1:
        assert found.firsts[-1][:10] == b"xzzzzzzz1x"


SILENT = "".join(
    (
        "$timescale 1 ns $end\n$scope module top $end\n",
        *(f"$var wire 1 {code} {code} $end\n" for code in "abcdef"),
        "$upscope $end\n$enddefinitions $end\n#0\n",
        *(f"0{code}\n" for code in "abcdef"),
        "#1\n1a\n1f\n#2\n0a\n0f\n#3\n1e\n0e\n",
    )
)


def test_signals_that_do_not_change_for_a_while_are_skipped(tmp_path, monkeypatch):
    """Three and more between two that do."""
    monkeypatch.setattr(module, "_MOST_CHANGES", 1)
    (tmp_path / "a.vcd").write_text(SILENT)
    write_fst(tmp_path / "a.vcd", tmp_path / "a.fst")
    found = Reader(tmp_path / "a.fst")
    changes = {code: found.changes[found.names[f"top.{code}"][0]] for code in "abf"}
    assert changes["a"][-2:] == changes["f"][-2:] == [(1, "1"), (2, "0")]
    assert {value for _, value in changes["b"]} == {"0"}


@pytest.mark.parametrize("simulator", ["amaranth", "verilator"])
def test_a_recording_is_fst(tmp_path, simulator):
    """Busy cycles count up to those that the core has taken."""
    array = SystolicArray(3, 2)
    work = random_sequence(np.random.default_rng(3), array, 6)
    path = tmp_path / "core.FST"
    run = cosim(array, work.commands, *work.memories, simulator=simulator, waves=path)
    assert list(tmp_path.iterdir()) == [path]
    found = Reader(path)
    (handle,) = {
        handle
        for name, (handle, _) in found.names.items()
        if name.split(" ")[0].endswith("busy_cycles") and name.count(".") <= 2
    }
    counted = [int(value, 2) for _, value in found.changes[handle]]
    assert counted[-run.busy_cycles :] == list(range(1, run.busy_cycles + 1))
