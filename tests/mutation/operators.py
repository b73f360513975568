"""Mutants of a source: every small error that the operators know, as a replaced piece of text.

The rest of the text stays as it is, so that a mutant is told by the lines that it changes. Ours
rather than a library's: those know neither Amaranth's conditions and widths nor that an annotation
can be the width of a field, and change text that nobody computes with.
"""

import ast
from collections.abc import Callable, Iterator
from copy import copy
from typing import NamedTuple

Changes = Iterator[tuple[ast.AST, ast.AST | str]]  # what is replaced, and by what

ORDER = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
         ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}  # fmt: skip
ARITHMETIC = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.FloorDiv: ast.Mult,
              ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.BitAnd: ast.BitOr,
              ast.BitOr: ast.BitAnd}  # fmt: skip
SUMS = (ast.Add, ast.BitAnd, ast.BitOr)
NOT_SYMMETRIC = (ast.Sub, ast.FloorDiv, ast.Mod, ast.LShift, ast.RShift)
OPPOSITE = {"min": "max", "max": "min", "minimum": "maximum", "maximum": "minimum"}
SHAPED = ("Signal", "In", "Out")  # Amaranth's, whose first argument is a shape
FIELDS = ("Bits", "Address")  # the numbers of annotations that mean something
NARROW = "from tests.mutation.narrow import narrower as _narrower\n"
COMPOUND = (ast.BinOp, ast.BoolOp, ast.Compare, ast.UnaryOp, ast.IfExp, ast.Lambda)


class Mutant(NamedTuple):
    """A change of one file.

    line : of the first change, from 1.  start, end : of the piece of text, in bytes.  new : what
    takes its place.  before, after : the lines that it is in, without the space around them.
    """

    path: str
    operator: str
    line: int
    start: int
    end: int
    new: str
    before: str
    after: str

    def applied(self, source: bytes) -> bytes:
        """The source of the file, changed."""
        changed = source[: self.start] + self.new.encode() + source[self.end :]
        return changed + NARROW.encode() if "_narrower(" in self.new else changed


def mutants(path: str, source: bytes, operators: tuple[str, ...]) -> list[Mutant]:
    """All mutants of a file by these operators, in the order of the text."""
    lines = source.splitlines(keepends=True)
    begins = [0]
    for line in lines:
        begins.append(begins[-1] + len(line))
    found = []
    for node in _computed(ast.parse(source)):
        for operator in operators:
            for piece, new in OPERATORS[operator](node):
                start = begins[piece.lineno - 1] + piece.col_offset
                end = begins[piece.end_lineno - 1] + piece.end_col_offset
                text = new if isinstance(new, str) else _written(new)
                first, last = begins[piece.lineno - 1], begins[piece.end_lineno]
                before = source[first:last].decode()
                after = (source[first:start] + text.encode() + source[end:last]).decode()
                place = path, operator, piece.lineno, start, end, text
                found.append(Mutant(*place, _in_one_line(before), _in_one_line(after)))
    return sorted(set(found), key=lambda mutant: (mutant.start, mutant.end, mutant.new))


def _in_one_line(text: str) -> str:
    return " ".join(text.split())


def _written(node: ast.AST) -> str:
    text = ast.unparse(node)
    return f"({text})" if isinstance(node, COMPOUND) else text


def _computed(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes that are computed with: no messages, annotations, decorators and imports."""
    if isinstance(tree, ast.Raise | ast.Assert | ast.JoinedStr | ast.Import | ast.ImportFrom):
        return
    yield tree
    for name, value in ast.iter_fields(tree):
        for node in value if isinstance(value, list) else [value]:
            if not isinstance(node, ast.AST) or name in ("decorator_list", "returns"):
                continue
            if _called(tree) == "reshape" and isinstance(node, ast.UnaryOp):
                continue  # any negative number stands for the length that is left
            if name == "annotation":
                for part in ast.walk(node):
                    if isinstance(part, ast.Call) and _called(part) in FIELDS:
                        yield from part.args
            else:
                yield from _computed(node)


def _called(node: ast.AST) -> str:
    """Name of the function that a call calls, "" where it has none."""
    if not isinstance(node, ast.Call):
        return ""
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


# --- operators: what of a node may be replaced, and by what


def _number(node: ast.AST) -> Changes:
    """Off by one."""
    if isinstance(node, ast.Constant) and type(node.value) is int:
        yield node, str(node.value + 1)
        if node.value > 0:
            yield node, str(node.value - 1)


def _width(node: ast.AST) -> Changes:
    """A register, port or wire one bit narrower."""
    if _called(node) in SHAPED and node.args and not _is_one(node.args[0]):
        other = copy(node)
        other.args = [_narrower(node.args[0]), *node.args[1:]]
        yield node, other
    elif _called(node) in ("unsigned", "signed"):
        yield node, _narrower(node)


def _narrower(shape: ast.expr) -> ast.expr:
    return ast.Call(ast.Name("_narrower"), [shape], [])


def _is_one(node: ast.AST) -> bool:
    """A bit less would be none; and a signature has no width."""
    return (isinstance(node, ast.Constant) and node.value == 1) or _called(node) == "Signature"


def _term(node: ast.AST) -> Changes:
    """A term, factor or condition is missing."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, SUMS):
        yield node, node.left
        yield node, node.right
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub | ast.Mult | ast.FloorDiv):
        yield node, node.left
    elif isinstance(node, ast.BoolOp):
        for place in range(len(node.values)):
            others = node.values[:place] + node.values[place + 1 :]
            yield node, others[0] if len(others) == 1 else ast.BoolOp(node.op, others)


def _operand(node: ast.AST) -> Changes:
    """Operands in each other's place."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, NOT_SYMMETRIC):
        yield node, ast.BinOp(node.right, node.op, node.left)
    elif isinstance(node, ast.IfExp):
        yield node, ast.IfExp(node.test, node.orelse, node.body)
    elif _called(node) in ("Mux", "where") and len(node.args) == 3:
        condition, one, other = node.args
        yield node, ast.Call(node.func, [condition, other, one], [])
    elif _called(node) in OPPOSITE:
        other = copy(node)
        other.func = copy(node.func)
        if isinstance(node.func, ast.Attribute):
            other.func.attr = OPPOSITE[node.func.attr]
        else:
            other.func.id = OPPOSITE[node.func.id]
        yield node, other


def _comparison(node: ast.AST) -> Changes:
    """A boundary that is in where it is out; equal where it is not."""
    if isinstance(node, ast.Compare):
        for place, order in enumerate(node.ops):
            if type(order) in ORDER:
                orders = [*node.ops]
                orders[place] = ORDER[type(order)]()
                yield node, ast.Compare(node.left, orders, node.comparators)


def _condition(node: ast.AST) -> Changes:
    """A condition that holds where it does not."""
    if isinstance(node, ast.Call) and _called(node) in ("If", "Elif"):
        yield node, ast.Call(node.func, [_is_zero(node.args[0])], [])
    elif isinstance(node, ast.If | ast.While):
        yield node.test, ast.UnaryOp(ast.Not(), node.test)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert | ast.Not):
        yield node, node.operand


def _is_zero(node: ast.expr) -> ast.expr:
    return ast.Compare(node, [ast.Eq()], [ast.Constant(0)])


def _arithmetic(node: ast.AST) -> Changes:
    """Plus is minus."""
    if isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        yield node, ast.BinOp(node.left, ARITHMETIC[type(node.op)](), node.right)


def _assignment(node: ast.AST) -> Changes:
    """A signal is not driven, a number not counted up."""
    if _called(node) == "eq" and isinstance(node.func, ast.Attribute):
        yield node, "[]"
    elif isinstance(node, ast.AugAssign) and not isinstance(node.target, ast.Attribute):
        yield node, "pass"


OPERATORS: dict[str, Callable[[ast.AST], Changes]] = {
    "number": _number,
    "width": _width,
    "term": _term,
    "operand": _operand,
    "comparison": _comparison,
    "condition": _condition,
    "arithmetic": _arithmetic,
    "assignment": _assignment,
}
