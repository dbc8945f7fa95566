"""The pictures and tables of docs/gallery.md are those of the trained models."""

import numpy as np
import PIL.Image
import pytest
from keras import ops

from documentation import gallery
from documentation.attention_maps import attention_weights, mean_attention
from documentation.feature_colours import feature_colours
from documentation.gallery import CIFAR10, CLOTHES, DIGITS, DOCS, LABELS, PAGE, PICTURES, SIZES
from documentation.gallery_pictures import (
    Trained,
    neighbour_shares,
    rows_columns_channels,
    shares_within,
    sizes,
    trained,
)
from documentation.page_tables import page_table
from documentation.panel_picture import Panel, Row, draw_panels
from keras_mlp import RepMLPNet, VisionPermutator, ViT, with_image_shape
from keras_mlp.analysis import token_mixing_maps
from keras_mlp.analysis.chosen_block import inputs_of
from keras_mlp.analysis.tiles import tiled_picture
from tests.contract import some_pixels, with_random_weights

AGAIN = "run python -m documentation.gallery"


@pytest.fixture(scope="module")
def digits():
    return trained(DIGITS, LABELS[DIGITS])


@pytest.fixture(scope="module")
def vit():
    model = ViT(
        image_shape=(8, 12, 3), patch_size=4, num_layers=2, hidden_dim=8, num_heads=2,
        channel_mlp_dim=8, num_classes=3,
    )  # fmt: skip
    return with_random_weights(model)


def test_distances_are_those_of_the_model(digits):
    table = page_table("gallery.md", after="The mean distance in tokens")
    (row,) = (each for each in table if each["model"] == digits.label)
    (influences,) = gallery.stages(digits).values()
    for i, influence in enumerate(influences):
        assert float(row[str(i)]) == pytest.approx(influence.distance, abs=0.011), AGAIN
    assert not row[str(len(influences))]
    assert {each["model"] for each in table} == {*LABELS.values()}
    # Of 16 pairs in a row of four, 6 are one apart, 4 are two and 2 are three: 20 / 16.
    lines = gallery.distances({("a", (1, 4)): influences}).splitlines()
    assert "|  1 x 4 |      1.25 |" in lines[-1]


def test_shares_of_variance_are_those_of_the_model():
    table = page_table("gallery.md", after="between tokens of one image")
    assert [row["model"] for row in table] == [LABELS[name] for name in CLOTHES]
    shares = shares_within(trained(CLOTHES[0], LABELS[CLOTHES[0]]))
    columns = ("after the first block", "after the last block")
    for column, share in zip(columns, shares, strict=True):
        percent = float(table[0][column].removesuffix("%"))
        assert percent == pytest.approx(100 * share, abs=0.6), AGAIN


def test_a_convolution_is_all_in_the_neighbourhood():
    model = RepMLPNet.from_variant("pico/2", partition_size=(4, 2))
    for block in model.blocks:  # matrices of ones, next to convolutions that are much larger
        block.repmlp.fc3.kernel.assign(np.ones(block.repmlp.fc3.kernel.shape))
        for convolution in block.repmlp.convolutions:
            convolution.kernel.assign(np.full(convolution.kernel.shape, 1e6))
    shares = neighbour_shares(Trained("", model, some_pixels(model)))
    even, alone, both = shares["stage_0_block_0"]
    # Of 4 x 4 pixels: 4 in a corner have 4 around them, 8 at a side 6, and 4 inside 9.
    assert even == pytest.approx((4 * 4 + 8 * 6 + 4 * 9) / 16 / 16)
    assert alone == pytest.approx(even) and both == pytest.approx(1, abs=1e-4)
    assert shares["stage_1_block_3"][0] == 1  # every pixel of 2 x 2 is next to every other


def test_neighbour_shares_are_those_of_the_model():
    table = page_table("gallery.md", after="around it:")
    shares = neighbour_shares(trained(CIFAR10, LABELS[CIFAR10]))
    assert [row["block"] for row in table] == [name.replace("_", " ") for name in shares]
    for row, found in zip(table, shares.values(), strict=True):
        assert [*row.values()][1:] == [f"{share:.0%}" for share in found], AGAIN


def test_every_picture_is_small_and_on_the_page():
    linked = {DOCS / part.partition(")")[0] for part in PAGE.read_text().split("](")[1:]}
    stored = set(PICTURES.iterdir())
    assert stored == {path for path in linked if path.parent == PICTURES}
    assert sum(path.stat().st_size for path in stored) < 1_000_000
    for path in stored:
        assert path.stat().st_size < 150_000, path
        with PIL.Image.open(path) as picture:
            assert picture.format == "PNG" and picture.width == 840


def test_a_picture_is_drawn_as_it_is_stored(digits, tmp_path):
    draw_panels(tmp_path / "sizes.png", sizes(digits, SIZES))
    with (
        PIL.Image.open(tmp_path / "sizes.png") as new,
        PIL.Image.open(PICTURES / "sizes.png") as old,
    ):
        assert new.size == old.size, AGAIN
        difference = np.abs(np.asarray(new, "int64") - np.asarray(old, "int64"))
    assert difference.mean() < 2, AGAIN  # fonts may differ


def test_maps_at_another_size_are_what_a_view_computes(digits, monkeypatch):
    maps = token_mixing_maps(with_image_shape(digits.model, (16, 16, 1)), 0)
    impulse = np.zeros((1, 1, 64), "float32")
    impulse[0, 0, 3 * 8 + 5] = 1  # row 3, column 5
    layer = digits.model.blocks[0].token_mlp.fc1
    monkeypatch.setattr(layer, "activation", None)  # a map holds weights, before GELU
    grids = ((4, 4), (8, 8))
    change = layer(impulse, grids=grids) - layer(np.zeros_like(impulse), grids=grids)
    np.testing.assert_allclose(np.asarray(change)[0, 0], maps[:, 3, 5], atol=1e-5)


def test_attention_weights_give_the_output_of_the_layer(vit):
    images, block = some_pixels(vit), vit.blocks[1]
    weights = attention_weights(vit, images, 1)
    assert weights.shape == (2, 2, 7, 7)
    layer, tokens = block.attention, block.norm1(inputs_of(vit, block, images))
    values = ops.reshape(layer.value(tokens), (2, 7, 2, 4))
    mixed = ops.reshape(ops.einsum("naij,njad->niad", weights, values), (2, 7, 8))
    np.testing.assert_allclose(layer.projection(mixed), layer(tokens), atol=1e-5)
    maps, class_token = mean_attention(vit, images, 1)
    means = weights.mean(axis=(0, 1))
    np.testing.assert_allclose(maps[4], means[5, 1:].reshape(2, 3))
    np.testing.assert_allclose(class_token[0], means[0, 1:].reshape(2, 3))


def test_rows_of_vision_permutator_are_norms_over_channels():
    model = VisionPermutator.from_variant("pico/2")
    for layer in (model.blocks[0].permute_mlp.height, model.blocks[0].permute_mlp.width):
        layer.kernel.assign(np.zeros(layer.kernel.shape))
    kernel = np.zeros(layer.kernel.shape, "float32")  # of the width: [input, output]
    part = len(kernel) // 4
    kernel[2 * part, 1 * part + 3] = 1  # column 1 reads column 2
    layer.kernel.assign(kernel)
    rows, columns, _ = rows_columns_channels(Trained("", model, some_pixels(model)))
    expected = np.zeros((1, 4, 4))
    np.testing.assert_array_equal(rows.panels[0].pixels, tiled_picture(expected))
    expected[0, 1, 2] = 1
    np.testing.assert_array_equal(columns.panels[0].pixels, tiled_picture(expected))


def test_like_features_have_like_colours():
    generator = np.random.default_rng(0)
    two = generator.normal(size=(2, 5)).astype("float32")
    kinds = generator.integers(0, 2, (3, 4, 6))
    colours = feature_colours(two[kinds])
    assert colours.shape == (3, 4, 6, 3) and colours.dtype == np.uint8
    red = colours[..., 0].astype(int)
    assert {*red[kinds == 0]} | {*red[kinds == 1]} == {0, 255}
    assert len({*red[kinds == 0]}) == 1
    assert not colours[..., 1:].any()  # two kinds differ in one component only


def test_panels_are_drawn_whole_and_legible(tmp_path, monkeypatch):
    pixels = np.zeros((8, 8, 3), "uint8")
    pixels[:, :, 0] = 200
    rows = [Row("label", [Panel("title", pixels)] * 3), Row("", [Panel("", pixels)])]
    draw_panels(tmp_path / "a.png", rows)
    with PIL.Image.open(tmp_path / "a.png") as picture:
        reds = (np.asarray(picture.convert("RGB")) == (200, 0, 0)).all(axis=-1)
    top, bottom = np.flatnonzero(reds.any(axis=1))[[0, -1]]
    half = (top + bottom) // 2
    # Three panels over one, at the left.
    assert reds[:half].sum() == pytest.approx(3 * reds[half:].sum(), rel=0.05)
    monkeypatch.setattr("os.replace", _fails)
    before = (tmp_path / "a.png").read_bytes()
    with pytest.raises(OSError, match="disk"):
        draw_panels(tmp_path / "a.png", rows[:1])
    assert (tmp_path / "a.png").read_bytes() == before


def _fails(*_):
    raise OSError("disk")
