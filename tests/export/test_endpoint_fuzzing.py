"""1,000 inputs, most of them wrong: each call raises an error or returns the right output."""

import re
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf

from keras_mlp import export_saved_model
from keras_mlp.export.pictures import decoded, resized
from tests.export.picture_files import jpeg, png
from tests.export.toys import toy

ERRORS = (ValueError, TypeError, tf.errors.InvalidArgumentError)
DTYPES = (
    "uint8",
    "uint8",
    "uint8",
    "float32",
    "float32",
    "float64",
    "float16",
    "int32",
    "int64",
    "bool",
    "complex64",
)


@pytest.fixture(scope="module", params=[None, "bilinear"], ids=["one size", "any size"])
def toys(request, tmp_path_factory):
    """A function from pixels to the right outputs, the loaded SavedModel, and how it resizes."""
    model = toy()
    path = tmp_path_factory.mktemp("saved") / "toy"
    export_saved_model(model, path, resize=request.param, features=["block_0"])
    signature = [tf.TensorSpec((None, 8, 8, 3))]
    right = tf.function(lambda pixels: model(pixels, training=False), input_signature=signature)
    return right, tf.saved_model.load(str(path)), request.param


def some_tensor(rng):
    """A numpy array of any rank, size and dtype; half of them are images of the model's size."""
    rank = rng.integers(0, 6)
    shape = tuple(rng.choice([0, 1, 3, 7, 8, 8, 8, 20], rank))
    if rng.random() < 0.5:
        shape = (rng.integers(0, 4), 8, 8, 3)
    elif rng.random() < 0.5:
        shape = (rng.integers(0, 3), *rng.integers(0, 30, 2), 3)
    dtype = DTYPES[rng.integers(len(DTYPES))]
    values = rng.random(shape) * (255 if dtype == "uint8" else rng.choice([1.0, 1.0, 1.9, 255.0]))
    array = np.asarray(values).astype(dtype)
    if array.size and dtype == "float32" and rng.random() < 0.3:
        array = array.copy()
        array.flat[rng.integers(array.size)] = rng.choice([np.nan, np.inf, -np.inf])
    return array


def right_output(array, right, resize):
    """What the endpoints must return for an array; None if they must refuse it."""
    is_image = array.ndim == 4 and array.shape[-1] == 3 and 0 not in array.shape[1:]
    fits = is_image and (resize is not None or array.shape[1:] == (8, 8, 3))
    if not fits or array.dtype not in ("uint8", "float32"):
        return None
    if array.dtype == "float32" and (array > 2).any():
        return None
    images = tf.constant(array)
    if resize is not None:
        images = resized(images, (8, 8), resize)
    return right(tf.cast(images, tf.float32) * (255.0 if array.dtype == "float32" else 1.0))


def calls_of(loaded, array):
    """Every way to pass an array."""
    tensor = tf.constant(array)
    yield lambda: loaded(tensor)
    yield lambda: loaded.serve(tensor)
    name, argument = (
        ("serving_uint8", "pixels")
        if array.dtype == "uint8"
        else (
            "serving_default",
            "images",
        )
    )
    yield lambda: loaded.signatures[name](**{argument: tensor})["logits"]


def test_tensors(toys):
    right, loaded, resize = toys
    rng, seen = np.random.default_rng(0), {"right": 0, "refused": 0}
    for i in range(250):
        array = some_tensor(rng)
        expected = right_output(array, right, resize)
        call = list(calls_of(loaded, array))[i % 3]
        if expected is None:
            with pytest.raises(ERRORS):
                call()
            seen["refused"] += 1
            continue
        outputs = call()
        assert outputs.dtype == tf.float32 and outputs.shape == (len(array), 3)
        np.testing.assert_allclose(outputs, expected, rtol=0, atol=1e-5)
        features = loaded.features(tf.constant(array))["block_0"]
        assert features.shape == (len(array), 2, 2, 8)
        seen["right"] += 1
    assert min(seen.values()) > 40, seen


def huge(rng):
    """A small PNG whose header claims a huge size."""

    def chunk(kind, content):
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    side = int(rng.choice([20_000, 100_000, 2**31 - 1, 2**32 - 1]))
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100)))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def damaged(contents, rng):
    """A file with one of many kinds of damage."""
    kind, at = rng.integers(6), rng.integers(len(contents))
    if kind == 0:
        return contents[:at]
    if kind == 1:
        return b""
    if kind == 2:
        return rng.bytes(rng.integers(1, 300))
    if kind == 3:
        return huge(rng)
    if kind == 4:
        return contents[:at] + rng.bytes(8) + contents[at:]
    wrong = bytearray(contents)
    for place in rng.integers(0, len(wrong), rng.integers(1, 6)):
        wrong[place] ^= 1 << rng.integers(8)
    return bytes(wrong)


def test_files(toys):
    right, loaded, resize = toys
    serve = loaded.signatures["serving_bytes"]
    rng, seen = np.random.default_rng(0), {"right": 0, "refused": 0, "damaged, and read": 0}
    for _ in range(250):
        size = (8, 8) if rng.random() < 0.5 else rng.integers(1, 40, 2)
        make = png if rng.random() < 0.5 else jpeg
        files = [make(rng.integers(0, 256, (*size, 3)).astype("uint8")) for _ in range(2)]
        is_whole = rng.random() < 0.3
        if not is_whole:
            files[1] = damaged(files[1], rng)
        try:
            outputs = serve(encoded=tf.constant(files))["logits"]
        except ERRORS as error:
            assert not is_whole, error
            seen["refused"] += 1
            continue
        # If TensorFlow can read a damaged file at all, the expected output is for what it reads.
        pixels = decoded(tf.constant(files), (8, 8, 3), resize or "bilinear")
        assert outputs.dtype == tf.float32 and outputs.shape == (2, 3)
        np.testing.assert_allclose(outputs, right(tf.cast(pixels, tf.float32)), rtol=0, atol=1e-5)
        seen["right" if is_whole else "damaged, and read"] += 1
    assert min(seen.values()) > 5, seen


def test_what_is_no_batch_of_strings_is_refused(toys):
    serve = toys[1].signatures["serving_bytes"]
    contents = png(np.zeros((8, 8, 3), "uint8"))
    for wrong in (contents, [[contents]], [1], [1.5], [[]]):
        with pytest.raises(ERRORS):
            serve(encoded=tf.constant(wrong))


def test_the_error_of_a_shape_says_what_is_taken(toys):
    with pytest.raises(ValueError, match=re.escape("dtype=tf.uint8")):
        toys[1](tf.zeros((2, 8, 8), tf.uint8))
