"""Picture files of every format give the right pixels or an error."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_mlp.export.pictures import decoded
from tests.export.picture_files import encoded, jpeg, png, smooth

COLOUR, GREY = smooth(8, 8), smooth(8, 8, 1)


def pixels_of(contents, channels=3, size=(8, 8)):
    return decoded(tf.constant([contents]), (*size, channels), "bilinear").numpy()[0]


def luma(pixels):
    return np.round(pixels @ np.array([0.299, 0.587, 0.114]))[..., None]


def test_a_png_is_its_pixels():
    np.testing.assert_array_equal(pixels_of(png(COLOUR)), COLOUR)
    np.testing.assert_array_equal(pixels_of(png(GREY), 1), GREY)
    every = np.arange(256, dtype="uint8").reshape(16, 16, 1)
    np.testing.assert_array_equal(pixels_of(png(every), 1, (16, 16)), every)


def test_grey_and_colour_become_each_other():
    np.testing.assert_array_equal(pixels_of(png(GREY)), np.repeat(GREY, 3, -1))
    np.testing.assert_array_equal(pixels_of(png(COLOUR), 1), luma(COLOUR))
    np.testing.assert_allclose(pixels_of(jpeg(COLOUR), 1), luma(COLOUR), rtol=0, atol=3)
    grey = encoded(Image.fromarray(GREY[..., 0]), "JPEG", quality=100)
    np.testing.assert_allclose(pixels_of(grey), np.repeat(GREY, 3, -1), rtol=0, atol=1)
    np.testing.assert_allclose(pixels_of(grey, 1), GREY, rtol=0, atol=1)


def test_a_jpeg_is_what_other_libraries_read():
    picture = Image.fromarray(smooth(40, 56))
    for mode, quality in (("RGB", 75), ("RGB", 100), ("L", 90), ("CMYK", 90)):
        contents = encoded(picture.convert(mode), "JPEG", quality=quality)
        expected = np.asarray(Image.open(io.BytesIO(contents)).convert("RGB"))
        np.testing.assert_array_equal(pixels_of(contents, size=(40, 56)), expected, mode)
        grey = pixels_of(contents, 1, (40, 56))
        np.testing.assert_array_equal(grey, luma(expected), mode)


def test_alpha_is_dropped_or_kept_as_the_channels_ask():
    rgba = smooth(8, 8, 4)
    np.testing.assert_array_equal(pixels_of(png(rgba)), rgba[..., :3])
    np.testing.assert_array_equal(pixels_of(png(rgba), 4), rgba)
    assert (pixels_of(png(COLOUR), 4)[..., 3] == 255).all()
    grey_alpha = Image.fromarray(np.repeat(GREY, 2, -1), "LA")
    np.testing.assert_array_equal(pixels_of(encoded(grey_alpha, "PNG"), 1), GREY)


def test_of_sixteen_bits_the_upper_eight_are_kept():
    deep = np.arange(64, dtype="uint16").reshape(8, 8, 1) * 1000
    np.testing.assert_array_equal(pixels_of(png(deep), 1), deep >> 8)


def test_palettes_become_colours():
    image = Image.fromarray(COLOUR).quantize(16)
    np.testing.assert_array_equal(pixels_of(encoded(image, "PNG")), image.convert("RGB"))


FRAMES = [Image.fromarray(np.roll(COLOUR, i, 0)).quantize(64) for i in range(3)]
BROKEN = {
    "animation": encoded(FRAMES[0], "GIF", save_all=True, append_images=FRAMES[1:]),
    "WebP": encoded(Image.fromarray(COLOUR), "WEBP"),
    "bitmap": encoded(Image.fromarray(COLOUR), "BMP"),
    "empty": b"",
    "text": b"not a picture at all",
    "half a JPEG": jpeg(COLOUR)[: len(jpeg(COLOUR)) // 2],
    "half a PNG": png(COLOUR)[: len(png(COLOUR)) // 2],
    "only a signature": b"\x89PNG\r\n\x1a\n",
}


@pytest.mark.parametrize("contents", BROKEN.values(), ids=BROKEN)
def test_a_file_that_is_damaged_or_of_another_kind_fails_the_call(contents):
    with pytest.raises(tf.errors.InvalidArgumentError):
        decoded(tf.constant([png(COLOUR), contents]), (8, 8, 3), "bilinear")


def test_a_jpeg_has_no_alpha_to_give():
    with pytest.raises(tf.errors.InvalidArgumentError, match="JPEG does not support 4 channels"):
        pixels_of(jpeg(COLOUR), 4)
