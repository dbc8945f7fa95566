"""PermuteMLP: its index maps, its two fusions, and what it refuses."""

import numpy as np
import pytest

from keras_mlp.layers import PermuteMLP, gelu
from tests.contract import with_random_weights

SIDE, CHANNELS = 4, 12
X = np.random.default_rng(0).normal(size=(2, SIDE, SIDE, CHANNELS)).astype("float32")


def built(**arguments):
    layer = PermuteMLP(**arguments)
    layer.build(X.shape)
    return with_random_weights(layer)


def branches(layer):
    """Height, width and channel branch, from the index maps of the paper."""
    size = CHANNELS // SIDE
    height, width, channel = (
        np.asarray(each.kernel) for each in (layer.height, layer.width, layer.channel)
    )
    along_height, along_width = np.zeros_like(X), np.zeros_like(X)
    for segment in range(SIDE):
        part = slice(segment * size, (segment + 1) * size)
        for i in range(SIDE):
            column = X[:, :, i, part].reshape(2, CHANNELS) @ height
            along_height[:, :, i, part] = column.reshape(2, SIDE, size)
            row = X[:, i, :, part].reshape(2, CHANNELS) @ width
            along_width[:, i, :, part] = row.reshape(2, SIDE, size)
    return along_height, along_width, X @ channel


def test_the_plain_sum_is_the_papers():
    layer = built(weighted=False)
    kernel, bias = layer.projection.get_weights()
    np.testing.assert_allclose(layer(X), sum(branches(layer)) @ kernel + bias, rtol=0, atol=1e-5)


def test_split_attention_weighs_the_branches_per_channel():
    layer = built()
    parts = branches(layer)
    mean = sum(parts).mean(axis=(1, 2))
    kernel1, bias1, kernel2, bias2 = layer.reweight.get_weights()
    logits = np.asarray(gelu(mean @ kernel1 + bias1)) @ kernel2 + bias2
    weights = np.exp(logits.reshape(2, 1, 1, CHANNELS, 3))
    weights /= weights.sum(axis=-1, keepdims=True)
    fused = sum(part * weights[..., i] for i, part in enumerate(parts))
    kernel, bias = layer.projection.get_weights()
    np.testing.assert_allclose(layer(X), fused @ kernel + bias, rtol=0, atol=1e-5)


def test_bias_is_off_by_default():
    assert not any(each.use_bias for each in (built().height, built().width, built().channel))
    layer = built(qkv_bias=True)
    assert all(each.use_bias for each in (layer.height, layer.width, layer.channel))


@pytest.mark.parametrize("shape", [(2, 4, 3, 12), (2, 5, 5, 12), (2, None, None, 12)])
def test_refuses_maps_that_do_not_fit(shape):
    with pytest.raises(ValueError, match="square maps of a known side that divides the channels"):
        PermuteMLP().build(shape)


def test_is_rebuilt_from_its_config():
    layer = PermuteMLP(False, True, 0.1, "normal", "ones")
    assert PermuteMLP.from_config(layer.get_config()).get_config() == layer.get_config()
