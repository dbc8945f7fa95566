"""What the blocks of all architectures share, and the branches that they return."""

import keras
import numpy as np
import pytest

from keras_mlp import ARCHITECTURES, GMLPBlock, MixerBlock, PermutatorBlock
from keras_mlp.analysis.weightless import weightless
from keras_mlp.models.block import Block
from tests.contract import shallow, with_random_weights
from tests.test_contract import factory

ADDITIVE = [name for name in ARCHITECTURES if weightless(factory(name)).blocks[0].is_additive]


def block_of(architecture, **overrides):
    """The last block of a toy model, with random weights, and an input of its shape."""
    model = shallow(factory(architecture))(**overrides)
    block = with_random_weights(model.blocks[-1])
    x = np.random.default_rng(0).normal(size=(3, *block.input.shape[1:])).astype("float32")
    return block, x


def arrays(structure):
    return keras.tree.map_structure(np.asarray, structure)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_asking_for_branches_changes_no_output(architecture):
    block, x = block_of(architecture)
    outputs, branches = arrays(block(x, return_branches=True))
    np.testing.assert_array_equal(outputs, block(x))
    assert branches.keys() == {"token_mixing", "channel_mixing"}


@pytest.mark.parametrize("architecture", ADDITIVE)
def test_input_and_branches_add_up_to_the_output(architecture):
    block, x = block_of(architecture)
    outputs, branches = arrays(block(x, return_branches=True))
    total = x + branches["token_mixing"] + branches["channel_mixing"]
    np.testing.assert_allclose(outputs, total, rtol=0, atol=1e-5)
    assert min(np.abs(branch).max() for branch in branches.values()) > 0.01


def test_the_branch_of_gmlp_is_its_channel_mixing():
    block, x = block_of("GMLP")
    outputs, branches = arrays(block(x, return_branches=True))
    np.testing.assert_allclose(outputs, x + branches["channel_mixing"], rtol=0, atol=1e-5)
    gated = branches["token_mixing"]
    assert gated.shape == (*x.shape[:-1], block.channel_mlp_dim // 2)
    np.testing.assert_allclose(block.fc2(gated), branches["channel_mixing"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_only_token_mixing_looks_at_other_tokens(architecture):
    block, x = block_of(architecture)
    other = x.copy()
    other[:, 1] += np.random.default_rng(1).normal(size=other[:, 1].shape)

    def moved(branch):
        change = np.abs(np.asarray(branch(other, False)) - np.asarray(branch(x, False)))
        return change.max(axis=(0, *range(2, x.ndim))) > 1e-6  # for each token, or row of the map

    assert moved(block.token_mixing).sum() > 1
    if architecture != "GMLP":  # its channel mixing passes through the gate
        assert moved(block.channel_mixing).tolist() == [i == 1 for i in range(x.shape[1])]


def test_ff_only_mixes_channels_first():
    block, x = block_of("FFOnly")
    _, branches = arrays(block(x, return_branches=True))
    np.testing.assert_array_equal(branches["channel_mixing"], block.channel_mixing(x, False))
    middle = x + branches["channel_mixing"]
    np.testing.assert_array_equal(branches["token_mixing"], block.token_mixing(middle, False))


def test_branches_of_a_permutator_are_divided_already():
    block, x = block_of("VisionPermutator", skip_lam=2.0)
    whole, _ = block_of("VisionPermutator")
    whole.set_weights(block.get_weights())
    np.testing.assert_array_equal(
        2 * np.asarray(block.token_mixing(x, False)), whole.token_mixing(x, False)
    )


def test_branches_are_given_before_they_are_dropped():
    keras.utils.set_random_seed(0)
    block = MixerBlock(8, 16, drop_path_rate=0.5)
    x = np.random.default_rng(0).normal(size=(64, 4, 8)).astype("float32")
    outputs, branches = arrays(block(x, training=True, return_branches=True))
    change = np.abs(outputs - x).max(axis=(1, 2))
    assert np.abs(branches["token_mixing"]).max(axis=(1, 2)).min() > 0
    assert 0 < (change == 0).sum() < 64  # samples whose branches were both dropped


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_symbolic_branches_are_like_real_ones(architecture, policy):
    block, x = block_of(architecture, dtype=policy)
    symbolic = block(keras.Input(x.shape[1:]), return_branches=True)
    real = block(x, return_branches=True)
    keras.tree.assert_same_structure(symbolic, real)
    for ours, theirs in zip(keras.tree.flatten(symbolic), keras.tree.flatten(real), strict=True):
        assert ours.shape[1:] == tuple(theirs.shape[1:])
        assert ours.dtype == keras.backend.standardize_dtype(theirs.dtype)


def test_branches_are_outputs_of_a_functional_model(tmp_path):
    inputs = keras.Input((4, 16))
    outputs, branches = GMLPBlock(32, name="block")(inputs, return_branches=True)
    model = keras.Model(inputs, {"outputs": outputs, **branches})
    x = np.random.default_rng(0).normal(size=(2, 4, 16)).astype("float32")
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    keras.tree.map_structure(np.testing.assert_array_equal, arrays(copy(x)), arrays(model(x)))


def test_a_block_without_branches_of_its_own_says_so():
    for branch in Block.branches:
        with pytest.raises(NotImplementedError):
            getattr(Block(), branch)(np.ones((1, 2, 2)), False)


@pytest.mark.parametrize("remat", ["yes", 1, None])
def test_refuses_a_remat_that_is_no_bool(remat):
    with pytest.raises(ValueError, match="`remat` must be True or False, got"):
        PermutatorBlock(24, remat=remat)


def test_the_config_carries_what_the_frame_takes():
    block = PermutatorBlock(24, drop_path_rate=0.25, remat=True)
    config = block.get_config()
    assert config["remat"] is True and config["drop_path_rate"] == 0.25
    assert PermutatorBlock.from_config(config).get_config() == config
