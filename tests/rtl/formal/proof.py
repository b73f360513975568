"""Proofs of hardware: Yosys makes a specification a formula, the SMT solver Z3 decides it.

A specification is a component that holds the hardware as a submodule. Its input ports are free:
in every clock they take any values that its `Assume` allow. `prove` shows that its `Assert` hold,
and that its `Cover` can happen, so that nothing holds only because nothing happens.
"""

import re
import tempfile
from pathlib import Path
from typing import NamedTuple

import z3
from amaranth.back import rtlil
from amaranth.hdl import ClockDomain, Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from tests.rtl import yosys

SCRIPT = """
read_rtlil design.il; hierarchy -check -top top; proc; flatten; chformal -lower; delete */t:$print;
memory_map; opt -full; formalff -setundef -clk2ff -ff2anyinit; setundef -undriven -anyseq;
opt -fast; opt_clean; dffunmap; write_smt2 -stbv -wires design.smt2
"""
TACTICS = ("simplify", "propagate-values", "solve-eqs", "bit-blast", "sat")
SOLVER_MILLISECONDS = 600_000
SHOWN = 40  # clocks of a counterexample, the last ones


class RefutedError(AssertionError):
    """A specification does not hold; the message shows a line of it, and clocks against it."""


class Claim(NamedTuple):
    """An Assert or a Cover: its function in the formula, and the file and line that make it."""

    function: str
    path: Path
    line: int

    def at(self, clock: int) -> str:
        return f"({self.function} s{clock})"

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
        known += "".join(f"(assert (|top_a| s{t}))" for t in range(induction))
        for claim in formula.asserts:
            formula.refute(known, range(induction, induction + 1), [claim])
            known += f"(assert {claim.at(induction)})"


class Formula:
    """A specification in the language of SMT solvers; its state in clock t is called st.

    asserts, covers : in the order of their lines, so that an Assert may help those below it.
    """

    def __init__(self, specification: wiring.Component) -> None:
        self.text = _formula(specification)
        self.asserts = self._claims("assert", "top_a")
        self.covers = self._claims("cover", "top_c")

    def _claims(self, kind: str, function: str) -> list[Claim]:
        made = re.findall(rf"^; yosys-smt2-{kind} (\d+) \S+ (\S+):(\d+)", self.text, re.MULTILINE)
        claims = [Claim(f"|{function} {n}|", Path(path), int(line)) for n, path, line in made]
        return sorted(claims, key=lambda claim: claim.line)

    def clocks(self, count: int, reset: bool) -> str:
        """So many clocks, one after another; with `reset` the registers begin as after reset."""
        lines = []
        for t in range(count):
            lines += [
                f"(declare-const s{t} |top_s|)",
                f"(assert (and (|top_h| s{t}) (|top_u| s{t})))",
                f"(assert (= (|top_is| s{t}) {str(reset and t == 0).lower()}))",
            ]
        lines += [f"(assert (|top_t| s{t} s{t + 1}))" for t in range(count - 1)]
        if reset:
            lines.append("(assert (|top_i| s0))")
        return "\n".join(lines)

    def solve(self, clocks: str, wanted: str) -> z3.ModelRef | None:
        """The states of the clocks in which something wanted is true; None if there are none."""
        solver = z3.Then(*TACTICS).solver()
        solver.set("timeout", SOLVER_MILLISECONDS)
        solver.add(z3.parse_smt2_string(f"{self.text}\n{clocks}\n(assert {wanted})"))
        found = solver.check()
        assert found != z3.unknown, solver.reason_unknown()
        return solver.model() if found == z3.sat else None

    def refute(self, clocks: str, among: range, claims: list[Claim]) -> None:
        """Fail with a table if one of the claims can be false in one of the clocks."""
        hold = " ".join(claim.at(t) for t in among for claim in claims)
        model = self.solve(clocks, f"(not (and true {hold}))")
        if model is None:
            return
        traces = [self._values(model, f"s{t}") for t in range(among.stop)]
        t, claim = next(
            (t, claim) for t in among for claim in claims if not traces[t][claim.function]
        )
        raise RefutedError(f"{claim}\n{_table(traces[: t + 1])}")

    def _values(self, model: z3.ModelRef, state: str) -> dict[str, int]:
        """The value of every signal and claim in a state of a model."""
        shapes = re.findall(
            r"^\(define-fun (\|top_[na] .+?\|) \(\(state \|top_s\|\)\) (?:Bool|\(_ BitVec (\d+)\))",
            self.text,
            re.MULTILINE,
        )
        bits = re.findall(r"\(define-sort \|top_s\| \(\) \(_ BitVec (\d+)\)\)", self.text)[0]
        fixed = model.eval(z3.BitVec(state, int(bits)), model_completion=True).sexpr()
        lines = []
        for n, (function, width) in enumerate(shapes):
            value = f"({function} {fixed})" if width else f"(ite ({function} {fixed}) #b1 #b0)"
            lines.append(f"(declare-const v{n} (_ BitVec {width or 1}))(assert (= v{n} {value}))")
        solver = z3.Solver()
        solver.add(z3.parse_smt2_string(self.text + "\n".join(lines)))
        assert solver.check() == z3.sat
        values = {name.name(): solver.model()[name].as_long() for name in solver.model()}
        return {function: values[f"v{n}"] for n, (function, _) in enumerate(shapes)}


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


def _table(traces: list[dict[str, int]]) -> str:
    """A line for every signal of the specification and the hardware in it, a column for a clock."""
    lines = []
    for function in sorted(traces[0]):
        _, _, name = function.strip("|").partition("top_n spec.")
        if name and name.count(".") < 2 and not set(name) & set("$["):
            values = [f"{trace[function]:x}" for trace in traces[-SHOWN:]]
            width = max(map(len, values))
            lines.append(f"{name:32} " + " ".join(value.rjust(width) for value in values))
    return "\n".join(lines)
