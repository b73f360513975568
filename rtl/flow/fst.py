"""Waves as FST, the compressed format of GTKWave, from the VCD that a simulator has written.

The layout follows GTKWave's fstapi (its blocks HDR, VCDATA, GEOM and HIER): the hierarchy and the
sizes of signals once, and for every stretch of time the values at its begin, the changes of every
signal with their places in a table of times, and that table. What FST adds to VCD, such as several
packers and attributes, is not used. Words, which VCD has as strings, are of any length.

It is our own because the one package that writes FST from Python, pylibfst, has wheels for Linux on
x86-64 only, and waves of Amaranth's simulator are for every machine.
"""

import gzip
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, TextIO

from accelsim.version import __version__

_HEADER, _CHANGES, _SIZES, _HIERARCHY = 0, 1, 3, 4  # blocks
_SCOPE, _UPSCOPE = b"\xfe", b"\xff"  # of the hierarchy
_SCOPES = {"module": 0, "task": 1, "function": 2, "begin": 3, "fork": 4}
_KINDS = {"integer": 1, "parameter": 2, "reg": 5, "string": 21}
_WIRE = 16
_UNITS = {"s": 0, "ms": -3, "us": -6, "ns": -9, "ps": -12, "fs": -15}
_HEADER_BYTES = 329
_ANY_LENGTH = 0xFFFFFFFF  # as the size of a signal whose values are words
_NATIVE_E = 2.7182818284590452354  # tells readers the order of bytes in numbers like itself
_STATES = "xzhuwl-?"  # of one bit, beside 0 and 1
_MOST_CHANGES = 1 << 20  # of a stretch of time, which is held in memory


def write_fst(vcd: Path, fst: Path) -> None:
    """Write what a VCD file of a simulator holds as FST."""
    with vcd.open(encoding="ascii", errors="replace") as source, fst.open("wb") as target:
        declared = _declarations(source)
        target.write(_block(_HEADER, bytes(_HEADER_BYTES - 8)))
        changes = _Changes(declared.bits)
        times = _copy_changes(source, target, declared.handles, changes)
        sizes = b"".join(_varint(bits or _ANY_LENGTH) for bits in declared.bits)
        counts = struct.pack(">QQ", len(sizes), len(declared.bits))
        target.write(_block(_SIZES, counts + _packed(sizes)))
        hierarchy = gzip.compress(declared.hierarchy, mtime=0)
        target.write(_block(_HIERARCHY, _u64(len(declared.hierarchy)) + hierarchy))
        target.seek(0)
        target.write(_block(_HEADER, _header(declared, *times)))


class _Declared(NamedTuple):
    """What is declared in front of the changes.

    handles : index of the signal of every code.  bits : of every signal, 0 where it holds words.
    hierarchy : as FST has it.  exponent : of the unit of time, in seconds.
    """

    handles: dict[str, int]
    bits: list[int]
    hierarchy: bytes
    scopes: int
    variables: int
    exponent: int


def _declarations(source: TextIO) -> _Declared:
    handles: dict[str, int] = {}
    bits: list[int] = []
    hierarchy: list[bytes] = []
    scopes = variables = exponent = 0
    for command, words in _commands(source):
        match command, words:
            case "$scope", [kind, name]:
                scopes += 1
                hierarchy += [_SCOPE, bytes([_SCOPES.get(kind, 0)]), name.encode(), b"\0\0"]
            case "$upscope", _:
                hierarchy.append(_UPSCOPE)
            case "$var", [kind, given, code, *name]:
                variables += 1
                known = code in handles
                size = 0 if kind == "string" else int(given)
                if not known:
                    handles[code] = len(bits)
                    bits.append(size)
                hierarchy += [bytes([_KINDS.get(kind, _WIRE), 0]), " ".join(name).encode(), b"\0"]
                hierarchy += [_varint(size), _varint(handles[code] + 1 if known else 0)]
            case "$timescale", _:
                number, unit = re.findall(r"\d+|[a-z]+", "".join(words))
                exponent = _UNITS[unit] + len(number) - 1
    return _Declared(handles, bits, b"".join(hierarchy), scopes, variables, exponent)


def _commands(source: TextIO) -> Iterator[tuple[str, list[str]]]:
    """Commands and their words, up to the end of the declarations."""
    words: list[str] = []
    for line in source:
        words += line.split()
        if words and words[-1] == "$end":
            command, *words = words[:-1]
            yield command, words
            if command == "$enddefinitions":
                return
            words = []


def _copy_changes(
    source: TextIO, target: BinaryIO, handles: dict[str, int], changes: "_Changes"
) -> tuple[int, int, int]:
    """Write the changes; first time, last time, and how many blocks."""
    first, blocks = 0, 0
    for line in source:
        kind = line[0]
        if kind == "#":
            time = int(line[1:])
            if changes.count > _MOST_CHANGES:
                target.write(changes.block(time))
                blocks += 1
            elif not changes.times:
                first = time
            changes.start(time)
        elif kind in "bB":
            value, _, code = line[1:].partition(" ")
            changes.add(handles.get(code.strip()), value.lower())
        elif kind == "s":
            word, _, code = line[1:].partition(" ")
            changes.add_word(handles.get(code.strip()), word)
        elif kind in "01xzXZ":
            changes.add(handles.get(line[1:].strip()), kind.lower())
    if not changes.times:
        changes.start(0)
    last = changes.times[-1]
    target.write(changes.block(last))
    return first, last, blocks + 1


class _Changes:
    """A stretch of time: the values at its begin, and what changes when.

    times : of changes.  count : of changes.
    """

    def __init__(self, bits: list[int]) -> None:
        self._bits = bits
        self._values = ["x" * each for each in bits]
        self._first = b""
        self._words: dict[int, str] = {}
        self.times: list[int] = []
        self._begin()

    def _begin(self) -> None:
        self._of_signal = [bytearray() for _ in self._bits]
        self._last = [0] * len(self._bits)
        self.times.clear()
        self.count = 0

    def start(self, time: int) -> None:
        """The changes that follow are at that time; those before the first are the values then."""
        is_first = not self.times
        if is_first or time != self.times[-1]:
            self.times.append(time)
        if is_first:
            self._first = "".join(self._values).encode()
            for signal, word in self._words.items():  # these are of no fixed size
                self._add_word(signal, word)

    def add(self, signal: int | None, value: str) -> None:
        """A signal changes to the value, leading bits left out as VCD does.

        None is a line that a killed simulator has not finished.
        """
        if signal is None:
            return
        bits, place = self._bits[signal], len(self.times) - 1
        if len(value) < bits:
            value = value.rjust(bits, "0" if value[0] == "1" else value[0])
        self._values[signal] = value
        if place >= 0:
            self._of_signal[signal] += _change(self._later(signal), value)

    def add_word(self, signal: int | None, word: str) -> None:
        """A signal changes to a word, as `add` does."""
        if signal is None:
            return
        self._words[signal] = word
        if self.times:
            self._add_word(signal, word)

    def _add_word(self, signal: int, word: str) -> None:
        text = word.encode()
        self._of_signal[signal] += _varint(self._later(signal) << 1) + _varint(len(text)) + text

    def _later(self, signal: int) -> int:
        """Times since the last change of a signal, which changes now."""
        place = len(self.times) - 1
        later = place - self._last[signal]
        self._last[signal] = place
        self.count += 1
        return later

    def block(self, time: int) -> bytes:
        """What has been added, as a block that ends at a time; then the next stretch begins."""
        waves, places, at = [b"Z"], bytearray(), 1
        silent = previous = 0
        for changes in self._of_signal:
            if not changes:
                silent += 1
                continue
            if silent:
                places += _varint(silent << 1)
                silent = 0
            places += _varint((at - previous) << 1 | 1)
            packed = zlib.compress(changes)
            wave = b"\0" + changes
            if len(packed) < len(changes):
                wave = _varint(len(changes)) + packed
            waves.append(wave)
            previous, at = at, at + len(wave)
        if silent:
            places += _varint(silent << 1)
        deltas = [now - before for before, now in zip([0, *self.times], self.times, strict=False)]
        times = b"".join(map(_varint, deltas))
        first = _packed(self._first)
        signals = _varint(len(self._bits))
        size = sum(map(len, self._of_signal))
        content = (
            struct.pack(">QQQ", self.times[0], time, size)
            + b"".join((_varint(len(self._first)), _varint(len(first)), signals, first))
            + b"".join((signals, *waves, places, _u64(len(places)), _packed(times)))
            + struct.pack(">QQQ", len(times), len(_packed(times)), len(self.times))
        )
        self._begin()
        return _block(_CHANGES, content)


def _change(later: int, value: str) -> bytes:
    """A change, so many times after the signal's last one."""
    bits = len(value)
    if bits == 1:
        state = _STATES.find(value)
        number = later << 2 | int(value) << 1 if state < 0 else later << 4 | state << 1 | 1
        return _varint(number)
    if set(value) <= {"0", "1"}:
        size = -(-bits // 8)
        return _varint(later << 1) + (int(value, 2) << (8 * size - bits)).to_bytes(size, "big")
    return _varint(later << 1 | 1) + value.encode()


def _header(declared: _Declared, first: int, last: int, blocks: int) -> bytes:
    numbers = struct.pack(">QQ", first, last) + struct.pack("=d", _NATIVE_E)
    signals = len(declared.bits)
    numbers += struct.pack(">QQQQQ", 0, declared.scopes, declared.variables, signals, blocks)
    writer = f"accelsim {__version__}".encode().ljust(128, b"\0")
    no_date, verilog, no_offset = bytes(119), b"\0", bytes(8)
    return numbers + struct.pack("b", declared.exponent) + writer + no_date + verilog + no_offset


def _block(kind: int, content: bytes) -> bytes:
    return bytes([kind]) + _u64(len(content) + 8) + content


def _u64(number: int) -> bytes:
    return struct.pack(">Q", number)


def _varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first."""
    if number < 128:
        return bytes((number,))
    done = bytearray()
    while number >= 128:
        done.append(number & 127 | 128)
        number >>= 7
    done.append(number)
    return bytes(done)


def _packed(content: bytes) -> bytes:
    """Compressed where that makes it smaller; readers compare the lengths."""
    packed = zlib.compress(content)
    return packed if len(packed) < len(content) else content
