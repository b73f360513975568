"""Mutants are what their operators say, and reasons are of mutants that exist."""

import ast

import pytest

from tests.mutation.__main__ import TOP
from tests.mutation.equivalent import reasons
from tests.mutation.operators import OPERATORS, mutants
from tests.mutation.targets import concerned, files

LINES = {
    "number": ("a = 3 + b", {"a = 4 + b", "a = 2 + b"}),
    "width": ("a = Signal(range(n), name='a')", {"a = Signal(_narrower(range(n)), name='a')"}),
    "term": ("m.If(a & b)", {"m.If(a)", "m.If(b)"}),
    "operand": ("a = Mux(b, c, d) + (e - f)",
                {"a = Mux(b, d, c) + (e - f)", "a = Mux(b, c, d) + ((f - e))"}),
    "comparison": ("a = b <= c", {"a = (b < c)"}),
    "condition": ("m.Elif(~a)", {"m.Elif(a)", "m.Elif((~a) == 0)"}),
    "arithmetic": ("a = b * c", {"a = (b + c)"}),
    "assignment": ("m.d.sync += [a.eq(b), c.eq(d)]",
                   {"m.d.sync += [[], c.eq(d)]", "m.d.sync += [a.eq(b), []]"}),
}  # fmt: skip


@pytest.mark.parametrize("operator", OPERATORS)
def test_operators_change_what_they_say(operator):
    line, expected = LINES[operator]
    found = mutants("a.py", line.encode(), (operator,))
    assert {ast.unparse(ast.parse(mutant.after)) for mutant in found} == {
        ast.unparse(ast.parse(after)) for after in expected
    }
    assert all(ast.parse(mutant.applied(f"{line}\n".encode())) for mutant in found)


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("raise ValueError(f'{a + 1} is more than 3')", 0),
        ("a: tuple[int, int]", 0),
        ("a: Annotated[int, Bits(8), 'of 3']", 2),
        ("@lru_cache(maxsize=8)\ndef a() -> Literal[1]: ...", 0),
        ("a.reshape(-1, b)", 0),
        ("while a: pass", 1),
        ("a += 1", 3),
    ],
)
def test_what_nobody_computes_with_is_left_alone(line, count):
    assert len(mutants("a.py", line.encode(), tuple(OPERATORS))) == count


def test_every_file_with_mutants_has_tests():
    for path in files(TOP, []):
        if not mutants(path, (TOP / path).read_bytes(), tuple(OPERATORS)):
            continue
        assert all((TOP / test).exists() for test in concerned(path) if test.startswith("tests/"))


def test_every_reason_is_of_a_mutant():
    known = reasons()
    every = {
        (mutant.path, mutant.before, mutant.after)
        for path in {path for path, *_ in known}
        for mutant in mutants(path, (TOP / path).read_bytes(), tuple(OPERATORS))
    }
    assert set(known) <= every
