"""The graph that all formats start from."""

import numpy as np

from keras_mlp.formats.inference_graph import inference_graph
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
