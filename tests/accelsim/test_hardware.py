"""Hardware records and the files that describe them."""

import pytest

from accelsim.errors import FileError, HardwareError
from accelsim.hardware import (
    PRESETS,
    Hardware,
    Operands,
    SystolicArray,
    load_hardware,
    parse_array,
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


def test_a_hardware_file_sets_every_value(tmp_path):
    path = tmp_path / "hw.toml"
    path.write_text(FULL)
    array = SystolicArray(5, 3, 11, 64, False, 512, Operands(8, 24))
    assert load_hardware(path) == Hardware(array, 125.5)


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
        (
            "[operands]",
            "[operand]",
            "10: unknown table 'operand', allowed are array, depthwise, operands",
        ),
        ("accumulator_bits = 24", "accumulator_bits = 15", "12: operands.accumulator_bits must be"),
        ("mhz = 125.5", "mhz = nan", "15: clock.mhz must be a positive number, not nan"),
        ("mhz = 125.5", "mhz = -1", "15: clock.mhz must be a positive number, not -1"),
        ("mhz = 125.5", "hz = 1", "15: unknown key 'hz' in [clock], allowed are mhz"),
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
