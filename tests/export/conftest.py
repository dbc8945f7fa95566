"""The SavedModel that most export tests read."""

import pytest
import tensorflow as tf

from keras_mlp import export_saved_model
from tests.export.toys import toy


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """A toy model with dropout, and the folder of its SavedModel."""
    model = toy()
    return model, export_saved_model(model, tmp_path_factory.mktemp("saved") / "toy")


@pytest.fixture(scope="session")
def loaded(exported):
    """That SavedModel as TensorFlow loads it. Tests must not change its weights."""
    return tf.saved_model.load(str(exported[1]))
