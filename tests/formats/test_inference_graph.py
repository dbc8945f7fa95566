"""The graph that all formats start from."""

import numpy as np
import pytest
import tensorflow as tf

from keras_mlp.formats.inference_graph import inference_graph
from keras_mlp.layers import PrependClassToken
from keras_mlp.models import ARCHITECTURES
from tests.contract import some_pixels, with_random_weights
from tests.test_contract import factory


def test_a_model_of_probabilities_gives_logits():
    make = factory("MLPMixer")
    plain = with_random_weights(make())
    model = make(classifier_activation="softmax")
    model.set_weights(plain.get_weights())
    pixels = some_pixels(model)
    outputs = inference_graph(model, deployed=True).function()(pixels)
    np.testing.assert_allclose(outputs["logits"], plain(pixels), rtol=0, atol=1e-6)


def test_a_view_is_refused_with_the_way_out():
    model = factory("MLPMixer")()
    height, width, channels = model.image_shape
    view = model.at((2 * height, width, channels))
    with pytest.raises(ValueError, match=r"is a view of .*with_image_shape\(view\.base, view"):
        inference_graph(view, deployed=True)


# TensorFlow's convolution on CPU gives an empty batch the shape of the image: only what follows a
# reshape to tokens gets over it.
MAPS = {"VisionPermutator", "RepMLPNet", "ConvMixer"}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_one_graph_takes_every_batch_size(architecture):
    model = with_random_weights(factory(architecture)())
    infer = inference_graph(model, deployed=True).function().get_concrete_function()
    pixels = some_pixels(model, batch=3)
    expected = np.asarray(model(pixels))
    for batch in (1, 3, *([] if architecture in MAPS else [0])):
        logits = infer(tf.constant(pixels[:batch]))["logits"]
        np.testing.assert_allclose(logits, expected[:batch], rtol=0, atol=1e-6)


@pytest.mark.parametrize("architecture", ["ViT", "FFOnly", "MLPMixer"])
def test_no_operation_depends_on_the_batch_size(architecture):
    # Runtimes fail on an empty batch, and converters make a constant of a known one.
    model = factory(architecture)()
    infer = inference_graph(model, deployed=True).function().get_concrete_function()
    kinds = {operation.type for operation in infer.graph.get_operations()}
    assert "Reshape" in kinds and not kinds & {"Shape", "BroadcastTo", "Tile", "Fill"}
    assert architecture != "ViT" or "Einsum" not in kinds


@pytest.mark.parametrize("count", [1, 3])
def test_a_token_in_front_needs_no_batch_size(count):
    # LiteRT's `resize_tensor_input` changes the batch of a graph that was traced for one image.
    layer = PrependClassToken("ones", count)
    tokens = np.random.default_rng(0).normal(size=(2, 4, 8)).astype("float32")
    expected = np.concatenate([np.ones((2, count, 8), "float32"), tokens], axis=1)
    np.testing.assert_array_equal(layer(tokens), expected)
    run = tf.function(layer, input_signature=[tf.TensorSpec((1, 4, 8))]).get_concrete_function()
    assert {"Pad", "AddV2"} <= {operation.type for operation in run.graph.get_operations()}
    assert layer(tokens[:0]).shape == (0, 4 + count, 8)
