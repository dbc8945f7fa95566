"""Images for calibration, from arrays, files and folders."""

import keras
import numpy as np
import pytest

from keras_mlp.formats.calibration import calibration_images_of

SHAPE = (4, 6, 3)


def some_images(count, dtype="uint8"):
    return np.random.default_rng(0).integers(0, 256, (count, *SHAPE)).astype(dtype)


def test_few_images_are_all_taken_and_many_at_even_distances(tmp_path):
    for count, step in ((1, 1), (300, 1), (301, 2), (1000, 4)):
        images = some_images(count)
        found = calibration_images_of(images, SHAPE, "uint8")
        np.testing.assert_array_equal(found, images[::step])
        np.save(tmp_path / "images.npy", images)
        stored = calibration_images_of(tmp_path / "images.npy", SHAPE, "uint8")
        np.testing.assert_array_equal(stored, found)


def test_pictures_are_read_from_all_subfolders_and_resized(tmp_path):
    images = some_images(3)
    for number, each in enumerate(images):
        (tmp_path / f"class {number}").mkdir()
        keras.utils.save_img(tmp_path / f"class {number}/x.PNG", each, scale=False)
    (tmp_path / "notes.txt").write_text("not a picture")
    np.testing.assert_array_equal(calibration_images_of(tmp_path, SHAPE, "uint8"), images)
    assert calibration_images_of(tmp_path, (2, 3, 1), "uint8").shape == (3, 2, 3, 1)


def test_a_folder_with_many_pictures_gives_some_of_every_class(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    for number in range(301):
        shade = np.full(SHAPE, 200 if number % 2 else 10, "uint8")
        keras.utils.save_img(tmp_path / f"{'ab'[number % 2]}/{number}.png", shade, scale=False)
    found = calibration_images_of(tmp_path, SHAPE, "uint8")
    assert len(found) == 151
    assert set(found.ravel()) == {10, 200}


@pytest.mark.parametrize(
    ("source", "dtype", "message"),
    [
        ([1, 2], "uint8", r"must be a uint8 array \(N, 4, 6, 3\).*got \[1, 2\]"),
        (some_images(0), "uint8", r"at least one image, got uint8 \(0, 4, 6, 3\)"),
        (some_images(2)[:, 1:], "uint8", r"got uint8 \(2, 3, 6, 3\)"),
        (some_images(2), "float32", r"must be a float32 array .*got uint8"),
        ("no/such.npy", "uint8", r"or the path of a \.npy file or of a folder .*no/such\.npy"),
        ("", "uint8", "`calibration_images` must be a path"),
    ],
)
def test_other_images_are_refused(source, dtype, message):
    with pytest.raises(ValueError, match=message):
        calibration_images_of(source, SHAPE, dtype)


@pytest.mark.parametrize(
    ("name", "dtype", "message"),
    [
        ("x.txt", "uint8", r"holds no picture: no file in it ends in \.jpg, \.jpeg, \.png"),
        ("x.png", "uint8", r"x\.png cannot be decoded"),
        ("x.png", "float32", "the model takes normalised images"),
    ],
)
def test_folders_without_usable_pictures_are_refused(name, dtype, message, tmp_path):
    (tmp_path / name).write_bytes(b"not a picture")
    with pytest.raises(ValueError, match=message):
        calibration_images_of(tmp_path, SHAPE, dtype)


@pytest.mark.parametrize("content", [b"", b"not an array"])
def test_a_damaged_array_is_named(content, tmp_path):
    (tmp_path / "x.npy").write_bytes(content)
    with pytest.raises(ValueError, match=r"x\.npy is not a file that `numpy\.save` wrote"):
        calibration_images_of(tmp_path / "x.npy", SHAPE, "uint8")
