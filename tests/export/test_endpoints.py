"""Endpoints other than the plain call: features, files, any size, class names; and checks."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from keras_mlp import export_saved_model, saved_model_info
from tests.export.picture_files import png
from tests.export.toys import functional, some_images, some_pixels, toy

FEATURES = ["block_0", "block_0/token_mixing", "stem", "pool", "head"]


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """A toy and the folder of its SavedModel with features, class names and any image size."""
    model = toy()
    path = tmp_path_factory.mktemp("saved") / "full"
    names = ["a cat", "größer", "x"]
    options = {"features": FEATURES, "class_names": names, "resize": "bicubic"}
    return model, export_saved_model(model, path, **options)


@pytest.fixture(scope="module")
def loaded_full(full):
    return tf.saved_model.load(str(full[1]))


def resized(pixels, method="bilinear"):
    images = tf.image.resize(pixels, (8, 8), method, antialias=True)
    return np.clip(np.round(images), 0, 255).astype("uint8")


def test_features_are_those_of_the_model(full, loaded_full):
    model, loaded = full[0], loaded_full
    expected = model.features(FEATURES)(some_pixels(5))
    served = loaded.signatures["serving_features"](
        images=tf.constant(some_pixels(5) / 255, "float32")
    )
    for outputs in (loaded.features(some_pixels(5)), served):
        assert set(outputs) == set(FEATURES)
        assert outputs["block_0"].shape == (5, 2, 2, 8)
        for name in FEATURES:
            np.testing.assert_allclose(outputs[name], expected[name], rtol=0, atol=1e-5)
    np.testing.assert_array_equal(loaded.features(some_pixels(5))["head"], loaded(some_pixels(5)))


def test_features_beside_pooled_features(tmp_path):
    model = toy(dtype="mixed_bfloat16")
    path = export_saved_model(model, tmp_path / "toy", output="features", features=["block_0"])
    loaded = tf.saved_model.load(str(path))
    tap = loaded.features(some_pixels(2))["block_0"]
    assert tap.dtype == loaded(some_pixels(2)).dtype == tf.float32
    expected = tf.function(model.features(["block_0"]))(some_pixels(2))["block_0"]
    np.testing.assert_allclose(tap, tf.cast(expected, "float32"), rtol=0, atol=1e-6)
    assert "serving_features" in {kind["signature"] for kind in saved_model_info(path)["inputs"]}


def test_only_two_functions_hold_the_graph_of_the_model(full):
    content = saved_model_pb2.SavedModel.FromString((full[1] / "saved_model.pb").read_bytes())
    functions = content.meta_graphs[0].graph_def.library.function
    holding = [f for f in functions if any(node.op == "Conv2D" for node in f.node_def)]
    assert len(holding) == 2 < len(functions)


def test_without_features_there_is_no_such_endpoint(loaded):
    assert not hasattr(loaded, "features")
    assert set(loaded.signatures) == {"serving_default", "serving_uint8", "serving_bytes"}


def test_files_of_the_models_size_give_what_their_pixels_give(loaded):
    pixels = some_pixels(5)
    served = loaded.signatures["serving_bytes"](encoded=tf.constant([png(each) for each in pixels]))
    assert list(served) == ["logits"]
    expected = loaded.signatures["serving_uint8"](pixels=tf.constant(pixels))["logits"]
    np.testing.assert_array_equal(served["logits"], expected)


@pytest.mark.parametrize("method", [None, "bicubic"])
def test_files_of_other_sizes_are_resized(exported, loaded, full, loaded_full, method):
    (model, path), saved = (exported, loaded) if method is None else (full, loaded_full)
    rng = np.random.default_rng(3)
    pictures = [rng.integers(0, 256, (*size, 3)).astype("uint8") for size in ((5, 30), (16, 16))]
    expected = model(np.stack([resized(each, method or "bilinear") for each in pictures]))
    served = saved.signatures["serving_bytes"]
    outputs = served(encoded=tf.constant([png(each) for each in pictures]))["logits"]
    np.testing.assert_allclose(outputs, expected, rtol=0, atol=1e-6)
    encoded = saved_model_info(path)["inputs"][2]
    assert encoded["signature"] == "serving_bytes"
    assert encoded["resize"] == (method or "bilinear")


def test_no_file_is_no_output(loaded):
    served = loaded.signatures["serving_bytes"]
    assert served(encoded=tf.constant([], tf.string))["logits"].shape == (0, 3)


def test_a_model_of_uint8_takes_files_and_resizes(tmp_path):
    model = functional(keras.Input((8, 8, 3), dtype="uint8"))
    path = export_saved_model(model, tmp_path / "toy", resize="area")
    loaded = tf.saved_model.load(str(path))
    pixels = np.random.default_rng(3).integers(0, 256, (2, 20, 12, 3)).astype("uint8")
    expected = model(resized(pixels, "area"))
    np.testing.assert_allclose(loaded(pixels), expected, rtol=1e-6)
    served = loaded.signatures["serving_bytes"](encoded=tf.constant([png(p) for p in pixels]))
    np.testing.assert_allclose(served["logits"], expected, rtol=1e-6)


@pytest.mark.parametrize(("image_shape", "preprocessing"), [((8, 8, 2), True), ((8, 8, 3), False)])
def test_models_that_no_file_fits_have_no_endpoint_for_them(tmp_path, image_shape, preprocessing):
    model = toy(image_shape=image_shape, include_preprocessing=preprocessing)
    path = export_saved_model(model, tmp_path / "toy")
    assert "serving_bytes" not in tf.saved_model.load(str(path)).signatures


@pytest.mark.parametrize("method", ["nearest", "bilinear", "bicubic", "area"])
def test_any_size_is_taken_and_the_models_own_is_left_alone(exported, loaded, tmp_path, method):
    model, plain = exported[0], loaded
    path = export_saved_model(model, tmp_path / "toy", resize=method)
    loaded, rng = tf.saved_model.load(str(path)), np.random.default_rng(3)
    for batch in (some_pixels(5), some_images(5)):
        np.testing.assert_array_equal(loaded(batch), plain(batch))
    for size in ((1, 1), (8, 20), (33, 17)):
        pixels = rng.integers(0, 256, (3, *size, 3)).astype("uint8")
        np.testing.assert_allclose(loaded(pixels), model(resized(pixels, method)), 0, 1e-6)
        images = rng.random((3, *size, 3), "float32")
        expected = model(255 * tf.image.resize(images, (8, 8), method, antialias=True))
        np.testing.assert_allclose(loaded(images), expected, rtol=0, atol=2e-6)
        assert loaded(pixels, training=True).shape == loaded.train(images).shape == (3, 3)
    assert saved_model_info(path)["resize"] == method


def test_class_names_are_an_asset(full, loaded_full):
    _, path = full
    assert saved_model_info(path)["class_names"] == ["a cat", "größer", "x"]
    labels = (path / "assets" / "labels.txt").read_text(encoding="utf-8")
    assert labels == "a cat\ngrößer\nx\n"
    asset = loaded_full.labels.asset_path.numpy().decode()
    assert asset == str(path / "assets" / "labels.txt")
    assert "assets/labels.txt" in saved_model_info(path)["sha256"]


def test_pixels_as_floats_are_refused_by_every_endpoint_that_takes_unit_floats(loaded_full):
    loaded = loaded_full
    pixels = tf.constant(some_pixels(2), tf.float32)
    serving = [loaded.signatures[name] for name in ("serving_default", "serving_features")]
    for call in (loaded, loaded.serve, loaded.train, loaded.features, tf.function(loaded)):
        with pytest.raises(tf.errors.InvalidArgumentError, match="got pixels as floats"):
            call(pixels)
    for call in serving:
        with pytest.raises(tf.errors.InvalidArgumentError, match="got pixels as floats"):
            call(images=pixels)


@pytest.mark.parametrize("shape", [(8, 8, 3), (2, 8, 16, 3), (2, 16, 4, 3), (2, 8, 8, 1)])
def test_signatures_refuse_images_of_another_shape(loaded, shape):
    # TensorFlow itself does not check: it returned 9 outputs for 2 images, or killed the process.
    signatures = loaded.signatures
    with pytest.raises(tf.errors.InvalidArgumentError, match="not compatible with expected shape"):
        signatures["serving_default"](images=tf.zeros(shape))
    with pytest.raises(tf.errors.InvalidArgumentError, match="not compatible with expected shape"):
        signatures["serving_uint8"](pixels=tf.zeros(shape, tf.uint8))


def test_not_a_number_passes_as_such(loaded):
    images = some_images(2)
    images[0, 3, 3, 1] = np.nan
    outputs = np.asarray(loaded(images))
    assert np.isnan(outputs[0]).all() and np.isfinite(outputs[1]).all()


def test_xla_compiles_it(loaded):
    compiled = tf.function(lambda images: loaded(images), jit_compile=True)
    for batch in (some_pixels(5), some_images(5)):
        np.testing.assert_allclose(compiled(batch), loaded(batch), rtol=0, atol=1e-5)
