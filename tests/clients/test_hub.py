"""tensorflow_hub and tf_keras as they are, in a process of their own: `make test-clients`."""

import json
import subprocess
import sys

import numpy as np
import pytest

from saved_models.archive import pack
from tests.clients.lesson import (
    IMAGES,
    RATE,
    STEPS,
    TARGETS,
    assert_same_weights,
    moved,
    student,
    taught_by_keras,
)
from tests.own_process import ROOT
from tests.weights.file_server import serving

pytestmark = pytest.mark.clients
PARTLY_FROZEN = ("stem", "norm")
# What the client appends to the address of a tarball.
QUERY = "?tf-hub-format=compressed"


@pytest.fixture(scope="module")
def facts(exported, tmp_path_factory):
    """The results of `run_hub`, run once for all tests."""
    folder = tmp_path_factory.mktemp("hub")
    pack(exported(), folder / "student.tar.gz")
    tarball = (folder / "student.tar.gz").read_bytes()
    with serving(**{f"student.tar.gz{QUERY}": tarball}) as server:
        order = {
            "folder": str(exported()),
            "partly frozen": str(exported(frozen=PARTLY_FROZEN)),
            "address": server.url("/student.tar.gz"),
            **{"images": IMAGES.tolist(), "targets": TARGETS.tolist()},
            **{"rate": RATE, "steps": STEPS, "cache": str(folder / "cache")},
        }
        (folder / "order.json").write_text(json.dumps(order))
        names = [str(folder / "order.json"), str(folder / "reply.json")]
        finished = subprocess.run(
            [sys.executable, "-m", "tests.clients.run_hub", *names],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
    assert finished.returncode == 0, finished.stderr
    return json.loads((folder / "reply.json").read_text())


def arrays(weights):
    return {name: np.array(value, "float32") for name, value in weights.items()}


@pytest.mark.parametrize("source", ["folder", "folder, layer", "address", "address, layer"])
def test_it_serves_a_folder_and_a_published_tarball(facts, source):
    np.testing.assert_allclose(facts["served"][source], student()(IMAGES), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("key", "frozen"), [("taught", ()), ("taught, partly frozen", PARTLY_FROZEN)]
)
def test_it_learns_what_keras_learns(facts, key, frozen):
    """Including penalties, BatchNorm statistics, and layers frozen before export."""
    expected_losses, expected = taught_by_keras(student(frozen=frozen))
    np.testing.assert_allclose(facts[key]["losses"], expected_losses, rtol=1e-5)
    assert_same_weights(arrays(facts[key]["after"]), expected)
    assert {"head/kernel", "head/bias"} <= moved(
        arrays(facts[key]["before"]), arrays(facts[key]["after"])
    )


def test_frozen_nothing_moves(facts):
    before, after = arrays(facts["frozen"]["before"]), arrays(facts["frozen"]["after"])
    assert before.keys() == after.keys() and len(before) == 8
    assert moved(before, after) == set()


def test_frozen_the_penalties_stay_in_the_reported_loss(facts):
    """They are a constant, so no weight moves."""
    assert facts["frozen"]["losses"] == 2


@pytest.mark.parametrize("kind", ["SavedModel", "h5", "keras"])
def test_a_fine_tuned_model_reloads(facts, kind):
    assert facts["reloaded"]["training"] > 1e-3
    assert facts["reloaded"][kind] < 1e-6


def test_a_reloaded_model_trains_further(facts):
    assert facts["reloaded"]["SavedModel, trained on"] > 1e-4
