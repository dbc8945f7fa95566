"""The SavedModels that the tests of all clients read, and the marker of third-party clients.

Tests marked `clients` are skipped unless `make test-clients` selects them by `-m clients`: this
environment may contain TF Hub's client too, in versions chosen for its other packages.
"""

import pytest

from keras_mlp import export_saved_model
from tests.clients.lesson import student


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Runs before any fixture, because some import packages of that environment only."""
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
