"""What `export_saved_model` writes, read back by plain TensorFlow."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_mlp import export_saved_model, saved_model_info
from tests.export.toys import some_images, some_pixels, toy

BATCHES = (1, 5, 33)


@pytest.mark.parametrize("batch", BATCHES)
def test_outputs_equal_the_keras_model(exported, loaded, batch):
    model, _ = exported
    pixels, images = some_pixels(batch), some_images(batch)
    np.testing.assert_allclose(loaded(pixels), model(pixels), rtol=0, atol=1e-6)
    np.testing.assert_allclose(loaded(images), model(images * 255), rtol=0, atol=1e-6)
    assert np.ptp(loaded(images)) > 0.1  # so that the comparisons above are not trivial


def test_every_way_to_call_it_gives_the_same(loaded):
    pixels, images = some_pixels(4), some_images(4)
    expected = loaded(images)
    for outputs in (
        loaded(images, False),
        loaded(images, training=False),
        loaded.serve(images),
        loaded.signatures["serving_default"](images=tf.constant(images))["logits"],
    ):
        np.testing.assert_array_equal(outputs, expected)
    served = loaded.signatures["serving_uint8"](pixels=tf.constant(pixels))
    assert list(served) == ["logits"]
    np.testing.assert_array_equal(served["logits"], loaded.serve(pixels))


def test_features_are_what_the_classifier_sees(exported, tmp_path):
    model, _ = exported
    path = export_saved_model(model, tmp_path / "features", output="features")
    loaded, pixels = tf.saved_model.load(str(path)), some_pixels(5)
    expected = keras.Model(model.input, model.get_layer("pool").output)(pixels)
    np.testing.assert_allclose(loaded(pixels), expected, rtol=0, atol=1e-6)
    served = loaded.signatures["serving_default"](images=tf.constant(some_images(5)))
    assert served["default"].shape == (5, 8)
    assert not any(variable.name.startswith("head/") for variable in loaded.variables)
    assert saved_model_info(path)["output"] == "features"


def test_a_model_of_probabilities_exports_logits(tmp_path):
    model, pixels = toy(classifier_activation="softmax"), some_pixels(4)
    path = export_saved_model(model, tmp_path / "toy", features=["block_0"], class_names=["a"] * 3)
    logits = tf.saved_model.load(str(path)).signatures["serving_uint8"](pixels=tf.constant(pixels))
    np.testing.assert_allclose(tf.nn.softmax(logits["logits"]), model(pixels), rtol=0, atol=1e-6)
    assert np.abs(logits["logits"] - model(pixels)).max() > 0.1


def test_a_model_without_top_exports_features(tmp_path):
    model = toy(include_top=False)
    path = export_saved_model(model, tmp_path / "toy")
    served = tf.saved_model.load(str(path)).signatures["serving_uint8"]
    outputs = served(pixels=tf.constant(some_pixels(2)))["default"]
    np.testing.assert_allclose(outputs, model(some_pixels(2)), rtol=0, atol=1e-6)
    assert saved_model_info(path)["output"] == "features"


def test_a_model_without_preprocessing_takes_its_own_floats_only(tmp_path):
    model, images = toy(include_preprocessing=False), some_images(2)
    path = export_saved_model(model, tmp_path / "toy")
    loaded = tf.saved_model.load(str(path))
    np.testing.assert_allclose(loaded(images), model(images), rtol=0, atol=1e-6)
    assert list(loaded.signatures) == ["serving_default"]
    with pytest.raises(ValueError, match="Could not find matching concrete function"):
        loaded(some_pixels(2))
    assert [kind["range"] for kind in saved_model_info(path)["inputs"]] == [None]


@pytest.mark.parametrize(
    ("policy", "output"),
    [("mixed_bfloat16", "logits"), ("mixed_float16", "features"), ("bfloat16", "features")],
)
def test_half_precision_gives_float32(policy, output, tmp_path):
    model = toy(dtype=policy)
    loaded = tf.saved_model.load(str(export_saved_model(model, tmp_path / "toy", output=output)))
    part = model if output == "logits" else keras.Model(model.input, model.get_layer("pool").output)
    for inputs, pixels in (
        (some_pixels(5), some_pixels(5)),
        (some_images(5), some_images(5) * 255),
    ):
        # Compared as graphs, where TensorFlow fuses other kernels, which round differently.
        outputs, expected = loaded(inputs), tf.cast(tf.function(part)(pixels), "float32")
        assert outputs.dtype == tf.float32
        np.testing.assert_allclose(outputs, expected, rtol=0, atol=1e-6)


def test_a_new_process_needs_tensorflow_only(exported, tmp_path):
    model, path = exported
    np.savez(tmp_path / "in.npz", pixels=some_pixels(5), images=some_images(5))
    code = (
        "import sys, numpy as np, tensorflow as tf\n"
        "path, folder = sys.argv[1:]\n"
        "loaded, inputs = tf.saved_model.load(path), np.load(f'{folder}/in.npz')\n"
        "np.savez(f'{folder}/out.npz', **{name: loaded(inputs[name]) for name in inputs})\n"
        "assert 'keras_mlp' not in sys.modules\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    command = [sys.executable, "-c", code, str(path), str(tmp_path)]
    subprocess.run(command, env=environment, cwd=tmp_path, check=True)
    outputs = np.load(tmp_path / "out.npz")
    np.testing.assert_allclose(outputs["pixels"], model(some_pixels(5)), rtol=0, atol=1e-6)
    np.testing.assert_allclose(outputs["images"], model(some_images(5) * 255), rtol=0, atol=1e-6)


def test_keras_own_layer_infers_and_trains_in_its_modes(exported):
    model, path = exported
    layer = keras.layers.TFSMLayer(str(path), call_endpoint="serve", call_training_endpoint="train")
    for inputs, pixels in (
        (some_pixels(3), some_pixels(3)),
        (some_images(3), some_images(3) * 255),
    ):
        np.testing.assert_allclose(layer(inputs), model(pixels), rtol=0, atol=1e-6)
        assert np.abs(layer(inputs, training=True) - model(pixels)).max() > 1e-3
    assert len(layer.trainable_weights) >= len(model.trainable_weights)


def test_importing_the_package_does_not_import_tensorflow():
    pytest.importorskip("jax")
    code = "import sys, keras_mlp; assert 'tensorflow' not in sys.modules"
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
