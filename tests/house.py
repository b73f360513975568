"""The map of the house in CONTRIBUTING.md, a line for every file, and variants in docs/networks.md.

python -m tests.house    writes both anew
"""

import ast
from pathlib import Path

from accelsim.ops import papers

TOP = Path(__file__).parents[1]
PAGE = TOP / "CONTRIBUTING.md"
BEGIN, END = "<!-- map -->\n", "<!-- end of map -->\n"
NETWORKS = TOP / "docs" / "networks.md"
FIRST, LAST = "<!-- variants -->\n", "<!-- end of variants -->\n"
PACKAGES = ("accelsim", "rtl")


def first_line(path: Path) -> str:
    """First line of a module's docstring; "" where it has none."""
    return (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")[0]


def house_map() -> str:
    """Every folder with its files."""
    lines = []
    for package in PACKAGES:
        files = sorted((TOP / package).rglob("*.py"), key=_order)
        folder = None
        for path in files:
            about = first_line(path)
            place = path.relative_to(TOP)
            if place.parent != folder:
                folder = place.parent
                own = about if path.name == "__init__.py" else ""
                lines.append(f"{folder.as_posix()}/".ljust(42) + own)
            if path.name != "__init__.py":
                lines.append(f"  {path.name}".ljust(42) + about)
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _order(path: Path) -> tuple[Path, bool, str]:
    """Folder by folder, its own line first."""
    return path.parent, path.name != "__init__.py", path.name


def page() -> str:
    """The page with its map as the files say it."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}```text\n{house_map()}```\n{END}{after}"


def variants() -> str:
    """A row for every variant: what it replaces, what it is of, what it may be told."""
    lines = ["| variant | replaces | class | keys | paper |", "|---|---|---|---|---|"]
    for variant, operator in ((name, papers.find(name)) for name in papers.VARIANTS):
        keys = "; ".join(
            f"`{key}`: {each.requirement.phrase} (`{operator.default(key)}`)"
            for key, each in operator.all_keys().items()
        )
        paper = operator.paper
        place = f"arXiv {paper.arxiv}" if paper.arxiv else paper.venue
        cells = f"`{variant}`", operator.target, operator.cost_class, keys, place
        lines.append(f"| {' | '.join(cells)} |")
    return "".join(f"{line}\n" for line in lines)


def networks_page() -> str:
    """The page of networks with the table of variants as the operators say it."""
    before, _, rest = NETWORKS.read_text().partition(FIRST)
    return f"{before}{FIRST}\n{variants()}\n{LAST}{rest.partition(LAST)[2]}"


if __name__ == "__main__":
    PAGE.write_text(page())
    NETWORKS.write_text(networks_page())
