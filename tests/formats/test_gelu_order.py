"""Only exact GELUs are reordered, and outputs stay equal."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_mlp.formats.gelu_order import reorder_gelu
from keras_mlp.formats.inference_graph import inference_graph
from keras_mlp.layers import gelu
from tests.contract import some_pixels, with_random_weights
from tests.test_contract import factory


def served(folder, pixels):
    loaded = tf.saved_model.load(str(folder))
    return loaded.signatures["serving_default"](tf.constant(pixels))["logits"].numpy()


def test_every_gelu_is_found(tmp_path):
    model = with_random_weights(factory("MLPMixer")())
    inference_graph(model, deployed=True).save(tmp_path)
    pixels = some_pixels(model)
    before, file = served(tmp_path, pixels), (tmp_path / "saved_model.pb").read_bytes()
    assert reorder_gelu(tmp_path) == 4  # two blocks of two MLPs
    assert (tmp_path / "saved_model.pb").read_bytes() != file
    # TensorFlow no longer fuses it either, and its fused GELU rounds differently.
    np.testing.assert_allclose(served(tmp_path, pixels), before, rtol=0, atol=1e-6)
    assert reorder_gelu(tmp_path) == 0


def difference(x):
    return 0.5 * x * (2.0 - keras.ops.erf(0.7 * x))


def other_half(x):
    return 0.4 * x * (1.0 + keras.ops.erf(0.7 * x))


def other_one(x):
    return 0.5 * x * (2.0 + keras.ops.erf(0.7 * x))


def shared_sum(x):
    total = 1.0 + keras.ops.erf(0.7 * x)
    return 0.5 * x * total + total


def shared_half(x):
    half = 0.5 * x
    return half * (1.0 + keras.ops.erf(0.7 * x)) + half


OTHERS = (keras.ops.erf, difference, other_half, other_one, shared_sum, shared_half)


@pytest.mark.parametrize(
    ("function", "count"),
    [(gelu, 1), *((function, 0) for function in OTHERS)],
)
def test_only_its_pattern_is_touched(function, count, tmp_path):
    images = keras.Input((4, 4, 1))
    model = keras.Model(images, function(images))
    inference_graph(model, deployed=True).save(tmp_path)
    values = np.linspace(-3, 3, 16, dtype="float32").reshape(1, 4, 4, 1)
    before = served(tmp_path, values)
    assert reorder_gelu(tmp_path) == count
    np.testing.assert_array_equal(served(tmp_path, values), before)
