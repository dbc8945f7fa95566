"""`from_preset` of an address, through Hugging Face's client and a server on this machine."""

import hashlib
import json
import re
import sys

import numpy as np
import pytest
from huggingface_hub import constants

from keras_mlp import MLPMixer, RepMLPNet, ResMLP, VisionModel, save_checkpoint
from tests.contract import predict, some_pixels, with_random_weights
from tests.hub_server import COMMIT, serving_hub
from tests.kaggle_server import serving_kaggle

ADDRESS = "hf://me/mixer"


@pytest.fixture(scope="module")
def model():
    model = with_random_weights(MLPMixer.from_variant("pico/2", num_layers=1, num_classes=3))
    model.class_names = ["cat", "dog", "horse"]
    return model


@pytest.fixture(scope="module")
def files(model, tmp_path_factory):
    """What a repository of an artefact must have."""
    return artefact(model, tmp_path_factory.mktemp("artefact"))


def artefact(model, folder):
    model.weights_source = "of the test"
    model.save(folder / "model.keras")
    content = (folder / "model.keras").read_bytes()
    entry = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    manifest = json.dumps({"files": {"model.keras": entry}}).encode()
    return {"model.keras": content, "manifest.json": manifest}


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with serving_hub(monkeypatch, tmp_path / "cache") as server:
        yield server


@pytest.fixture
def kaggle(monkeypatch, tmp_path):
    with serving_kaggle(monkeypatch, tmp_path / "cache") as server:
        yield server


def same(model, other):
    pixels = some_pixels(model, batch=2)
    np.testing.assert_allclose(predict(other, pixels), predict(model, pixels), atol=1e-6)


@pytest.mark.parametrize("architecture", [MLPMixer, VisionModel])
def test_an_artefact_is_loaded(hub, files, model, architecture):
    hub.repositories["me/mixer"] = files
    loaded = architecture.from_preset(ADDRESS)
    assert type(loaded) is MLPMixer
    same(model, loaded)
    # The second file is one of the first one's commit.
    assert f"HEAD /me/mixer/resolve/{COMMIT}/model.keras" in hub.asked


def test_a_revision_is_asked_for(hub, files):
    hub.repositories["me/mixer"] = files
    MLPMixer.from_preset(f"{ADDRESS}@v2")
    assert hub.asked[0] == "HEAD /me/mixer/resolve/v2/manifest.json"


def test_arguments_change_the_head_and_the_image_size_only(hub, files, model):
    hub.repositories["me/mixer"] = files
    changed = MLPMixer.from_preset(ADDRESS, num_classes=5, image_shape=(12, 8, 3), dropout_rate=0.5)
    assert changed.image_shape == (12, 8, 3) and changed.dropout_rate == 0.5
    assert changed.get_layer("head").units == 5
    kernels = (each.get_layer("stem").weights[0].numpy() for each in (model, changed))
    np.testing.assert_array_equal(*kernels)
    assert changed.class_names is None
    assert changed.weights_source == "of the test"
    less = MLPMixer.from_preset(ADDRESS, drop_path_rate=0.1)
    same(model, less)
    assert less.class_names == model.class_names


def test_statistics_of_batch_norms_are_copied(hub, tmp_path):
    model = with_random_weights(RepMLPNet.from_variant("pico/2", num_layers=(1, 1), num_classes=3))
    hub.repositories["me/rep"] = artefact(model, tmp_path)
    same(model, RepMLPNet.from_preset("hf://me/rep", drop_path_rate=0.1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hidden_dim": 32}, "hidden_dim would change the network"),
        ({"variant": "pico/2"}, "`variant` is not for an address"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(hub, files, arguments, message):
    hub.repositories["me/mixer"] = files
    with pytest.raises(ValueError, match=message):
        MLPMixer.from_preset(ADDRESS, **arguments)


def test_another_class_is_named(hub, files):
    hub.repositories["me/mixer"] = files
    with pytest.raises(ValueError, match=r"call MLPMixer\.from_preset"):
        ResMLP.from_preset(ADDRESS)


def test_a_file_that_differs_from_the_manifest_is_refused(hub, files):
    changed = {**files, "model.keras": files["model.keras"][:-1] + b"x"}
    hub.repositories["me/mixer"] = changed
    with pytest.raises(
        ValueError, match=r"model\.keras of hf://me/mixer differs from its manifest"
    ):
        MLPMixer.from_preset(ADDRESS)


def timm_files(model, folder, architecture, **config):
    save_checkpoint(model, folder / "model.safetensors")
    height, width, channels = model.image_shape
    facts = {"tag": "mine", "input_size": [channels, height, width], "mean": [0.4, 0.5, 0.6]}
    config = {
        "architecture": architecture,
        "num_classes": model.num_classes,
        "pretrained_cfg": facts,
        **config,
    }
    return {
        "config.json": json.dumps(config).encode(),
        "model.safetensors": (folder / "model.safetensors").read_bytes(),
    }


@pytest.fixture(scope="module")
def of_timm(tmp_path_factory):
    """A narrow model of two blocks under the name of one that timm has, and its files."""
    with pytest.MonkeyPatch.context() as patch:
        narrow = {"num_layers": 2, "hidden_dim": 16, "channel_mlp_dim": 64}
        patch.setitem(ResMLP.variants, "S12", {**ResMLP.variants["S12"], **narrow})
        yield of_resmlp_12(tmp_path_factory)


def of_resmlp_12(tmp_path_factory):
    model = ResMLP.from_variant(
        "S12", num_classes=3, image_shape=(32, 48, 3), pixel_mean=(0.4, 0.5, 0.6)
    )
    model = with_random_weights(model)
    return model, timm_files(model, tmp_path_factory.mktemp("timm"), "resmlp_12_224")


def test_a_repository_of_timm_is_loaded(hub, of_timm):
    model, files = of_timm
    hub.repositories["timm/resmlp_12_224.mine"] = files
    loaded = VisionModel.from_preset("hf://timm/resmlp_12_224.mine", verbose=False)
    assert type(loaded) is ResMLP and loaded.pixel_mean == (0.4, 0.5, 0.6)
    same(model, loaded)
    fewer = ResMLP.from_preset("hf://timm/resmlp_12_224.mine", num_classes=2, verbose=False)
    assert fewer.num_classes == 2 and fewer.image_shape == (32, 48, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"architecture": "resnet50"}, "timm's resnet50, which keras_mlp lacks. It has mixer_s32"),
        ({"model_args": {"embed_dim": 7}}, "changes the network of resmlp_12_224"),
        ({"architecture": "mixer_b16_224"}, "not of ResMLP: call MLPMixer.from_preset"),
        ({"pretrained_cfg": {}}, "config.json is damaged"),
    ],
)
def test_repositories_of_timm_that_do_not_fit_are_refused(hub, of_timm, change, message):
    config = {**json.loads(of_timm[1]["config.json"]), **change}
    hub.repositories["timm/x"] = {**of_timm[1], "config.json": json.dumps(config).encode()}
    with pytest.raises(ValueError, match=re.escape(message)):
        ResMLP.from_preset("hf://timm/x", verbose=False)


def test_a_repository_without_a_model_says_what_it_lacks(hub):
    hub.repositories["me/mixer"] = {"README.md": b"#"}
    with pytest.raises(ValueError, match=r"neither manifest\.json, .* nor config\.json and"):
        MLPMixer.from_preset(ADDRESS)


def test_what_is_not_there_is_an_error_of_the_address(hub):
    with pytest.raises(OSError, match=r"manifest\.json of hf://me/mixer could not be downloaded"):
        MLPMixer.from_preset(ADDRESS)


def test_an_artefact_is_loaded_from_kaggle(kaggle, files, model):
    kaggle.variations["me/mixer/default"] = files
    same(model, MLPMixer.from_preset("kaggle://me/mixer/keras/default"))


@pytest.mark.parametrize(
    "files", [{"README.md": b"#"}, None], ids=["another variation", "nothing there"]
)
def test_kaggle_without_a_model_says_what_it_lacks(kaggle, files):
    if files is not None:
        kaggle.variations["me/mixer/default"] = files
    with pytest.raises(ValueError, match=r"is not a repository of a model: .* manifest\.json"):
        MLPMixer.from_preset("kaggle://me/mixer/keras/default")


def test_a_model_in_the_cache_needs_no_connection(hub, files, model, monkeypatch):
    hub.repositories["me/mixer"] = files
    MLPMixer.from_preset(ADDRESS)
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # the client tries five times
    with serving_hub(monkeypatch, constants.HF_HUB_CACHE):
        pass  # nothing listens at this server's port any more
    same(model, MLPMixer.from_preset(ADDRESS))
    with pytest.raises(OSError, match=r"manifest\.json of hf://me/other could not be downloaded"):
        MLPMixer.from_preset("hf://me/other")


@pytest.mark.parametrize("address", ["hf://mixer", "hf://a/b/c", "kaggle://a/b/c", "hf://"])
def test_an_address_has_one_form(address):
    with pytest.raises(ValueError, match=r"must be hf://USER/REPO"):
        MLPMixer.from_preset(address)


@pytest.mark.parametrize(
    ("address", "module", "extra"),
    [
        (ADDRESS, "huggingface_hub", "hf"),
        ("kaggle://me/mixer/keras/default", "kagglehub", "kaggle"),
    ],
)
def test_a_missing_client_is_named_with_its_extra(monkeypatch, address, module, extra):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"{module} must be installed .*keras_mlp\[{extra}\]"):
        MLPMixer.from_preset(address)
