"""Freezing and learning rates by depth."""

import keras
import numpy as np
import pytest

import keras_mlp
from keras_mlp.depth import layer_depths
from tests.contract import some_pixels, with_random_weights
from tests.test_contract import ROWS, factory


def sgd(scale):
    return keras.optimizers.SGD(0.1 * scale)


@pytest.mark.parametrize("architecture", keras_mlp.ARCHITECTURES)
def test_depth_counts_blocks(architecture):
    model = factory(architecture)()
    depths = layer_depths(model)
    blocks = int(np.sum(ROWS[architecture].toy["num_layers"]))
    assert depths["stem"] == 0 and depths["head"] == depths.get("norm", blocks + 1) == blocks + 1
    assert sorted({d for name, d in depths.items() if "block_" in name}) == [*range(1, blocks + 1)]
    if "downsample_0" in depths:
        assert depths["downsample_0"] == depths["stage_1_block_0"] == 2


@pytest.mark.parametrize("architecture", keras_mlp.ARCHITECTURES)
def test_freezing_goes_from_the_input_through_a_layer(architecture):
    names = [layer.name for layer in factory(architecture)().layers]
    block = next(name for name in names if "block_" in name)
    model = keras_mlp.freeze_through(factory(architecture)(), block)
    learning = {weight.path.split("/")[0] for weight in model.trainable_weights}
    frozen = {weight.path.split("/")[0] for weight in model.non_trainable_weights}
    after = {"norm", "head"} & set(names)
    assert {"stem", block} <= frozen and after <= learning
    assert block not in learning and "stem" not in learning


def test_freezing_all_but_the_head():
    model = keras_mlp.freeze_through(factory("ViT")(), "norm")
    assert {weight.path for weight in model.trainable_weights} == {"head/kernel", "head/bias"}


def test_an_unknown_layer_is_refused_and_nothing_is_frozen():
    model = factory("MLPMixer")()
    with pytest.raises(ValueError, match=r"`layer` is 'block_7'\. Did you mean 'block_"):
        keras_mlp.freeze_through(model, "block_7")
    assert not model.non_trainable_weights


@pytest.mark.parametrize("architecture", keras_mlp.ARCHITECTURES)
def test_each_layer_learns_at_the_rate_of_its_depth(architecture):
    model = factory(architecture)()
    depths = layer_depths(model)
    optimizer = keras_mlp.layer_decay(model, sgd, 0.5)
    before = {weight.path: np.array(weight) for weight in model.trainable_weights}
    optimizer.apply(
        [keras.ops.ones(weight.shape) for weight in model.trainable_weights],
        model.trainable_weights,
    )
    top = max(depths.values())
    for weight in model.trainable_weights:
        rate = 0.1 * 0.5 ** (top - depths[weight.path.split("/")[0]])
        moved = before[weight.path] - np.array(weight)
        np.testing.assert_allclose(moved, rate, rtol=1e-4, atol=1e-7, err_msg=weight.path)


def test_no_decay_is_the_plain_optimizer():
    def trained(optimizer_of):
        keras.utils.set_random_seed(0)
        model = with_random_weights(factory("GMLP")())
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer_of(model), loss)
        model.fit(some_pixels(model, 4), np.arange(4), epochs=3, verbose=0)
        return model.get_weights()

    decayed = trained(lambda model: keras_mlp.layer_decay(model, sgd, 1.0))
    for one, other in zip(decayed, trained(lambda model: sgd(1.0)), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)


def test_it_works_on_a_frozen_model():
    model = keras_mlp.freeze_through(factory("MLPMixer")(), "block_0")
    before = model.get_weights()
    model.compile(
        keras_mlp.layer_decay(model, sgd, 0.5),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    model.fit(some_pixels(model, 4), np.arange(4), verbose=0)
    moved = {
        weight.path.split("/")[0]
        for weight, old in zip(model.weights, before, strict=True)
        if not np.array_equal(weight, old)
    }
    assert "head" in moved and not moved & {"stem", "block_0"}


@pytest.mark.parametrize("decay", [0, -0.5, 1.5, "0.5", None, True, float("nan")])
def test_a_wrong_decay_is_refused(decay):
    with pytest.raises(ValueError, match=r"`decay` must be a number in \(0, 1\]"):
        keras_mlp.layer_decay(factory("MLPMixer")(), sgd, decay)
