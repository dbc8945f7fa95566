"""The comparison with timm, tested with our own models in timm's place."""

import json
import math
import sys

import numpy as np
import pytest
import safetensors

from benchmarks import timm_agreement
from benchmarks.agreement import Disagreement
from benchmarks.timm_agreement import CASES, SideFailed, compare, main, markdown, run_side
from keras_mlp import ARCHITECTURES, load_checkpoint, save_checkpoint

TOYS = [case for case in CASES if case.name.startswith("toy")]
CASE = next(case for case in TOYS if case.architecture == "ViT")


def our_side(order, shift=0.0):
    """Does the work of timm's side with our own model."""
    assert order["call"]["arguments"]["num_classes"] == 5
    with safetensors.safe_open(order["keras_weights"], "numpy") as file:
        metadata = file.metadata()
    model = ARCHITECTURES[metadata["architecture"]].from_config(json.loads(metadata["arguments"]))
    images = np.load(order["images"])
    for weight in model.weights:
        weight.assign(np.asarray(weight) + order["noise"])
    save_checkpoint(model, order["timm_weights"])
    np.save(order["timm_logits"], np.asarray(model(images)) + shift)
    load_checkpoint(model, order["keras_weights"])
    np.save(order["logits_of_keras_weights"], model(images))
    return {"timm": "0"}


def test_both_directions_are_compared():
    rows, versions = compare(CASE, our_side)
    assert versions == {"timm": "0"}
    assert [row["direction"] for row in rows] == ["to timm", "from timm"]
    for row in rows:
        assert row["difference"] <= 1e-6 and row["parameters"] == 6293
        assert row["allowed"] == pytest.approx(2e-5 * max(1, row["deviation"]))


@pytest.mark.parametrize("shift", [1e-3, math.nan])
def test_other_logits_are_an_error(shift):
    with pytest.raises(Disagreement, match="from timm: differs by"):
        compare(CASE, lambda order: our_side(order, shift))


def test_the_logits_of_the_toys_are_large_enough_to_compare():
    for case in TOYS:
        model = case.build()
        images = np.random.default_rng(0).normal(size=(2, *model.image_shape)).astype("float32")
        assert np.asarray(model(images)).std() > 0.1, case.name


def test_the_report_has_facts_and_rows(monkeypatch, capsys):
    monkeypatch.setattr(timm_agreement, "run_side", lambda python, order: our_side(order))
    main(["--torch-python", "python", "--only", CASE.name])
    text = capsys.readouterr().out
    for fact in ("- date: ", "- cpu: ", "- this side: keras ", "- timm's side: timm 0"):
        assert fact in text
    assert f"| {CASE.name} | 6,293 | to timm | " in text
    assert f"| {CASE.name} | 6,293 | from timm | " in text


def test_a_case_that_is_not_there_is_an_error():
    with pytest.raises(SystemExit, match="`only` must be part of a case's name, got 'nothing'"):
        main(["--torch-python", "python", "--only", "nothing"])


def test_the_last_words_of_the_other_side_are_told(tmp_path):
    order = {"images": str(tmp_path / "images.npy")}
    with pytest.raises(SideFailed, match=r"No module named tests\.absent"):
        run_side(sys.executable, order, module="tests.absent")
    with pytest.raises(SideFailed, match="cannot be started: No such file"):
        run_side(str(tmp_path / "python"), order)


def test_numbers_are_shown_to_two_digits():
    row = {"model": "m", "parameters": 1234, "direction": "to timm", "difference": 1.23e-6}
    text = markdown([{**row, "allowed": 2e-5, "deviation": 0.5}], {"date": "today"})
    assert "- date: today" in text
    assert "| m | 1,234 | to timm | 1.2e-06 | 2.0e-05 | 0.50 |" in text
