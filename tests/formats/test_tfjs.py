"""TensorFlow.js folders, run by @tensorflow/tfjs in node."""

import json
import pathlib

import numpy as np
import pytest

from keras_mlp import ARCHITECTURES
from keras_mlp.formats import export_tfjs
from keras_mlp.formats.tfjs import REQUIREMENTS
from tests.contract import predict, some_pixels, with_random_weights
from tests.formats import runtimes
from tests.test_contract import factory

ROOT = pathlib.Path(__file__).parents[2]


def toy(architecture="MLPMixer", **overrides):
    return with_random_weights(factory(architecture)(**overrides))


def program(folder, script):
    path = folder / "converter"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.mark.formats
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_it_computes_what_the_model_computes(architecture, tmp_path):
    model = toy(architecture)
    folder = export_tfjs(model, tmp_path / "toy")
    pixels = some_pixels(model, batch=3)
    runtimes.assert_same(runtimes.tfjs(folder, pixels), predict(model, pixels))
    assert [each.name for each in tmp_path.iterdir()] == ["toy"]


@pytest.mark.formats
def test_a_model_of_normalised_images_takes_floats(tmp_path):
    model = toy(include_preprocessing=False)
    folder = export_tfjs(model, tmp_path / "toy")
    signature = json.loads((folder / "model.json").read_text())["signature"]
    assert list(signature["inputs"]) == ["images"] and list(signature["outputs"]) == ["logits"]
    images = np.random.default_rng(0).normal(size=(2, 16, 24, 3)).astype("float32")
    runtimes.assert_same(runtimes.tfjs(folder, images), predict(model, images))


def test_names_of_classes_are_a_file_in_the_folder(tmp_path):
    converter = program(tmp_path, 'for last; do :; done; touch "$last/model.json"')
    model = toy(num_classes=2)
    model.class_names = ["ant", "große Katze"]
    folder = export_tfjs(model, tmp_path / "toy", converter=converter)
    assert (folder / "labels.txt").read_text("utf-8") == "ant\ngroße Katze\n"


def test_the_converter_gets_a_saved_model_and_its_folder_replaces_the_old(tmp_path):
    # The last two arguments are the SavedModel and the folder to fill.
    converter = program(tmp_path, 'for last; do :; done; ls "$4" > "$last/model.json"')
    folder = tmp_path / "toy"
    assert export_tfjs(toy(), folder, converter=converter) == folder
    assert "saved_model.pb" in (folder / "model.json").read_text().split()
    with pytest.raises(FileExistsError, match="`overwrite` is False"):
        export_tfjs(toy(), folder, converter=converter)
    (folder / "old").touch()
    export_tfjs(toy(), folder, converter=converter, overwrite=True)
    assert [each.name for each in folder.iterdir()] == ["model.json"]


@pytest.mark.parametrize("script", ["echo no protobuf >&2; exit 1", "echo no protobuf >&2"])
def test_a_failing_converter_leaves_nothing_and_says_why(script, tmp_path):
    converter = program(tmp_path, script)
    with pytest.raises(RuntimeError, match=r"converter failed: no protobuf\. It needs an env"):
        export_tfjs(toy(), tmp_path / "toy", converter=converter)
    assert [each.name for each in tmp_path.iterdir()] == ["converter"]


def test_without_a_converter_it_says_what_to_install(tmp_path, monkeypatch):
    with pytest.raises(ImportError, match=r"at `converter`='no/converter'\. It needs an env"):
        export_tfjs(toy(), tmp_path / "toy", converter="no/converter")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ImportError, match=r"on the PATH\. .*pip install 'tensorflowjs==4\.22\.0' "):
        export_tfjs(toy(), tmp_path / "toy")


def test_only_a_folder_of_this_kind_is_replaced(tmp_path):
    (tmp_path / "precious").touch()
    with pytest.raises(FileExistsError, match=r"is not a folder with a model\.json"):
        export_tfjs(toy(), tmp_path, overwrite=True)


@pytest.mark.parametrize("page", ["Makefile", "docs/formats.md"])
def test_every_page_installs_the_same_versions(page):
    text = (ROOT / page).read_text()
    assert [each for each in REQUIREMENTS if f"'{each}'" not in text] == []
