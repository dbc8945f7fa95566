"""From files to pixels of one size, against PIL and against decoding the whole picture first."""

import io
import types

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from tests.training.data.pictures import photographs
from training.config import Data
from training.data.decoding import Decoder, random_box, random_part


@pytest.fixture(scope="module")
def photograph():
    from sklearn.datasets import load_sample_image

    return load_sample_image("china.jpg")[:375, :500]


def jpeg(image):
    return tf.io.encode_jpeg(image, quality=95)


def decoder(shape, **data):
    source = types.SimpleNamespace(image_shape=None, content=lambda stored: stored)
    return Decoder(source, shape, Data(**data))


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "lanczos3"])
def test_the_middle_is_that_of_pil(photograph, interpolation):
    """`Resize(256)` and `CenterCrop(224)`, as timm evaluates its models with `crop_pct` 0.875."""
    ours = decoder((224, 224, 3), crop=0.875, interpolation=interpolation).whole(jpeg(photograph))
    picture = PIL.Image.fromarray(tf.io.decode_jpeg(jpeg(photograph)).numpy())
    method = {"lanczos3": "LANCZOS"}.get(interpolation, interpolation.upper())
    resized = picture.resize((256 * 500 // 375, 256), PIL.Image.Resampling[method])
    left, top = round((resized.width - 224) / 2), round((256 - 224) / 2)
    theirs = np.asarray(resized.crop((left, top, left + 224, top + 224)), int)
    difference = np.abs(np.asarray(ours, int) - theirs)
    # PIL rounds between its two passes, and its wider kernels overshoot more at edges.
    largest = {"bilinear": 2, "bicubic": 4, "lanczos3": 10}[interpolation]
    assert difference.max() <= largest and difference.mean() < 0.3


def test_a_tall_picture_is_covered_too(photograph):
    tall = photograph[:, 200:300]
    ours = decoder((30, 40, 3), crop=1.0).whole(jpeg(tall))
    picture = PIL.Image.fromarray(tf.io.decode_jpeg(jpeg(tall)).numpy())
    resized = picture.resize((40, 150), PIL.Image.Resampling.BILINEAR)
    difference = np.abs(np.asarray(ours, int) - np.asarray(resized.crop((0, 60, 40, 90)), int))
    assert difference.max() <= 2


def test_without_a_crop_the_whole_picture_is_stretched(photograph):
    ours = decoder((20, 20, 3)).whole(jpeg(photograph))
    picture = PIL.Image.fromarray(tf.io.decode_jpeg(jpeg(photograph)).numpy())
    theirs = np.asarray(picture.resize((20, 20), PIL.Image.Resampling.BILINEAR), int)
    assert np.abs(np.asarray(ours, int) - theirs).max() <= 1


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "lanczos3"])
def test_bright_pixels_do_not_begin_again_at_black(interpolation):
    edge = np.zeros((64, 64, 3), np.uint8)
    edge[:, 32:] = 255
    ours = decoder((48, 48, 3), interpolation=interpolation).whole(tf.io.encode_png(edge)).numpy()
    assert (ours[:, :20] <= 30).all() and (ours[:, 28:] >= 225).all()


@pytest.mark.parametrize("encode", [jpeg, tf.io.encode_png], ids=["jpeg", "png"])
def test_a_part_is_what_decoding_all_of_it_gives(photograph, encode):
    content, seed = encode(photograph), tf.constant([3, 4], tf.int64)
    part = decoder((32, 32, 3)).part(content, seed, 0.1, 4 / 3)
    whole = tf.io.decode_image(content, 3)
    np.testing.assert_array_equal(part, _cut(whole, seed))
    np.testing.assert_array_equal(_cut(whole, seed), _cut(whole, seed))
    assert (_cut(whole, seed).numpy() != _cut(whole, seed + 1).numpy()).any()


def _cut(whole, seed):
    top, left, height, width = random_box(tf.shape(whole), seed, 0.1, 4 / 3).numpy()
    part = whole[top : top + height, left : left + width]
    return tf.cast(tf.round(tf.image.resize(part, (32, 32), antialias=True)), tf.uint8)


def test_random_boxes_keep_to_their_limits_and_cover_the_picture():
    seeds = tf.stack([tf.zeros(2000, tf.int64), tf.range(2000, dtype=tf.int64)], 1)
    boxes = tf.map_fn(
        lambda seed: random_box(tf.constant([300, 400, 3]), seed, 0.08, 4 / 3),
        seeds,
        fn_output_signature=tf.int32,
    ).numpy()
    top, left, height, width = boxes.T
    area, aspect = height * width / 120_000, width / height
    assert (top >= 0).all() and (left >= 0).all()
    assert (top + height <= 300).all() and (left + width <= 400).all()
    assert area.min() > 0.075 and area.max() > 0.9 and 0.3 < area.mean() < 0.7
    assert aspect.min() > 0.73 and aspect.max() < 1.36
    assert top.max() > 150 and left.max() > 200


def test_a_part_of_an_image_in_memory(photograph):
    image = tf.constant(photograph[:40, :50])
    part = random_part(image, tf.constant([1, 2], tf.int64), 0.3, 1.2, "bilinear")
    assert part.shape == image.shape and part.dtype == tf.uint8
    assert (part.numpy() != image.numpy()).any()
    np.testing.assert_array_equal(
        random_part(image, tf.constant([1, 2], tf.int64), 1.0, 1.25, "bilinear").shape, image.shape
    )


def test_channels_are_the_models():
    (image,) = photographs(1)
    grey = decoder((16, 16, 1)).whole(jpeg(image))
    assert grey.shape == (16, 16, 1)
    buffer = io.BytesIO()
    PIL.Image.fromarray(image).convert("CMYK").save(buffer, "JPEG")
    coloured = decoder((16, 16, 3)).whole(tf.constant(buffer.getvalue())).numpy()
    expected = decoder((16, 16, 3)).whole(jpeg(image)).numpy()
    assert np.abs(coloured.astype(int) - expected).mean() < 12
