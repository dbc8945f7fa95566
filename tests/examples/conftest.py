"""A small model as the files that the examples start from."""

import pytest

from keras_mlp import MLPMixer, export_saved_model
from tests.contract import with_random_weights

SIZES = {"num_layers": 1, "hidden_dim": 16, "token_mlp_dim": 8, "channel_mlp_dim": 16}


@pytest.fixture(scope="package")
def artefact(tmp_path_factory):
    """A folder with model.keras and feature_vector/, of a model for grey images of 8 x 8 pixels."""
    folder = tmp_path_factory.mktemp("artefact")
    model = with_random_weights(MLPMixer.from_variant("pico/2", image_shape=(8, 8, 1), **SIZES))
    model.save(folder / "model.keras")
    export_saved_model(model, folder / "feature_vector", output="features")
    return folder
