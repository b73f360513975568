"""Operators of papers as tables, made of the operators themselves."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from accelsim.ops import papers
from accelsim.ops.papers.base import PaperOperator
from accelsim.ops.papers.example import example, runs_on
from accelsim.report.table import Table

Operators = Mapping[str, type[PaperOperator]]

WORDS_OF_COSTS = (
    "Formulas are of one image: Ci and Co channels, k rows and columns of the kernel, s its "
    "stride, g groups, HW and HWo pixels of input and output, and keys, of which a list counts by "
    "its length; sums are over groups i of channels; norms and biases count where they are the "
    "operator's own."
)


def named(variants: Iterable[str] = papers.VARIANTS) -> Operators:
    """The operators of variants by their names."""
    return {variant: papers.find(variant) for variant in variants}


def tables(operators: Operators) -> Iterator[Table]:
    """All there is to say of them."""
    yield classes(operators)
    yield costs(operators)
    if any(op.all_keys() for op in operators.values()):
        yield keys(operators)


def classes(operators: Operators) -> Table:
    """What each replaces, and what that is to an architect."""
    rows = [
        (variant, op.cost_class, op.target, op.paper.arxiv or op.paper.venue)
        for variant, op in operators.items()
    ]
    return _table(("variant", "class", "replaces", "paper"), rows)


def costs(operators: Operators) -> Table:
    """What each costs in every form, and which parts of a machine run its layers."""
    rows = [
        (variant, form, op.cost[form].params, op.cost[form].macs, _places(op, form))
        for variant, op in operators.items()
        for form in op.forms
    ]
    return _table(("variant", "form", "parameters", "MACs", "runs on"), rows)


def keys(operators: Operators) -> Table:
    """What each can be told behind its name."""
    rows = [
        (variant, name, key.requirement.phrase, op.default(name))
        for variant, op in operators.items()
        for name, key in op.all_keys().items()
    ]
    return _table(("variant", "key", "may be", "default"), rows)


def source(operator: type[PaperOperator]) -> str:
    """Its paper in one sentence."""
    paper = operator.paper
    arxiv = f", arXiv {paper.arxiv}" if paper.arxiv else ""
    return f"{paper.authors}: {paper.title}, {paper.venue}{arxiv}."


def _places(operator: type[PaperOperator], form: str) -> str:
    """For instance: array: 3 conv2d; host: 1 add."""
    places = runs_on(example(operator, form).network)
    return "; ".join(
        f"{place}: {', '.join(f'{count} {name}' for name, count in counts.items())}"
        for place, counts in places.items()
    )


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    return Table(columns, rows, words=columns)
