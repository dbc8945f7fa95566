"""The gradient of a bias in bfloat16, which TensorFlow's BiasAddGrad sums in eight bits on CPUs."""

import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_mlp.layers import Dense, PatchEmbedding
from keras_mlp.layers.backend import axes_kept
from keras_mlp.layers.bias import add_bias
from keras_mlp.layers.depthwise_conv2d import DepthwiseConv2D
from keras_mlp.layers.patch_kernel import patches_multiplied
from training.engine.tensorflow.step_forms import step_forms

CASES = {
    "rows": (Dense, {"units": 8}, (12544, 4), contextlib.nullcontext),
    "tokens": (Dense, {"units": 8}, (64, 196, 4), contextlib.nullcontext),
    "tokens, axes kept": (Dense, {"units": 8}, (64, 196, 4), axes_kept),
    "tokens, in a training step": (
        Dense,
        {"units": 8},
        (64, 196, 4),
        lambda: step_forms(compiles_parts=False),
    ),
    "depthwise": (
        DepthwiseConv2D,
        {"kernel_size": 3, "padding": "same"},
        (64, 14, 14, 8),
        contextlib.nullcontext,
    ),
    "patches": (
        PatchEmbedding,
        {"hidden_dim": 8, "patch_size": 4},
        (64, 56, 56, 3),
        patches_multiplied,
    ),
}


def gradients(layer, inputs, upstream, forms):
    @tf.function
    def run():
        with forms(), tf.GradientTape() as tape:
            outputs = layer(inputs, training=True)
            loss = tf.reduce_sum(tf.cast(outputs, tf.float32) * upstream)
        variables = [variable.value for variable in layer.trainable_variables]
        return tf.cast(outputs, tf.float32), tape.gradient(loss, variables)

    outputs, found = run()
    names = [variable.name for variable in layer.trainable_variables]
    return outputs.numpy(), dict(zip(names, (each.numpy() for each in found), strict=True))


@pytest.mark.parametrize("case", CASES)
def test_it_is_as_precise_as_that_of_the_kernel(case):
    kind, arguments, shape, forms = CASES[case]
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=shape).astype("float32")
    precise, layer = kind(**arguments), kind(**arguments, dtype="mixed_bfloat16")
    for each in (precise, layer):
        each.build(shape)
    layer.set_weights(precise.get_weights())
    upstream = rng.normal(0.1, 1, precise(inputs).shape).astype("float32")
    expected = gradients(precise, inputs, upstream, contextlib.nullcontext)
    found = gradients(layer, inputs, upstream, forms)
    np.testing.assert_allclose(found[0], expected[0], rtol=0, atol=0.05)
    for name, gradient in found[1].items():
        error = np.linalg.norm(gradient - expected[1][name])
        assert error < 0.01 * np.linalg.norm(expected[1][name]), name


def operations(training, dtype):
    @tf.function
    def add(inputs, bias):
        return add_bias(inputs, bias, training)

    specs = tf.TensorSpec((None, 4), dtype), tf.TensorSpec((4,), dtype)
    graph = add.get_concrete_function(*specs).graph
    return {operation.type for operation in graph.get_operations()} & {"BiasAdd", "AddV2"}


def test_elsewhere_it_is_the_operation_that_is_fused_into_a_product():
    assert operations(True, tf.bfloat16) == {"AddV2"}
    for training, dtype in ((False, tf.bfloat16), (None, tf.bfloat16), (True, tf.float32)):
        assert operations(training, dtype) == {"BiasAdd"}


def test_the_sum_is_the_same_in_every_form():
    rng = np.random.default_rng(0)
    inputs, bias = (tf.cast(rng.normal(size=shape), tf.bfloat16) for shape in ((7, 3, 4), (4,)))
    expected = keras.ops.add(inputs, bias)
    with step_forms(compiles_parts=False):
        in_a_step = add_bias(inputs, bias, training=True)
    for found in (in_a_step, add_bias(inputs, bias, training=True)):
        np.testing.assert_array_equal(found, expected)
