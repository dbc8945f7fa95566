"""What a folder of pictures may hold: every kind of file is read or named, nothing is silent."""

import logging

import numpy as np
import pytest
from PIL import Image

from tests.export.picture_files import encoded, smooth
from tests.export.test_picture_headers import huge_png, photograph
from training.config import Augment, Data
from training.data.arrays import main as write_arrays_file
from training.data.class_folders import load_folder
from training.data.pipeline import load_splits, training_stream

SHAPE = (8, 8, 3)
PICTURE = Image.fromarray(smooth(8, 8))


def folder_of(root, files):
    """Writes files by their paths below the training split."""
    for name, contents in files.items():
        path = root / "train" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents)
    return root


def data_of(root, **changes):
    settings = {"validation_percent": 0, "test_split": "train", "batch_size": 1, **changes}
    return Data(name="image_folder", data_dir=str(root), **settings)


def images_of(root, shape=SHAPE, **changes):
    splits = load_splits(data_of(root, **changes), shape)
    with splits.explained():
        return [image for image, _ in splits.test.examples.as_numpy_iterator()]


KINDS = {"JPG": "JPEG", "PNG": "PNG", "webp": "WEBP", "WebP": "WEBP", "gif": "GIF", "BMP": "BMP"}
COLOUR = (200, 100, 50)


def of_each_kind():
    """From paths to files of one colour; a class for each kind, and for BMP's palettes."""
    flat = Image.new("RGB", (8, 8), COLOUR)
    files = {
        f"{suffix}/1.{suffix}": encoded(flat, kind, quality=100) for suffix, kind in KINDS.items()
    }
    return {**files, "palette/1.bmp": encoded(flat.quantize(), "BMP")}


def test_every_kind_of_file_is_read_in_training_and_evaluation(tmp_path, caplog):
    root = folder_of(tmp_path, of_each_kind())
    splits = load_splits(data_of(root), SHAPE)
    assert splits.classes == sorted([*KINDS, "palette"]) and not caplog.records
    evaluated = load_folder(root / "train", splits.classes, SHAPE)
    stream = training_stream(
        splits.train, batch_size=7, seed=0, start_step=0, augment=Augment(crop=0.5)
    )
    trained, labels = next(stream.take(1).as_numpy_iterator())
    assert sorted(labels) == list(range(7))
    read = [image for split in (splits.test, evaluated) for image, _ in split.examples]
    for image in [*read, *trained]:
        assert np.abs(np.asarray(image, int) - COLOUR).max() <= 2
    assert len(read) == 14


def test_a_jpeg_file_for_printing_becomes_grey_too(tmp_path):
    printed = Image.fromarray(smooth(16, 16)).convert("CMYK")
    root = folder_of(tmp_path, {"a/1.jpg": encoded(printed, "JPEG", quality=100)})
    (image,) = images_of(root)
    (grey,) = images_of(root, (8, 8, 1))
    luma = image.astype(float) @ [0.299, 0.587, 0.114]
    assert np.abs(grey[..., 0] - luma).max() <= 2
    stream = training_stream(
        load_splits(data_of(root), (8, 8, 1)).train,
        batch_size=1,
        seed=0,
        start_step=0,
        augment=Augment(crop=0.5),
    )
    trained, _ = next(stream.take(1).as_numpy_iterator())
    assert trained.shape == (1, 8, 8, 1)


def test_colours_become_grey_for_a_model_of_one_channel(tmp_path, caplog):
    root = folder_of(tmp_path, of_each_kind())
    images = images_of(root, (8, 8, 1))
    assert len(images) == 7 and all((abs(each.astype(int) - 124) <= 2).all() for each in images)
    (note,) = {record.getMessage() for record in caplog.records}
    assert "7 of 7 pictures that were looked at are in colour, converted to grey" in note


def test_what_is_not_read_is_named_on_one_line_each(tmp_path, caplog):
    png = encoded(PICTURE, "PNG")
    root = folder_of(
        tmp_path,
        {"a/1.png": png, "a/2.tiff": b"", "a/notes.txt": b"", "a/.DS_Store": b"", "a/._1.png": b""},
    )
    folder_of(root, {"a/deeper/3.png": png, "loose.png": png, ".cache/x.png": png})
    (root / "train" / "empty").mkdir()
    (root / "train" / "a" / "link.png").symlink_to(root / "train" / "a" / "1.png")
    (root / "train" / "a" / "gone.png").symlink_to(root / "nowhere.png")
    (root / "train" / "a" / "loop").symlink_to(root / "train")
    (root / "train" / "linked").symlink_to(root / "train" / "a" / "deeper")
    splits = load_splits(data_of(root), SHAPE)
    assert splits.classes == ["a", "empty", "linked"]
    labels = [label for _, label in splits.test.examples.as_numpy_iterator()]
    assert sorted(labels) == [0, 0, 0, 2]
    messages = [record.getMessage() for record in caplog.records]
    assert all("\n" not in message for message in messages) and len(messages) == 4
    empty, left_out, loose, deeper = messages
    assert "1 of 3 class folders hold no picture: empty. These classes have no" in empty
    assert "3 file(s) are not read: a/2.tiff, a/gone.png, a/notes.txt." in left_out
    assert "1 picture(s) in no class folder are not read: loose.png." in loose
    assert "1 picture(s) in folders inside class folders count to the class: a/deep" in deeper


def test_a_folder_of_other_files_only_says_which(tmp_path):
    root = folder_of(tmp_path, {"a/1.tiff": b"", "a/2.heic": b""})
    with pytest.raises(
        ValueError, match=r"no files CLASS/\*\.jpg.*\.webp.*2 file\(s\) are not read"
    ):
        images_of(root)
    with pytest.raises(ValueError, match=r"`--folder`.*2 file\(s\) are not read: a/1.tiff, a/2.h"):
        load_folder(root / "train", ["a"], SHAPE)


def test_changes_to_pixels_are_said(tmp_path, caplog):
    frames = [Image.fromarray(np.roll(smooth(8, 8), i, 0)).quantize(64) for i in range(3)]
    deep = Image.fromarray(np.arange(64, dtype="uint16").reshape(8, 8))
    root = folder_of(
        tmp_path,
        {
            "a/alpha.png": encoded(Image.fromarray(smooth(8, 8, 4)), "PNG"),
            "a/deep.png": encoded(deep, "PNG"),
            "a/moving.gif": encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]),
            "a/turned.jpg": photograph(6),
        },
    )
    assert len(images_of(root)) == 4
    messages = [record.getMessage() for record in caplog.records]
    for words in ("transparency, which is dropped", "only the first frame", "reduced to 8"):
        assert sum(words in message for message in messages) == 1
    assert "EXIF orientation, which is ignored: `data.upright`=True" in messages[-1]


def test_pictures_are_read_as_stored_or_upright_as_asked(tmp_path, caplog):
    root = folder_of(tmp_path, {"a/1.jpg": photograph(6)})
    webp = Image.open(root / "train" / "a" / "1.jpg")
    exif = webp.getexif()
    stored, turned = (images_of(root, (80, 80, 3), upright=each)[0] for each in (False, True))
    np.testing.assert_allclose(turned, np.rot90(stored, -1), rtol=0, atol=1)
    assert len(caplog.records) == 1  # only where it is ignored
    ((evaluated, _),) = load_folder(root / "train", ["a"], (80, 80, 3), turn=True).examples
    np.testing.assert_allclose(evaluated.numpy().astype(int), turned, rtol=0, atol=8)
    webp.save(root / "train" / "a" / "1.webp", lossless=True, exif=exif)
    (root / "train" / "a" / "1.jpg").unlink()
    (converted,) = images_of(root, (80, 80, 3), upright=True)
    np.testing.assert_allclose(converted.astype(int), turned, rtol=0, atol=8)


@pytest.mark.parametrize("suffix", ["png", "gif"])
def test_a_huge_picture_is_named_with_its_size(suffix, tmp_path):
    contents = huge_png() if suffix == "png" else encoded(Image.new("L", (9, 9)), suffix)
    size, bound = ("23000 x 23000", 89_478_485) if suffix == "png" else ("9 x 9", 80)
    root = folder_of(tmp_path, {f"a/huge.{suffix}": contents})
    message = rf"1 damaged .*huge\.{suffix} \({size} pixels, above `data.max_pixels`={bound}\)"
    with pytest.raises(ValueError, match=message) as error:
        images_of(root, max_pixels=bound)
    assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match=f"huge.*{size} pixels, above `--max-pixels`={bound}"):
        load_folder(root / "train", ["a"], SHAPE, max_pixels=bound)
    if suffix == "gif":
        assert len(images_of(root, max_pixels=81)) == 1


def test_a_file_with_the_suffix_of_another_kind_says_so(tmp_path):
    root = folder_of(tmp_path, {"a/1.jpg": encoded(PICTURE, "WEBP")})
    with pytest.raises(ValueError, match=r"1\.jpg \(a WEBP file by its content: give it the suff"):
        images_of(root, (8, 8, 1))


def test_a_service_reads_what_tensorflow_decodes(tmp_path):
    root = folder_of(tmp_path, {"a/1.webp": encoded(PICTURE, "WEBP")})
    with pytest.raises(ValueError, match=r"`data\.service` decodes JPEG and PNG files only"):
        load_splits(data_of(root, service="grpc://127.0.0.1:1"), SHAPE)


@pytest.mark.parametrize("name", ["two\nlines", "tab\there", "\x1b[31mred", "bytes\udcff"])
def test_a_name_that_no_file_could_hold_is_refused_at_once(name, tmp_path):
    root = folder_of(tmp_path, {f"{name}/1.png": encoded(PICTURE, "PNG"), "b/1.png": b""})
    with pytest.raises(ValueError, match=r"has the class name .*rename it") as error:
        load_splits(data_of(root), SHAPE)
    assert str(error.value).isprintable()
    with pytest.raises(SystemExit, match="has the class name"):
        write_arrays_file([str(root), "--output", str(tmp_path / "arrays.npz")])
    assert not (tmp_path / "arrays.npz").exists()


def test_a_name_of_any_script_is_taken(tmp_path):
    name = "猫 & <b>$x$"
    root = folder_of(tmp_path, {f"{name}/1.png": encoded(PICTURE, "PNG")})
    assert load_splits(data_of(root), SHAPE).classes == [name]


def test_sample_pictures_give_every_class_of_every_split_a_picture(tmp_path, caplog):
    from training.data.sample_pictures import write_sample_pictures

    data = data_of(tmp_path, num_classes=7, test_split="test", validation_split="val")
    write_sample_pictures(tmp_path, data, 3)
    splits = load_splits(data, SHAPE)
    assert [each.size for each in (splits.train, splits.validation, splits.test)] == [7, 7, 7]
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
