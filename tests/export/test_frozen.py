"""frozen_function: the model's outputs, by a graph with constants for weights."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_mlp import ARCHITECTURES, MLPMixer, frozen_function
from keras_mlp.export import frozen
from tests.contract import some_pixels, with_random_weights
from tests.export.toys import functional, toy
from tests.export.toys import some_pixels as toy_pixels

ONE_OPERATION = "_MklLayerNorm"


@pytest.fixture(scope="module")
def model():
    return toy()


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_computes_the_same(name):
    architecture = ARCHITECTURES[name]
    variant = next(each for each in architecture.variants if each.startswith("pico/"))
    model = with_random_weights(architecture.from_variant(variant, num_classes=3))
    images = some_pixels(model)
    expected = np.array(model(images, training=False))
    found = frozen_function(model)(images)
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5 * np.abs(expected).max())


@pytest.mark.parametrize("dtype", ["bfloat16", "mixed_bfloat16"])
def test_bfloat16_is_close_to_float32(dtype, model):
    lower = toy(dtype=dtype)
    lower.set_weights(model.get_weights())
    images = toy_pixels(4)
    exact = np.array(model(images, training=False))
    found = frozen_function(lower)(images)
    assert found.dtype == tf.float32
    np.testing.assert_allclose(found, exact, rtol=0, atol=0.03 * np.abs(exact).max())


def test_takes_any_batch_and_dtype(model):
    run, images = frozen_function(model), toy_pixels(5)
    expected = np.array(model(images, training=False))
    for batch in (images, images.astype("float32"), tf.constant(images)):
        np.testing.assert_allclose(run(batch), expected, rtol=0, atol=1e-5)
    assert run(images[:0]).shape == (0, 3)
    np.testing.assert_allclose(run(images[:1]), expected[:1], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "shape", [(2, 16, 16, 3), (1, 9, 9, 3), (2, 4, 16, 3), (8, 8, 3), (2, 8, 8, 1), (8,)]
)
def test_another_shape_is_refused(shape, model):
    pixels = np.zeros(shape, "uint8")
    with pytest.raises(ValueError, match=r"expected images of shape \(B, 8, 8, 3\), got"):
        frozen_function(model)(pixels)
    dense = keras.Sequential([keras.Input((8,)), keras.layers.Dense(2)])
    if shape != (8,):
        with pytest.raises(ValueError, match=r"expected a shape \(None, 8\), got"):
            frozen_function(dense)(pixels)


def test_a_size_that_is_unknown_until_it_runs_is_checked_then(model):
    run = frozen_function(model)
    traced = tf.function(run, input_signature=[tf.TensorSpec((None, None, None, 3))])
    images = toy_pixels(2).astype("float32")
    np.testing.assert_allclose(traced(images), run(images), rtol=0, atol=1e-6)
    with pytest.raises(tf.errors.InvalidArgumentError):
        traced(np.zeros((2, 16, 16, 3), "float32"))


def test_pixels_of_another_range_are_warned_of():
    with pytest.warns(UserWarning, match="pixels"):
        frozen_function(toy())(np.random.default_rng(0).random((2, 8, 8, 3), "float32"))


@pytest.mark.parametrize("name", ["ConvMixer", "RepMLPNet", "VisionPermutator"])
def test_a_batch_smaller_than_its_parts_is_computed(name):
    model = with_random_weights(ARCHITECTURES[name].from_variant("pico/2", num_classes=3))
    run, images = frozen_function(model, 2), some_pixels(model)
    expected = np.array(model(images[:1], training=False))
    np.testing.assert_allclose(run(images[:1]), expected, rtol=0, atol=1e-4)
    assert run(images[:0]).shape == (0, 3)


@pytest.mark.parametrize("parts", [2, 3])
def test_parts_of_a_batch_give_the_same(parts, model):
    run, images = frozen_function(model, parts), toy_pixels(5)
    for batch in (1, 4, 5):
        expected = np.array(model(images[:batch], training=False))
        np.testing.assert_allclose(run(images[:batch]), expected, rtol=0, atol=1e-5)
    assert run(images[:0]).shape == (0, 3)


def test_each_part_has_operations_of_its_own(model):
    one, three = (
        optimized_operations(frozen_function(model, parts), toy_pixels(6).astype("float32"))
        for parts in (1, 3)
    )
    for kind in ("_MklNativeFusedMatMul", "_FusedMatMul", ONE_OPERATION):
        assert three.count(kind) == 3 * one.count(kind)
    assert three.count("ConcatV2") == 1


@pytest.mark.parametrize("parts", [0, -1, 1.5, "2"])
def test_parts_are_a_positive_integer(parts, model):
    with pytest.raises(ValueError, match="`parts` must be a positive integer"):
        frozen_function(model, parts=parts)


def test_weights_are_those_of_the_moment(model):
    changing = keras.models.clone_model(model)
    changing.set_weights(model.get_weights())
    run, images = frozen_function(changing), toy_pixels(2)
    before = np.array(run(images))
    changing.set_weights([2 * each for each in changing.get_weights()])
    np.testing.assert_array_equal(run(images), before)
    assert np.abs(np.array(changing(images, training=False)) - before).max() > 0.1


def test_a_quantized_model_freezes_too(model):
    quantized = keras.models.clone_model(model)
    quantized.set_weights(model.get_weights())
    for layer in quantized.layers:
        if layer.name.startswith("block_"):
            for mlp in (layer.token_mlp, layer.channel_mlp):
                mlp.fc1.quantize("int8")
    images = toy_pixels(2)
    expected = np.array(quantized(images, training=False))
    np.testing.assert_allclose(frozen_function(quantized)(images), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("size", [1.0, 1e-3, 1e3])
@pytest.mark.parametrize("epsilon", [1e-6, 1e-2])
@pytest.mark.parametrize("shape", [(6, 8), (2, 3, 8), (2, 1, 3, 8)])
def test_layer_norm_is_one_operation_with_its_own_epsilon(shape, epsilon, size):
    """With small inputs too, whose variance is less than epsilon."""
    if not frozen._has_one_operation("float32"):
        pytest.skip("This TensorFlow has no such operation.")
    x = size * np.random.default_rng(0).normal(size=shape).astype("float32")
    weights = [np.linspace(*ends, 8, dtype="float32") for ends in ((1, 2), (-1, 1))]
    open_shape = tf.TensorSpec((None,) * (len(shape) - 1) + shape[-1:])
    run = tf.function(
        lambda x: frozen._one_operation(x, *map(tf.constant, weights), epsilon),
        input_signature=[open_shape],
    )
    rows = x - x.mean(-1, keepdims=True)
    rows = rows / np.sqrt(np.square(rows).mean(-1, keepdims=True) + epsilon)
    np.testing.assert_allclose(run(x), rows * weights[0] + weights[1], rtol=0, atol=2e-6)
    assert run.get_concrete_function().structured_outputs.shape[-1] == 8


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_tensorflow_without_that_operation_computes_the_same(dtype, monkeypatch):
    model, images = toy(dtype=dtype), toy_pixels(2)
    frozen._has_one_operation.cache_clear()
    monkeypatch.setattr(frozen, "_LAYER_NORM", "NoSuchOperation")
    assert not frozen._has_one_operation(dtype)
    run = frozen_function(model)
    frozen._has_one_operation.cache_clear()
    expected = np.array(model(images, training=False), "float32")
    tolerance = {"float32": 1e-5, "bfloat16": 0.03}[dtype] * np.abs(expected).max()
    np.testing.assert_allclose(run(images), expected, rtol=0, atol=tolerance)


def optimized_operations(run, images):
    """The kinds of operations in the graph that TensorFlow ran, after Grappler."""
    from tensorflow.python.eager import context

    context.context().enable_run_metadata()
    try:
        context.context().export_run_metadata()  # leaves out what ran since the last call
        run(images)
        metadata = context.context().export_run_metadata()
    finally:
        context.context().disable_run_metadata()
    graphs = [each.post_optimization_graph for each in metadata.function_graphs]
    # The others are operations that ran eagerly, such as the cast of the images.
    return [node.op for node in max((graph.node for graph in graphs), key=len)]


def has_onednn():
    from tensorflow.python.framework import test_util

    return test_util.IsMklEnabled()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("is_new", [False, True])
def test_has_constants_for_weights_and_one_operation_for_each_part(dtype, is_new):
    """Also a model that was never trained, whose biases are 0: adding nothing is optimised away."""
    model = toy(dtype=dtype)
    if is_new:
        model = MLPMixer.from_config(model.get_config())
    operations = optimized_operations(frozen_function(model), toy_pixels(2).astype("float32"))
    assert "Const" in operations and "ReadVariableOp" not in operations
    if not has_onednn():
        pytest.skip("This TensorFlow runs without oneDNN.")
    assert operations.count(ONE_OPERATION) == 2 * model.num_layers + 1
    assert operations.count("_FusedMatMul") + operations.count("_MklNativeFusedMatMul") == (
        4 * model.num_layers + 1
    )
    assert "Erf" not in operations


def test_refuses_what_it_cannot_freeze(model, monkeypatch):
    with pytest.raises(ValueError, match=r"`model` must be a built functional Keras model"):
        frozen_function(keras.layers.Dense(2))
    inputs = [keras.Input((4,), name=name) for name in ("a", "b")]
    with pytest.raises(ValueError, match=r"one tensor as input, has 2"):
        frozen_function(functional(*inputs))
    with pytest.raises(ValueError, match=r"one tensor as output, has 2"):
        frozen_function(functional(inputs[0], outputs=2))
    with monkeypatch.context() as patch:
        patch.setattr(keras.backend, "backend", lambda: "jax")
        with pytest.raises(RuntimeError, match="`frozen_function` needs the TensorFlow backend"):
            frozen_function(model)
    monkeypatch.setattr(frozen, "_MAX_BYTES", 100)
    with pytest.raises(ValueError, match=r"GiB of weights.*`tf.function`"):
        frozen_function(model)
