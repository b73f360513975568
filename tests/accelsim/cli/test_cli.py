"""The command line: its lists and help, its process, and one sentence for every mistake."""

import json
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from accelsim import __version__, networks, published
from accelsim.cli import COMMANDS
from accelsim.cli.plots import KINDS
from accelsim.dataflows import DATAFLOWS
from accelsim.hardware import PRESETS, load_hardware
from accelsim.lowering import public_name
from accelsim.ops import MACROS, OPS, papers
from tests.accelsim.cli.probe import PROBE

# --- lists and completion


def test_version(accelsim):
    assert accelsim("--version") == (0, f"accelsim {__version__}\n", "")


@pytest.mark.parametrize("command", ["", "plot", *COMMANDS, *(f"plot {kind}" for kind in KINDS)])
def test_help_fits_and_is_not_cut(command, accelsim, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    outcome = accelsim(*command.split(), "--help")
    assert outcome.status == 0
    lines = outcome.out.splitlines()
    assert len(lines) <= (46 if command == "run" else 32)
    assert max(map(len, lines)) < 80
    assert not any(line.endswith("...") for line in lines[1:])


def test_every_network_is_listed(accelsim):
    outcome = accelsim("networks")
    assert outcome.status == 0
    for definition in networks.NETWORKS:
        assert definition.__name__ in outcome.out
    assert "3,504,872" in outcome.out  # parameters of MobileNetV2 as its authors count them
    assert "fuse_half_50" in outcome.out


def test_every_operator_is_listed(accelsim):
    outcome = accelsim("ops")
    assert outcome.status == 0
    first_words = [line.split()[0] for line in outcome.out.splitlines() if line.strip()]
    listed = first_words.index("Variants")
    assert first_words[2:listed] == [*(op.name for op in (*OPS, *MACROS)), *papers.NAMES]
    of_papers = outcome.out[outcome.out.index("Variants") :]
    for variant in papers.VARIANTS:
        rows = [line for line in of_papers.splitlines() if line.split()[:1] == [variant]]
        operator = papers.find(variant)
        assert operator.cost_class in rows[0]
        assert operator.target in rows[0]
        for row, form in zip(rows[1:], operator.forms, strict=False):
            assert [form, *operator.cost[form]] == re.split("  +", row)[1:4]
        for row, key in zip(rows[1 + len(operator.forms) :], operator.all_keys(), strict=True):
            phrase, default = operator.all_keys()[key].requirement.phrase, operator.default(key)
            assert [key, phrase, default] == re.split("  +", row.strip())[1:]


@pytest.mark.parametrize("operator", [*OPS, *MACROS], ids=lambda operator: operator.name)
def test_an_operator_is_described_with_its_defaults(operator, accelsim):
    outcome = accelsim("ops", operator.name)
    assert outcome.status == 0
    table = outcome.out.partition("\n\nattribute ")[2]
    rows = [line.split()[0] for line in table.partition("\n\n")[0].splitlines()[2:]]
    assert rows[: len(fields(operator))] == [each.name for each in fields(operator)]
    assert ("prenorm" in rows) == (operator in OPS)


@pytest.mark.parametrize("variant", papers.VARIANTS)
def test_an_operator_of_a_paper_is_described(variant, accelsim):
    outcome, operator = accelsim("ops", variant), papers.find(variant)
    assert outcome.status == 0
    assert operator.paper.title in outcome.out
    assert outcome.out.count(f"\n{variant} ") == 1 + len(operator.forms) + len(operator.all_keys())


@pytest.mark.parametrize(
    "command",
    [
        "run NET --array 8x8 VARIANT --json -",
        "compare NET --array 8x8,16x16 VARIANT --json -",
        "csynth NET --layer b4.conv2_hor VARIANT --json -",
        "explain NET --layer b4.conv2_hor VARIANT --json -",
    ],
)
def test_a_variant_in_the_form_of_training(command, accelsim):
    words = command.replace("NET", "resnet18").split()
    at = words.index("VARIANT")
    for option in (["--variant", "acb", "--form", "train"], ["--variant", "acb:form=train"]):
        outcome = accelsim(*words[:at], *option, *words[at + 1 :])
        assert outcome.status == 0, outcome.err
        written = json.loads(outcome.out)
        assert (written["variant"], written["form"]) == ("acb:form=train", "train")


def test_a_form_without_an_operator(accelsim):
    status, out, err = accelsim("run", "resnet18", "--form", "train")
    assert (status, out) == (2, "")
    assert err.startswith("accelsim: form train is of variants that are operators, and baseline")
    assert accelsim("networks", "--show", "resnet18", "--variant", "acb", "--form", "x").status == 2


def test_what_an_operator_takes_if_nothing_is_said(accelsim):
    shown = {name: accelsim("ops", name).out for name in ("conv2d", "depthwise", "pool")}
    assert re.search(r"^padding +0 *$", shown["conv2d"], re.MULTILINE)
    assert re.search(r'^padding +"same" *$', shown["depthwise"], re.MULTILINE)
    assert re.search(r"^stride +left out *$", shown["pool"], re.MULTILINE)
    status, out, err = accelsim("ops", "convolution")
    assert (status, out) == (2, "")
    assert err.startswith("accelsim: operator must be one of conv2d, ")


def test_a_warning_is_printed_once(accelsim, tmp_path):
    path = tmp_path / "flat.toml"
    path.write_text(PROBE.replace("flatten = true\n", ""))
    outcome = accelsim("compare", path, "--hardware", "tiny", "--hardware", "edge")
    assert outcome.status == 0
    assert outcome.err.startswith(f"accelsim: warning: {path}:")
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_a_printed_preset_is_a_hardware_file(preset, accelsim, tmp_path):
    outcome = accelsim("hardware", preset.name)
    path = tmp_path / "hw.toml"
    path.write_text(outcome.out)
    assert load_hardware(path) == preset.hardware
    assert outcome.out in accelsim("hardware").out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("accelsim exp", "explain"),
        ("accelsim plot heat", "heatmap"),
        ("accelsim run --no-o", "--no-overlap"),
        ("accelsim run mobilenet_v3_l", "mobilenet_v3_large mobilenet_v3_large_fuseconv"),
        ("accelsim run resnet18 --hardware mo", "mobile"),
        ("accelsim run resnet18 --variant fuse_f", "fuse_full fuse_full_50"),
        ("accelsim explain resnet18 --layer b1.", "b1.conv1 b1.conv2 b1.add"),
        ("accelsim film --array 8x8 resnet18 --layer f", "fc"),
        ("accelsim csynth none.toml --layer f", ""),
    ],
)
def test_a_shell_completes_words(words, expected, accelsim, monkeypatch):
    monkeypatch.setenv("_ACCELSIM_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(words.count(" ")))
    outcome = accelsim()
    assert (outcome.out.split(), outcome.err) == (expected.split(), "")


def test_a_shell_completes_files_of_networks_and_their_layers(accelsim, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in ("mobile.CSV", "mobile.csv.png", "mob.toml"):
        Path(name).write_text("a,4,4,1,1,1,2,1,2:4\nab,4,4,1,1,1,2,1\nc,4,4,1,1,1,2,1\n")
    monkeypatch.setenv("_ACCELSIM_COMPLETE", "complete_bash")
    for words, expected in (
        ("accelsim run mob", {"mob.toml", "mobile.CSV"}),
        ("accelsim csynth mobile.CSV --layer a", {"a", "ab"}),
    ):
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(words.count(" ")))
        outcome = accelsim()
        names = {word for word in outcome.out.split() if word not in networks.NAMES}
        assert (names, outcome.err) == (expected, "")


def test_the_completion_of_a_shell_is_shown(accelsim, monkeypatch):
    monkeypatch.setattr("typer.completion._get_shell_name", lambda: "bash")
    outcome = accelsim("--show-completion")
    assert outcome.status == 0
    assert "complete -o default -F _accelsim_completion accelsim" in outcome.out


# --- as a process


@pytest.mark.parametrize(
    ("command", "status", "said"),
    [
        ("sweep s.toml -o designs", 2, "the extra sweep brings it: pip install '.[sweep]'\n"),
        ("plot heatmap designs -o m.png", 2, "brings it: pip install '.[sweep]'\n"),
        ("report result.json -o r.html", 0, ""),  # needs all that `run` and plots need
    ],
)
def test_only_sweeps_need_the_extra_sweep(command, status, said, accelsim, tmp_path):
    accelsim("run", "resnet18", "--array", "8x8", "--json", tmp_path / "result.json")
    (tmp_path / "s.toml").write_text('networks = "resnet18"\n[array]\nsize = "8x8"\n')
    program = "import sys; sys.modules['polars'] = None; from accelsim.cli import main; main()"
    command = [sys.executable, "-c", program, *command.split()]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == status
    assert done.stderr.endswith(said)
    assert bool(done.stderr) == bool(said)


def shell(*arguments):
    program = "from accelsim.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False
    )


def test_the_process_prints_a_table_and_nothing_else():
    done = shell("run", "mobilenet_v3_small", "--array", "8x8", "--fidelity", "golden")
    assert (done.returncode, done.stderr) == (0, "")
    assert "total" in done.stdout


def test_the_package_is_the_command_line():
    done = subprocess.run(
        [sys.executable, "-m", "accelsim", "--version"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"accelsim {__version__}\n", "")


def test_the_process_ends_with_status_2_and_without_a_traceback():
    done = shell("run", "mobilenet_v2", "--array", "0x4")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == ("accelsim: array.rows must be a whole number from 1 to 1024, not 0\n")


@pytest.mark.parametrize(
    "module",
    ["accelsim.cli", "typer", "accelsim.find", "numpy", "accelsim.simulation", "accelsim.cli.grid"],
)
def test_an_interrupt_is_no_traceback_while_modules_are_loaded(module):
    program = (
        "import os, runpy, signal, sys\n"
        "class Interrupt:\n"
        "    def find_spec(name, *_):\n"
        f"        if name == {module!r}:\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupt)\n"
        "sys.argv = ['accelsim', 'run', 'resnet18', '--array', '8x8']\n"
        "runpy.run_module('accelsim', run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 130
    assert done.stderr.strip() == ""


def test_a_stopped_sweep_says_how_it_goes_on(accelsim, tmp_path, monkeypatch):
    def stopped(*arguments):
        raise KeyboardInterrupt

    spec, out = tmp_path / "sweep.toml", tmp_path / "designs"
    spec.write_text('networks = ["resnet18"]\ninputs = "32x32"\n[array]\nsize = ["4x4", "8x8"]\n')
    with monkeypatch.context() as patch:
        patch.setattr("accelsim.sweep.run", stopped)
        outcome = accelsim("sweep", spec, "-o", out)
    said = f"accelsim: stopped; the same command with --resume continues {out}\n"
    assert outcome == (130, "", said)
    assert accelsim("sweep", spec, "-o", out, "--resume").status == 0


def test_a_reader_that_stops_early_is_no_error():
    program = "from accelsim.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "run", "mobilenet_v2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait() == 0


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("> /dev/full", "standard output cannot be used: No space left on device"),
        (">&-", "standard output is closed"),
    ],
)
@pytest.mark.parametrize("command", ["run mobilenet_v2", "run resnet18 --json -", "hardware"])
def test_output_that_cannot_be_written_is_said(command, where, said):
    script = f'"$0" -c "from accelsim.cli import main; main()" {command} {where}'
    done = subprocess.run(
        ["sh", "-c", script, sys.executable], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (2, f"accelsim: {said}\n")


def test_names_that_the_terminal_cannot_show_are_replaced(probe, monkeypatch):
    probe.write_text(PROBE.replace("mix", "\u6df7"), encoding="utf-8")
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    done = shell("run", str(probe), "--array", "4x3")
    assert (done.returncode, done.stderr) == (0, "")
    assert "?" in done.stdout


@pytest.mark.parametrize(
    "command",
    [
        "run {0}/evil.toml --array 4x3",
        "run {0}/evil.toml --layers none",
        "csynth {0}/evil.toml --array 4x3 --layer {1}",
        "cosim {0}/evil.toml --array 4x3 --layer {1} --simulator amaranth",
        "compare {0}/evil.toml --hardware tiny --hardware edge",
        "pareto {0}/evil.csv --minimise cycles",
        "pareto {0}/evil.csv --minimise none",
    ],
)
def test_no_name_steers_the_terminal(command, accelsim, tmp_path):
    """Names of users may hold escapes, which clear screens or set titles, and ends of lines."""
    text = PROBE.replace('"mix"', r'"m\u001b[2J\u009bi\rx"').replace('"probe"', r'"p\u0007"')
    (tmp_path / "evil.toml").write_text(text)
    (tmp_path / "evil.csv").write_text("cycles,name\x1b[2J\n1,a\x1b[2J\n1,b\x07\n")
    layer = "m\x1b[2J\x9bi\rx"
    outcome = accelsim(*(word.format(tmp_path, layer) for word in command.split()))
    for line in (outcome.out + outcome.err).split("\n"):
        assert line.isprintable()
    assert "?[2J" in outcome.out + outcome.err


def test_too_little_memory_is_said(accelsim, monkeypatch):
    def full(*arguments, **options):
        raise MemoryError("Unable to allocate 9 EiB")

    monkeypatch.setattr("accelsim.cli.layers.load_network", full)
    outcome = accelsim("run", "resnet18")
    assert outcome.status == 2
    assert outcome.err == "accelsim: there is not enough memory: Unable to allocate 9 EiB\n"


def test_run_states_every_dataflow_and_every_timing(accelsim):
    said = " ".join(accelsim("run", "--help").out.split())
    names = (each.name for each in DATAFLOWS if public_name(each))
    assert f"some of {','.join(names)}." in said
    assert f"published: {', '.join(published.TIMINGS)}." in said


# --- mistakes


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("run nonet", "there is no network 'nonet'; there are mobilenet_v1, "),
        ("run mobilenet_v2 --variant fuse", "there is no variant 'fuse'; there are baseline, "),
        ("run mobilenet_v2 --variant fuse_half:k=7", "variant fuse_half takes no keys, not 'k'"),
        ("run resnet18 --variant fuse_half", "variant fuse_half replaces square depthwise layers"),
        ("run mobilenet_v2 --array 0x4", "array.rows must be a whole number from 1 to 1024, not 0"),
        ("run mobilenet_v2 --array 64", "array size must be ROWSxCOLUMNS, for instance 64x64"),
        ("run mobilenet_v2 --array axb", "array size must be ROWSxCOLUMNS, for instance 64x64"),
        ("run mobilenet_v2 --array=-1x3", "array.rows must be a whole number from 1 to 1024"),
        ("run mobilenet_v2 --array 2000x2000", "array.rows must be a whole number from 1 to 1024"),
        ("run mobilenet_v2 --clock 0", "clock.mhz must be a positive number, not 0.0"),
        ("run mobilenet_v2 --clock nan", "clock.mhz must be a positive number, not nan"),
        ("run mobilenet_v2 --input 224", "input must be HEIGHTxWIDTH, for instance 224x224"),
        ("run mobilenet_v2 --input 0x224", "input must be a height and a width of at least 1"),
        ("run mobilenet_v2 --depthwise 8", "depthwise engine size must be LANESxPIXELS"),
        ("run mobilenet_v2 --depthwise 0x8", "depthwise.lanes must be a whole number from 1"),
        ("run mobilenet_v2 --depthwise-on engine", "depthwise-on engine needs a depthwise engine"),
        ("run mobilenet_v2 --depthwise-on gpu", "depthwise-on must be one of auto, array, engine"),
        (
            "run mobilenet_v2 --timing fuseconv-2020 --depthwise 8x8",
            "timing fuseconv-2020 knows no depthwise",
        ),
        ("run mobilenet_v2 --timing rt --depthwise 8x8", "there is no timing 'rt'; there are rtl"),
        ("run mobilenet_v2 --hardware none.toml", "none.toml cannot be read: No such file"),
        ("run none.toml", "none.toml cannot be read: No such file"),
        ("run none.onnx", "none.onnx cannot be read: No such file"),
        ("run none.txt", "none.txt must end in .toml"),
        ("run mobilenet_v2 --plot layers.gif", "layers.gif must end in one of .pdf, .png, .svg"),
        ("run mobilenet_v2 --csv no/folder.csv", "no/folder.csv cannot be written: No such file"),
        ("run mobilenet_v2 --json no/folder.json", "no/folder.json cannot be written: No such"),
        ("run mobilenet_v2 --fidelity rtl", "fidelity must be one of schedule, golden, cycle"),
        ("run mobilenet_v2 --timing rt", "there is no timing 'rt'; there are rtl, "),
        ("run resnet18 --timing scalesim --memory 1,1,1", "--memory is for timing rtl, not scales"),
        ("run mobilenet_v2 --timing scalesim --no-overlap", "--overlap and --no-overlap are for"),
        ("run mobilenet_v2 --scalesim-depthwise one-filter", "--scalesim-depthwise is for timing"),
        ("run mobilenet_v2 --variant fuse_half:", "variant 'fuse_half:' must read NAME"),
        (f"run mobilenet_v2 --csv {'x' * 300}", f"{'x' * 300} cannot be written: File name too"),
        ("cosim mobilenet_v2 --layer stem --waves .", ". cannot be written: Is a directory"),
        (f"cosim resnet18 --layer stem --waves {'x' * 300}", f"{'x' * 300} cannot be written"),
        ("run mobilenet_v2 --dataflow os,xs", "dataflow must be auto or some of os, "),
        ("run mobilenet_v2 --layers stem..nolayer", "mobilenet_v2 has no layer 'nolayer'"),
        ("run mobilenet_v2 --layers fc..stem", "layer stem comes before fc in mobilenet_v2"),
        ("run mobilenet_v2 --timing scalesim", "timing scalesim"),
        ("run mobilenet_v2 --timing fuseconv-2020 --fidelity cycle", "timing fuseconv-2020"),
        ("run mobilenet_v2 --timing fuseconv-2020 --array 4x8", "timing fuseconv-2020"),
        ("cosim mobilenet_v2 --layer nolayer", "mobilenet_v2 has no layer 'nolayer'"),
        ("cosim mobilenet_v2 --layer b3.add", "layer b3.add (add) runs on the host"),
        (
            "run resnet18 --sort speed",
            "--sort must be one of cycles, lost, utilisation, bound, mem",
        ),
        ("run resnet18 --top 0", "--top must be a whole number of at least 1, not 0"),
        ("run resnet18 --top 3 --json -", "--sort, --top and --why are for the table, which is"),
        ("run resnet18 --why --csv -", "--sort, --top and --why are for the table, which is not"),
        ("run resnet18 --why --array 4x4,8x8", "--sort, --top and --why are for one network on"),
        ("run resnet18 --why --timing scalesim", "--why is for timing rtl, not scalesim"),
        (
            "run resnet18 --sort bound --timing scalesim --dataflow os",
            "--sort bound is for layers that have it, and none has",
        ),
        ("explain mobilenet_v2 --layer b3.add", "layer b3.add (add) runs on the host"),
        ("explain mobilenet_v2 --layer nolayer", "mobilenet_v2 has no layer 'nolayer'"),
        ("csynth mobilenet_v2 --layer b3.add", "layer b3.add (add) runs on the host"),
        ("csynth mobilenet_v2 --layer nolayer", "mobilenet_v2 has no layer 'nolayer'"),
        ("rtl -o /proc/none", "/proc/none cannot be written"),
        ("rtl -o build --seed 3", "--seed is for --layer"),
        ("rtl -o build --layer resnet18", "--layer must be NETWORK:NAME, for instance mobilen"),
        ("rtl -o build --layer resnet8:stem", "there is no network 'resnet8'; there are mobil"),
        ("rtl -o build --layer resnet18:stm", "resnet18 has no layer 'stm'"),
        ("rtl -o build --layer mobilenet_v2:pool", "layer pool (global_pool) runs on the host"),
        ("rtl -o build --array 0x1", "array.rows must be a whole number from 1 to 1024, not 0"),
        ("rtl -o build --depthwise 1x999", "depthwise.pixels must be a whole number from 1"),
        ("rtl -o build --hardware window", "window has a model without RTL; run, csynth and comp"),
        ("cosim resnet18 --layer stem --hardware tap_serial", "tap_serial has a model without RTL"),
        ("run resnet18 --hardware tap_serial --array 4x4", "--array and --overlap are for an arra"),
        ("run resnet18 --hardware column --depthwise 4x4", "--depthwise is for our own engine; co"),
        ("run resnet18 --hardware column --fidelity cycle", "column is a model without registers"),
        ("run resnet18 --hardware column --depthwise-on array", "depthwise-on must be auto where "),
        ("compare resnet18", "compare needs two or more --hardware, or sizes of --array, such as "),
        ("compare resnet18 --hardware tiny", "compare needs two or more --hardware, or sizes of "),
        ("compare resnet18 --array 8x8", "compare needs two or more --hardware, or sizes of "),
        ("compare resnet18 --array 8x8,8x8", "--array names 8x8 twice"),
        ("compare resnet18 --hardware tiny --hardware tiny", "--hardware names tiny twice"),
        (
            "compare resnet18 --hardware tiny --hardware no",
            "there is no preset 'no'; there are",
        ),
        ("compare resnet18 --hardware tiny --hardware edge --depthwise-only", "there is no depthw"),
        ("compare resnet18 --hardware tiny --hardware edge --layers no", "resnet18 has no layer '"),
        ("compare resnet18 --hardware tiny --hardware edge --plot a.gif", "a.gif must end in one"),
        ("run resnet18 --json a --csv a", "--json and --csv cannot both write a\n"),
        ("run resnet18 --json a.png --plot ./a.png", "--json and --plot cannot both write ./a.png"),
        ("run resnet18 --json - --csv -", "--json and --csv cannot both write to standard output"),
        ("run n.toml --csv ./n.toml", "--csv would overwrite ./n.toml, which the command reads"),
        (
            "run a --hardware h.toml --json h.toml",
            "--json would overwrite h.toml, which the command",
        ),
        ("pareto p.csv --json p.csv", "--json would overwrite p.csv, which the command reads"),
        ("run resnet18 --plot -", "--plot cannot be standard output"),
        ("run resnet18 --csv=", "--csv needs a name, and that is empty"),
        ("run resnet18 --json=", "--json needs a name, and that is empty"),
        ("compare resnet18 --csv b --json b", "--json and --csv cannot both write b"),
        ("study mobilenet_v2 --csv b --json b", "--json and --csv cannot both write b"),
        ("pareto designs --csv b --json b", "--json and --csv cannot both write b"),
        ("csynth resnet18 --layer stem --json none/a", "none/a cannot be written: No such file"),
        (
            "cosim resnet18 --layer stem --json a --waves a",
            "--waves and --json cannot both write a",
        ),
        ("cosim resnet18 --layer stem --waves -", "--waves cannot be standard output"),
        ("rtl -o -", "--output cannot be standard output"),
        ("rtl --output=", "--output needs a name, and that is empty"),
        ("sweep none.toml --output=", "--output needs a name, and that is empty"),
        ("sweep none.toml -o -", "--output cannot be standard output"),
        ("film resnet18 --layer stem -o -", "--output cannot be standard output"),
        ("trace resnet18 -o -", "--output cannot be standard output"),
        ("report none.json -o -", "--output cannot be standard output"),
        ("plot layers none.json -o -", "--output cannot be standard output"),
        ("plot fuseconv -o a.png --csv -", "--csv cannot be standard output, where"),
        ("plot fuseconv -o a.png --csv a.png", "--output and --csv cannot both write a.png"),
        ("study nonet", "there is no network 'nonet'; there are mobilenet_v1, "),
        ("study mobilenet_v2 mobilenet_v2", "NETWORK names mobilenet_v2 twice"),
        ("run resnet18 resnet18", "NETWORK names resnet18 twice"),
        ("run resnet18 --array 8x8,08x8", "--array names 8x8 twice"),
        ("run resnet18 --array 8x8 --array 9x9,8x8", "--array names 8x8 twice"),
        ("compare resnet18 --array 8x8 --array 8x8", "--array names 8x8 twice"),
        (
            "run resnet18 --dataflow os,auto",
            "dataflow must be auto or some of os, ws, is, rows with commas, not 'os,auto'\n",
        ),
        ("cosim resnet18 --layer stem --waves w.txt", "w.txt must end in .vcd or .fst"),
        ("explain resnet18 --layer pool", "layer pool (global_pool) runs on the host; only "),
        ("compare resnet18 --hardware=", "--hardware needs a name, and that is empty"),
        ("run resnet18 --array 8x8,", "--array needs words with commas, and one of them is empty"),
        ("run resnet18 --input 64x64,64X64", "--input names 64x64 twice"),
        ("run resnet18 --input ,", "--input needs words with commas, and one of them is empty"),
        ("run resnet18 --array 8x8,9", "array size must be ROWSxCOLUMNS, for instance 64x64, not"),
        ("study mobilenet_v2 --arrays 8x8,8x8", "--arrays names 8x8 twice"),
        ("study mobilenet_v2 --memory none --with-memory", "--with-memory needs a design with a "),
        ("study mobilenet_v2 --arrays 8x8,,9x9", "--arrays needs words with commas, and one of "),
        ("study mobilenet_v2 --hardware tap_serial", "a study needs a design with an array, not "),
        ("study mobilenet_v2 --arrays 8x8,9", "array size must be ROWSxCOLUMNS, for instance 64x6"),
        ("study mobilenet_v2 --depthwise none", "study needs a depthwise engine, for instance "),
        ("study mobilenet_v2 --depthwise 8", "depthwise engine size must be LANESxPIXELS"),
        ("hardware huge", "there is no preset 'huge'; there are tiny, "),
    ],
)
def test_a_mistake_is_one_sentence_and_status_2(arguments, said, accelsim, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = accelsim(*arguments.split())
    assert outcome.status == 2
    assert outcome.err.startswith(f"accelsim: {said}")
    assert outcome.err.count("\n") == 1
    assert outcome.out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        ("run MobileNetV2", "mobilenet_v2"),
        ("run mobilenet_v2 --variant fuse_haf", "fuse_half"),
        ("run mobilenet_v2 --dataflow os,row", "rows"),
        ("run mobilenet_v2 --depthwise-on arrays", "array"),
        ("run mobilenet_v2 --fidelity cycles", "cycle"),
        ("run mobilenet_v2 --timing fuseconv2021", "fuseconv-2021"),
        ("run mobilenet_v2 --hardware mobil", "mobile"),
        ("run mobilenet_v2 --layers stm", "stem"),
        ("run mobilenet_v2 --sort cycle", "cycles"),
        ("explain mobilenet_v2 --layer b3.dv", "b3.dw"),
        ("csynth mobilenet_v2 --layer b3.ad --array 8x8", "b3.add"),
        ("cosim mobilenet_v2 --layer stem --simulator verilate", "verilator"),
        ("hardware tinny", "tiny"),
        ("sweep {}/sweep.toml -o designs --engine locl", "local"),
        ("pareto {}/designs --minimise total_cycle", "total_cycles"),
        ("pareto {}/designs --minimise rows --where variant=fused_half", "fuse_half"),
    ],
)
def test_a_mistyped_word_is_answered_with_the_closest(arguments, meant, written, accelsim):
    outcome = accelsim(*arguments.format(written).split())
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.endswith(f"; did you mean {meant}?\n")
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize("arguments", ["run", "run a --clock x", "nothing", "run --no-such-option"])
def test_usage_errors_are_status_2_too(arguments, accelsim):
    outcome = accelsim(*arguments.split())
    assert outcome.status == 2
    assert outcome.err.startswith("accelsim: ")
    assert outcome.err.count("\n") == 1
    assert "Traceback" not in outcome.err
