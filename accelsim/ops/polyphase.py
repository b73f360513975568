"""One axis of a transposed convolution, and the plain convolutions that it is made of."""

from math import gcd
from typing import NamedTuple


class Phase(NamedTuple):
    """A convolution of stride 1 along one axis, which makes every stride-th output.

    reads : values of the map.  taps : of the mirrored kernel.  writes : outputs.
    dilation, padding : of the convolution of what is read.
    """

    reads: range
    taps: range
    writes: range
    dilation: int
    padding: int


class Axis(NamedTuple):
    """Value i and tap t meet in output i stride + t dilation - before.

    before, after : outputs that are cut off in front and at the end.
    extra : outputs in addition at the end.
    """

    size: int
    kernel: int
    stride: int
    dilation: int
    before: int
    after: int
    extra: int

    @property
    def outputs(self) -> int:
        """How many there are; 0 or less where the padding cuts off all."""
        reach = (self.size - 1) * self.stride + self.dilation * (self.kernel - 1) + 1
        return reach + self.extra - self.before - self.after

    def phases(self) -> tuple[Phase, ...]:
        """Those that have a tap, by their first outputs; what none of them writes is zero.

        Where no output has one, a tap outside the map makes the first, so that there is work.
        """
        found = tuple(filter(None, map(self._phase, range(min(self.stride, self.outputs)))))
        return found or (Phase(range(1), range(1), range(1), 1, 1),)

    def _phase(self, start: int) -> Phase | None:
        """Outputs start, start + stride, ...; from the first to the last that a tap reaches.

        Taps t dilation = start + before modulo stride, which are stride / gcd(stride, dilation)
        apart, meet in output start + m stride the values m + low by the last of them up to m + high
        by the first. The kernel is mirrored, so that values and taps rise together.
        """
        common = gcd(self.stride, self.dilation)
        apart = self.stride // common
        where = start + self.before
        meets = (t for t in range(self.kernel) if (where - t * self.dilation) % self.stride == 0)
        if (first := next(meets, None)) is None:
            return None
        last = range(first, self.kernel, apart)[-1]
        low, high = ((where - t * self.dilation) // self.stride for t in (last, first))
        each = range(start, self.outputs, self.stride)
        m = range(max(0, -high), min(len(each), self.size - low))
        if not m:
            return None
        reads = range(max(0, m.start + low), min(self.size, m.stop + high))
        return Phase(
            reads=reads,
            taps=range(self.kernel - 1 - last, self.kernel - first, apart),
            writes=each[m.start : m.stop],
            dilation=self.dilation // common,
            padding=reads.start - (m.start + low),
        )

    def with_zeros(self) -> tuple[int, int, int]:
        """Padding in front, size and padding at the end of the map with zeros inserted.

        A convolution of stride 1 and the same dilation then gives the same outputs. What it does
        not read is cut off, so that no padding is negative.
        """
        reach = self.dilation * (self.kernel - 1)
        total, front = self.outputs + reach, reach - self.before
        inserted = (self.size - 1) * self.stride + 1
        before = max(front, 0)
        size = max(1, min(inserted + min(front, 0), total - before))
        return before, size, total - before - size
