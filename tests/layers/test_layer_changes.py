"""Layers frozen inside blocks are part of the config, and stay frozen after reloading."""

import numpy as np
import pytest

from keras_mlp import MLPMixer
from keras_mlp.layers.layer_changes import layers_by_path
from tests.contract import reloaded
from tests.test_contract import ROWS, factory


def paths(weights):
    return [weight.path for weight in weights]


@pytest.mark.parametrize("architecture", ROWS)
def test_any_layer_can_be_frozen(architecture):
    model = factory(architecture)()
    layers = layers_by_path(model)
    names = [path for path, layer in layers.items() if layer.weights and "/" in path][::3]
    deepest = max(path.count("/") for path in layers)
    assert any(path.count("/") > 1 for path in names) or deepest == 1 or architecture == "GMLP"
    for path in names:
        layers[path].trainable = False
    copy = reloaded(model)
    assert copy.get_config() == model.get_config()
    assert 0 < len(model.trainable_weights) < len(model.weights)
    assert paths(copy.trainable_weights) == paths(model.trainable_weights)
    again = layers_by_path(copy)
    assert not any(again[path].trainable for path in names)


def test_a_single_weight_can_be_frozen():
    model = factory("MLPMixer")()
    model.get_layer("block_0").token_mlp.fc1.bias.trainable = False
    assert model.get_config()["frozen"] == ["block_0/token_mlp/fc1/bias"]
    copy = reloaded(model)
    left = set(paths(copy.weights)) - set(paths(copy.trainable_weights))
    assert left == {"block_0/token_mlp/fc1/bias"}


def test_a_frozen_block_is_named_once():
    model = factory("MLPMixer")()
    model.get_layer("block_1").trainable = False
    assert model.get_config()["frozen"] == ["block_1"]


def test_paths_are_those_of_the_weights():
    for architecture in ROWS:
        model = factory(architecture)()
        layers = layers_by_path(model)
        owners = {weight.path.rpartition("/")[0] for weight in model.weights}
        assert owners <= layers.keys()


def test_a_config_without_changes_is_a_plain_model():
    config = factory("MLPMixer")().get_config()
    for kind in ("quantized", "lora", "frozen"):
        assert not config.pop(kind)
    model = MLPMixer.from_config(config)
    assert len(model.trainable_weights) == len(model.weights)


def test_an_unknown_path_is_refused():
    config = factory("MLPMixer")().get_config()
    with pytest.raises(ValueError, match="changes block_7/norm1, which the model does not have"):
        MLPMixer.from_config({**config, "frozen": ["block_7/norm1"]})


def test_what_is_frozen_does_not_move():
    model = factory("RepMLPNet")()
    model.get_layer("stage_0_block_0").repmlp.fc3_norm.trainable = False
    copy = reloaded(model)
    before = np.array(copy.get_layer("stage_0_block_0").repmlp.fc3_norm.moving_mean)
    copy(np.full((2, *copy.image_shape), 99, "uint8"), training=True)
    after = copy.get_layer("stage_0_block_0").repmlp.fc3_norm.moving_mean
    np.testing.assert_array_equal(after, before)
