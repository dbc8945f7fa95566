"""Plain Keras models of our layers keep what is quantized, frozen or has LoRA factors in a file."""

import keras
import numpy as np
import pytest

from keras_mlp import enable_lora, freeze_through
from keras_mlp.layers import MLP
from keras_mlp.layers.composite import Composite
from keras_mlp.layers.layer_changes import changes_of, layers_and_weights_by_path
from tests.contract import predict, reloaded, some_pixels, with_random_weights
from tests.test_contract import ROWS, factory

CHANGES = (("quantized",), ("lora",), ("quantized", "lora"))
CASES = [(name, kinds) for name in ROWS for kinds in CHANGES if name != "ConvMixer"]
CASES.append(("ConvMixer", ()))  # has no dense layers in its blocks


def changed_model(architecture, kinds, draw):
    """A toy with random weights and changed layers, some of them frozen at random."""
    model = with_random_weights(factory(architecture)())
    if "quantized" in kinds:
        model.quantize("int8")
    if "lora" in kinds:
        enable_lora(model, 2, train_head=False)
        for weight in model.weights:
            if "lora" in weight.name:
                weight.assign(draw.normal(size=weight.shape))
    # Single weights inside composite layers only: Keras' own layers forget theirs.
    paths = [path for path in layers_and_weights_by_path(model) if "block" in path and "/" in path]
    for path in draw.choice(paths, size=4):
        layers_and_weights_by_path(model)[path].trainable = False
    for layer in draw.choice(model.layers, size=2):
        layer.trainable = False
    return model


def plain(model, draw):
    """A Keras model to an output after the first block, alone or inside another one."""
    tap = draw.choice([layer.name for layer in model.layers if layer.weights][-3:])
    inner = keras.Model(model.input, model.get_layer(tap).output)
    return keras.Sequential([inner, keras.layers.ReLU()]) if draw.random() < 0.3 else inner


def check_keeps_changes(architecture, kinds):
    draw = np.random.default_rng(CASES.index((architecture, kinds)))
    model = changed_model(architecture, kinds, draw)
    part = plain(model, draw)
    copy = reloaded(part)
    changes = changes_of(part)
    assert all(changes[kind] for kind in (*kinds, "frozen")) and changes_of(copy) == changes
    assert [w.path for w in copy.weights] == [w.path for w in part.weights]
    assert [w.path for w in copy.trainable_weights] == [w.path for w in part.trainable_weights]
    images = some_pixels(model)
    np.testing.assert_array_equal(predict(copy, images), predict(part, images))


@pytest.mark.parametrize(("architecture", "kinds"), CASES[::4])
def test_a_plain_model_keeps_every_change(architecture, kinds):
    check_keeps_changes(architecture, kinds)


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("architecture", "kinds"), [case for case in CASES if case not in CASES[::4]]
)
def test_all_plain_models_keep_every_change(architecture, kinds):
    check_keeps_changes(architecture, kinds)


def test_what_is_frozen_does_not_move():
    model = factory("MLPMixer")()
    model.get_layer("block_0").trainable = False
    model.get_layer("block_1").token_mlp.trainable = False
    copy = reloaded(keras.Model(model.input, model.get_layer("block_1").output))
    before = {weight.path: np.array(weight) for weight in copy.weights}
    copy.compile("sgd", "mse", jit_compile=False)
    images = some_pixels(model)
    copy.fit(images, np.ones_like(predict(copy, images)), verbose=0)
    moved = {w.path for w in copy.weights if (np.array(w) != before[w.path]).any()}
    assert {path.split("/")[0] for path in moved} == {"stem", "block_1"}
    assert not any("token_mlp" in path for path in moved)


@pytest.mark.parametrize("architecture", ROWS)
def test_a_frozen_block_is_frozen_inside_in_every_copy(architecture):
    model = factory(architecture)()
    freeze_through(model, model.blocks[0].name)
    trained = [weight.path for weight in model.trainable_weights]
    part = keras.Model(model.input, model.output)
    for copy in (keras.models.clone_model(model), keras.models.clone_model(part)):
        assert [weight.path for weight in copy.trainable_weights] == trained
    block = type(model.blocks[0]).from_config(model.blocks[0].get_config())
    block(keras.ops.zeros((1, *model.blocks[0].input.shape[1:])))
    assert block.weights and not block.trainable_weights


def test_a_layer_made_frozen_is_frozen_inside():
    mlp = MLP(hidden_dim=8, trainable=False)
    mlp.build((None, 4, 8))
    assert len(mlp.weights) == 4 and not mlp.trainable_weights
    mlp.trainable = True
    assert len(mlp.trainable_weights) == 4


def test_a_layer_without_changes_is_stored_as_before():
    mlp = MLP(hidden_dim=8)
    mlp.build((None, 4, 8))
    assert mlp.get_build_config() == {"input_shape": (None, 4, 8)}


def test_every_layer_that_makes_layers_is_composite():
    for architecture in ROWS:
        for layer in factory(architecture)()._flatten_layers(include_self=False):
            has_layers = any(True for _ in layer._flatten_layers(include_self=False))
            assert not has_layers or isinstance(layer, Composite), type(layer)
