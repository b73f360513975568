"""Hardware records and the files that describe them."""

from pathlib import Path

import pytest

from accelsim.errors import FileError, HardwareError
from accelsim.hardware import (
    PRESETS,
    ColumnArray,
    DepthwiseEngine,
    Gemmini,
    Hardware,
    Memory,
    Operands,
    SystolicArray,
    TapSerial,
    WindowEngine,
    find_preset,
    load_hardware,
    parse_array,
    parse_memory,
    third_party_design,
    to_toml,
)

FULL = """# a comment
[array]
rows = 5
columns = 3
max_taps = 11
accumulator_depth = 64
overlap = false
bank_depth = 512

[operands]
bits = 8
accumulator_bits = 24

[memory]
activation_kib = 96
weight_kib = 33
width_bytes = 5

[clock]
mhz = 125.5
"""


def test_array_sizes_are_rows_by_columns():
    assert parse_array("64x32") == (64, 32)
    assert parse_array("1X1024") == (1, 1024)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0x4", "array.rows must be a whole number from 1 to 1024, not 0"),
        ("4x0", "array.columns must be a whole number from 1 to 1024, not 0"),
        ("-1x3", "array.rows must be a whole number from 1 to 1024, not -1"),
        ("2000x2000", "array.rows must be a whole number from 1 to 1024, not 2000"),
        ("64", "array size must be ROWSxCOLUMNS, for instance 64x64, not '64'"),
        ("axb", "array size must be ROWSxCOLUMNS, for instance 64x64, not 'axb'"),
        ("", "array size must be ROWSxCOLUMNS, for instance 64x64, not ''"),
        ("8x8x8", "array size must be ROWSxCOLUMNS, for instance 64x64, not '8x8x8'"),
        ("9" * 5000 + "x1", "array size must be ROWSxCOLUMNS, for instance 64x64, not "),
    ],
)
def test_impossible_array_sizes_are_refused(text, said):
    with pytest.raises(HardwareError) as caught:
        parse_array(text)
    assert str(caught.value).startswith(said)


def test_a_memory_is_two_buffers_and_a_port():
    assert parse_memory("512,128,16") == parse_memory(" 512, 128 ,16 ") == Memory(512, 128, 16)
    assert parse_memory("none") is None
    assert parse_memory("4194304,4194304,65536") == Memory(1 << 22, 1 << 22, 1 << 16)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "512,128",
            "memory must be KiB for maps, KiB for weights and bytes a clock, for instance ",
        ),
        ("", "memory must be KiB for maps, KiB for weights and bytes a clock, for instance "),
        ("512,128,-1", "memory.width_bytes must be a whole number from 1 to 65536, not -1"),
        ("512,0,1", "memory.weight_kib must be a whole number from 1 to 4194304, not 0"),
        ("4194305,1,1", "memory.activation_kib must be a whole number from 1 to 4194304, not "),
        ("1,4194305,1", "memory.weight_kib must be a whole number from 1 to 4194304, not 4194305"),
        ("1,1,65537", "memory.width_bytes must be a whole number from 1 to 65536, not 65537"),
    ],
)
def test_impossible_memories_are_refused(text, said):
    with pytest.raises(HardwareError) as caught:
        parse_memory(text)
    assert str(caught.value).startswith(said)


def test_a_hardware_file_sets_every_value(tmp_path):
    path = tmp_path / "hw.toml"
    path.write_text(FULL)
    array = SystolicArray(5, 3, 11, 64, False, 512, Operands(8, 24))
    assert load_hardware(path) == Hardware(array, 125.5, memory=Memory(96, 33, 5))


def test_only_the_size_is_required(tmp_path):
    path = tmp_path / "hw.toml"
    path.write_text("[array]\nrows = 4\ncolumns = 6\n")
    assert load_hardware(path) == Hardware(SystolicArray(4, 6))


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_presets_survive_their_file_form(preset, tmp_path):
    path = tmp_path / "hw.toml"
    path.write_text(to_toml(preset.hardware))
    assert load_hardware(path) == preset.hardware


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("rows = 5", "rows = 0", "3: array.rows must be a whole number from 1 to 1024, not 0"),
        ("rows = 5", "", "2: [array] needs rows"),
        ("columns = 3", 'columns = "x"', "4: array.columns must be a whole number"),
        ("columns = 3", "columns = true", "4: array.columns must be a whole number"),
        ("overlap = false", "overlap = 0", "7: array.overlap must be true or false, not 0"),
        ("max_taps = 11", "taps = 11", "5: unknown key 'taps' in [array], allowed are rows, "),
        ("[operands]", "[operand]", "10: unknown table 'operand', allowed are array, depthwise, "),
        ("accumulator_bits = 24", "accumulator_bits = 15", "12: operands.accumulator_bits must be"),
        ("width_bytes = 5", "", "14: [memory] needs width_bytes"),
        (
            "width_bytes = 5",
            "width_bytes = 0",
            "17: memory.width_bytes must be a whole number from",
        ),
        ("weight_kib = 33", "weight_kib = -1", "16: memory.weight_kib must be a whole number"),
        ("activation_kib = 96", "activation_kib = 9.5", "15: memory.activation_kib must be a who"),
        ("weight_kib = 33", "weights_kib = 33", "16: unknown key 'weights_kib' in [memory], allow"),
        ("mhz = 125.5", "mhz = nan", "20: clock.mhz must be a positive number, not nan"),
        ("mhz = 125.5", "mhz = -1", "20: clock.mhz must be a positive number, not -1"),
        ("mhz = 125.5", "hz = 1", "20: unknown key 'hz' in [clock], allowed are mhz"),
        ("# a comment", "clock = 3", "1: clock must be a table, written [clock]"),
    ],
)
def test_a_wrong_file_is_refused_with_line_and_key(old, new, said, tmp_path):
    path = tmp_path / "hw.toml"
    text = FULL.replace(old, new)
    if new == "clock = 3":
        text = text[: text.index("[clock]")]
    path.write_text(text)
    with pytest.raises(FileError) as caught:
        load_hardware(path)
    assert str(caught.value).startswith(f"{path}:{said}")


def test_an_unreadable_file_is_refused(tmp_path):
    with pytest.raises(FileError, match="cannot be read: No such file"):
        load_hardware(tmp_path / "none.toml")
    with pytest.raises(FileError, match="cannot be read: Is a directory"):
        load_hardware(tmp_path)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FileError, match="not UTF-8"):
        load_hardware(tmp_path / "binary")
    (tmp_path / "broken.toml").write_text("[array]\nrows = = 3\n")
    with pytest.raises(FileError, match=r"broken\.toml is not valid TOML: .*line 2"):
        load_hardware(tmp_path / "broken.toml")


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_presets_are_loaded_by_name(preset):
    assert load_hardware(preset.name) == preset.hardware


def test_a_name_is_a_preset_before_it_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("mobile", "own"):
        Path(name).write_text("[array]\nrows = 4\ncolumns = 6\n")
    assert load_hardware("mobile") == find_preset("mobile").hardware
    assert load_hardware("own") == load_hardware(Path("mobile")) == Hardware(SystolicArray(4, 6))
    with pytest.raises(HardwareError, match="there is no preset 'mobil'; there are tiny, "):
        load_hardware("mobil")
    with pytest.raises(HardwareError, match="loaded by a preset's name or a file, not 64"):
        load_hardware(64)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Hardware(64, 64), "a record such as SystolicArray(64, 64), not 64"),
        (lambda: Hardware("mobile"), "a record such as SystolicArray(64, 64), not 'mobile'"),
        (lambda: Hardware(SystolicArray), "a record such as SystolicArray(64, 64), not <class"),
        (lambda: Hardware(PRESETS[0]), "a record such as SystolicArray(64, 64), not Preset("),
        (lambda: Hardware(SystolicArray(8, 8), "500"), "clock.mhz must be a positive number, not"),
        (lambda: SystolicArray("64", 64), "array.rows must be a whole number from 1 to 1024"),
        (lambda: SystolicArray(8, 8, operands=9), "array.operands must be a record such as Operan"),
        (lambda: DepthwiseEngine(8, 8, operands=None), "depthwise.operands must be a record such"),
        (lambda: Hardware(SystolicArray(8, 8), memory=16), "such as Memory(256, 256, 16), not 16"),
        (lambda: Memory(0, 1, 1), "memory.activation_kib must be a whole number from 1 to"),
        (lambda: Memory(1, 1, True), "memory.width_bytes must be a whole number from 1 to 65536"),
        (lambda: third_party_design(8), "a record such as SystolicArray(64, 64), not 8"),
    ],
)
def test_wrong_types_are_refused_in_one_sentence(make, said):
    with pytest.raises(HardwareError) as caught:
        make()
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


# --- third-party engines

TAPS = """[tap_serial]
rows = 4
columns = 8
outputs = 8
inputs = 2
depthwise = 16
"""
WINDOW = """[array]
rows = 5
columns = 3
[window]
channels = 8
pixels = 7
[clock]
mhz = 50
"""


def test_files_describe_engines_of_other_people(tmp_path):
    path = tmp_path / "hw.toml"
    for text, expected in (
        (TAPS, third_party_design(TapSerial(4, 8, 8, 2, 16))),
        ("[gemmini]\nsize = 8\n", third_party_design(Gemmini(8))),
        (
            "[gemmini]\nsize = 8\n[memory]\nactivation_kib = 8\nweight_kib = 4\nwidth_bytes = 2\n",
            third_party_design(Gemmini(8), memory=Memory(8, 4, 2)),
        ),
        (WINDOW, third_party_design(WindowEngine(8, 7), SystolicArray(5, 3), 50)),
        (
            "[array]\nrows = 5\ncolumns = 3\n[column]\nrows = 9\ncolumns = 2\n",
            third_party_design(ColumnArray(9, 2), SystolicArray(5, 3)),
        ),
    ):
        path.write_text(text)
        assert load_hardware(path) == expected
        path.write_text(to_toml(expected))
        assert load_hardware(path) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TAPS.replace("depthwise = 16", "depthwise = 17"), "6: tap_serial.depthwise must be a who"),
        (TAPS.replace("rows = 4", "rows = 0"), "2: tap_serial.rows must be a whole number from 1"),
        (TAPS.replace("inputs = 2\n", ""), "1: [tap_serial] needs inputs"),
        (TAPS + "[array]\nrows = 1\ncolumns = 1\n", "7: [array] cannot stand beside [tap_serial]"),
        (TAPS + "[operands]\nbits = 8\n", "7: [operands] cannot stand beside [tap_serial]"),
        (TAPS + WINDOW, "10: [window] cannot stand beside [tap_serial]"),
        (WINDOW.replace("pixels = 7", "pixels = 2000"), "6: window.pixels must be a whole number"),
        (WINDOW.replace("pixels = 7", "columns = 7"), "6: unknown key 'columns' in [window]"),
        (WINDOW.replace("[array]\nrows = 5\ncolumns = 3\n", ""), "1: [array] needs rows"),
        (WINDOW.replace("mhz = 50", "mhz = 0"), "8: clock.mhz must be a positive number, not 0"),
        (WINDOW + "[depthwise]\nlanes = 1\npixels = 1\n", "9: [depthwise] cannot stand beside [w"),
        ("[gemmini]\nsize = 3\n", "2: gemmini.size must be a whole number from 4 to 1024, not 3"),
        (TAPS + "[gemmini]\nsize = 8\n", "7: [gemmini] cannot stand beside [tap_serial]"),
        ("[column]\nrows = 3\n", "1: [column] needs columns"),
        (WINDOW.replace("window", "column").replace("channels", "rows"), "6: unknown key 'pixels'"),
    ],
)
def test_a_wrong_engine_is_refused_with_line_and_key(text, said, tmp_path):
    path = tmp_path / "hw.toml"
    path.write_text(text)
    with pytest.raises(FileError) as caught:
        load_hardware(path)
    assert str(caught.value).startswith(f"{path}:{said}")


def test_only_the_engine_that_runs_everything_stands_alone():
    with pytest.raises(HardwareError, match="tap_serial runs every layer and stands alone"):
        third_party_design(TapSerial(1, 1, 1, 1), SystolicArray(1, 1))
    with pytest.raises(HardwareError, match="column runs depthwise layers only and needs an array"):
        third_party_design(ColumnArray(1, 1))
    with pytest.raises(HardwareError, match=r"clock\.mhz must be a positive number, not -1"):
        third_party_design(TapSerial(1, 1, 1, 1), clock_mhz=-1)


@pytest.mark.parametrize(
    ("engines", "said"),
    [
        ((SystolicArray(2, 2),) * 2, "a design has one engine of a name, not 2 array"),
        (
            (SystolicArray(2, 2), DepthwiseEngine(1, 1), DepthwiseEngine(2, 1)),
            "a design has one engine of a name, not 2 depthwise",
        ),
        (
            (SystolicArray(2, 2), WindowEngine(1, 1), WindowEngine(2, 1)),
            "a design has one engine of a name, not 2 window",
        ),
        ((), "a design needs an engine that runs every layer, such as an array"),
        (
            (DepthwiseEngine(1, 1),),
            "depthwise runs depthwise layers only and needs an array beside it",
        ),
        (
            (SystolicArray(2, 2), DepthwiseEngine(1, 1), ColumnArray(1, 1)),
            "depthwise cannot stand beside column",
        ),
        ((SystolicArray(2, 2), Gemmini(4)), "gemmini runs every layer and stands alone"),
        (
            (SystolicArray(2, 2), DepthwiseEngine(1, 1, operands=Operands(8, 24))),
            "the engines of one design must have the same operands",
        ),
        (5, "engines of a design are a tuple of records, not 5"),
        (("array",), "an engine of a design is a record such as SystolicArray(64, 64), not 'array"),
        (
            (SystolicArray,),
            "an engine of a design is a record such as SystolicArray(64, 64), not <",
        ),
    ],
)
def test_engines_that_make_no_design_are_refused(engines, said):
    with pytest.raises(HardwareError) as caught:
        Hardware(engines=engines)
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


def test_designs_say_what_they_are_and_how_many_multipliers_they_have():
    plain = SystolicArray(5, 3, overlap=False)
    for design, label, multipliers in (
        (Hardware(plain), "array 5x3 without overlap", 15),
        (
            Hardware(SystolicArray(5, 3), depthwise=DepthwiseEngine(2, 4)),
            "array 5x3, depthwise 2x4",
            23,
        ),
        (third_party_design(TapSerial(4, 8, 8, 2, 16)), "tap_serial 4x8x8x2x16", 512),
        (third_party_design(Gemmini(8)), "gemmini 8", 64),
        (third_party_design(WindowEngine(2, 7), SystolicArray(5, 3)), "array 5x3, window 2x7", 141),
    ):
        assert (design.label, design.multipliers) == (label, multipliers)
