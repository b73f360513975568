"""Random work for the post-processing unit, what the golden model makes of it, and its bits."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.hardware import PostProcessing
from accelsim.numerics import programs
from accelsim.passes import (
    ADD_BITS,
    LEFT_SHIFT,
    UNPAIRED,
    Operation,
    PostChannel,
    PostLayer,
    PostPair,
    Rule,
    widths,
)
from accelsim.passes.post_commands import PostCommands
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
DTYPES = ("int8", "uint8")


class Layer(NamedTuple):
    """A layer whose every word is of another channel.

    sums : int64[words, lanes].  bias, multiplier, shift : int64[words].
    table : int8 or uint8[256], or None.
    others : int8 or uint8[words, lanes], another map.
    steps : of the golden model, those that read it.
    """

    settings: PostLayer
    sums: Int
    bias: Int
    multiplier: Int
    shift: Int
    table: npt.NDArray[Any] | None
    others: npt.NDArray[Any]
    steps: programs.Program

    def program(self) -> programs.Program:
        """What the layer is by the steps of the golden model."""
        settings = self.settings
        dtype = "uint8" if settings.high > 127 or settings.zero_point > 127 else "int8"
        rule = programs.RULES[settings.rule]
        return (
            programs.Bias(self.bias.astype(np.int32)),
            programs.Requantise(rule, self.multiplier, self.shift),
            programs.Clamp(settings.zero_point, settings.low, settings.high, dtype),
            *(() if self.table is None else (programs.Table(self.table),)),
            *self.steps,
        )

    def expected(self) -> npt.NDArray[np.uint8]:
        """uint8[words, lanes], its bytes."""
        sums = self.sums[:, None].astype(np.int32)
        return programs.run(self.program(), sums, self.others[:, None])[:, 0].astype(np.uint8)


def random_factors(rng: np.random.Generator, rule: Rule, words: int) -> tuple[Int, Int]:
    """Multipliers, some at their ends, and shifts, all that there are."""
    least = 1 << BITS[rule] - 1
    multiplier = least + (rng.random(words) * least).astype(np.int64)
    place = rng.integers(0, 16, words)
    ends = [place < 4, place == 4]  # powers of two, whose products are halves exactly
    multiplier = np.select(ends, [least, 2 * least - 1], multiplier)
    if rule == Rule.ORT:
        return multiplier, rng.integers(0, 64, words)
    small = multiplier >> rng.integers(0, 22, words)  # as of means, and what is the least legal
    return np.select([place == 5, place == 6], [0, small], multiplier), rng.integers(1, 63, words)


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
    dtype = str(rng.choice(DTYPES))
    low, high = least, most = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    if rng.integers(2):
        low, high = sorted(rng.integers(least, most + 1, 2).tolist())
    zero_point = int(rng.integers(least, most + 1))
    looks_up = int(len(tables) > 0 and rng.integers(2))
    table = int(rng.integers(len(tables))) if looks_up else 0
    multiplier, shift = random_factors(rng, rule, words)
    sums = random_sums(rng, multiplier, shift, sizes.lanes)
    bias = rng.choice([-1, 0, 1, LEAST, MOST, 12345], words)
    # With the bias they are what was drawn.
    wrapped = (sums - bias[:, None] - LEAST) % (1 << 32) + LEAST
    others = rng.integers(0, 256, sums.shape).astype(np.uint8).view(str(rng.choice(DTYPES)))
    made = "uint8" if high > 127 or zero_point > 127 else "int8"  # as `program` has it
    values = tables[table].view(str(rng.choice(DTYPES))) if looks_up else None
    first = made if values is None else str(values.dtype)
    pair, steps = random_pair(rng, sizes, first, str(others.dtype))
    settings = PostLayer(rule, zero_point, low, high, looks_up, table, pair)
    return Layer(settings, wrapped, bias, multiplier, shift, values, others, steps)


def random_pair(
    rng: np.random.Generator, sizes: PostProcessing, first: str, second: str
) -> tuple[PostPair, programs.Program]:
    """What becomes of two maps of such types, as settings and as steps."""
    operation = Operation[str(rng.choice(["none", *sizes.operations])).upper()]
    pair = UNPAIRED._replace(
        operation=operation,
        first_unsigned=int(first == "uint8"),
        second_unsigned=int(second == "uint8"),
        first_zero_point=random_value(rng, first),
        second_zero_point=random_value(rng, second),
    )
    if operation == Operation.NONE:
        return pair, ()
    dtype = str(rng.choice(DTYPES))
    low, high = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    pair = pair._replace(zero_point=random_value(rng, dtype), low=low, high=high)
    steps: programs.Program
    if operation == Operation.ADD:
        pair, steps = random_add(rng, pair)
    else:
        fixed = [name for name in sizes.rules if name != "ort"]
        names = list(sizes.rules) if operation == Operation.MULTIPLY else fixed
        pair = pair._replace(rule=Rule[str(rng.choice(names)).upper()])
        random = random_product if operation == Operation.MULTIPLY else random_alignment
        pair, step = random(rng, pair)
        factor = np.array([pair.multiplier]), np.array([pair.shift])
        name = programs.RULES[pair.rule]
        steps = step, programs.Requantise(name, *factor, pair.offset)
    return pair, (*steps, programs.Clamp(pair.zero_point, low, high, dtype))


def random_value(rng: np.random.Generator, dtype: str) -> int:
    """One of a type."""
    return int(rng.integers(np.iinfo(dtype).min, np.iinfo(dtype).max + 1))


def random_add(rng: np.random.Generator, pair: PostPair) -> tuple[PostPair, programs.Program]:
    """Factors and an offset whose sum is a byte, or beyond, and often a half, or next to one."""
    shift = int(rng.integers(0, 36))
    most = 1 << min(shift + 1, ADD_BITS)
    factors = [int(rng.integers(0, most)) >> int(rng.integers(0, shift + 1)) for _ in range(2)]
    offset = int(rng.integers(-(256 << shift), 256 << shift))
    kind = rng.integers(3)
    if kind == 1:
        places = int(rng.integers(0, shift + 1))
        factors = [factor >> places << places for factor in factors]
        offset = (offset >> places << places) + (1 << shift >> 1)
    if kind == 2:  # 24 bits hold that it is not a half in some of the sums, and not in others
        shift = int(rng.integers(17, 21))
        factors = [whole << shift for whole in rng.integers(1, 3, 2).tolist()]
        offset = int(rng.integers(-256, 256)) << shift | (1 << shift - 1) + int(rng.choice([-1, 1]))
    rounded = int(rng.integers(2))
    pair = pair._replace(
        first_multiplier=factors[0], second_multiplier=factors[1], offset=offset,
        first_shift=shift, rounded=rounded,
    )  # fmt: skip
    return pair, (programs.Add(*factors, offset, shift, bool(rounded)),)


def random_product(rng: np.random.Generator, pair: PostPair) -> tuple[PostPair, programs.Step]:
    """A factor that makes bytes of products; with ort the zero point often inside of it."""
    rule = Rule(pair.rule)
    (multiplier,), _ = random_factors(rng, rule, 1)
    shift = int(np.clip(BITS[rule] + rng.integers(-3, 12), 1, 54))
    pair = pair._replace(multiplier=int(multiplier), shift=shift)
    if rule == Rule.ORT and rng.integers(4):
        pair = pair._replace(offset=pair.zero_point, zero_point=0)
    return pair, programs.Multiply(pair.first_zero_point, pair.second_zero_point)


def random_alignment(rng: np.random.Generator, pair: PostPair) -> tuple[PostPair, programs.Step]:
    """Two factors below 1, and one for their sum."""
    factors = rng.integers(1 << 30, 1 << 31, 3).tolist()
    shifts = (31 + rng.choice([0, 0, 1, 2, 10, 31], 2)).tolist()
    pair = pair._replace(
        first_multiplier=factors[0], second_multiplier=factors[1], multiplier=factors[2],
        first_shift=shifts[0], second_shift=shifts[1], shift=int(rng.integers(47, 55)),
        subtract=int(rng.integers(2)),
    )  # fmt: skip
    step = programs.AlignedAdd(
        programs.RULES[pair.rule], LEFT_SHIFT,
        pair.first_zero_point, factors[0], shifts[0],
        pair.second_zero_point, -factors[1] if pair.subtract else factors[1], shifts[1],
    )  # fmt: skip
    return pair, step


def random_work(
    rng: np.random.Generator, sizes: PostProcessing, lengths: list[int]
) -> tuple[Int, list[Layer]]:
    """Contents of the tables, and layers of so many words."""
    tables = rng.integers(0, 256, (sizes.tables, ENTRIES)).astype(np.uint8)
    return tables, [random_layer(rng, sizes, words, tables) for words in lengths]


def layers_of(
    commands: PostCommands, sums: npt.NDArray[Any], others: npt.NDArray[Any], lanes: int
) -> list[Layer]:
    """A layer for every channel of sums[k, h, w] and others[k, h, w]."""
    table = None if commands.table is None else commands.table.view(np.uint8)
    layers = []
    for channel, values, other in zip(commands.channels, sums, others, strict=True):
        words = values.reshape(-1, lanes).astype(np.int64)
        fields = (np.full(len(words), field) for field in channel)
        layers.append(Layer(commands.layer, words, *fields, table, other.reshape(words.shape), ()))
    return layers


def bits_of(columns: list[tuple[Int, int]]) -> npt.NDArray[np.uint8]:
    """uint8[words, bytes]: numbers of so many bits each side by side, the first lowest."""
    total = sum(bits for _, bits in columns)
    words = np.zeros((len(columns[0][0]), -(-total // 64)), np.uint64)
    at = 0
    for values, bits in columns:
        number = values.astype(np.uint64) & np.uint64((1 << bits) - 1)
        place, shift = divmod(at, 64)
        words[:, place] |= number << np.uint64(shift)
        if shift + bits > 64:
            words[:, place + 1] |= number >> np.uint64(64 - shift)
        at += bits
    return words.view(np.uint8)[:, : -(-total // 8)]


def word_bits(layer: Layer, sizes: PostProcessing) -> npt.NDArray[np.uint8]:
    """The payloads of its words."""
    channel = widths(PostChannel)
    others = layer.others.view(np.uint8).astype(np.int64).T if sizes.operations else ()
    last = np.arange(len(layer.sums)) == len(layer.sums) - 1
    return bits_of(
        [
            *((lane, 32) for lane in layer.sums.T),
            (layer.bias, channel["bias"]),
            (layer.multiplier, channel["multiplier"]),
            (layer.shift, channel["shift"]),
            *((lane, 8) for lane in others),
            (last.astype(np.int64), 1),
        ]
    )


def command_bits(settings: PostLayer) -> npt.NDArray[np.uint8]:
    """The payload of a command."""
    bits = [*list(widths(PostLayer).values())[:-1], *widths(PostPair).values()]
    values = *settings[:-1], *settings.pair
    return bits_of([(np.array([int(value)]), n) for value, n in zip(values, bits, strict=True)])


def fill_bits(tables: Int) -> npt.NDArray[np.uint8]:
    """The payloads that fill the tables."""
    count = np.arange(tables.size)
    return bits_of([(count >> 8, 3), (count & 255, 8), (tables.reshape(-1).astype(np.int64), 8)])
