"""Files of models with QuickGELU are refused where something says so."""

import json

import numpy as np
import pytest
import safetensors.numpy

from keras_mlp import ViT, load_checkpoint, save_checkpoint, with_image_shape
from tests.contract import with_random_weights
from tests.weights.toy_checkpoint import refusal

CLIP = ("visual.", "module.visual.", "visual.trunk.")
VIT = "vit_base_patch16_clip_quickgelu_224"


@pytest.fixture(scope="module")
def model():
    return with_random_weights(ViT.from_variant("pico/2", num_layers=1))


@pytest.fixture(scope="module")
def tensors(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("vit") / "w.safetensors"
    return safetensors.numpy.load_file(save_checkpoint(model, path))


@pytest.mark.parametrize("prefix", CLIP)
def test_names_of_clip_are_refused(prefix, model, tensors, tmp_path):
    path = tmp_path / "w.npz"
    np.savez(path, **{f"{prefix}{name}": tensor for name, tensor in tensors.items()})
    message = refusal(model, path)
    assert "holds a CLIP model (its names, such as visual." in message
    assert "x * sigmoid(1.702 x)" in message


@pytest.mark.parametrize(
    "metadata", [{"architecture": VIT}, {"timm": '{"arguments": {"act_layer": "QuickGELU"}}'}]
)
def test_metadata_that_name_it_are_believed(metadata, model, tensors, tmp_path):
    path = tmp_path / "w.safetensors"
    safetensors.numpy.save_file(tensors, path, metadata)
    assert "its metadata says that it uses QuickGELU" in refusal(model, path)


@pytest.mark.parametrize("config", [{"architecture": VIT}, {"hidden_act": "quick_gelu"}])
def test_the_config_beside_it_is_believed(config, model, tensors, tmp_path):
    path = tmp_path / "model.safetensors"
    safetensors.numpy.save_file(tensors, path)
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert f"{tmp_path / 'config.json'} says that it uses QuickGELU" in refusal(model, path)


def test_its_name_is_believed(model, tensors, tmp_path):
    path = tmp_path / f"{VIT}.npz"
    np.savez(path, **tensors)
    assert "its name says that it uses QuickGELU" in refusal(model, path)


@pytest.mark.parametrize(
    "config", ['{"architecture": "vit_base_patch16_224"}', "[1]", "{", "\u00e9"]
)
def test_others_load(config, model, tensors, tmp_path):
    path = tmp_path / "model.safetensors"
    safetensors.numpy.save_file(tensors, path, {"architecture": "vit_base_patch16_224"})
    (tmp_path / "config.json").write_text(config, encoding="latin-1")
    assert load_checkpoint(model, path) == "timm"


def test_a_norm_before_the_blocks_is_named(model, tensors, tmp_path):
    path = tmp_path / "w.npz"
    np.savez(path, **tensors, **{"norm_pre.weight": np.ones(64, "float32")})
    message = refusal(model, path)
    assert "the file needs `pre_norm`=True, the model has False" in message


def test_a_model_that_computes_it_takes_such_files_and_no_other_does(tmp_path, model):
    clip = with_random_weights(
        ViT.from_variant("pico/2", num_layers=1, pre_norm=True, quick_gelu=True)
    )
    path = save_checkpoint(clip, tmp_path / f"{VIT}.safetensors")
    copy = ViT.from_variant("pico/2", num_layers=1, pre_norm=True, quick_gelu=True)
    assert load_checkpoint(copy, path) == "timm"
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), "uint8")
    np.testing.assert_array_equal(copy(images), clip(images))
    renamed = path.rename(tmp_path / "w.safetensors")
    assert "its metadata says that it uses QuickGELU" in refusal(model, renamed)


def test_a_grey_picture_gives_what_its_copies_in_colour_gave():
    """Without a bias in the patch embedding, the positions take up what normalisation shifts."""
    means = {"pixel_mean": (0.48, 0.46, 0.41), "pixel_std": (0.27, 0.26, 0.28)}
    colour = with_random_weights(
        ViT.from_variant("pico/2", num_layers=1, pre_norm=True, quick_gelu=True, **means)
    )
    grey = with_image_shape(colour, (8, 8, 1))
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 1), "uint8")
    expected = colour(np.repeat(images, 3, axis=-1))
    np.testing.assert_allclose(grey(images), expected, atol=2e-5 * max(1, float(np.std(expected))))


def test_two_approximations_at_once_are_refused():
    with pytest.raises(ValueError, match="are two approximations of GELU: set one to False"):
        ViT.from_variant("pico/2", num_layers=1, gelu_approximate=True, quick_gelu=True)
