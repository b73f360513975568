"""Kernels: what is compiled, and what is compiled again."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

from accelsim import kernels
from accelsim.kernels import kernel


def test_kernel_compiles():
    @kernel
    def twice(values):
        out = values.copy()
        for i in range(len(out)):
            out[i] *= 2
        return out

    assert twice(np.arange(3)).tolist() == [0, 2, 4]
    assert hasattr(twice, "py_func")


def test_kernels_are_compiled_again_when_what_they_import_has_changed(tmp_path):
    """In a copy of the package, with a kernel that takes a constant from another module."""
    package = tmp_path / "accelsim"
    shutil.copytree(Path(kernels.__file__).parent, package)
    (package / "shared").mkdir()
    (package / "user.py").write_text(
        "from accelsim.kernels import kernel\n"
        "from accelsim.shared.step import STEP\n\n"
        "@kernel\ndef up(x):\n    return x + STEP\n\n"
        "print(up(1), sum(up.stats.cache_hits.values()))\n"
    )
    printed = []
    for step in (1, 1, 2):
        (package / "shared" / "step.py").write_text(f"STEP = {step}\n")
        command = [sys.executable, "-B", "-m", "accelsim.user"]
        printed.append(
            subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
        )
    assert [run.stdout.split() for run in printed] == [["2", "0"], ["2", "1"], ["3", "0"]]


def test_kernels_whose_arguments_were_of_classes_now_gone_are_compiled_again(tmp_path):
    package = tmp_path / "accelsim"
    shutil.copytree(Path(kernels.__file__).parent, package)
    printed = []
    for name in ("Before", "Behind"):
        (package / "user.py").write_text(
            "from typing import NamedTuple\n\n"
            "from accelsim.kernels import kernel\n\n"
            f"class {name}(NamedTuple):\n    x: int\n\n"
            "@kernel\ndef up(pair):\n    return pair.x + 1\n\n"
            f"print(up({name}(1)))\n"
        )
        command = [sys.executable, "-B", "-c", "import accelsim.user"]
        printed.append(subprocess.check_output(command, cwd=tmp_path, text=True))
    assert printed == ["2\n", "2\n"]


def test_who_watches_hears_of_what_is_compiled_and_not_of_what_is_kept(tmp_path):
    """A kernel with one that it calls, in a copy of the package."""
    package = tmp_path / "accelsim"
    shutil.copytree(Path(kernels.__file__).parent, package)
    (package / "user.py").write_text(
        "from accelsim.kernels import component, kernel, watching\n\n"
        "@component\ndef once(x):\n    return x + 1\n\n"
        "@kernel\ndef twice(x):\n    return once(once(x))\n\n"
        "heard = []\n"
        "with watching(heard.append):\n    twice(1)\n"
        "twice(1.5)\n"
        "print(heard)\n"
    )
    command = [sys.executable, "-B", "-c", "import accelsim.user"]
    printed = [subprocess.check_output(command, cwd=tmp_path, text=True) for _ in range(2)]
    assert printed == ["['user', None]\n", "[]\n"]
