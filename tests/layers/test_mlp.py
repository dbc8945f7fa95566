"""MLP and TokenMLP against plain numpy."""

import math

import keras
import numpy as np
import pytest

from keras_mlp.layers import MLP, TokenMLP

X = np.random.default_rng(0).normal(size=(2, 6, 4)).astype("float32")
ERF = np.vectorize(math.erf)


def exact_gelu(x):
    return 0.5 * x * (1 + ERF(x / math.sqrt(2)))


def tanh_gelu(x):
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def perceptron(x, weights, gelu):
    kernel1, bias1, kernel2, bias2 = weights
    return gelu(x @ kernel1 + bias1) @ kernel2 + bias2


def built(kind, **overrides):
    layer = kind(**{"hidden_dim": 5, "bias_initializer": "normal", **overrides})
    layer.build(X.shape)
    return layer


@pytest.mark.parametrize(("approximate", "gelu"), [(False, exact_gelu), (True, tanh_gelu)])
def test_mlp_equals_numpy(approximate, gelu):
    # Large enough for the two forms of GELU to differ by more than the tolerance.
    layer = built(MLP, gelu_approximate=approximate, kernel_initializer="random_normal")
    layer.set_weights([20 * weight for weight in layer.get_weights()])
    expected = perceptron(X, layer.get_weights(), gelu)
    np.testing.assert_allclose(layer(X), expected, rtol=1e-5, atol=1e-5)


def test_token_mlp_equals_numpy_on_transposed_tokens():
    layer = built(TokenMLP)
    expected = perceptron(X.transpose(0, 2, 1), layer.get_weights(), exact_gelu)
    np.testing.assert_allclose(layer(X), expected.transpose(0, 2, 1), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("kind", "width"), [(MLP, 4), (TokenMLP, 6)])
def test_weights_have_the_width_of_the_mixed_axis(kind, width):
    shapes = {weight.path: tuple(weight.shape) for weight in built(kind, name="mlp").weights}
    assert shapes == {
        "mlp/fc1/kernel": (width, 5),
        "mlp/fc1/bias": (5,),
        "mlp/fc2/kernel": (5, width),
        "mlp/fc2/bias": (width,),
    }


@pytest.mark.parametrize("kind", [MLP, TokenMLP])
def test_dropout_acts_in_training_only(kind):
    layer, plain = built(kind, dropout_rate=0.5), built(kind)
    plain.set_weights(layer.get_weights())
    np.testing.assert_array_equal(layer(X), plain(X))
    dropped = np.asarray(layer(X, training=True))
    assert 0.3 < (dropped == 0).mean() < 0.7  # the last dropout, over 48 numbers


def test_kernels_of_one_initializer_object_differ():
    # Square, so that both kernels have the same shape.
    layer = MLP(4, kernel_initializer=keras.initializers.RandomNormal())
    layer.build(X.shape)
    kernel1, _, kernel2, _ = layer.get_weights()
    assert not np.allclose(kernel1, kernel2)


@pytest.mark.parametrize("kind", [MLP, TokenMLP])
def test_is_rebuilt_from_its_config(kind):
    layer = built(kind, dropout_rate=0.1, gelu_approximate=True, kernel_initializer="he_normal")
    copy = kind.from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()
    copy.build(X.shape)
    copy.set_weights(layer.get_weights())
    np.testing.assert_array_equal(copy(X), layer(X))


@pytest.mark.parametrize(
    "arguments", [{"hidden_dim": 0}, {"hidden_dim": 4, "dropout_rate": 1.0}], ids=str
)
def test_refuses_bad_arguments(arguments):
    name, value = list(arguments.items())[-1]
    with pytest.raises(ValueError, match=f"`{name}` must be .* got {value}"):
        MLP(**arguments)


def test_outputs_may_be_more_or_fewer_than_inputs():
    layer = MLP(4, output_dim=7)
    outputs = layer(X)
    assert outputs.shape[-1] == 7 and tuple(layer.compute_output_shape(X.shape)) == outputs.shape
    layer = TokenMLP(4, output_dim=7)
    outputs = layer(X)
    assert outputs.shape[1] == 7 and tuple(layer.compute_output_shape(X.shape)) == outputs.shape
    assert MLP.from_config(MLP(4, output_dim=7).get_config()).output_dim == 7
    with pytest.raises(ValueError, match="`output_dim` must be"):
        MLP(4, output_dim=0)
