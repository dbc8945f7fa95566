"""The programs of `training` on JAX, and what becomes of their runs where TensorFlow is."""

import json

import keras
import numpy as np
import pytest

from saved_models.make import make
from saved_models.verify import problems_of
from tests.own_process import run_in_own_process
from tests.training.test_jax_engine import BLOCK_TENSORFLOW, ON_JAX, QUICK
from training.evaluate import evaluate_source
from training.models.starting_points import WAYS


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("programs")
    run_in_own_process(
        f"{BLOCK_TENSORFLOW} import sys; "
        "from tests.training.jax_programs import main; main(sys.argv[1])",
        folder,
        **ON_JAX,
        XLA_FLAGS=QUICK,
    )
    return folder


def metrics(folder, seed):
    return json.loads(
        (folder / "compare" / "MLPMixer" / f"seed{seed}" / "metrics.json").read_text()
    )


def test_a_comparison_trains_its_seeds_at_once(folder):
    table = (folder / "compare" / "table.md").read_text().splitlines()
    accuracy = [metrics(folder, seed)["test"]["accuracy"] for seed in (3, 5)]
    assert table[2].startswith("| MLPMixer | ") and f"{np.mean(accuracy):.2%}" in table[2]
    assert f"| {min(accuracy):.2%} | {max(accuracy):.2%} | 2 |" in table[2]
    assert metrics(folder, 3)["seeds_at_once"] == 2


def test_an_evaluation_says_what_the_run_said(folder):
    results = json.loads((folder / "results.json").read_text())
    assert results["evaluated"] == metrics(folder, 3)["test"]["accuracy"]


def test_models_are_judged_at_other_sizes(folder):
    own, other = json.loads((folder / "results.json").read_text())["sizes"]
    assert (own["size"], own["method"]) == ([8, 8], "trained")
    assert own["before"] == metrics(folder, 3)["test"]["accuracy"] < own["after"]
    assert (other["size"], other["method"]) == ([12, 8], "interpolate")
    assert other["before"] < other["after"]


def test_fine_tuning_trains_all_ways(folder):
    results = json.loads((folder / "results.json").read_text())
    assert set(results["tuned"]) == set(WAYS)
    tuned = keras.models.load_model(folder / "tuned" / "model.keras")
    assert tuned.output_shape == (None, 3) and tuned.class_names == ("5", "6", "7")
    trained = folder / "compare" / "MLPMixer" / "seed3" / "model.keras"
    assert keras.models.load_model(trained).class_names == tuple("0123456789")


def test_a_trace_is_written(folder):
    assert list((folder / "compare" / "MLPMixer" / "seed3" / "profile").rglob("*.trace.json.gz"))


def test_a_run_becomes_an_artefact_where_tensorflow_is(folder, data_dir, tmp_path):
    run = folder / "compare" / "MLPMixer" / "seed3"
    artefact = make(run, tmp_path, data_dir=data_dir)
    assert list(problems_of(artefact)) == []
    assert metrics(folder, 3)["test"]["examples"] == 360


def test_a_saved_model_is_refused_on_jax(tmp_path, monkeypatch):
    (tmp_path / "saved_model.pb").touch()
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match=r"needs TensorFlow.*use a \.keras file"):
        evaluate_source(tmp_path, folder=tmp_path)
