"""The comparison with the authors' code, tested with our own models in their place."""

import json
import math

import numpy as np
import pytest
import safetensors

from benchmarks import authors_agreement
from benchmarks.agreement import Disagreement
from benchmarks.authors_agreement import CASES, AuthorsCase, compare, main
from keras_mlp import ARCHITECTURES, deploy, load_checkpoint


def toy(architecture, form="train"):
    arguments = dict(ARCHITECTURES[architecture].variants["pico/2"], num_classes=5)
    name = f"toy {architecture} {form}"
    return AuthorsCase(name, architecture, arguments, 0.1, "clone/model.py", "create", form)


TOYS = (
    *(toy(architecture) for architecture in ("FFOnly", "VisionPermutator")),
    *(toy("RepMLPNet", form) for form in ("train", "deployed", "folded")),
)


def our_side(order, shift=0.0):
    """Does the work of the authors' side with our own model."""
    with safetensors.safe_open(order["weights"], "numpy") as file:
        metadata = file.metadata()
    config = json.loads(metadata["arguments"])
    assert config.get("deployed", False) == ("deploy" in order["arguments"])
    model = ARCHITECTURES[metadata["architecture"]].from_config(config)
    load_checkpoint(model, order["weights"])
    if order["then"] == "locality_injection":
        model = deploy(model)
    np.save(order["logits"], np.asarray(model(np.load(order["images"]))) + shift)
    return {"torch": "0"}


@pytest.mark.parametrize(
    "case",
    [TOYS[-1], *(pytest.param(case, marks=pytest.mark.sweep) for case in TOYS[:-1])],
    ids=lambda case: case.name,
)
def test_both_sides_are_compared(case, tmp_path):
    row, versions = compare(case, tmp_path, our_side)
    assert versions == {"torch": "0"} and row["model"] == case.name
    assert row["difference"] <= 1e-6 and row["deviation"] > 0.1
    assert row["allowed"] == pytest.approx(2e-5 * max(1, row["deviation"]))
    model = case.build() if case.form == "train" else deploy(case.build())
    assert row["parameters"] == model.count_params()


def test_the_order_names_the_file_in_the_clone(tmp_path):
    orders = []

    def side(order):
        orders.append(order)
        return our_side(order)

    compare(TOYS[-1], tmp_path, side)
    assert orders[0]["file"] == str(tmp_path / "clone" / "model.py")
    assert orders[0]["function"] == "create" and orders[0]["arguments"] == {}


@pytest.mark.parametrize("shift", [1e-3, math.nan])
def test_other_logits_are_an_error(shift, tmp_path):
    with pytest.raises(Disagreement, match="differs from the authors' code by"):
        compare(TOYS[0], tmp_path, lambda order: our_side(order, shift))


def test_statistics_are_far_from_those_of_a_new_model():
    norm = toy("RepMLPNet").build().get_layer("norm")
    assert np.ptp(norm.moving_variance) > 0.5 and np.asarray(norm.moving_mean).std() > 0.1


def test_the_report_has_facts_and_rows(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(authors_agreement, "CASES", TOYS[:1])
    monkeypatch.setattr(
        authors_agreement, "run_side", lambda python, order, module: our_side(order)
    )
    arguments = ["--torch-python", "python", "--clones", str(tmp_path)]
    with pytest.raises(SystemExit, match=r"there is no clone at .*clone; see"):
        main(arguments)
    (tmp_path / "clone").mkdir()
    main(arguments)
    text = capsys.readouterr().out
    for fact in ("- this side: keras ", "- the authors' side: torch 0", "commits: clone unknown"):
        assert fact in text
    assert "| toy FFOnly train | " in text


def test_a_case_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(SystemExit, match="`only` must be part of a case's name, got 'nothing'"):
        main(["--torch-python", "python", "--clones", str(tmp_path), "--only", "nothing"])


def test_every_case_is_of_a_published_size():
    for case in CASES:
        published = ARCHITECTURES[case.architecture].variants.values()
        assert case.arguments in published and case.form in ("train", "deployed", "folded")
