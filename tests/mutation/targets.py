"""Which tests must notice an error in which file: those that concern it."""

from pathlib import Path

SCOPE = (
    "rtl",
    "accelsim/engines",
    "accelsim/limits",
    "accelsim/passes",
    "accelsim/dataflows",
    "accelsim/hls",
    "accelsim/lowering",
    "accelsim/numerics",
    "accelsim/importers/tflite",
)

# Not the tests that plant errors themselves.
_NO_PLANTED = "not test_error and not planted_error"
_ARRAY_ONLY = ("-k", f"not depthwise and {_NO_PLANTED}")
_DEPTHWISE_ONLY = ("-k", f"not array and {_NO_PLANTED}")
_ARRAY = (
    "tests/rtl/engines/systolic_array/test_agreement.py",
    "tests/rtl/engines/systolic_array/test_hosts.py",
    "tests/rtl/engines/systolic_array/test_waits.py",
    "tests/rtl/engines/systolic_array/test_extremes.py",
)
_DEPTHWISE = (
    "tests/rtl/engines/depthwise/test_agreement.py",
    "tests/rtl/engines/depthwise/test_hosts.py",
    "tests/rtl/engines/depthwise/test_waits.py",
    "tests/rtl/engines/depthwise/test_extremes.py",
)
_BOTH = (
    "tests/rtl/engines/test_agreement.py",
    "tests/rtl/engines/test_hosts.py",
    "tests/rtl/engines/test_campaign.py",
    "tests/rtl/engines/test_waits.py",
    "tests/rtl/engines/test_widths.py",
)
_DEPTHWISE_JOB = ("tests/rtl/engines/depthwise/test_lists.py", "tests/rtl/host")
_PROOFS = "tests/rtl/formal"
_DEPTHWISE_PROOFS = (f"{_PROOFS}/test_lane.py", f"{_PROOFS}/test_depthwise_commands.py")
_FLOW = "tests/rtl/flow"
_POST = "tests/rtl/post"

# The first that fits counts: a file, or the beginning of its path, and its tests.
TARGETS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("rtl/engines/systolic_array/manual.py", (f"{_FLOW}/test_generate.py",)),
    (
        "rtl/engines/systolic_array/job.py",
        (f"{_FLOW}/test_cosim.py", "tests/rtl/host", *_ARRAY, *_ARRAY_ONLY),
    ),
    ("rtl/engines/systolic_array/", (*_ARRAY, *_BOTH, _PROOFS, *_ARRAY_ONLY)),
    ("rtl/engines/depthwise/manual.py", (f"{_FLOW}/test_generate.py",)),
    ("rtl/engines/depthwise/job.py", (*_DEPTHWISE_JOB, *_DEPTHWISE, *_DEPTHWISE_ONLY)),
    ("rtl/engines/depthwise/", (*_DEPTHWISE, *_BOTH, *_DEPTHWISE_PROOFS, *_DEPTHWISE_ONLY)),
    ("rtl/engines/", (*_ARRAY, f"{_FLOW}/test_generate.py")),
    ("rtl/post/files.py", (f"{_POST}/test_files.py", f"{_POST}/test_unit.py", "-k", _NO_PLANTED)),
    (
        "rtl/post/",
        (
            f"{_POST}/test_unit.py",
            f"{_POST}/test_requantise.py",
            f"{_POST}/test_programs.py",
            f"{_PROOFS}/test_requantise.py",
            "-k",
            _NO_PLANTED,
        ),
    ),
    ("rtl/lib/divide.py", ("tests/rtl/lib",)),
    ("rtl/lib/", ("tests/rtl/lib", _PROOFS, *_ARRAY, *_DEPTHWISE, "-k", _NO_PLANTED)),
    ("rtl/host/bench.py", ("tests/rtl/engines/systolic_array/test_verilog.py",)),
    ("rtl/host/", (*_ARRAY[:1], "tests/rtl/host", *_DEPTHWISE[:1], f"{_FLOW}/test_cosim.py")),
    ("rtl/flow/axi.py", (f"{_FLOW}/test_axi.py",)),
    ("rtl/flow/cache.py", (f"{_FLOW}/test_cache.py",)),
    (
        "rtl/flow/cosim.py",
        (f"{_FLOW}/test_cosim.py", f"{_FLOW}/test_waves.py", f"{_FLOW}/test_configured.py"),
    ),
    ("rtl/flow/explicit.py", (f"{_FLOW}/test_explicit.py",)),
    ("rtl/flow/fst.py", (f"{_FLOW}/test_fst.py",)),
    ("rtl/flow/netlist.py", (f"{_FLOW}/test_netlist.py",)),
    ("rtl/flow/paths.py", (f"{_FLOW}/test_paths.py", f"{_FLOW}/test_pnr.py")),
    ("rtl/flow/pnr.py", (f"{_FLOW}/test_pnr.py", f"{_FLOW}/test_netlist.py")),
    ("rtl/flow/post.py", (f"{_FLOW}/test_post.py",)),
    ("rtl/flow/simulators.py", (f"{_FLOW}/test_simulators.py", f"{_FLOW}/test_cosim.py")),
    ("rtl/flow/synthesis.py", (f"{_FLOW}/test_synthesis.py", f"{_FLOW}/test_netlist.py")),
    ("rtl/flow/testbench.py", (f"{_FLOW}/test_testbench.py",)),
    ("rtl/flow/waves.py", (f"{_FLOW}/test_waves.py", f"{_FLOW}/test_words.py")),
    ("rtl/flow/words.py", (f"{_FLOW}/test_words.py", f"{_FLOW}/test_fst.py")),
    ("rtl/flow/yowasp.py", (f"{_FLOW}/test_synthesis.py",)),
    (
        "rtl/flow/",
        tuple(f"{_FLOW}/test_{name}.py" for name in ("generate", "verilog", "axi", "testbench")),
    ),
    ("accelsim/numerics/", ("tests/accelsim/numerics",)),
    ("accelsim/importers/tflite/", ("tests/accelsim/importers/tflite",)),
    ("accelsim/graph/functions/tflite.py", ("tests/accelsim/importers/tflite",)),
    (
        "accelsim/engines/systolic_array/activity.py",
        ("tests/accelsim/engines/systolic_array/test_activity.py", "tests/accelsim/test_film.py"),
    ),
    (
        "accelsim/engines/systolic_array/",
        (
            "tests/accelsim/engines/systolic_array",
            "tests/accelsim/engines/test_times.py",
            "tests/accelsim/engines/test_utilization.py",
            "tests/accelsim/test_csynth.py",
            "tests/accelsim/sweep/test_area.py",
        ),
    ),
    (
        "accelsim/engines/depthwise/activity.py",
        ("tests/accelsim/engines/depthwise/test_activity.py", "tests/accelsim/test_film.py"),
    ),
    (
        "accelsim/engines/depthwise/",
        (
            "tests/accelsim/engines/depthwise",
            "tests/accelsim/engines/test_times.py",
            "tests/accelsim/engines/test_utilization.py",
            "tests/accelsim/test_csynth.py",
            "tests/accelsim/sweep/test_area.py",
        ),
    ),
    (
        "accelsim/limits/systolic_array.py",
        ("tests/accelsim/engines/systolic_array/test_cycle.py", "tests/accelsim/lowering"),
    ),
    (
        "accelsim/limits/",
        ("tests/accelsim/limits", "tests/accelsim/engines/depthwise/test_schedule.py"),
    ),
    ("accelsim/passes/post_commands.py", (f"{_POST}/test_programs.py",)),
    (
        "accelsim/passes/",
        (
            "tests/accelsim/test_passes.py",
            "tests/accelsim/limits",
            "tests/accelsim/engines",
            "tests/accelsim/dataflows",
            "tests/accelsim/lowering",
            "tests/rtl/host",
            *_ARRAY,
            *_DEPTHWISE,
        ),
    ),
    ("accelsim/engines/third_party.py", ("tests/accelsim/engines/test_third_party.py",)),
    ("accelsim/engines/", ("tests/accelsim/engines", "tests/accelsim/test_film.py")),
    (
        "accelsim/dataflows/tap_serial.py",
        (
            "tests/accelsim/engines/depthwise/test_schedule.py",
            "tests/accelsim/dataflows",
            "tests/accelsim/lowering",
        ),
    ),
    (
        "accelsim/dataflows/tap_lists.py",
        (
            "tests/accelsim/engines/depthwise/test_schedule.py",
            "tests/accelsim/dataflows",
        ),
    ),
    (
        "accelsim/dataflows/",
        ("tests/accelsim/dataflows", "tests/accelsim/lowering", "tests/accelsim/test_csynth.py"),
    ),
    (
        "accelsim/hls/",
        (
            "tests/accelsim/hls",
            "tests/accelsim/engines/test_times.py",
            "tests/accelsim/test_csynth.py",
            "tests/accelsim/test_trace.py",
            "tests/accelsim/test_explanations.py",
        ),
    ),
    ("accelsim/lowering/extremes.py", ("tests/accelsim/test_regions.py",)),
    ("accelsim/lowering/regions.py", ("tests/accelsim/test_regions.py",)),
    (
        "accelsim/lowering/lowered.py",
        ("tests/accelsim/lowering", "tests/accelsim/ops/test_conv_transpose.py"),
    ),
    (
        "accelsim/lowering/",
        (
            "tests/accelsim/lowering",
            "tests/accelsim/dataflows",
            "tests/accelsim/test_simulate.py",
            "tests/accelsim/test_explanations.py",
        ),
    ),
)


def concerned(path: str) -> tuple[str, ...]:
    """Arguments of pytest for a file of the scope."""
    for beginning, tests in TARGETS:
        if path.startswith(beginning):
            return tests
    raise ValueError(f"{path} has no tests in tests/mutation/targets.py")


def files(top: Path, chosen: list[str]) -> list[str]:
    """Files of the scope below `top` in order, or those that are chosen: files or folders."""
    every = (path for part in chosen or SCOPE for path in _below(top / part))
    return sorted({path.relative_to(top).as_posix() for path in every})


def _below(path: Path) -> list[Path]:
    return [path] if path.is_file() else [*path.rglob("*.py")]
