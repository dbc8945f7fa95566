"""The variants of one change: what differs, and that the unchanged one is MLP-Mixer."""

import keras
import numpy as np
import pytest

import keras_mlp
from examples import ablations
from keras_mlp.layers import Affine, TokenMLP
from tests.contract import predict, with_random_weights
from training.compare import check_comparison
from training.config import Comparison, load_config

SHAPE = (8, 12, 1)
NORMS = {
    "mixer_layer_norm": keras.layers.LayerNormalization,
    "mixer_batch_norm": keras.layers.BatchNormalization,
    "mixer_affine": Affine,
    "mixer_linear_tokens": keras.layers.LayerNormalization,
}


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (3, *SHAPE)).astype("float32")


def test_the_unchanged_one_is_mlp_mixer(images):
    ours = with_random_weights(ablations.mixer_layer_norm(SHAPE, 5))
    theirs = keras_mlp.MLPMixer.from_variant("pico/4", image_shape=SHAPE, num_classes=5)
    assert [w.shape for w in ours.get_weights()] == [w.shape for w in theirs.get_weights()]
    theirs.set_weights(ours.get_weights())
    np.testing.assert_allclose(predict(ours, images), predict(theirs, images), rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", NORMS)
def test_only_what_it_is_named_for_differs(name):
    model = getattr(ablations, name)(SHAPE, 5)
    kinds = [type(layer) for layer in model.layers]
    assert kinds.count(NORMS[name]) == 13  # two in each of six blocks, and the last
    assert kinds.count(TokenMLP) == (0 if name == "mixer_linear_tokens" else 6)
    assert kinds.count(keras_mlp.layers.MLP) == 6


def test_linear_token_mixing_has_one_matrix_a_block(images):
    model = with_random_weights(ablations.mixer_linear_tokens(SHAPE, 5))
    assert sum(w.shape == (6, 6) for w in model.trainable_weights) == 6
    assert np.isfinite(predict(model, images)).all()


def test_a_vit_classifies_its_class_token_or_the_mean():
    token, mean = ablations.vit_class_token(SHAPE, 5), ablations.vit_mean(SHAPE, 5)
    assert (token.class_token, token.pooling) == (True, "token")
    assert (mean.class_token, mean.pooling) == (False, "avg")
    # A token, and its position.
    assert token.count_params() - mean.count_params() == 2 * 64


@pytest.mark.parametrize("page", ["ablations_fashion_mnist", "tradeoffs_fashion_mnist"])
def test_the_pages_name_models_that_exist(page):
    check_comparison(load_config(f"training/configs/{page}.py", kind=Comparison))
