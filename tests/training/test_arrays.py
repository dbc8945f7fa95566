"""Labelled images in one `.npz` file, read by both engines."""

import io
import shutil
import zipfile

import numpy as np
import pytest
import tensorflow as tf

from training.config import Data
from training.data.arrays import ArrayFile, main, write_arrays
from training.data.in_memory import load_arrays
from training.data.pipeline import load_splits


@pytest.fixture
def columns():
    rng = np.random.default_rng(0)
    return {
        name: (rng.integers(0, 256, (count, 6, 5, 3), np.uint8), rng.integers(0, 3, count))
        for name, count in (("train", 20), ("test", 7))
    }


@pytest.fixture
def file(columns, tmp_path):
    write_arrays(tmp_path / "some.npz", columns, ["a", "b", "c"])
    return str(tmp_path / "some.npz")


@pytest.mark.parametrize(
    "choice",
    [{}, {"classes": (2, 0)}, {"examples_per_class": 2}, {"validation_percent": 0}],
    ids=["all", "classes", "per class", "no validation"],
)
def test_both_engines_read_the_same_examples(file, choice):
    data = Data(name="arrays", data_dir=file, **{"validation_percent": 30, **choice})
    ours, theirs = load_arrays(data, (6, 5, 3)), load_splits(data, (6, 5, 3))
    assert ours.classes == theirs.classes
    for name in ("train", "validation", "test"):
        own, other = getattr(ours, name), getattr(theirs, name)
        assert (own is None) == (other is None)
        if own is None:
            continue
        assert own.size == other.size
        for (images, labels), (expected, numbers) in zip(
            own.batches(4), other.batches(4), strict=True
        ):
            np.testing.assert_array_equal(labels, numbers)
            np.testing.assert_array_equal(images[labels >= 0], expected[labels >= 0])


def test_what_is_written_is_read(file, columns):
    read = ArrayFile(file)
    assert read.splits == {"train": 20, "test": 7} and read.classes == ["a", "b", "c"]
    for name, expected in columns.items():
        for got, column in zip(read.columns(name), expected, strict=True):
            np.testing.assert_array_equal(got, column)


def test_digits_become_a_file(data_dir, tmp_path):
    main(["digits", "--data-dir", data_dir, "--output", str(tmp_path / "digits.npz")])
    read = ArrayFile(tmp_path / "digits.npz")
    assert read.splits == {"train": 1437, "test": 360} and read.image_shape == (8, 8, 1)


def test_a_folder_of_pictures_becomes_a_file(tmp_path):
    for split, name, pixel in (("train", "a", 10), ("train", "b", 20), ("test", "b", 30)):
        folder = tmp_path / "pictures" / split / name
        folder.mkdir(parents=True)
        picture = tf.io.encode_png(np.full((6, 5, 3), pixel, np.uint8))
        (folder / "0.png").write_bytes(picture.numpy())
    main([str(tmp_path / "pictures"), "--output", str(tmp_path / "pictures.npz")])
    read = ArrayFile(tmp_path / "pictures.npz")
    images, labels = read.columns("train")
    assert read.classes == ["a", "b"] and read.image_shape == (6, 5, 3)
    assert images[:, 0, 0, 0].tolist() == [10 if label == 0 else 20 for label in labels]
    # Pictures of different sizes are an error that names one.
    other = tf.io.encode_png(np.zeros((5, 5, 3), np.uint8))
    (tmp_path / "pictures" / "train" / "a" / "1.png").write_bytes(other.numpy())
    with pytest.raises(SystemExit, match="arrays need pictures of one size"):
        main([str(tmp_path / "pictures"), "--output", str(tmp_path / "again.npz")])
    assert not (tmp_path / "again.npz").exists()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"classes": None}, "must hold"),
        ({"train_images": np.zeros((20, 6, 5), np.uint8)}, "must all be"),
        ({"test_images": np.zeros((7, 6, 5, 3), np.float32)}, "must be uint8"),
        ({"test_labels": np.zeros(6, np.int64)}, "one for each"),
        ({"test_labels": np.full(7, 3)}, "from 0 to 2"),
    ],
)
def test_other_arrays_are_refused(file, tmp_path, changed, message):
    with np.load(file) as stored:
        arrays = {**stored, **changed}
    path = tmp_path / "other.npz"
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})
    with pytest.raises(ValueError, match=message):
        ArrayFile(path)


def test_a_header_that_asks_for_all_memory_is_refused(file, tmp_path):
    header = io.BytesIO()
    shape = {"descr": "|u1", "fortran_order": False, "shape": (2**44, 6, 5, 3)}
    np.lib.format.write_array_header_1_0(header, shape)
    path = shutil.copy(file, tmp_path / "lies.npz")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("more.npy", header.getvalue())
    with pytest.raises(ValueError, match=r"lies\.npz cannot be read: Unable to allocate"):
        ArrayFile(path)


def test_no_file_names_the_way_out(tmp_path):
    with pytest.raises(ValueError, match=r"training\.data\.arrays NAME"):
        ArrayFile(tmp_path / "none.npz")
    (tmp_path / "damaged.npz").write_bytes(b"PK\x03\x04damaged")
    with pytest.raises(ValueError, match="cannot be read"):
        ArrayFile(tmp_path / "damaged.npz")
    with pytest.raises(ValueError, match=r"needs `data\.data_dir`"):
        load_splits(Data(name="arrays"), (6, 5, 3))


def test_both_engines_resize_to_another_size(file):
    data = Data(name="arrays", data_dir=file)
    ours, theirs = load_arrays(data, (8, 4, 3)), load_splits(data, (8, 4, 3))
    expected, _ = theirs.test.first(7)
    assert ours.test.images.shape == expected.shape == (7, 8, 4, 3)
    difference = ours.test.images.astype(int) - expected
    # A pixel halfway between two levels can be rounded to either.
    assert np.abs(difference).max() <= 1 and np.mean(difference != 0) < 0.02
    with pytest.raises(ValueError, match=r"`model\.arguments\.image_shape` .* asks for 1"):
        load_arrays(data, (8, 4, 1))
