"""What a position reads, measured by small changes, is what the weights of the block say."""

import numpy as np
import pytest

from keras_mlp import ARCHITECTURES
from keras_mlp.analysis import TokenInfluence, token_influence, token_mixing_maps
from tests.contract import some_pixels, with_random_weights
from tests.test_contract import ROWS

GRID = (4, 6)


def toy(architecture, **overrides):
    model = ARCHITECTURES[architecture](**{**ROWS[architecture].toy, **overrides})
    return with_random_weights(model)


def rows(shares):
    return shares.reshape(len(shares) * shares.shape[1], -1)


@pytest.fixture(scope="module")
def resmlp():
    return toy("ResMLP")


def test_of_a_linear_layer_it_is_the_absolute_weights(resmlp):
    influence = token_influence(resmlp, some_pixels(resmlp), block=1, directions=1)
    weights = np.abs(token_mixing_maps(resmlp, block=1)).reshape(24, 24)
    expected = weights / weights.sum(axis=1, keepdims=True)
    assert influence.shares.shape == (*GRID, *GRID) and influence.shares.dtype == np.float32
    np.testing.assert_allclose(rows(influence.shares), expected, atol=1e-4)


def test_a_convolution_reads_its_window_only():
    model = toy("ConvMixer")
    side = token_mixing_maps(model, block=0).shape[-1]
    shares = token_influence(model, some_pixels(model), block=0).shares
    height, width = shares.shape[:2]
    for row in range(height):
        for column in range(width):
            y, x = np.indices((height, width))
            inside = np.maximum(abs(y - row), abs(x - column)) <= side // 2
            assert (shares[row, column][inside] > 0).all()
            assert not shares[row, column][~inside].any()


def test_vision_permutator_reads_its_row_and_its_column():
    model = toy("VisionPermutator", weighted=False)
    shares = token_influence(model, some_pixels(model), block=0).shares
    height, width = shares.shape[:2]
    y, x = np.indices((height, width))
    cross = (y == 1) | (x == 2)
    assert (shares[1, 2][cross] > 0).all()
    assert not shares[1, 2][~cross].any()


def test_attention_to_all_alike_reads_alike_everywhere():
    model = toy("ViT")
    attention = model.get_layer("block_0").attention
    for layer in (attention.query, attention.key):
        layer.kernel.assign(np.zeros(layer.kernel.shape))
    shares = rows(token_influence(model, some_pixels(model), block=0).shares)
    assert shares.shape == (24, 24)  # the class token is left out
    np.testing.assert_allclose(shares, np.tile(shares[:1], (24, 1)), atol=1e-4)


@pytest.mark.parametrize("architecture", ["MLPMixer", "FFOnly", "GMLP", "RepMLPNet"])
def test_shares_add_up_and_repeat(architecture):
    model = toy(architecture)
    images = some_pixels(model)
    shares = token_influence(model, images, block=1).shares
    assert np.isfinite(shares).all() and (shares >= 0).all()
    np.testing.assert_allclose(rows(shares).sum(axis=1), 1, rtol=1e-5)
    again = token_influence(model, images, block=model.blocks[1].name)
    np.testing.assert_array_equal(again.shares, shares)


def test_a_block_that_returns_zeros_reads_nothing(resmlp):
    model = toy("ResMLP")
    scale = model.get_layer("block_0").layer_scale1
    scale.set_weights([np.zeros(each.shape) for each in scale.weights])
    assert not token_influence(model, some_pixels(model), block=0).shares.any()


def test_distance_and_offsets_by_hand():
    shares = np.zeros((2, 3, 2, 3), "float32")
    for row in range(2):
        for column in range(3):
            shares[row, column, row, column] = 0.75
            shares[row, column, 1 - row, column] = 0.25
    influence = TokenInfluence(shares)
    assert influence.distance == pytest.approx(0.25)  # a quarter of it comes from one row away
    assert influence.own_share == pytest.approx(0.75)
    offsets = np.zeros((3, 5), "float32")
    offsets[:, 2] = 0.25, 0.75, 0.25  # the rows above and below have one position each
    np.testing.assert_allclose(influence.by_offset(), offsets)


def test_refuses(resmlp):
    images = some_pixels(resmlp)
    for changes, message in (
        ({"model": 3}, "`model` must be a keras_mlp model"),
        ({"block": 2}, "`block` must be in 0 to 1 or a name, got 2"),
        ({"images": images[0]}, r"`images` must be an array \(N, 16, 24, 3\) .* got the shape"),
        ({"images": images[:0]}, r"`images` must be .* got the shape \(0, 16, 24, 3\)"),
        ({"images": images.tolist()}, "`images` must be an array .* got "),
        ({"images": images * np.nan}, "`images` must be .*: some are not finite"),
        ({"directions": 0}, "`directions` must be a positive integer, got 0"),
        ({"seed": -1}, "`seed` must be 0 or a positive integer, got -1"),
        ({"model": toy("ResMLP", dtype="mixed_bfloat16")}, "must compute in float32, .* bfloat16"),
    ):
        with pytest.raises(ValueError, match=message):
            token_influence(**{"model": resmlp, "images": images, "block": 0, **changes})


def test_refuses_a_quantized_model():
    model = toy("ResMLP")
    model.quantize("int8")
    with pytest.raises(ValueError, match=r"must compute in float32, .* with quantized layers"):
        token_influence(model, some_pixels(model), block=0)
