"""Networks from topology files of SCALE-Sim: lists of independent layers, one a row.

    Layer, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides
    Conv1, 230, 230, 7, 7, 3, 64, 2

is a row of a convolution, whose map is written with its padding, and

    Layer, M, N, K
    qkv, 128, 1536, 512

one of a product (M x K)(K x N): a pointwise layer from K channels to N on M pixels. There may be
further columns: a stride of columns, a sparsity such as 2:4, a batch, and what nobody reads. Rows
may be blank, the last comma of a row may be missing, and tabs or semicolons may stand for commas.

As for SCALE-Sim, a convolution with DP in its name is depthwise, with Num Filter filters for each
channel. So is one of a single filter over several channels that must be meant so: its name says dw
or depthwise, or the row before makes as many channels, the next one reads as many, and its kernel
is not 1 x 1.

An axis has floor((i - f) / s) + 1 outputs, as in every network; SCALE-Sim rounds up, and so does
timing scalesim. What is sparse runs dense. The batch of a product has weights of its own for each,
which are groups; convolutions have none.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from accelsim.checks import check, one_of
from accelsim.errors import AccelsimError, FileError, warn
from accelsim.files import read_text
from accelsim.ir import Layer, LayerList, Operator, Shape
from accelsim.ops import Conv2d, Depthwise, Pointwise
from accelsim.tensors import MOST_SIDE

FORMS = CONV, GEMM = ("conv", "gemm")
PER_CHANNEL = "DP"  # in the name of a layer: SCALE-Sim runs its channels one by one


class _Column(NamedTuple):
    """A column: what messages call it, and what headers do, in small letters and digits alone."""

    title: str
    names: tuple[str, ...]


_NAME = _Column("layer name", ("layername", "layer", "name"))
_COLUMNS = {
    CONV: (
        _NAME,
        _Column("IFMAP height", ("ifmapheight", "ifmaph", "inputheight")),
        _Column("IFMAP width", ("ifmapwidth", "ifmapw", "inputwidth")),
        _Column("filter height", ("filterheight", "filterh", "kernelheight")),
        _Column("filter width", ("filterwidth", "filterw", "kernelwidth")),
        _Column("channels", ("channels", "channel", "numchannels")),
        _Column("num filter", ("numfilter", "numfilters", "filters")),
        _Column("strides", ("strides", "stride", "strideheight")),
    ),
    GEMM: (_NAME, _Column("M", ("m",)), _Column("N", ("n",)), _Column("K", ("k",))),
}
_STRIDE_WIDTH = _Column("stride width", ("stridewidth", "stridew"))
_BATCH = _Column("batch", ("batch", "batchsize"))
_SPARSITY = _Column("sparsity", ("sparsity", "sparsityratio"))
_UNNAMED = {CONV: _STRIDE_WIDTH, GEMM: _BATCH}  # what a number behind the others is, if unnamed
_FILTER_HEIGHT, _FILTER_WIDTH = 3, 4  # their places in rows of convolutions

_MOST_DIGITS = 9
_NUMBER = re.compile(r"[0-9]+")
_RATIO = re.compile(rf"([0-9]{{1,{_MOST_DIGITS}}}) *: *([0-9]{{1,{_MOST_DIGITS}}})")
_NO_TOPOLOGY = re.compile("intraline|interline|cycle|bw|util")  # in headers of layouts and reports
_SAYS_DEPTHWISE = re.compile(r"(?<![a-z])dw(conv|(?![a-z]))|depthwise", re.IGNORECASE)


class _Row(NamedTuple):
    """Cells of a line, counted from 1, without the spaces around them."""

    line: int
    cells: tuple[str, ...]

    def cell(self, place: int) -> str:
        """The cell at a place; "" behind the last one."""
        return self.cells[place] if place < len(self.cells) else ""


class _Conv(NamedTuple):
    """A row of a convolution; the map is written with its padding."""

    name: str
    h: int
    w: int
    fh: int
    fw: int
    channels: int
    filters: int
    sh: int
    sw: int


class _Made(NamedTuple):
    """The operator of a row, and the shape of its map."""

    op: Operator
    shape: Shape


class _Topology(NamedTuple):
    """A file whose form is known; header in small letters and digits, () where there is none."""

    path: Path
    form: str
    header: tuple[str, ...]
    rows: list[_Row]

    def error(self, row: _Row, place: int, title: str, message: str) -> FileError:
        """FileError about a cell of a layer."""
        layer = f" (layer {row.cell(0)})" if place else ""
        return FileError(f"{self.path}:{row.line}: column {place + 1}, {title}, {message}{layer}")

    def number(self, row: _Row, place: int, column: _Column) -> int:
        """A whole number of at least 1."""
        cell = row.cell(place)
        if not cell:
            raise self.error(row, place, column.title, "is missing")
        if not _NUMBER.fullmatch(cell) or not cell.strip("0"):
            message = f"must be a whole number of at least 1, not {cell!r}"
            raise self.error(row, place, column.title, message)
        if len(cell) > _MOST_DIGITS:
            raise self.error(row, place, column.title, f"must have at most {_MOST_DIGITS} digits")
        return int(cell)

    def numbers(self, row: _Row) -> list[int]:
        """The numbers that every row has."""
        columns = enumerate(_COLUMNS[self.form])
        return [self.number(row, place, column) for place, column in columns if column != _NAME]

    def name(self, row: _Row) -> str:
        """The name of a layer."""
        if not row.cell(0):
            raise self.error(row, 0, _NAME.title, "is missing")
        return row.cell(0)

    def further(self, row: _Row) -> dict[_Column, int]:
        """The places of what follows the numbers that every row has, if it is known."""
        found = {}
        first = len(_COLUMNS[self.form])
        for place in range(first, len(row.cells)):
            cell = row.cells[place]
            called = self.header[place] if place < len(self.header) else ""
            for column in (_STRIDE_WIDTH, _BATCH, _SPARSITY):
                if cell and called in column.names:
                    found[column] = place
            if not called and _RATIO.fullmatch(cell):
                found[_SPARSITY] = place
            elif not called and place == first and _NUMBER.fullmatch(cell):
                found[_UNNAMED[self.form]] = place
        return found

    def option(self, row: _Row, column: _Column, default: int) -> int:
        """The number in a further column."""
        place = self.further(row).get(column)
        return default if place is None else self.number(row, place, column)

    def sparse(self, row: _Row) -> bool:
        """Whether a row says that weights are left out."""
        place = self.further(row).get(_SPARSITY)
        if place is None or row.cells[place] == "1":
            return False
        ratio = _RATIO.fullmatch(row.cells[place])
        if ratio is None or not 0 < int(ratio[1]) <= int(ratio[2]):
            message = f"must be N:M with N from 1 to M, such as 2:4, not {row.cells[place]!r}"
            raise self.error(row, place, _SPARSITY.title, message)
        return int(ratio[1]) < int(ratio[2])


def load(path: Path, form: str | None = None) -> LayerList:
    """The layers of a topology file; FileError where it is wrong.

    AccelsimWarning where rows are sparse.

    form : conv or gemm; None to tell by the header, else by the numbers of the first row.
    """
    if form is not None:
        check("the form of a CSV file", form, one_of(FORMS), FileError)
    topology = _topology(path, form)
    made = (_convolutions if topology.form == CONV else _products)(topology)
    layers = []
    names = [*_distinct([topology.name(row) for row in topology.rows])]
    for row, name, (op, shape) in zip(topology.rows, names, made, strict=True):
        layers.append(Layer(name, op, ()))
        try:
            LayerList(path.stem, (layers[-1],), (shape,))
        except AccelsimError as error:
            raise FileError(f"{path}:{row.line}: {error}") from None
    rows = zip(names, topology.rows, strict=True)
    if sparse := [name for name, row in rows if topology.sparse(row)]:
        warn(f"{path}: sparsity is not modelled; these layers run dense: {', '.join(sparse)}")
    return LayerList(path.stem, tuple(layers), tuple(shape for _, shape in made))


def _topology(path: Path, form: str | None) -> _Topology:
    """The rows of a file, and what they are."""
    rows = _rows(path)
    if not rows:
        raise FileError(f"{path} is empty; it must have a row for every layer")
    first = rows[0]
    header: tuple[str, ...] = ()
    if not any(map(_NUMBER.fullmatch, first.cells[1:])):
        header = tuple(re.sub("[^a-z0-9]", "", cell.lower()) for cell in first.cells)
        rows = rows[1:]
    if not rows:
        raise FileError(f"{path} has a header and no layers; it must have a row for every layer")
    told = _told(header)
    if form and told and form != told:
        raise FileError(f"{path}:{first.line}: the header says that rows are {told}, not {form}")
    if not told and any(map(_NO_TOPOLOGY.search, header)):
        raise FileError(
            f"{path}:{first.line}: this header is of a report or a layout; a topology has the "
            "sizes of layers"
        )
    topology = _Topology(path, form or told or _counted(path, rows[0]), header, rows)
    if header:
        _check_order(topology, first)
    return topology


def _rows(path: Path) -> list[_Row]:
    """The lines of a file that are not blank."""
    lines = read_text(path).split("\n")
    head = next((line for line in lines if line.strip()), "")
    separator = max(",", "\t", ";", key=head.count)
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            reader = csv.reader([line], delimiter=separator, skipinitialspace=True, strict=True)
            cells = tuple(cell.strip() for cells in reader for cell in cells)
        except csv.Error as error:
            raise FileError(f"{path}:{number}: this is no line of a CSV file: {error}") from None
        if any(cells):
            rows.append(_Row(number, cells))
    return rows


def _told(header: tuple[str, ...]) -> str | None:
    """The form that a header names columns of; None where it does not."""
    for form, columns in _COLUMNS.items():
        known = [column for column in columns[1:] if {*column.names} & {*header}]
        if len(known) >= len(_COLUMNS[GEMM]) - 1:
            return form
    return None


def _counted(path: Path, row: _Row) -> str:
    """The form of a file by the numbers of its first row."""
    last = max((at for at, cell in enumerate(row.cells) if _NUMBER.fullmatch(cell)), default=0)
    for form, columns in _COLUMNS.items():
        if last >= len(columns) - 1:
            return form
    raise FileError(
        f"{path}:{row.line}: this is no row of a SCALE-Sim topology: behind a name, these have 7 "
        "numbers for a convolution, or M, N and K for a product"
    )


def _check_order(topology: _Topology, row: _Row) -> None:
    """FileError where the header names columns in another order than they are read in."""
    header, columns = topology.header, _COLUMNS[topology.form]
    for place, column in enumerate(columns):
        called = {at for at, name in enumerate(header) if name in column.names}
        if called and place not in called:
            at = min(called)
            message = f"must be column {place + 1}, as SCALE-Sim reads them in that order"
            raise topology.error(row, at, row.cells[at], message)


def _distinct(names: Sequence[str]) -> Iterator[str]:
    """The names, those that are there already with a number behind them."""
    taken, written = Counter[str](), {*names}
    for name in names:
        taken[name] += 1
        other = name
        while other in written and taken[name] > 1:
            other = f"{name}_{taken[name]}"
            taken[name] += other in written
        yield other


def _convolutions(topology: _Topology) -> list[_Made]:
    """What rows of convolutions are."""
    convs = [_conv(topology, row) for row in topology.rows]
    made: list[_Made] = []
    before: int | None = None  # channels that the row before makes
    for conv, after in zip(convs, [*convs[1:], None], strict=True):
        depthwise = PER_CHANNEL in conv.name or _one_filter(before, conv, after)
        kernel, stride = (conv.fh, conv.fw), (conv.sh, conv.sw)
        op: Operator = Conv2d(conv.filters, kernel, stride)
        if depthwise:
            op = Depthwise(kernel, stride, padding=0, multiplier=conv.filters)
        made.append(_Made(op, (conv.channels, conv.h, conv.w)))
        before = conv.filters * (conv.channels if depthwise else 1)
    return made


def _conv(topology: _Topology, row: _Row) -> _Conv:
    """The numbers of a row of a convolution, checked."""
    h, w, fh, fw, channels, filters, stride = topology.numbers(row)
    for place, size, most in ((_FILTER_HEIGHT, fh, h), (_FILTER_WIDTH, fw, w)):
        if size > most:
            message = f"must be at most the {most} of its map, not {size}"
            raise topology.error(row, place, _COLUMNS[CONV][place].title, message)
    if (batch := topology.option(row, _BATCH, 1)) > 1:
        message = f"must be 1 for a convolution, not {batch}; a batch is one of all layers"
        raise topology.error(row, topology.further(row)[_BATCH], _BATCH.title, message)
    across = topology.option(row, _STRIDE_WIDTH, stride)
    return _Conv(topology.name(row), h, w, fh, fw, channels, filters, stride, across)


def _one_filter(before: int | None, conv: _Conv, after: _Conv | None) -> bool:
    """Whether a row of one filter over several channels must be meant as a depthwise layer.

    Rows of networks whose filters are divided among several arrays are none: there channels are
    not those that the row before makes.
    """
    if conv.filters > 1 or conv.channels == 1:
        return False
    made = before in (None, conv.channels)
    read = after is not None and after.channels == conv.channels
    spatial = (conv.fh, conv.fw) != (1, 1)
    return bool(_SAYS_DEPTHWISE.search(conv.name)) or (made and read and spatial)


def _products(topology: _Topology) -> list[_Made]:
    """What rows of products are."""
    return [_product(topology, row) for row in topology.rows]


def _product(topology: _Topology, row: _Row) -> _Made:
    """A pointwise layer, whose map is as high as M unless that is more than a map can be."""
    m, n, k = topology.numbers(row)
    sides = (side for side in range(1, MOST_SIDE + 1) if m % side == 0 and m // side <= MOST_SIDE)
    if (width := next(sides, None)) is None:
        message = f"must be a product of two numbers up to {MOST_SIDE}, the sides of a map, not {m}"
        raise topology.error(row, 1, _COLUMNS[GEMM][1].title, message)
    batch = topology.option(row, _BATCH, 1)
    return _Made(Pointwise(batch * n, groups=batch), (batch * k, m // width, width))
