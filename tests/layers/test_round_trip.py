"""Every public layer survives `from_config`, `clone_model` and a `.keras` file."""

import keras
import numpy as np
import pytest

from keras_mlp import layers
from keras_mlp.models import ARCHITECTURES
from tests.contract import shallow, some_pixels
from tests.test_contract import factory

# The arguments of each layer, and the shape of its inputs.
CASES = {
    "MLP": ({"hidden_dim": 6, "output_dim": 5, "bias_initializer": "ones"}, (4, 8)),
    "Affine": ({}, (4, 8)),
    "ClassToken": ({"count": 2}, (5, 8)),
    "ConvNormReLU": ({"filters": 6, "patch_size": (2, 3)}, (4, 6, 3)),
    "Dense": ({"units": 6, "activation": layers.gelu}, (4, 8)),
    "DistilledHead": ({"units": 6, "bias_initializer": "ones"}, (8,)),
    "FFNBlock": ({"hidden_dim": 6}, (4, 6, 8)),
    "GridPositionEmbedding": ({"grid": (2, 3), "stored_grid": 4}, (7, 8)),
    "GridTokens": ({}, (5, 8)),
    "GroupedConv2D": ({"filters": 6, "kernel_size": 3, "groups": 2}, (4, 6, 4)),
    "GroupedDense": ({"units": 6, "use_bias": False}, (4, 8)),
    "LayerNormalization": ({"epsilon": 1e-5}, (4, 8)),
    "LayerScale": ({"init_value": 0.5}, (4, 8)),
    "PatchEmbedding": ({"patch_size": (2, 3), "hidden_dim": 6, "flatten": False}, (4, 6, 3)),
    "PermuteMLP": ({"qkv_bias": True, "segments": 2}, (4, 3, 8)),
    "PixelNormalization": ({"mean": (0.1, 0.2, 0.3), "std": 0.5}, (4, 6, 3)),
    "PositionEmbedding": ({"initializer": "ones"}, (5, 8)),
    "PrependClassToken": ({"initializer": "ones"}, (4, 8)),
    "RepMLP": ({"filters": 6, "partition_size": (2, 3), "groups": 2}, (4, 6, 4)),
    "RepMLPBlock": ({"partition_size": 2, "num_sharesets": 2}, (4, 6, 8)),
    "SelfAttention": ({"num_heads": 2, "bias_initializer": "ones"}, (5, 8)),
    "SpatialGatingUnit": ({"layer_norm_epsilon": 1e-3}, (4, 8)),
    "StochasticDepth": ({"rate": 0.5, "seed": 1}, (4, 8)),
    "TinyAttention": ({"attention_dim": 4, "output_dim": 6}, (5, 8)),
    "TokenDense": ({"units": 6, "output_role": "hidden"}, (8, 4)),
    "TokenMLP": ({"hidden_dim": 6, "gelu_approximate": True}, (4, 8)),
    "TokenNormalization": ({"front_tokens": 1, "epsilon": 1e-5}, (8, 5)),
    "TokensLastMLP": ({"hidden_dim": 6, "front_tokens": 1}, (8, 5)),
}
DTYPES = {
    "default": None,
    "name": "mixed_bfloat16",
    "policy": keras.DTypePolicy("mixed_bfloat16"),
}


def made(name, dtype):
    """A built layer with random weights, and inputs for it."""
    arguments, shape = CASES[name]
    layer = getattr(layers, name)(**arguments, dtype=dtype)
    rng = np.random.default_rng(0)
    inputs = rng.uniform(0, 1, (2, *shape)).astype("float32")
    layer(inputs)
    layer.set_weights([rng.uniform(0.5, 1, each.shape) for each in layer.weights])
    return layer, inputs


def assert_same_outputs(one, other, inputs):
    expected, found = (
        keras.ops.cast(each(inputs, training=False), "float32") for each in (one, other)
    )
    np.testing.assert_array_equal(found, expected)


def test_there_is_a_case_for_every_layer():
    public = {name for name in layers.__all__ if isinstance(getattr(layers, name), type)}
    assert CASES.keys() == public


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
@pytest.mark.parametrize("name", CASES)
def test_is_rebuilt_cloned_and_loaded(name, dtype, tmp_path):
    layer, inputs = made(name, dtype)

    images = keras.Input(inputs.shape[1:])
    model = keras.Model(images, layer(images))

    copy = type(layer).from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()
    rebuilt = keras.Model(images, copy(images))
    copy.set_weights(layer.get_weights())
    assert_same_outputs(model, rebuilt, inputs)

    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    assert_same_outputs(model, clone, inputs)

    outer = keras.Sequential([keras.Input(inputs.shape[1:]), model])
    outer.save(tmp_path / "outer.keras")
    loaded = keras.saving.load_model(tmp_path / "outer.keras")
    assert loaded.layers[0].layers[1].get_config() == layer.get_config()
    assert_same_outputs(outer, loaded, inputs)


@pytest.mark.parametrize("name", CASES)
def test_tells_the_shape_of_its_outputs(name):
    layer, inputs = made(name, None)
    assert layer.compute_output_shape(inputs.shape) == tuple(layer(inputs).shape)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_layers_of_a_model_can_be_saved_in_another(name, tmp_path):
    model = shallow(factory(name))()
    images = some_pixels(model)
    other = keras.Model(model.input, keras.layers.Dense(3)(model.layers[-2].output))
    other.save(tmp_path / "other.keras")
    assert_same_outputs(other, keras.saving.load_model(tmp_path / "other.keras"), images)
