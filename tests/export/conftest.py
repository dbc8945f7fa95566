"""The SavedModel that most export tests read."""

import pytest

from keras_mlp import export_saved_model
from tests.export.toys import toy


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """A toy model with dropout or drop path, and the folder of its SavedModel."""
    model = toy()
    return model, export_saved_model(model, tmp_path_factory.mktemp("saved") / "toy")
