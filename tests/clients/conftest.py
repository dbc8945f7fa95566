"""The SavedModels that the tests of all clients read, and what clients of others need.

Tests marked `clients` are skipped unless `make test-clients` asks for them by `-m clients`: this
environment may hold TF Hub's client too, in versions that its other packages chose.
"""

import pytest

from keras_mlp import export_saved_model
from tests.clients.lesson import student


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Before any fixture, some of which import what only that environment has."""
    marked = item.get_closest_marker("clients") is not None
    if marked and item.config.option.markexpr != "clients":
        pytest.skip("make test-clients runs it")


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """A function from arguments of `student` to the folder of its SavedModel."""
    folder, made = tmp_path_factory.mktemp("saved"), {}

    def export(frozen=(), penalty=0.1):
        key = frozen, penalty
        if key not in made:
            path = folder / f"student_{len(made)}"
            made[key] = export_saved_model(student(frozen, penalty), path)
        return made[key]

    return export
