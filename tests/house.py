"""The map of the house in CONTRIBUTING.md: a line for every file of the packages.

python -m tests.house    writes it anew
"""

import ast
from pathlib import Path

TOP = Path(__file__).parents[1]
PAGE = TOP / "CONTRIBUTING.md"
BEGIN, END = "<!-- map -->\n", "<!-- end of map -->\n"
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


if __name__ == "__main__":
    PAGE.write_text(page())
