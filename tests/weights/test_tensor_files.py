"""read_tensors: arrays from files without running code, and clear errors."""

import io
import pickle
import zipfile

import numpy as np
import pytest

from keras_mlp.weights import size_limit
from keras_mlp.weights.tensor_files import read_tensors
from tests.weights.toy_checkpoint import SUFFIXES, write

TENSORS = {"a": np.arange(6, dtype="float32").reshape(2, 3), "b/c.d": np.zeros((), "float16")}


class Tattletale:
    """Shows whether it was unpickled."""

    unpickled = False

    def __reduce__(self):
        return setattr, (Tattletale, "unpickled", True)


def refusal(path):
    with pytest.raises(ValueError, match="cannot be read; it may be damaged") as error:
        read_tensors(path)
    assert str(path) in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("kind", [str, lambda path: path], ids=["str", "Path"])
def test_reads_what_was_written(suffix, kind, tmp_path):
    tensors = read_tensors(kind(write(TENSORS, tmp_path / f"w{suffix}")))
    assert tensors.keys() == TENSORS.keys()
    for name, array in TENSORS.items():
        assert tensors[name].dtype == array.dtype
        np.testing.assert_array_equal(tensors[name], array)


def test_reads_a_compressed_npz(tmp_path):
    np.savez_compressed(tmp_path / "w.npz", **TENSORS)
    np.testing.assert_array_equal(read_tensors(tmp_path / "w.npz")["a"], TENSORS["a"])


@pytest.mark.parametrize("name", ["w.npz", "w.safetensors", "w.h5"])
def test_a_missing_file_is_called_missing(name, tmp_path):
    with pytest.raises(FileNotFoundError, match="no checkpoint file at"):
        read_tensors(tmp_path / name)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="no checkpoint file at"):
        read_tensors(tmp_path)


@pytest.mark.parametrize("name", ["w.h5", "w", "w.npz.zip", "w.pkl"])
def test_another_suffix_is_refused_and_the_known_ones_named(name, tmp_path):
    (tmp_path / name).write_bytes(b"anything")
    with pytest.raises(ValueError, match=r"of a known kind: \.npz, \.safetensors, \.pth, \.pt"):
        read_tensors(tmp_path / name)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("content", [b"", b"\0" * 64, b"PK\3\4 not a zip", b"<html>"])
def test_other_bytes_are_refused(suffix, content, tmp_path):
    path = tmp_path / f"w{suffix}"
    path.write_bytes(content)
    refusal(path)


def test_pickled_objects_are_refused_and_not_run(tmp_path):
    np.savez(tmp_path / "w.npz", a=np.array([Tattletale()], dtype=object))
    assert "allow_pickle" in refusal(tmp_path / "w.npz")
    (tmp_path / "w.npz").write_bytes(pickle.dumps(Tattletale()))
    refusal(tmp_path / "w.npz")
    assert not Tattletale.unpickled
    pickle.loads(pickle.dumps(Tattletale()))  # the trap works
    assert Tattletale.unpickled


def test_a_single_array_is_no_archive(tmp_path):
    np.save(tmp_path / "w.npy", TENSORS["a"])
    (tmp_path / "w.npy").rename(tmp_path / "w.npz")
    assert "not an archive of arrays" in refusal(tmp_path / "w.npz")


def test_a_member_that_is_no_array_is_named(tmp_path):
    write(TENSORS, tmp_path / "w.npz")
    with zipfile.ZipFile(tmp_path / "w.npz", "a") as archive:
        archive.writestr("notes.txt", "hello")
    assert "notes.txt is not an array" in refusal(tmp_path / "w.npz")


def oversized(path, shape, numbers):
    """A `.npz` file whose header promises more numbers than it has."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": shape}
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", header.getvalue() + bytes(4 * numbers))
    return path


@pytest.mark.parametrize("shape", [(2**20, 2**20), (2**40, 0)], ids=str)
def test_a_small_file_of_large_arrays_is_refused(shape, tmp_path):
    path = oversized(tmp_path / "w.npz", shape, numbers=4)
    with pytest.raises(ValueError, match="is refused: its tensors would need"):
        read_tensors(path)


def test_arrays_that_decompress_to_much_more_are_refused(tmp_path, monkeypatch):
    path = oversized(tmp_path / "w.npz", (2**18,), numbers=2**18)
    assert read_tensors(path)["a"].shape == (2**18,)
    monkeypatch.setattr(size_limit, "_ALWAYS_ALLOWED", 2**16)
    with pytest.raises(ValueError, match="is refused: its tensors would need"):
        read_tensors(path)


def test_a_damaged_compressed_member_is_refused(tmp_path):
    np.savez_compressed(tmp_path / "w.npz", a=np.arange(1000.0))
    data = bytearray((tmp_path / "w.npz").read_bytes())
    middle = len(data) // 2
    data[middle : middle + 64] = b"\xff" * 64
    (tmp_path / "w.npz").write_bytes(data)
    refusal(tmp_path / "w.npz")
