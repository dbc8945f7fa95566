"""LayerNormalization: Keras' numbers, by fewer large tensors in bfloat16."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_mlp import MLPMixer
from keras_mlp.layers import LayerNormalization, TokenNormalization
from keras_mlp.layers.layer_normalization import layer_norm_computed_by

SHAPE = (4, 6, 32)
RNG = np.random.default_rng(0)
# A mean far from 0, where a careless formula loses digits.
X = (RNG.normal(size=SHAPE) + 3.0).astype("float32")
UPSTREAM = np.random.default_rng(1).normal(size=SHAPE).astype("float32")
WEIGHTS = [RNG.uniform(0.5, 1.5, 32).astype("float32"), RNG.normal(size=32).astype("float32")]


def built(kind, dtype, **arguments):
    layer = kind(epsilon=1e-6, dtype=dtype, **arguments)
    layer.build((None, *SHAPE[1:]))
    layer.set_weights(WEIGHTS[: len(layer.weights)])
    return layer


def value_and_gradients(layer, x):
    """Output, and the gradients of the inputs and weights, all as float32."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x)
        loss = tf.reduce_sum(tf.cast(y, "float32") * UPSTREAM)
    variables = [weight.value for weight in layer.weights]
    return [
        np.array(tf.cast(each, "float32")) for each in (y, *tape.gradient(loss, [x, *variables]))
    ]


@pytest.mark.parametrize("kind", [LayerNormalization, TokenNormalization])
@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "bfloat16"])
def test_bfloat16_is_as_exact_as_keras(kind, dtype):
    x = tf.cast(X, "bfloat16")
    exact = value_and_gradients(
        built(keras.layers.LayerNormalization, "float32"), tf.cast(x, "float32")
    )
    theirs = value_and_gradients(built(keras.layers.LayerNormalization, dtype), x)
    ours = value_and_gradients(built(kind, dtype), x)
    for one, their, truth in zip(ours, theirs, exact, strict=True):
        np.testing.assert_allclose(one, truth, rtol=0, atol=0.02 * np.abs(truth).max())
        error, their_error = (np.abs(each - truth).mean() for each in (one, their))
        assert error < 1.1 * their_error


@pytest.mark.parametrize("dtype", ["float32", "mixed_float16"])
def test_other_dtypes_are_keras_own_bit_for_bit(dtype):
    x = tf.cast(X, "float32" if dtype == "float32" else "float16")
    ours, theirs = (
        value_and_gradients(built(kind, dtype), x)
        for kind in (LayerNormalization, keras.layers.LayerNormalization)
    )
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("arguments", [{"axis": 1}, {"scale": False}, {"center": False}])
def test_other_arguments_are_keras_own_bit_for_bit(arguments):
    x = tf.cast(X, "bfloat16")
    layers = [
        kind(dtype="bfloat16", **arguments)
        for kind in (LayerNormalization, keras.layers.LayerNormalization)
    ]
    np.testing.assert_array_equal(*[tf.cast(layer(x), "float32") for layer in layers])


def large_tensors(layer):
    """How many operations of the graph return as much as the inputs."""
    graph = tf.function(layer).get_concrete_function(tf.TensorSpec(SHAPE, "bfloat16")).graph
    return sum(op.outputs[0].shape == SHAPE for op in graph.get_operations() if op.outputs)


def test_bfloat16_makes_fewer_large_tensors():
    ours, theirs = (
        large_tensors(built(kind, "bfloat16"))
        for kind in (LayerNormalization, keras.layers.LayerNormalization)
    )
    assert ours < theirs


def test_another_form_lasts_as_long_as_its_block():
    layer = built(LayerNormalization, "float32")
    expected = np.array(layer(X))

    def choice(dtype):
        assert dtype == "float32"
        return lambda x, gamma, beta, epsilon: x * gamma + beta + epsilon

    with layer_norm_computed_by(lambda dtype: None):
        np.testing.assert_array_equal(layer(X), expected)
    with pytest.raises(RuntimeError), layer_norm_computed_by(choice):
        np.testing.assert_allclose(layer(X), X * WEIGHTS[0] + WEIGHTS[1], rtol=1e-5, atol=1e-5)
        raise RuntimeError
    np.testing.assert_array_equal(layer(X), expected)


def test_a_file_with_the_layer_of_keras_still_loads(tmp_path):
    inputs = keras.Input(SHAPE[1:])
    model = keras.Model(inputs, keras.layers.LayerNormalization(name="norm")(inputs))
    model.save(tmp_path / "old.keras")
    loaded = keras.models.load_model(tmp_path / "old.keras")
    np.testing.assert_array_equal(loaded(X), model(X))


def test_a_model_in_bfloat16_computes_the_same_after_loading(tmp_path):
    model = MLPMixer.from_variant("pico/2", num_classes=3, dtype="bfloat16")
    images = RNG.integers(0, 256, (2, *model.image_shape)).astype("uint8")
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(*[tf.cast(each(images), "float32") for each in (model, loaded)])
