"""Sizes and orientations are read from headers, so that nothing large is decoded."""

import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from keras_mlp import export_saved_model, saved_model_info
from keras_mlp.export.picture_headers import orientation_of, picture_size, upright, within_bound
from keras_mlp.export.pictures import decoded
from tests.export.picture_files import encoded, smooth
from tests.export.toys import toy

SIDE = 23_000  # 1.5 GiB as RGB


def huge_png():
    """A whole PNG file of one colour, some kilobytes long."""

    def chunk(kind, content):
        checksum = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

    packer = zlib.compressobj(9)
    rows = bytes(1 + SIDE // 8)
    data = b"".join(packer.compress(rows) for _ in range(SIDE)) + packer.flush()
    head = struct.pack(">IIBBBBB", SIDE, SIDE, 1, 0, 0, 0, 0)
    chunks = (b"IHDR", head), (b"IDAT", data), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)


def with_size(kind):
    """A small picture whose header says that it is huge."""
    contents = bytearray(encoded(Image.fromarray(smooth(8, 8)), kind))
    if kind == "JPEG":
        at = contents.index(b"\xff\xc0") + 5
        contents[at : at + 4] = struct.pack(">HH", SIDE, SIDE)
    elif kind == "GIF":
        contents[6:10] = struct.pack("<HH", SIDE, SIDE)
    elif kind == "BMP":
        contents[18:26] = struct.pack("<ii", SIDE, -SIDE)
    return bytes(contents)


HUGE = {"PNG": huge_png(), **{kind: with_size(kind) for kind in ("JPEG", "GIF", "BMP")}}


FILES = {kind: encoded(Image.fromarray(smooth(5, 9)), kind) for kind in ("PNG", "JPEG", "GIF")}
FILES["BMP"] = encoded(Image.fromarray(smooth(5, 9)), "BMP")
for name, options in {"lossy": {}, "lossless": {"lossless": True}, "exif": {"exif": b"x"}}.items():
    FILES[f"WebP, {name}"] = encoded(Image.fromarray(smooth(5, 9)), "WEBP", **options)


@pytest.mark.parametrize("contents", FILES.values(), ids=FILES)
def test_sizes_are_those_of_pillow(contents):
    assert picture_size(tf.constant(contents)).numpy().tolist() == [5, 9]
    assert within_bound(tf.constant(contents), 45).numpy() == contents
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"9 x 5 pixels is above `most`=44"):
        within_bound(tf.constant(contents), 44, "most")


@pytest.mark.parametrize("kind", HUGE)
def test_a_huge_picture_fails_before_it_is_decoded(kind):
    assert len(HUGE[kind]) < 100_000
    assert picture_size(tf.constant(HUGE[kind])).numpy().tolist() == [SIDE, SIDE]
    with pytest.raises(tf.errors.InvalidArgumentError, match="23000 x 23000 pixels is above"):
        decoded(tf.constant([HUGE[kind]]), (8, 8, 3), "bilinear")


def test_frames_of_an_animation_count_together():
    frames = [Image.fromarray(np.full((50, 60), i, "uint8")) for i in range(10)]
    options = {"save_all": True, "append_images": frames[1:], "disposal": 2, "optimize": False}
    contents = tf.constant(encoded(frames[0], "GIF", **options))
    assert within_bound(contents, 50 * 60 * 10 // 3).numpy() == contents.numpy()
    with pytest.raises(tf.errors.InvalidArgumentError, match="is above"):
        within_bound(contents, 50 * 60 * 10 // 3 - 1)


@pytest.mark.parametrize("contents", [b"", b"\x89PNG", b"GIF89a", b"GIF89a" + bytes(6), b"text"])
def test_a_file_without_a_size_passes_on_to_the_decoder(contents):
    assert within_bound(tf.constant(contents), 1).numpy() == contents
    assert orientation_of(tf.constant(contents)) == 1


def photograph(orientation, order="<"):
    """A JPEG file of 6 x 10 pixels with an EXIF orientation."""
    exif = Image.Exif()
    exif.endian = order
    exif[0x010F] = "a maker of cameras"  # a tag before the orientation
    exif[0x0112] = orientation
    picture = Image.fromarray(smooth(6, 10)).resize((80, 48))
    return encoded(picture, "JPEG", quality=100, exif=exif)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_as_pillow_turns_them(orientation):
    for order in "<>":
        contents = photograph(orientation, order)
        read = tf.function(orientation_of)(tf.constant(contents))
        assert read == orientation
    pixels = tf.io.decode_jpeg(contents, dct_method="INTEGER_ACCURATE")
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(contents))))
    np.testing.assert_array_equal(upright(pixels, read), expected)


def test_an_orientation_that_means_nothing_is_1():
    for contents in (
        photograph(9),
        encoded(Image.fromarray(smooth(4, 4)), "JPEG"),
        encoded(Image.fromarray(smooth(4, 4)), "PNG"),
        photograph(6)[:30],
    ):
        assert orientation_of(tf.constant(contents)) == 1


def test_a_saved_model_keeps_the_bound_and_turns_pictures_if_asked(tmp_path):
    model = toy()
    contents = tf.constant([photograph(6)])
    height, width, channels = model.image_shape
    path = export_saved_model(model, tmp_path / "toy", upright=True, max_pixels=48 * 80)
    served = tf.saved_model.load(str(path)).signatures["serving_bytes"]
    stored, turned = (
        model(decoded(contents, (height, width, channels), "bilinear", turn=turn)).numpy()
        for turn in (False, True)
    )
    np.testing.assert_allclose(served(encoded=contents)["logits"], turned, rtol=0, atol=1e-5)
    assert np.abs(turned - stored).max() > 1e-4
    for huge in (*HUGE.values(), encoded(Image.new("RGB", (81, 48)), "PNG")):
        with pytest.raises(tf.errors.InvalidArgumentError, match="is above `max_pixels`=3840"):
            served(encoded=tf.constant([huge]))
    kind = saved_model_info(path)["inputs"][2]
    assert kind["max_pixels"] == 3840 and kind["upright"] is True
