"""Pictures that Pillow decodes for the engine on JAX, against those that TensorFlow decodes."""

import numpy as np
import pytest
from PIL import Image

from tests.training.data.pictures import write_folder
from tests.training.data.test_folders import of_each_kind
from training.config import Data
from training.data import class_folders, in_memory, pipeline
from training.data.decoded_pictures import decode

COUNTS = {"bee": 7, "dog": 5, "fox": 6}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """JPEG and PNG files of many sizes: a folder with the splits train, val and test."""
    root = tmp_path_factory.mktemp("pictures")
    write_folder(root, "train", COUNTS)
    write_folder(root, "val", {"bee": 1, "fox": 2}, seed=2)
    write_folder(root, "test", {"dog": 2, "fox": 3}, seed=1)
    return root


def difference(found, expected):
    return np.abs(np.asarray(found, np.float32) - np.asarray(expected, np.float32))


@pytest.mark.parametrize(
    ("name", "held_out"), [("pictures", ""), ("image_folder", ""), ("image_folder", "val")]
)
def test_splits_are_those_of_tensorflow(name, held_out, pictures):
    data = Data(
        name=name,
        data_dir=str(pictures),
        validation_split=held_out,
        validation_percent=0,
        interpolation="bicubic",
    )
    loads = in_memory.load_arrays, pipeline.load_splits
    found, expected = (load(data, (24, 32, 3)) for load in loads)
    assert found.classes == expected.classes == list(COUNTS) and not found.damaged
    if held_out:
        assert found.train.size == 18 and found.validation.size == 3
    for part in ("train", "validation", "test"):
        one, other = getattr(found, part), getattr(expected, part)
        assert (one is None) == (other is None)
        if one is not None:
            images, labels = other.first(other.size)
            np.testing.assert_array_equal(one.labels, labels)
            # TensorFlow's fast inverse DCT is some levels off in JPEG files.
            assert difference(one.images, images).mean() < 1.5


@pytest.mark.parametrize("channels", [1, 3])
def test_a_folder_to_evaluate_on_has_the_pixels_of_tensorflow(channels, pictures):
    shape = (20, 16, channels)
    expected = class_folders.load_folder(pictures / "test", list(COUNTS), shape)
    found = in_memory.load_folder(
        pictures / "test", list(COUNTS), shape, turn=False, max_pixels=10**6
    )
    images, labels = expected.first(expected.size)
    np.testing.assert_array_equal(found.labels, labels)
    # Pillow rounds after each of the two axes.
    off = difference(found.images, images)
    assert off.max() <= 2 and off.mean() < 0.3


def test_every_kind_of_file_is_read(tmp_path):
    for name, contents in of_each_kind().items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(contents)
    paths = sorted(str(path) for path in tmp_path.rglob("*.*"))
    images, damaged = decode(paths, (8, 8, 3), max_pixels=64)
    assert damaged == {} and len(images) == 7
    assert difference(images, np.full((8, 8, 3), (200, 100, 50))).max() <= 2


def test_deep_grey_and_turned_pictures(tmp_path):
    ramp = np.arange(12, dtype=np.uint16).reshape(3, 4) * 5000
    Image.fromarray(ramp).save(tmp_path / "deep.png")
    turned = Image.fromarray((ramp >> 8).astype(np.uint8))
    exif = turned.getexif()
    exif[0x0112] = 6  # a quarter turn clockwise shows it upright
    turned.save(tmp_path / "turned.png", exif=exif)
    paths = [str(tmp_path / name) for name in ("deep.png", "turned.png")]
    images, _ = decode(paths, (3, 4, 1), max_pixels=12)
    np.testing.assert_array_equal(images[0, ..., 0], ramp >> 8)
    np.testing.assert_array_equal(images[1], images[0])
    upright, _ = decode(paths[1:], (4, 3, 1), upright=True, max_pixels=12)
    np.testing.assert_array_equal(upright[0, ..., 0], np.rot90(ramp >> 8, -1))


def damage(root, kind):
    """Ruins one training picture of a copy; returns its path."""
    path = root / "train" / "dog" / "000.jpg"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] if kind == "cut off" else b"")
    return str(path)


@pytest.mark.parametrize("kind", ["cut off", "empty"])
def test_damaged_pictures_are_left_out_up_to_a_limit(kind, tmp_path):
    write_folder(tmp_path, "train", {"dog": 3, "fox": 2})
    path = damage(tmp_path, kind)
    data = Data(
        name="image_folder", data_dir=str(tmp_path), test_split="train", validation_percent=0
    )
    with pytest.raises(ValueError, match=r"1 damaged picture\(s\).*max_corrupt`=0: .*000\.jpg\."):
        in_memory.load_arrays(data, (8, 8, 3))
    data.max_corrupt = 1
    splits = in_memory.load_arrays(data, (8, 8, 3))
    assert splits.train.size == 4 and list(splits.damaged) == [path]
    assert sorted(splits.train.labels) == [0, 0, 1, 1]
    with pytest.raises(ValueError, match=r"`--folder` .*000\.jpg is damaged, or is not a JPEG"):
        in_memory.load_folder(
            tmp_path / "train", ["dog", "fox"], (8, 8, 3), turn=False, max_pixels=10**6
        )


def test_a_picture_above_the_bound_is_named_with_its_size(pictures):
    data = Data(name="pictures", data_dir=str(pictures), validation_percent=0, max_pixels=500)
    with pytest.raises(ValueError, match=r"\d+ x \d+ pixels, above `data\.max_pixels`=500"):
        in_memory.load_arrays(data, (8, 8, 3))
    with pytest.raises(ValueError, match=r"above `--max-pixels`=500"):
        in_memory.load_folder(
            pictures / "test", list(COUNTS), (8, 8, 3), turn=False, max_pixels=500
        )


def test_a_folder_that_is_missing_is_an_error(tmp_path):
    for data_dir, message in ((None, "needs `data.data_dir`"), (tmp_path / "no", "not a folder")):
        data = Data(name="pictures", data_dir=data_dir and str(data_dir))
        with pytest.raises(ValueError, match=message):
            in_memory.load_arrays(data, (8, 8, 3))
