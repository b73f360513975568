"""The notebooks run from top to bottom and show what is stored in them.

`python -m tests.test_notebooks [NAME...]` runs them and stores what they show.
"""

import ast
import base64
import io
import os
import re
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image

TOP = Path(__file__).parents[1]
NOTEBOOKS = sorted((TOP / "notebooks").glob("*.ipynb"))

LARGEST_BYTES = 200_000
SECONDS = 900  # that a cell may take, on any machine: it ends what hangs
IMAGE, TEXT = "image/png", "text/plain"
IMAGE_LEAST = 3000  # bytes in base64; an empty figure has fewer
COLOURS = 192  # of a picture

# What a notebook may import besides the standard library, and what operators, dataflows and engines
# share.
PUBLIC = (
    "accelsim",
    "accelsim.dataflows",
    "accelsim.dataflows.array",
    "accelsim.dataflows.base",
    "accelsim.dataflows.im2col",
    "accelsim.energy",
    "accelsim.engines",
    "accelsim.engines.activity",
    "accelsim.engines.base",
    "accelsim.errors",
    "accelsim.hardware.checks",
    "accelsim.hardware.files",
    "accelsim.hardware.operands",
    "accelsim.hls.nest",
    "accelsim.hls.reports",
    "accelsim.ir",
    "accelsim.kernels",
    "accelsim.limits",
    "accelsim.numerics",
    "accelsim.ops.base",
    "accelsim.ops.geometry",
    "accelsim.ops.papers.acb",
    "accelsim.ops.papers.base",
    "accelsim.passes",
    "accelsim.passes.base",
    "accelsim.report",
    "amaranth.hdl",
    "amaranth.lib",
    "amaranth.lib.memory",
    "amaranth.lib.wiring",
    "matplotlib.pyplot",
    "numpy",
    "numpy.typing",
    "polars",
    "rtl.engines",
    "rtl.engines.base",
    "rtl.flow.cosim",
    "rtl.flow.generate",
    "rtl.flow.manual",
    "rtl.flow.waves",
    "rtl.host.chunks",
    "rtl.host.driver",
    "rtl.host.job",
    "rtl.lib.counters",
    "rtl.lib.layout",
    "rtl.lib.results",
    "rtl.lib.skid",
    "rtl.lib.waits",
)
# The engine that a notebook adds.
ADDED = re.compile(r"(accelsim|rtl)\.(\w+)\.dot(\.\w+)?")
# Warnings are errors from the first cell on.
STRICT = (
    "import warnings as w; w.simplefilter('error'); w.filterwarnings('ignore', module='ipykernel')"
)


def run(path: Path, place: Path) -> NotebookNode:
    """The notebook with what it shows now, in its normal form, run in the folder `place`."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(STRICT))
    client = NotebookClient(
        notebook,
        timeout=SECONDS,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(place)}},
    )
    # This folder's packages, and figures inside the notebook, whatever the test run itself draws
    # with.
    backend = "module://matplotlib_inline.backend_inline"
    client.execute(env=os.environ | {"PYTHONPATH": str(TOP), "MPLBACKEND": backend})
    del notebook.cells[0]
    return normal(notebook)


def normal(notebook: NotebookNode) -> NotebookNode:
    """Without what differs between machines and runs: times, counts, versions of Python."""
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    for count, cell in enumerate(codes(notebook), start=1):
        cell.execution_count = count
        cell.metadata = nbformat.from_dict({})
        cell.outputs = merged(cell.outputs)
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = count
            if IMAGE in output.get("data", {}):
                output.data = nbformat.from_dict({IMAGE: small(output.data[IMAGE])})
                output.metadata = nbformat.from_dict({})
    return notebook


def small(image: str) -> str:
    """A picture of at most so many colours, in base64: figures need no more."""
    picture = Image.open(io.BytesIO(base64.b64decode(image)))
    if picture.mode == "P":
        return image
    file = io.BytesIO()
    flat = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    flat.save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def merged(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """What was printed in several pieces as one."""
    found: list[NotebookNode] = []
    for output in outputs:
        if found and output.output_type == "stream" == found[-1].output_type:
            found[-1].text += output.text
        else:
            found.append(output)
    return found


def codes(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def words(cell: NotebookNode) -> list[str]:
    """Words and numbers that a cell shows; how tables are drawn is for others to say."""
    texts = [each.get("text") or each.get("data", {}).get(TEXT, "") for each in cell.outputs]
    return re.findall(r"[\w.,:+-]+", re.sub("[\u2500-\u257f\u2026]", " ", " ".join(texts)))


def images(cell: NotebookNode) -> list[str]:
    return [each.data[IMAGE] for each in cell.outputs if IMAGE in each.get("data", {})]


LONG = ("02", "03", "05", "06", "08")  # ten seconds and more each
CASES = [
    pytest.param(path, id=path.stem, marks=[pytest.mark.full] if path.name.startswith(LONG) else [])
    for path in NOTEBOOKS
]


@pytest.fixture(params=CASES)
def path(request):
    return request.param


def test_there_are_notebooks():
    numbers = [path.name[:2] for path in NOTEBOOKS]
    assert numbers == [f"{number:02}" for number in range(1, 9)]


def test_it_runs_and_shows_what_is_stored(path, tmp_path):
    stored, now = nbformat.read(path, as_version=4), run(path, tmp_path)
    pictures = 0
    for before, after in zip(codes(stored), codes(now), strict=True):
        errors = [each.text for each in after.outputs if each.get("name") == "stderr"]
        assert not errors, after.source
        assert words(after) == words(before), after.source
        assert len(images(after)) == len(images(before)), after.source
        assert all(len(image) > IMAGE_LEAST for image in images(after)), after.source
        pictures += len(images(after))
    assert pictures


def test_it_is_stored_in_its_normal_form(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    text = nbformat.writes(notebook)
    assert text == nbformat.writes(normal(notebook))
    assert path.read_text() == text + "\n"
    assert len(text) < LARGEST_BYTES
    assert not re.search(r"/(home|tmp|root|work|Users|mnt|usr|opt)/|0x[0-9a-f]{6}", text)


def test_it_reads_as_a_document(path):
    """A title, prose before every few cells of code, and claims that the cells assert."""
    cells = nbformat.read(path, as_version=4).cells
    assert cells[0].cell_type == "markdown"
    assert cells[0].source.startswith("# ")
    kinds = "".join(cell.cell_type[0] for cell in cells)
    assert "ccc" not in kinds
    assert sum("assert " in cell.source for cell in cells if cell.cell_type == "code") >= 3


def test_it_uses_the_public_interface(path):
    for cell in codes(nbformat.read(path, as_version=4)):
        source = re.sub(r"^%.*$", "", cell.source, flags=re.MULTILINE)
        for node in ast.walk(ast.parse(source)):
            modules = []
            if isinstance(node, ast.Import):
                modules = [name.name for name in node.names]
            elif isinstance(node, ast.ImportFrom):
                modules = [node.module]
            elif isinstance(node, ast.Attribute) and getattr(node.value, "id", None) != "self":
                assert not re.match("_[^_]", node.attr), source
            for module in modules:
                known = module.split(".")[0] in sys.stdlib_module_names or module in PUBLIC
                assert known or ADDED.fullmatch(module), module


if __name__ == "__main__":
    import tempfile

    for notebook in NOTEBOOKS:
        if len(sys.argv) == 1 or notebook.stem in sys.argv[1:]:
            with tempfile.TemporaryDirectory() as folder:
                done = run(notebook, Path(folder))
            notebook.write_text(nbformat.writes(done) + "\n")
