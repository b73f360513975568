"""Lines of TOML keys, and output that is whole or not there."""

import pytest

from accelsim.errors import FileError
from accelsim.files import read_toml, write_whole

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
