"""`publish --to`: an artefact at Hugging Face, through its client and a server on this machine."""

import json
import sys

import keras
import numpy as np
import pytest

from keras_mlp import MLPMixer
from saved_models import publish as program
from saved_models.hub_card import front_matter, without_front_matter
from saved_models.upload import upload
from saved_models.verify import problems_of
from tests.hub_server import COMMIT, serving_hub


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with serving_hub(monkeypatch, tmp_path / "cache") as server:
        yield server


def files_of(folder):
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }


def test_an_uploaded_artefact_is_loaded_and_verified(made, hub, tmp_path, capsys):
    before = files_of(made)
    program.main([str(made), "--to", "hf://me/mixer"])
    assert f"/me/mixer/commit/{COMMIT}" in capsys.readouterr().out
    uploaded = hub.repositories["me/mixer"]
    assert uploaded.keys() == before.keys() and files_of(made) == before
    changed = {path for path in before if uploaded[path] != before[path]}
    assert changed == {"README.md", "manifest.json"}

    pixels = np.zeros((1, 8, 8, 1), "uint8")
    expected = keras.models.load_model(made / "model.keras")(pixels)
    np.testing.assert_array_equal(MLPMixer.from_preset("hf://me/mixer")(pixels), expected)

    folder = tmp_path / made.name
    for path, content in uploaded.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    assert problems_of(folder) == []


def test_the_card_has_metadata_that_the_client_reads(made, hub):
    import huggingface_hub

    upload(made, "hf://me/mixer")
    text = hub.repositories["me/mixer"]["README.md"].decode()
    metrics = json.loads((made / "metrics.json").read_text())
    data = huggingface_hub.ModelCard(text).data
    assert (data.license, data.library_name) == ("apache-2.0", "keras")
    assert "mlpmixer" in data.tags
    (result,) = data.eval_results
    assert result.dataset_type == "digits" and result.metric_type == "accuracy"
    assert result.metric_value == metrics["test"]["accuracy"]
    assert without_front_matter(text) == (made / "README.md").read_text()
    assert front_matter(metrics)["tags"] == data.tags


def test_a_damaged_artefact_is_not_uploaded(copy, hub):
    (copy / "labels.txt").write_text("a\n")
    with pytest.raises(ValueError, match=r"labels\.txt has changed"):
        upload(copy, "hf://me/mixer")
    assert hub.asked == []


def test_what_the_hub_refuses_is_one_error(made, hub, monkeypatch):
    monkeypatch.setitem(hub.refusals, "/api/repos/create", 403)
    with pytest.raises(
        SystemExit, match=r"error: hf://me/mixer could not be uploaded: .*logged in"
    ):
        program.main([str(made), "--to", "hf://me/mixer"])


def test_an_address_has_one_form(made):
    with pytest.raises(ValueError, match=r"`--to` must be hf://USER/REPO, got 'me/mixer'"):
        upload(made, "me/mixer")


def test_a_missing_client_is_named(made, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ImportError, match=r"pip install 'keras_mlp\[hf\]'"):
        upload(made, "hf://me/mixer")
