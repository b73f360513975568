"""Files of arrays: written whole, read back, and damaged in every way."""

import io
import random
import warnings

import numpy as np
import pytest

from accelsim.arrays import read_npy, read_npz, write_npz
from accelsim.errors import AccelsimError, FileError

ARRAYS = {
    "file": np.arange(6, dtype=np.int8).reshape(2, 3),
    "/a/b:0": np.float32(2.5).reshape(()),
    "c.npy": np.zeros((0, 3), np.int64),
    "a b;c": np.array([True, False]),
}


def test_arrays_of_any_name_and_shape_come_back(tmp_path):
    write_npz(tmp_path / "x.npz", ARRAYS)
    read = read_npz(tmp_path / "x.npz", "tensor")
    assert list(read) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert (read[name].dtype, read[name].shape) == (array.dtype, array.shape)
        assert np.array_equal(read[name], array)


def test_one_array_is_no_archive_and_the_other_way_round(tmp_path):
    write_npz(tmp_path / "x.npz", ARRAYS)
    np.save(tmp_path / "x.npy", np.zeros(3))
    with pytest.raises(FileError, match=r"but an \.npz of several"):
        read_npy(tmp_path / "x.npz")
    with pytest.raises(FileError, match=r"is not an \.npz file of arrays by layer name"):
        read_npz(tmp_path / "x.npy", "layer")


def damaged(draw: random.Random, count: int):
    """Files with a few bytes changed, left out or put in, and what reads them."""
    whole = io.BytesIO(), io.BytesIO(), io.BytesIO()
    np.savez(whole[0], x=np.zeros((2, 3), np.int8))
    np.savez_compressed(whole[1], x=np.zeros((2, 3), np.int8))
    np.save(whole[2], np.zeros((2, 3), np.int8))
    for _ in range(count):
        place = draw.randrange(3)
        data = bytearray(whole[place].getvalue())
        for _ in range(draw.choice([1, 1, 2, 5])):
            at = draw.randrange(len(data)) if data else 0
            change = draw.randrange(3)
            if change == 0:
                data[at : at + 1] = bytes([draw.randrange(256)])
            elif change == 1:
                del data[at:]
            else:
                data[at:at] = bytes([draw.randrange(256)])
        yield bytes(data), read_npy if place == 2 else lambda path: read_npz(path, "input")


@pytest.mark.parametrize("count", [400, pytest.param(10_000, marks=pytest.mark.full)])
def test_damaged_files_are_one_sentence(count, tmp_path):
    path, refused = tmp_path / "x", []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for data, read in damaged(random.Random(1), count):
            path.write_bytes(data)
            try:
                read(path)
            except AccelsimError as error:
                refused.append(str(error))
    assert count / 2 < len(refused) < count
    assert not [said for said in refused if "\n" in said]
