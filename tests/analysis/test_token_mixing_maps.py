"""Maps of the token mixing: each shows the known kernel that the test put into the block."""

import numpy as np
import PIL.Image
import pytest

from keras_mlp import ARCHITECTURES, deploy
from keras_mlp.analysis import token_mixing_maps
from keras_mlp.analysis.tiles import tiled_picture
from tests.contract import with_random_weights
from tests.test_contract import ROWS

GRID = (4, 6)


def toy(architecture, **overrides):
    model = ARCHITECTURES[architecture](**{**ROWS[architecture].toy, **overrides})
    return with_random_weights(model)


def answers(layer, token):
    """The outputs of a linear layer over tokens for a 1 at one token, (tokens,)."""
    inputs = np.zeros((1, 1, layer.kernel.shape[0]), "float32")
    base = np.asarray(layer(inputs))
    inputs[0, 0, token] = 1
    return (np.asarray(layer(inputs)) - base)[0, 0]


def test_a_known_kernel_gives_that_map():
    model = toy("MLPMixer")
    blob = np.zeros(GRID, "float32")
    blob[1, 4] = 2  # row 1, column 4
    edge = np.linspace(-1, 1, 24, dtype="float32").reshape(GRID)
    fc1 = model.get_layer("block_1").token_mlp.fc1
    kernel = np.zeros(fc1.kernel.shape, "float32")
    kernel[:, 3], kernel[:, 7] = blob.ravel(), edge.ravel()
    fc1.kernel.assign(kernel)
    maps = token_mixing_maps(model, block=1)
    assert maps.shape == (12, *GRID) and maps.dtype == np.float32
    np.testing.assert_array_equal(maps[3], blob)
    np.testing.assert_array_equal(maps[7], edge)
    assert not maps[[0, 1, 2, 4, 5, 6, 8, 9, 10, 11]].any()


def test_a_map_lies_as_the_image_does():
    """The unit of a map responds to the patch that its map points at."""
    model = toy("MLPMixer", include_preprocessing=False)
    block = model.get_layer("block_0")
    unit = token_mixing_maps(model, block=0)[5]
    image = np.zeros((1, 16, 24, 3), "float32")
    base = np.asarray(model.get_layer("stem")(image))
    image[0, 4 * 2 : 4 * 3, 4 * 1 : 4 * 2] = 1  # the patch in row 2, column 1
    change = (np.asarray(model.get_layer("stem")(image)) - base).transpose(0, 2, 1)
    kernel = np.asarray(block.token_mlp.fc1.kernel)
    patch = change[0, :, 2 * 6 + 1]
    np.testing.assert_allclose(change @ kernel[:, 5], [patch * unit[2, 1]], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("architecture", "layer_of"),
    [
        ("ResMLP", lambda block: block.token_linear),
        ("GMLP", lambda block: block.gate.token_linear),
    ],
)
def test_maps_of_one_linear_layer(architecture, layer_of):
    model = toy(architecture)
    maps = token_mixing_maps(model, block="block_1")
    assert maps.shape == (24, *GRID)
    layer = layer_of(model.get_layer("block_1"))
    for token in (0, 9, 23):
        given = maps.reshape(24, 24)[:, token]
        np.testing.assert_allclose(given, answers(layer, token), rtol=0, atol=1e-6)


def test_ff_only_leaves_out_the_class_token():
    model = toy("FFOnly")
    kernel = np.asarray(model.get_layer("block_0").token_mlp.fc1.kernel)
    maps = token_mixing_maps(model, block=0)
    assert maps.shape == (12, *GRID)
    np.testing.assert_array_equal(maps.reshape(12, 24).T, kernel[1:])


def test_vision_permutator_gives_two_matrices():
    model = toy("VisionPermutator")
    mixing = model.get_layer("stage_1_block_0").permute_mlp
    maps = token_mixing_maps(model, block=1)
    assert maps.shape == (2, 16, 16)
    for matrix, layer in zip(maps, (mixing.height, mixing.width), strict=True):
        features = np.arange(16, dtype="float32")[None]
        np.testing.assert_allclose(layer(features)[0], matrix @ features[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("partition_size", [None, ((2, 3), (1, 3))])
def test_repmlpnet_gives_every_pixel_of_every_matrix(partition_size):
    model = toy("RepMLPNet", partition_size=partition_size)
    block = model.get_layer("stage_0_block_0").repmlp
    height, width = block.partition
    maps = token_mixing_maps(model, block=0)
    assert maps.shape == (2 * height * width, height, width)
    rows = np.zeros((1, 2, height * width), "float32")
    rows[0, 1, 5] = 1  # matrix 1 reads pixel 5
    outputs = np.asarray(block.fc3(rows))[0]
    assert not outputs[0].any()
    by_matrix = maps.reshape(2, height * width, height * width)
    np.testing.assert_allclose(by_matrix[1, :, 5], outputs[1], rtol=1e-6)


def test_a_deployed_repmlpnet_shows_its_convolutions():
    model = toy("RepMLPNet")
    block = model.get_layer("stage_0_block_0").repmlp
    block.fc3.kernel.assign(np.zeros(block.fc3.kernel.shape))
    assert not token_mixing_maps(model, block=0).any()
    maps = token_mixing_maps(deploy(model), block=0).reshape(2, *GRID, *GRID)
    centre = maps[1, 2, 3]  # what the pixel in row 2, column 3 reads: kernels of 3 and 5 pixels
    assert centre[0:5, 1:6].all() and not centre[:, 0].any()


def test_vit_has_none():
    with pytest.raises(ValueError, match="`model` is a ViT, which has no weights between tokens"):
        token_mixing_maps(toy("ViT"), block=0)


def test_orders():
    model = toy("MLPMixer")
    fc1 = model.get_layer("block_0").token_mlp.fc1
    rows, columns = np.indices(GRID)
    kernel = np.zeros((12, *GRID), "float32")
    kernel[:] = 0.1
    kernel[2] = 3 * (-1.0) ** (rows + columns)  # the highest frequency, and the largest
    kernel[4] = 2 * np.cos(2 * np.pi * columns / 6)
    fc1.kernel.assign(kernel.reshape(12, 24).T)
    by_norm = token_mixing_maps(model, 0, units=2, order="norm")
    np.testing.assert_array_equal(by_norm, kernel[[2, 4]])
    by_frequency = token_mixing_maps(model, 0, order="frequency")
    np.testing.assert_array_equal(by_frequency[-2:], kernel[[4, 2]])
    np.testing.assert_array_equal(token_mixing_maps(model, 0, units=5), kernel[:5])


def test_draws_one_picture(tmp_path):
    model = toy("MLPMixer")
    path = tmp_path / "maps.png"
    maps = token_mixing_maps(model, 0, path, units=5)
    with PIL.Image.open(path) as picture:
        pixels = np.asarray(picture)
        assert picture.format == "PNG" and picture.mode == "RGB"
    np.testing.assert_array_equal(pixels, tiled_picture(maps))
    assert [file.name for file in tmp_path.iterdir()] == ["maps.png"]


def test_a_tile_is_a_scaled_map_around_white():
    maps = np.array([[[1, 0, -1]], [[0.25, 0, -0.5]], [[0, 0, 0]]])
    pixels = tiled_picture(maps).astype(int)
    side = 48 // 3
    assert pixels.shape == (2 * side + 2, 2 * 3 * side + 2, 3)  # 2 x 2 tiles, the last one empty
    red, white, blue = pixels[0, 0], pixels[0, side], pixels[0, 2 * side]
    assert red[0] > red[1] and red[0] > red[2] and blue[2] > blue[0] and blue[2] > blue[1]
    np.testing.assert_array_equal(white, [255, 255, 255])
    second = pixels[0, 3 * side + 2 :]  # the next tile in the row, scaled by its own largest
    np.testing.assert_array_equal(second[2 * side], blue)
    assert abs(int(second[0, 1]) - (255 + red[1]) / 2) < 1
    assert (pixels[side + 2 :] == 255).all() and (pixels[side : side + 2] == 255).all()
    assert (pixels[:side, :side] == red).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"block": 2}, "`block` must be in 0 to 1 or a name, got 2"),
        ({"block": -1}, "`block` must be in 0 to 1 or a name, got -1"),
        ({"block": True}, r"`block` is True\. Allowed: 'block_0', 'block_1'"),
        ({"block": "blok_1"}, r"`block` is 'blok_1'\. Did you mean 'block_1'"),
        ({"block": "stem"}, r"`block` is 'stem'\. Allowed: 'block_0', 'block_1'"),
        ({"block": None}, "`block` is None"),
        ({"units": 0}, "`units` must be a positive integer, got 0"),
        ({"order": "size"}, "`order` is 'size'"),
        ({"path": "maps.jpg"}, "`path` must be a .png file in an existing folder, got 'maps.jpg'"),
        ({"path": "nowhere/maps.png"}, "`path` must be a .png file in an existing folder"),
    ],
)
def test_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        token_mixing_maps(toy("MLPMixer"), **{"block": 0, **arguments})


def test_refuses_other_models():
    with pytest.raises(ValueError, match="`model` must be a keras_mlp model such as"):
        token_mixing_maps(3, 0)


def test_a_failed_write_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "maps.png"
    path.write_bytes(b"old")
    monkeypatch.setattr("os.replace", _fails)
    with pytest.raises(OSError, match="disk"):
        token_mixing_maps(toy("MLPMixer"), 0, path)
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["maps.png"]


def _fails(*_):
    raise OSError("disk")


def test_the_number_of_a_block_runs_over_the_stages():
    model = toy("RepMLPNet")
    by_number = token_mixing_maps(model, 2)
    np.testing.assert_array_equal(by_number, token_mixing_maps(model, "stage_1_block_1"))
    assert by_number.shape == (4 * 2 * 3, 2, 3)
