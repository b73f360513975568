"""Things are in the cache whole or not at all."""

import pytest

from accelsim.errors import FileError
from accelsim.files import cache_directory
from rtl.flow.cache import cached, entry


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ACCELSIM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_thing_is_made_once(cache):
    made = []

    def make(work):
        made.append(work)
        (work / "thing").write_text("whole")

    places = {cached("kind", ("recipe",), make) for _ in range(3)}
    assert places == {entry("kind", ("recipe",))}
    assert len(made) == 1
    assert [path.name for path in cache.iterdir()] == [places.pop().name]


@pytest.mark.parametrize(("first", "second"), [(("a",), ("b",)), (("ab", "c"), ("a", "bc"))])
def test_another_recipe_is_another_thing(first, second):
    assert entry("kind", first) != entry("kind", second)


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt])
def test_what_fails_or_is_killed_leaves_nothing(cache, error):
    def make(work):
        (work / "half").write_text("a thing")
        raise error

    with pytest.raises(error):
        cached("kind", ("recipe",), make)
    assert list(cache.iterdir()) == []


def test_the_faster_of_two_runs_wins():
    def slow(work):
        (work / "thing").write_text("slow")

        def fast(work):
            (work / "thing").write_text("fast")

        cached("kind", ("recipe",), fast)

    place = cached("kind", ("recipe",), slow)
    assert (place / "thing").read_text() == "fast"


def test_where_the_cache_is(monkeypatch, tmp_path):
    monkeypatch.delenv("ACCELSIM_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_directory() == tmp_path / "accelsim"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_directory() == tmp_path / ".cache" / "accelsim"


def test_a_cache_that_cannot_be_written_is_named(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ACCELSIM_CACHE", str(tmp_path / "file"))
    with pytest.raises(FileError, match=r"file cannot be written .*ACCELSIM_CACHE names another"):
        cached("kind", ("recipe",), lambda work: None)
