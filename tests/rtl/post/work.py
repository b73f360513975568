"""Random work for the post-processing unit, what the golden model makes of it, and its bits."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.hardware import PostProcessing
from accelsim.numerics import programs
from accelsim.passes import PostChannel, PostLayer, Rule, widths
from rtl.post.bytes import ENTRIES

Int = npt.NDArray[np.int64]
LEAST, MOST = -(2**31), 2**31 - 1
# Ends of int32, and where float32 begins to round, with what is beside them.
EDGES = np.array(
    sorted(
        {
            sign * (near + delta)
            for near in (0, *(1 << bit for bit in range(8, 32)), 3 << 23, 3 << 24, 3 << 28)
            for delta in (-3, -2, -1, 0, 1, 2, 3)
            for sign in (1, -1)
            if LEAST <= sign * (near + delta) <= MOST
        }
    )
)
BITS = {rule: 24 if rule == Rule.ORT else 31 for rule in Rule}  # of a multiplier


class Layer(NamedTuple):
    """A layer whose every word is of another channel.

    sums : int64[words, lanes].  bias, multiplier, shift : int64[words].
    table : uint8[256], or None.
    """

    settings: PostLayer
    sums: Int
    bias: Int
    multiplier: Int
    shift: Int
    table: npt.NDArray[np.uint8] | None

    def program(self) -> programs.Program:
        """What the layer is by the steps of the golden model."""
        settings = self.settings
        dtype = "uint8" if settings.high > 127 else "int8"
        rule = programs.RULES[settings.rule]
        return (
            programs.Bias(self.bias.astype(np.int32)),
            programs.Requantise(rule, self.multiplier, self.shift),
            programs.Clamp(settings.zero_point, settings.low, settings.high, dtype),
            *(() if self.table is None else (programs.Table(self.table),)),
        )

    def expected(self) -> npt.NDArray[np.uint8]:
        """uint8[words, lanes], its bytes."""
        sums = self.sums[:, None].astype(np.int32)
        return programs.run(self.program(), sums)[:, 0].astype(np.uint8)


def random_factors(rng: np.random.Generator, rule: Rule, words: int) -> tuple[Int, Int]:
    """Multipliers, some at their ends, and shifts, all that there are."""
    least = 1 << BITS[rule] - 1
    multiplier = least + (rng.random(words) * least).astype(np.int64)
    place = rng.integers(0, 16, words)
    ends = [place < 4, place == 4]  # powers of two, whose products are halves exactly
    multiplier = np.select(ends, [least, 2 * least - 1], multiplier)
    if rule == Rule.ORT:
        return multiplier, rng.integers(0, 64, words)
    return np.where(place == 5, 0, multiplier), rng.integers(1, 63, words)


def random_sums(rng: np.random.Generator, multiplier: Int, shift: Int, lanes: int) -> Int:
    """Sums of every magnitude, at the edges, and whose products are near to a half."""
    shape = len(multiplier), lanes
    anywhere = rng.choice([-1, 1], shape) * np.exp2(rng.uniform(0, 31.1, shape))
    halves = (rng.integers(-260, 260, shape) + 0.5) * np.exp2(shift)[:, None]
    beside = rng.choice([-1, 0, 0, 1], shape)
    near = np.rint(halves / np.maximum(multiplier, 1)[:, None]) + beside
    kind = rng.integers(0, 3, (len(multiplier), 1))
    sums = np.select([kind == 0, kind == 1], [anywhere, near], rng.choice(EDGES, shape))
    return np.clip(sums, LEAST, MOST).astype(np.int64)


def random_layer(rng: np.random.Generator, sizes: PostProcessing, words: int, tables: Int) -> Layer:
    """A layer of any settings.

    tables : uint8[tables, 256], what the unit holds.
    """
    rule = Rule[str(rng.choice(sizes.rules)).upper()]
    least, most = (0, 255) if rng.integers(2) else (-128, 127)
    low, high = (
        sorted(rng.integers(least, most + 1, 2).tolist()) if rng.integers(2) else (least, most)
    )
    zero_point = int(rng.integers(least, most + 1))
    looks_up = int(len(tables) > 0 and rng.integers(2))
    table = int(rng.integers(len(tables))) if looks_up else 0
    multiplier, shift = random_factors(rng, rule, words)
    sums = random_sums(rng, multiplier, shift, sizes.lanes)
    bias = rng.choice([-1, 0, 1, LEAST, MOST, 12345], words)
    wrapped = (sums - bias[:, None] - LEAST) % (
        1 << 32
    ) + LEAST  # so that sum and bias are what was drawn
    settings = PostLayer(rule, zero_point, low, high, looks_up, table)
    return Layer(settings, wrapped, bias, multiplier, shift, tables[table] if looks_up else None)


def random_work(
    rng: np.random.Generator, sizes: PostProcessing, lengths: list[int]
) -> tuple[Int, list[Layer]]:
    """Contents of the tables, and layers of so many words."""
    tables = rng.integers(0, 256, (sizes.tables, ENTRIES)).astype(np.uint8)
    return tables, [random_layer(rng, sizes, words, tables) for words in lengths]


def bits_of(columns: list[tuple[Int, int]]) -> npt.NDArray[np.uint8]:
    """uint8[words, bytes]: numbers of so many bits each side by side, the first lowest."""
    parts = [(values[:, None] >> np.arange(bits)) & 1 for values, bits in columns]
    return np.packbits(np.concatenate(parts, axis=1).astype(np.uint8), axis=1, bitorder="little")


def word_bits(layer: Layer) -> npt.NDArray[np.uint8]:
    """The payloads of its words."""
    channel = widths(PostChannel)
    last = np.arange(len(layer.sums)) == len(layer.sums) - 1
    return bits_of(
        [
            *((lane, 32) for lane in layer.sums.T),
            (layer.bias, channel["bias"]),
            (layer.multiplier, channel["multiplier"]),
            (layer.shift, channel["shift"]),
            (last.astype(np.int64), 1),
        ]
    )


def command_bits(settings: PostLayer) -> npt.NDArray[np.uint8]:
    """The payload of a command."""
    record = widths(PostLayer)
    return bits_of(
        [(np.array([value]), record[name]) for name, value in settings._asdict().items()]
    )


def fill_bits(tables: Int) -> npt.NDArray[np.uint8]:
    """The payloads that fill the tables."""
    count = np.arange(tables.size)
    return bits_of([(count >> 8, 3), (count & 255, 8), (tables.reshape(-1).astype(np.int64), 8)])
