"""Quantized models: which layers, how large the error, and that files and SavedModels keep them."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import save_file

import keras_mlp
from keras_mlp.layers.grouped_conv2d import GroupedConv2D
from keras_mlp.layers.grouped_dense import GroupedDense
from keras_mlp.layers.layer_changes import is_quantized, layers_by_path
from tests.contract import predict, reloaded, shallow, some_pixels, with_random_weights
from tests.test_contract import ROWS, factory
from tests.test_jax import run_on_jax


def error(model, before):
    """Root mean square of the change in the logits, divided by their standard deviation."""
    after = predict(model, some_pixels(model, batch=16))
    return np.sqrt(np.mean((after - before) ** 2)) / before.std()


@functools.cache
def quantized(architecture, mode="int8", **overrides):
    """A quantized toy model with random weights, and its logits before quantization."""
    model = with_random_weights(factory(architecture)(**overrides))
    before = predict(model, some_pixels(model, batch=16))
    model.quantize(mode)
    return model, before


def assert_same(copy, model):
    assert type(copy) is type(model)
    assert copy.get_config() == model.get_config()
    assert [weight.dtype for weight in copy.weights] == [weight.dtype for weight in model.weights]
    images = some_pixels(model)
    np.testing.assert_array_equal(predict(copy, images), predict(model, images))


@pytest.mark.parametrize("architecture", ROWS)
def test_every_dense_layer_is_quantized(architecture):
    layers = layers_by_path(quantized(architecture)[0]).values()
    dense = [layer for layer in layers if isinstance(layer, keras.layers.Dense)]
    assert len(dense) == sum(ROWS[architecture].dense) + 1  # the head
    assert all(layer.kernel.dtype == "int8" for layer in dense)


@pytest.mark.parametrize("architecture", ROWS)
def test_other_kernels_stay_floats(architecture):
    model = quantized(architecture)[0]
    kernels = [weight for weight in model.weights if weight.path.endswith("kernel")]
    floats = [each.path.rpartition("/")[0] for each in kernels if each.dtype == "float32"]
    assert len(kernels) - len(floats) == sum(ROWS[architecture].dense) + 1  # the head
    # Keras cannot quantize convolutions or RepMLP's grouped matrices ("fc3").
    layers = layers_by_path(model)
    kinds = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, GroupedConv2D, GroupedDense)
    assert floats and all(isinstance(layers[path], kinds) for path in floats)


@pytest.mark.parametrize("architecture", ROWS)
def test_error_is_small(architecture):
    assert 0 < error(*quantized(architecture)) < ROWS[architecture].int8_error


@pytest.mark.parametrize("architecture", ROWS)
def test_files_keep_it(architecture):
    model = quantized(architecture)[0]
    copy = reloaded(model)
    assert_same(copy, model)
    assert_same(reloaded(copy), model)


@pytest.mark.parametrize("architecture", ROWS)
def test_configs_keep_it(architecture):
    model = quantized(architecture)[0]
    copy = type(model).from_config(model.get_config())
    copy.set_weights(model.get_weights())
    assert_same(copy, model)


@pytest.mark.parametrize("architecture", ROWS)
def test_saved_models_compute_with_it(architecture, tmp_path):
    model = with_random_weights(shallow(factory(architecture))())
    model.quantize("int8")
    images = tf.constant(some_pixels(model))
    keras_mlp.export_saved_model(model, tmp_path / "model")
    loaded = tf.saved_model.load(tmp_path / "model")
    # Also a graph: eager operations may differ in the last bit, and round to another integer.
    graph = tf.function(lambda pixels: model(pixels, training=False))
    np.testing.assert_allclose(loaded(images), graph(images), rtol=0, atol=1e-6)


@pytest.mark.parametrize(("mode", "bound"), [("int4", 0.3), ("float8", 0.15)])
def test_other_modes(mode, bound):
    model, before = quantized("MLPMixer", mode)
    assert 0.02 < error(model, before) < bound
    assert_same(reloaded(model), model)


def test_mixed_precision_is_kept():
    model = quantized("MLPMixer", dtype="mixed_bfloat16")[0]
    copy = reloaded(model)
    assert_same(copy, model)
    policy = layers_by_path(copy)["block_0/token_mlp/fc1"].dtype_policy
    assert policy.name == "int8_from_mixed_bfloat16"


def test_only_some_layers():
    model = with_random_weights(factory("MLPMixer")())
    model.quantize("int8", filters="fc1")
    layers = layers_by_path(reloaded(model))
    names = [path for path, layer in layers.items() if is_quantized(layer)]
    assert names == [f"block_{i}/{mlp}/fc1" for i in (0, 1) for mlp in ("token_mlp", "channel_mlp")]
    assert_same(reloaded(model), model)


def test_a_backbone_inside_another_model_keeps_it():
    model = quantized("MLPMixer", include_top=False, pooling=None)[0]
    outer = keras.Sequential([model, keras.layers.Flatten(), keras.layers.Dense(3)])
    images = some_pixels(model)
    np.testing.assert_array_equal(predict(reloaded(outer), images), predict(outer, images))


def test_files_are_smaller(tmp_path):
    model = keras_mlp.MLPMixer.from_variant("nano/4", num_classes=10)
    model.save(tmp_path / "float32.keras")
    model.quantize("int8")
    model.save(tmp_path / "int8.keras")
    sizes = [(tmp_path / f"{name}.keras").stat().st_size for name in ("float32", "int8")]
    assert sizes[0] > 2.5 * sizes[1]


def test_a_checkpoint_is_refused(tmp_path):
    model = quantized("MLPMixer")[0]
    save_file({"stem.proj.weight": np.ones(3, "float32")}, tmp_path / "timm.safetensors")
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"cannot load a checkpoint: its layer \S+ is quantized"):
        keras_mlp.load_checkpoint(model, tmp_path / "timm.safetensors")
    for weight, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


ON_JAX = """
import sys, keras, numpy, keras_mlp
model = keras.models.load_model(sys.argv[1] + "/plain.keras")
images = numpy.load(sys.argv[1] + "/images.npy")
before = numpy.asarray(model(images))
model.quantize("int8")
after = numpy.asarray(model(images))
model.save(sys.argv[1] + "/int8.keras")
again = numpy.asarray(keras.models.load_model(sys.argv[1] + "/int8.keras")(images))
print(numpy.sqrt(((after - before) ** 2).mean()) / before.std(), abs(again - after).max())
"""


@pytest.mark.sweep
def test_on_jax(tmp_path):
    pytest.importorskip("jax")
    model = with_random_weights(factory("MLPMixer")())
    model.save(tmp_path / "plain.keras")
    np.save(tmp_path / "images.npy", some_pixels(model, batch=16))
    change, difference = map(float, run_on_jax(ON_JAX, tmp_path).split())
    assert 0 < change < ROWS["MLPMixer"].int8_error
    assert difference == 0
