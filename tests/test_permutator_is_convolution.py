"""A Permute-MLP is three convolutions: two grouped ones with full-size kernels, and a 1 x 1 one.

The height branch has a kernel H x 1 and one group per segment of the channels, with the same
kernel in every group; the width branch a kernel 1 x W (Hou et al., 2021, arXiv:2106.12368).
"""

import keras
import numpy as np
import pytest
from keras import ops

from keras_mlp import PermutatorBlock, analysis
from keras_mlp.models import VisionPermutator
from tests.contract import with_random_weights

BATCH, SIDE, CHANNELS = 2, 4, 12
SEGMENT = CHANNELS // SIDE  # channels of a segment; as many segments as rows


def grouped_convolution(image, dense, axis):
    """A branch as a convolution whose kernel spans a whole column (axis 1) or row (axis 2).

    Group s reads the channels of segment s at all positions of the column, and returns a value for
    each of these positions and each channel of the segment.
    """
    kernel_size = (SIDE, 1) if axis == 1 else (1, SIDE)
    kernel = ops.reshape(dense.kernel, (*kernel_size, SEGMENT, CHANNELS))
    kernel = ops.tile(kernel, (1, 1, 1, SIDE))  # the same in every group
    mixed = ops.conv(image, kernel, padding="valid", data_format="channels_last")
    # One column (or row) is left: (B, other axis, segment, position, channel of the segment).
    mixed = ops.reshape(mixed, (BATCH, SIDE, SIDE, SIDE, SEGMENT))
    order = (0, 3, 1, 2, 4) if axis == 1 else (0, 1, 3, 2, 4)
    return ops.reshape(ops.transpose(mixed, order), image.shape)


def one_by_one(image, dense):
    kernel = ops.reshape(dense.kernel, (1, 1, *dense.kernel.shape))
    outputs = ops.conv(image, kernel, data_format="channels_last")
    return outputs if dense.bias is None else outputs + dense.bias


def convolutional_permute_mlp(image, mlp):
    branches = [
        grouped_convolution(image, mlp.height, axis=1),
        grouped_convolution(image, mlp.width, axis=2),
        one_by_one(image, mlp.channel),
    ]
    return one_by_one(sum(branches), mlp.projection)


@pytest.fixture
def block():
    block = PermutatorBlock(channel_mlp_dim=16, weighted=False)
    block.build((BATCH, SIDE, SIDE, CHANNELS))
    return with_random_weights(block)


@pytest.fixture
def image():
    shape = (BATCH, SIDE, SIDE, CHANNELS)
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def test_a_permutator_block_is_convolutions(block, image):
    mlp = block.channel_mlp
    x = image + convolutional_permute_mlp(block.norm1(image), block.permute_mlp)
    hidden = keras.activations.gelu(one_by_one(block.norm2(x), mlp.fc1), approximate=False)
    outputs = x + one_by_one(hidden, mlp.fc2)
    np.testing.assert_allclose(block(image), outputs, rtol=0, atol=1e-5)
    assert np.abs(np.asarray(outputs) - image).max() > 0.1


@pytest.mark.parametrize(("axis", "other"), [(1, 2), (2, 1)])
def test_a_branch_reaches_its_row_or_column_only(block, image, axis, other):
    """A change of one pixel reaches the positions along one axis, and none beside them."""
    dense = block.permute_mlp.height if axis == 1 else block.permute_mlp.width
    changed = image.copy()
    changed[:, 1, 2] += 1.0
    before, after = (np.asarray(grouped_convolution(x, dense, axis)) for x in (image, changed))
    moved = np.abs(after - before).max(axis=(0, 3)) > 1e-6
    expected = np.zeros((SIDE, SIDE), bool)
    expected[(slice(None), 2) if axis == 1 else (1, slice(None))] = True
    np.testing.assert_array_equal(moved, expected)


def test_the_formulas_of_docs_families_are_the_counts():
    """Three branches cost C^2 parameters and H W C^2 multiply-accumulates each, of one stage."""
    side, channels, layers = 8, 64, 3
    model = VisionPermutator(
        image_shape=(32, 32, 3),
        patch_size=4,
        num_layers=(layers,),
        hidden_dim=(channels,),
        downsample=(),
        mlp_ratio=1,
    )
    part = analysis.cost(model).parts["token_mixing"]  # height and width
    assert part.parameters == layers * 2 * channels**2
    assert part.macs == layers * 2 * side**2 * channels**2
