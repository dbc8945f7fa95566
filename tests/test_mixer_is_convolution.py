"""Checks the Mixer paper's remark that a Mixer is a very special convolutional network.

Channel mixing is a 1 x 1 convolution. Token mixing is a depthwise convolution over the whole map,
with one kernel for all channels; its hidden units are the outputs of that convolution (Tolstikhin
et al., 2021, arXiv:2105.01601, introduction).
"""

import keras
import numpy as np
import pytest
from keras import ops

from keras_mlp import MixerBlock
from tests.contract import with_random_weights

BATCH, HEIGHT, WIDTH, CHANNELS = 2, 3, 5, 8


def one_by_one(image, dense):
    """A dense layer over channels as a 1 x 1 convolution, (B, h, w, C) -> (B, h, w, D)."""
    return ops.conv(image, ops.reshape(dense.kernel, (1, 1, *dense.kernel.shape))) + dense.bias


def full_receptive_field(image, dense):
    """A dense layer over tokens as a depthwise convolution, (B, h, w, C) -> (B, 1, 1, C, D).

    The kernel is as large as the map and the same for every channel; D outputs per channel mean a
    depth multiplier of D.
    """
    _, height, width, channels = image.shape
    units = dense.kernel.shape[-1]
    kernel = ops.reshape(dense.kernel, (height, width, 1, units))
    kernel = ops.tile(kernel, (1, 1, channels, 1))
    mixed = ops.depthwise_conv(image, kernel, padding="valid")
    return ops.reshape(mixed, (-1, 1, 1, channels, units)) + dense.bias


def channel_mixing(image, mlp):
    return one_by_one(keras.activations.gelu(one_by_one(image, mlp.fc1)), mlp.fc2)


def token_mixing(image, mlp):
    # The second layer maps D_S numbers at one position back to all positions: a depthwise
    # convolution over the D_S hidden units, laid out as a map of 1 x D_S.
    hidden = keras.activations.gelu(full_receptive_field(image, mlp.fc1))
    hidden = ops.transpose(hidden[:, 0, 0], (0, 2, 1))[:, None]  # (B, 1, D_S, C)
    mixed = full_receptive_field(hidden, mlp.fc2)[:, 0, 0]  # (B, C, S)
    return ops.reshape(ops.transpose(mixed, (0, 2, 1)), image.shape)


def convolutional_mixer_block(image, block):
    image = image + token_mixing(block.norm1(image), block.token_mlp)
    return image + channel_mixing(block.norm2(image), block.channel_mlp)


@pytest.fixture
def block():
    block = MixerBlock(token_mlp_dim=6, channel_mlp_dim=16)
    block.build((BATCH, HEIGHT * WIDTH, CHANNELS))
    return with_random_weights(block)


@pytest.fixture
def image():
    shape = (BATCH, HEIGHT, WIDTH, CHANNELS)
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def tokens_of(image):
    return np.asarray(image).reshape(BATCH, HEIGHT * WIDTH, CHANNELS)


def test_a_mixer_block_is_two_kinds_of_convolution(block, image):
    outputs = tokens_of(convolutional_mixer_block(image, block))
    np.testing.assert_allclose(block(tokens_of(image)), outputs, rtol=0, atol=1e-5)
    assert np.abs(outputs - tokens_of(image)).max() > 0.1


@pytest.mark.parametrize(
    ("mlp", "mixing"), [("token_mlp", token_mixing), ("channel_mlp", channel_mixing)]
)
def test_each_mlp_is_convolutions(mlp, mixing, block, image):
    mlp = getattr(block, mlp)
    outputs = tokens_of(mixing(image, mlp))
    np.testing.assert_allclose(mlp(tokens_of(image)), outputs, rtol=0, atol=1e-5)


def test_channels_share_the_kernel_of_token_mixing(block, image):
    # A general depthwise convolution has one kernel per channel. Shuffled channels give shuffled
    # outputs only because the kernel is the same for all.
    shuffle = np.random.default_rng(1).permutation(CHANNELS)
    mixed = np.asarray(token_mixing(image, block.token_mlp))
    shuffled = token_mixing(image[..., shuffle], block.token_mlp)
    np.testing.assert_allclose(shuffled, mixed[..., shuffle], rtol=0, atol=1e-5)
