"""GroupedDense and GroupedConv2D: each group has its own matrix or kernel."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_mlp.layers import GroupedConv2D, GroupedDense

RNG = np.random.default_rng(0)


def test_every_group_has_its_own_matrix():
    x = RNG.normal(size=(3, 2, 4)).astype("float32")
    layer = GroupedDense(5)
    outputs = np.asarray(layer(x))
    kernel, bias = layer.get_weights()
    assert outputs.shape == (3, 2, 5) == tuple(layer.compute_output_shape(x.shape))
    for group in range(2):
        expected = x[:, group] @ kernel[group] + bias[group]
        np.testing.assert_allclose(outputs[:, group], expected, rtol=0, atol=1e-6)


def test_grouped_dense_starts_as_pytorchs():
    layer = GroupedDense(50)
    layer.build((None, 3, 16))
    for value in layer.get_weights():
        assert 0.23 < np.abs(value).max() <= 0.25


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("size", [1, 3])
def test_is_the_convolution_with_groups(groups, size):
    x = RNG.normal(size=(2, 5, 6, 8)).astype("float32")
    layer = GroupedConv2D(12, size, groups)
    outputs = layer(x)
    reference = keras.layers.Conv2D(12, size, padding="same", groups=groups, use_bias=False)
    reference.build(x.shape)
    reference.set_weights(layer.get_weights())
    np.testing.assert_allclose(outputs, reference(x), rtol=0, atol=1e-5)
    assert tuple(outputs.shape) == tuple(layer.compute_output_shape(x.shape))


def test_its_graph_holds_no_convolution_with_groups():
    layer = GroupedConv2D(12, 3, 4)
    traced = tf.function(layer).get_concrete_function(tf.TensorSpec((None, 5, 6, 8)))
    convolutions = [op for op in traced.graph.get_operations() if op.type == "Conv2D"]
    assert len(convolutions) == 4
    assert all(op.inputs[0].shape[-1] == op.inputs[1].shape[2] for op in convolutions)


@pytest.mark.parametrize(
    "layer", [GroupedDense(5, False, "normal", "ones"), GroupedConv2D(8, 3, 2)]
)
def test_is_rebuilt_from_its_config(layer):
    assert type(layer).from_config(layer.get_config()).get_config() == layer.get_config()


def test_refuses_groups_that_do_not_divide():
    with pytest.raises(ValueError, match="`groups`=3 must divide the 8 input channels"):
        GroupedConv2D(12, 3, 3).build((None, 5, 6, 8))
