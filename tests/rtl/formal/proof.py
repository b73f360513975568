"""Proofs of hardware: Yosys makes a specification a formula, the SMT solver Bitwuzla decides it.

A specification is a component that holds the hardware as a submodule. Its input ports are free:
in every clock they take any values that its `Assume` allow. `prove` shows that its `Assert` hold,
and that its `Cover` can happen, so that nothing holds only because nothing happens.
"""

import re
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import bitwuzla
import pytest
from amaranth.back import rtlil
from amaranth.hdl import ClockDomain, Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from tests.rtl import yosys
from tests.rtl.mutants import Mutant

SCRIPT = """
read_rtlil design.il; hierarchy -check -top top; proc; flatten; chformal -lower; delete */t:$print;
memory_map; opt; formalff -setundef -clk2ff -ff2anyinit; setundef -undriven -anyseq;
setattr -set keep 1 w:spec.* w:spec.*.* %d; opt -fast; opt_clean -purge; dffunmap;
write_smt2 -wires design.smt2
"""
SOLVER_SECONDS = 600
SHOWN = 40  # clocks of a counterexample, the last ones


class RefutedError(AssertionError):
    """A specification does not hold; the message shows a line of it, and clocks against it."""


class Claim(NamedTuple):
    """An Assert or a Cover: its name in the formula, and the file and line that make it."""

    name: str
    path: Path
    line: int

    def at(self, clock: int) -> str:
        return f"|{self.name}@{clock}|"

    def __str__(self) -> str:
        source = self.path.read_text(encoding="utf-8").splitlines()[self.line - 1]
        return f"{self.path.name}, line {self.line}: {source.strip()}"


def prove(specification: wiring.Component, depth: int, induction: int = 1) -> None:
    """Fail unless a specification holds, and all that it covers can happen.

    It holds for ever: in the first clocks after reset, as many as `induction`, and in every clock
    before which it held in so many, whatever the registers are. With `induction` 0 it is shown for
    `depth` clocks after reset only. Covers happen within `depth` clocks.
    """
    formula = Formula(specification)
    assert formula.asserts
    first = induction or depth
    formula.refute(formula.clocks(first, reset=True), range(first), formula.asserts)
    for claim in formula.covers:
        happens = " ".join(claim.at(t) for t in range(depth))
        if formula.solve(formula.clocks(depth, reset=True), f"(or {happens})") is None:
            raise RefutedError(f"it does not happen in {depth} clocks: {claim}")
    if induction:
        known = formula.clocks(induction + 1, reset=False)
        known += "".join(f"(assert |top_a@{t}|)" for t in range(induction))
        for claim in formula.asserts:
            formula.refute(known, range(induction, induction + 1), [claim])
            known += f"(assert {claim.at(induction)})"


def planted(mutants: tuple[Mutant, ...]) -> pytest.MarkDecorator:
    """A test for each mutant; all but the first belong to the whole range."""
    cases = [
        pytest.param(mutant, id=mutant.about, marks=[pytest.mark.full] if place else [])
        for place, mutant in enumerate(mutants)
    ]
    return pytest.mark.parametrize("mutant", cases)


class Formula:
    """A specification in the language of SMT solvers, clock by clock: x in clock t is x@t.

    asserts, covers : in the order of their lines, so that an Assert may help those below it.
    """

    def __init__(self, specification: wiring.Component) -> None:
        text = _formula(specification)
        text, marker, step = text.partition("(define-fun |top_t|")
        self._clock = text.replace("(declare-sort |top_s| 0)", "")
        self._step = marker + step
        self.asserts = self._claims("assert", "top_a")
        self.covers = self._claims("cover", "top_c")

    def _claims(self, kind: str, name: str) -> list[Claim]:
        made = re.findall(rf"^; yosys-smt2-{kind} (\d+) \S+ (\S+):(\d+)", self._clock, re.MULTILINE)
        claims = [Claim(f"{name} {n}", Path(path), int(line)) for n, path, line in made]
        return sorted(claims, key=lambda claim: claim.line)

    def clocks(self, count: int, reset: bool) -> str:
        """So many clocks, one after another; with `reset` the registers begin as after reset."""
        lines = [_at(self._clock, t) for t in range(count)]
        lines += [_at(self._step, t) for t in range(count - 1)]
        lines += [f"(assert |top_t@{t}|)" for t in range(count - 1)]
        for t in range(count):
            starts = "true" if reset and t == 0 else "false"
            lines.append(f"(assert (and |top_h@{t}| |top_u@{t}| (= |top_is@{t}| {starts})))")
        if reset:
            lines.append("(assert |top_i@0|)")
        return "\n".join(lines)

    def solve(self, clocks: str, wanted: str) -> bitwuzla.Parser | None:
        """The solver, which knows clocks in which something wanted is true; None without any."""
        options = bitwuzla.Options()
        options.set(bitwuzla.Option.PRODUCE_MODELS, True)
        parser = bitwuzla.Parser(bitwuzla.TermManager(), options)
        end = time.monotonic() + SOLVER_SECONDS
        parser.configure_terminator(lambda: time.monotonic() > end)
        text = f"(set-logic QF_BV)\n{clocks}\n(assert {wanted})"
        parser.parse(text, parse_only=True, parse_file=False)
        found = parser.bitwuzla().check_sat()
        assert found != bitwuzla.Result.UNKNOWN, f"undecided after {SOLVER_SECONDS} s"
        return parser if found == bitwuzla.Result.SAT else None

    def refute(self, clocks: str, among: range, claims: list[Claim]) -> None:
        """Fail with a table if one of the claims can be false in one of the clocks."""
        hold = " ".join(claim.at(t) for t in among for claim in claims)
        parser = self.solve(clocks, f"(not (and true {hold}))")
        if parser is None:
            return
        values = _values(parser, clocks)
        t, claim = next(
            (t, claim) for t in among for claim in claims if not values[f"{claim.name}@{t}"]
        )
        raise RefutedError(f"{claim}\n{_table(values, t)}")


def _values(parser: bitwuzla.Parser, clocks: str) -> dict[str, int]:
    """The value of every signal and claim in the clocks that a solver has found."""
    shown = re.findall(r"^\(define-fun \|(top_[na] [^|]+)\| \(\) ", clocks, re.MULTILINE)
    solver = parser.bitwuzla()
    return {name: int(solver.get_value(parser.parse_term(f"|{name}|")).value(10)) for name in shown}


def _at(text: str, t: int) -> str:
    """Declarations and definitions of a state as those of clock t."""
    text = re.sub(r"\(declare-fun \|([^|]+)\| \(\|top_s\|\) ", rf"(declare-const |\1@{t}| ", text)
    text = re.sub(
        r"\(define-fun \|([^|]+)\| \((?:\((?:next_)?state \|top_s\|\) ?)+\) ",
        rf"(define-fun |\1@{t}| () ",
        text,
    )
    text = re.sub(r"\(\|([^|]+)\| state\)", rf"|\1@{t}|", text)
    return re.sub(r"\(\|([^|]+)\| next_state\)", rf"|\1@{t + 1}|", text)


def _formula(specification: wiring.Component) -> str:
    """What Yosys makes of a specification without a reset."""
    m = Module()
    m.domains.sync = domain = ClockDomain(reset_less=True)
    m.submodules.spec = specification
    inputs = [
        Value.cast(port)
        for _, member, port in specification.signature.flatten(specification)
        if member.flow is In
    ]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        text = rtlil.convert(m, name="top", ports=[domain.clk, *inputs])
        (folder / "design.il").write_text(text, encoding="utf-8")
        yosys.run(folder, SCRIPT)
        return (folder / "design.smt2").read_text(encoding="utf-8")


def _table(values: dict[str, int], last: int) -> str:
    """A line for every signal of the specification and the hardware in it, a column for a clock."""
    lines = []
    for signal in sorted({name.rpartition("@")[0] for name in values}):
        _, _, name = signal.partition("top_n spec.")
        if name and name.count(".") < 2 and not set(name) & set("$["):
            traced = range(max(0, last + 1 - SHOWN), last + 1)
            trace = [f"{values[f'{signal}@{t}']:x}" for t in traced]
            width = max(map(len, trace))
            lines.append(f"{name:32} " + " ".join(value.rjust(width) for value in trace))
    return "\n".join(lines)
