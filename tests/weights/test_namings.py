"""The same weights under other names, in other shapes or under a prefix give the same logits."""

import numpy as np
import pytest

from keras_mlp import load_checkpoint
from tests.models.test_mlp_mixer import mixer_like
from tests.models.test_resmlp import resmlp_like
from tests.models.test_vit import vit_like
from tests.oracle import Oracle
from tests.weights import namings
from tests.weights.toy_checkpoint import refusal, write

PREFIXES = ("", "params/", "params/img/", "opt/target/")
NEWER = {
    "MultiHeadDotProductAttention_1": "MultiHeadDotProductAttention_0",
    "LayerNorm_2": "LayerNorm_1",
    "MlpBlock_3": "MlpBlock_0",
}


def linen(tensors):
    """Google's Vision Transformer with the layers numbered by kind."""
    for old, new in NEWER.items():
        tensors = {name.replace(old, new): tensor for name, tensor in tensors.items()}
    return tensors


def big_vision(tensors):
    """The same in the names of big_vision."""
    old = "Transformer/posembed_input/"
    return {name.removeprefix(old): tensor for name, tensor in linen(tensors).items()}


@pytest.fixture(scope="module")
def mixer():
    """Google's Mixer with its reference, and a model for it."""
    oracle = Oracle("mixer_flax_base")
    return oracle, mixer_like(oracle, gelu_approximate=True)


@pytest.fixture(scope="module")
def vit():
    """Google's Vision Transformer with its reference, and a model for it."""
    oracle = Oracle("vit_flax_base")
    return oracle, vit_like(oracle, gelu_approximate=True)


def load_into_zeros(model, path):
    """Loads a file; what it leaves out stays 0, whatever the model had before."""
    for weight in model.weights:
        weight.assign(np.zeros(weight.shape))
    return load_checkpoint(model, path)


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("second_norm", [None, 1, 2, 10])
def test_mixer(mixer, second_norm, prefix, tmp_path):
    oracle, model = mixer
    tensors = oracle.weights
    if second_norm is not None:
        tensors = namings.legacy_mixer(tensors, second_norm)
    path = write(namings.below(prefix, tensors), tmp_path / "w.npz")
    source = "google" if second_norm is None else "google_legacy"
    assert load_into_zeros(model, path) == source
    oracle.check(model(oracle.x))


def test_a_legacy_mixer_that_lacks_a_norm_is_refused(tmp_path):
    oracle = Oracle("mixer_flax_base")
    tensors = namings.legacy_mixer(oracle.weights, second_norm=2)
    del tensors["Mixer/encoderblock_1/LayerNorm_0/scale"]
    message = refusal(mixer_like(oracle), write(tensors, tmp_path / "w.npz"))
    assert "google_legacy naming" in message
    # The remaining layers are renumbered: the last one is missing, and its bias is unused.
    assert "missing: Mixer/encoderblock_1/LayerNorm" in message


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("stack", [False, True])
@pytest.mark.parametrize(
    ("rename", "source"), [(dict, "google"), (linen, "google_linen"), (big_vision, "big_vision")]
)
def test_vit(vit, rename, source, stack, prefix, tmp_path):
    oracle, model = vit
    tensors = rename(oracle.weights)
    if stack:
        tensors = namings.stacked(tensors)
        assert sum("encoderblock/" in name for name in tensors) == 16
    path = write(namings.below(prefix, tensors), tmp_path / "w.npz")
    assert load_into_zeros(model, path) == source
    oracle.check(model(oracle.x))


def test_stacked_blocks_that_are_too_few_or_too_many_are_named(tmp_path):
    oracle = Oracle("vit_flax_base")
    path = write(namings.stacked(oracle.weights), tmp_path / "w.npz")
    message = refusal(vit_like(oracle, num_layers=3), path)
    assert "missing: Transformer/encoderblock_2/LayerNorm_0/scale" in message
    message = refusal(vit_like(oracle, num_layers=1), path)
    assert "unused: Transformer/encoderblock_1/LayerNorm_0/scale" in message


@pytest.mark.parametrize("name", ["resmlp_official_base", "resmlp_timm_rect"])
def test_wrapped(name, tmp_path):
    oracle = Oracle(name)
    model = resmlp_like(oracle)
    load_checkpoint(model, write(namings.wrapped(oracle.weights), tmp_path / "w.safetensors"))
    oracle.check(model(oracle.x))


@pytest.mark.parametrize("heads", [1, 4, 6])
def test_another_number_of_heads_is_refused(heads, tmp_path):
    oracle = Oracle("vit_flax_base")
    model = vit_like(oracle, num_heads=heads)
    for rename in (dict, linen, big_vision, namings.stacked):
        path = write(rename(oracle.weights), tmp_path / f"{rename.__name__}.npz")
        message = refusal(model, path)
        assert "1 problems" in message
        assert f"has 3 heads of 16 channels, the model has `num_heads`={heads}" in message


@pytest.mark.parametrize("name", ["mixer_flax_base", "mixer_timm_base"])
def test_the_head_can_be_left_as_it_is(name, tmp_path):
    oracle = Oracle(name)
    path = write(oracle.weights, tmp_path / "w.npz")
    model = mixer_like(oracle, num_classes=7, gelu_approximate="flax" in name)
    assert "head" in refusal(model, path)
    model.get_layer("head").kernel.assign(np.ones((32, 7)))
    load_checkpoint(model, path, include_head=False)
    np.testing.assert_array_equal(model.get_layer("head").kernel, np.ones((32, 7)))
    features = mixer_like(oracle, include_top=False, gelu_approximate="flax" in name)
    load_checkpoint(features, path, include_head=False)
    oracle.check(features(oracle.x), "features")


def test_nothing_else_may_be_left_over_with_the_head(tmp_path):
    oracle = Oracle("mixer_flax_base")
    path = write({**oracle.weights, "head/scale": np.zeros(3)}, tmp_path / "w.npz")
    model = mixer_like(oracle)
    with pytest.raises(ValueError, match="1 problems:\n  unused: head/scale"):
        load_checkpoint(model, path, include_head=False)
