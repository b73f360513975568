"""Lines of TOML keys, and output that is whole or not there."""

import pytest

from accelsim.errors import FileError
from accelsim.files import check_writable, read_toml, write_whole

TEXT = """name = "probe"
"input" = [1, 2, 3]

[[layer]]
name = "a"
kernel = [
  3,
  3,
]
[[layer]]
name = "b"
[ table . inner ]
key = 1
"""


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (("name",), 1),
        (("input",), 2),
        (("layer", 0, "kernel"), 6),
        (("layer", 1, "name"), 11),
        (("layer", 1, "kernel"), 10),  # not there: its table
        (("table", "inner", "key"), 13),
        (("nothing",), 1),
    ],
)
def test_every_key_has_its_line(keys, line, tmp_path):
    path = tmp_path / "t.toml"
    path.write_text(TEXT)
    file = read_toml(path)
    assert file.line(*keys) == line
    assert str(file.error("it is wrong", *keys)) == f"{path}:{line}: it is wrong"


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "out.json"
    write_whole(path, "old")

    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(FileError, match=r"out\.json cannot be written: No space left on device"):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_said(tmp_path):
    with pytest.raises(FileError, match="cannot be written: No such file or directory"):
        write_whole(tmp_path / "none" / "out.json", "new")


def test_a_link_is_followed_and_a_device_is_not_replaced(tmp_path):
    target = tmp_path / "target"
    target.write_text("old")
    link = tmp_path / "link"
    link.symlink_to(target)
    write_whole(link, "new")
    assert target.read_text() == "new"
    assert link.is_symlink()
    write_whole("/dev/null", "gone")


def test_a_file_keeps_its_mode_and_a_name_may_be_as_long_as_names_can_be(tmp_path):
    path = tmp_path / ("x" * 255)
    write_whole(path, "old")
    path.chmod(0o640)
    write_whole(path, "new")
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_a_dangling_link_gets_its_file(tmp_path):
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "target")
    write_whole(link, "new")
    assert link.is_symlink()
    assert (tmp_path / "target").read_text() == "new"


@pytest.mark.parametrize("write", [lambda path: write_whole(path, "new"), check_writable])
def test_what_no_file_can_be_is_said(write, tmp_path):
    (tmp_path / "file").write_text("old")
    for name, reason in [
        ("file/below", "Not a directory"),
        ("x" * 300, "File name too long"),
        (".", "Is a directory"),
        ("none/out", "No such file or directory"),
    ]:
        with pytest.raises(FileError, match=f"cannot be written: {reason}"):
            write(tmp_path / name)
