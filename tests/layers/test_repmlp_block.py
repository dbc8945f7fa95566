"""RepMLPBlock: its sharing of matrices, its partitions and its deployed form."""

import numpy as np
import pytest

from keras_mlp.layers import RepMLPBlock
from tests.contract import with_random_weights

X = np.random.default_rng(0).normal(size=(2, 4, 6, 8)).astype("float32")


def built(**arguments):
    layer = RepMLPBlock(**arguments)
    layer.build(X.shape)
    return with_random_weights(layer)


def deployed(layer):
    twin = RepMLPBlock.from_config({**layer.get_config(), "deployed": True})
    twin.build(X.shape)
    twin.set_weights(layer.deployed_weights())
    return twin


@pytest.mark.parametrize("official_reassembly", [True, False])
@pytest.mark.parametrize("num_sharesets", [1, 2, 8])
@pytest.mark.parametrize("partition_size", [None, 2, (4, 3), (1, 2)])
@pytest.mark.parametrize("kernel_sizes", [(1, 3), (3, 5, 7), ()])
def test_the_deployed_form_is_equal(
    kernel_sizes, partition_size, num_sharesets, official_reassembly
):
    layer = built(
        kernel_sizes=kernel_sizes,
        partition_size=partition_size,
        num_sharesets=num_sharesets,
        official_reassembly=official_reassembly,
    )
    twin = deployed(layer)
    np.testing.assert_allclose(twin(X), layer(X), rtol=0, atol=1e-5)
    assert not [weight for weight in twin.weights if "norm" in weight.path]


def test_channel_c_takes_matrix_c_modulo_the_sharesets():
    layer = deployed(built(num_sharesets=2))
    kernel, bias = layer.fc3.get_weights()
    gate = np.asarray(layer.global_perceptron(X))
    expected = np.empty_like(X)
    for channel in range(8):
        pixels = X[..., channel].reshape(2, 24)
        mixed = pixels @ kernel[channel % 2] + bias[channel % 2]
        expected[..., channel] = mixed.reshape(2, 4, 6)
    np.testing.assert_allclose(layer(X), expected * gate, rtol=0, atol=1e-5)


def test_the_gate_is_a_squeeze_and_excitation():
    layer = built()
    kernel1, bias1, kernel2, bias2 = layer.global_perceptron.get_weights()
    hidden = np.maximum(X.mean(axis=(1, 2)) @ kernel1 + bias1, 0)
    expected = 1 / (1 + np.exp(-(hidden @ kernel2 + bias2)))
    np.testing.assert_allclose(layer.global_perceptron(X)[:, 0, 0], expected, rtol=0, atol=1e-6)


def test_partitions_are_treated_alike_and_return_to_their_places():
    layer = built(partition_size=(4, 3), num_sharesets=2, official_reassembly=False)
    swapped = np.concatenate([X[:, :, 3:], X[:, :, :3]], axis=2)
    outputs = np.asarray(layer(X))
    expected = np.concatenate([outputs[:, :, 3:], outputs[:, :, :3]], axis=2)
    np.testing.assert_allclose(layer(swapped), expected, rtol=0, atol=1e-5)


def test_the_official_reassembly_reorders_partitions_and_channel_groups():
    arguments = {"partition_size": (4, 3), "num_sharesets": 2}
    layer = built(**arguments)
    plain = built(**arguments, official_reassembly=False)
    plain.set_weights(layer.get_weights())
    gate = np.asarray(layer.global_perceptron(X))
    # Results of a sample are in the order (partition, group), but are read as (group, partition).
    rows = (np.asarray(plain(X)) / gate).reshape(2, 4, 2, 3, 4, 2).transpose(0, 2, 4, 5, 1, 3)
    rows = rows.reshape(2, 4, 2, 2, 4, 3).transpose(0, 4, 2, 5, 1, 3)
    np.testing.assert_allclose(layer(X), rows.reshape(X.shape) * gate, rtol=0, atol=1e-5)


@pytest.mark.parametrize("arguments", [{}, {"partition_size": (4, 3), "num_sharesets": 8}])
def test_the_reassembly_matters_for_several_partitions_and_groups_only(arguments):
    layer = built(**arguments)
    plain = built(**arguments, official_reassembly=False)
    plain.set_weights(layer.get_weights())
    np.testing.assert_array_equal(layer(X), plain(X))


def test_is_rebuilt_from_its_config():
    layer = RepMLPBlock((2, 3), 4, (3,), 2, False, True)
    assert RepMLPBlock.from_config(layer.get_config()).get_config() == layer.get_config()
