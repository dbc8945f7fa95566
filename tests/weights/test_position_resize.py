"""resize_positions against scipy, timm and PyTorch."""

import numpy as np
import pytest

from keras_mlp.weights import resize_positions
from tests.oracle import Oracle

ORACLE = Oracle("posembed_interp")
TABLE = ORACLE.arrays["pos_embed"]  # (1, 1 + 4 * 4, 8)
# From the oracle's names.
METHODS = {
    "timm_bicubic_antialias": "bicubic_antialias",
    "timm_bilinear": "bilinear",
    "bicubic_noaa": "bicubic",
    "jax_zoom_order1": "zoom",
}
CASES = [key for key in ORACLE.arrays if key != "pos_embed"]


def test_every_method_is_compared():
    assert {key.rpartition("_")[0] for key in CASES} == set(METHODS)
    assert len(CASES) == 11


@pytest.mark.parametrize("key", CASES)
def test_equals_the_published_code(key):
    name, _, grid = key.rpartition("_")
    new_grid = tuple(map(int, grid.split("x")))
    resized = resize_positions(TABLE, new_grid, method=METHODS[name])
    np.testing.assert_allclose(resized, ORACLE.arrays[key], rtol=0, atol=1e-6)
    assert resized.dtype == TABLE.dtype


@pytest.mark.parametrize("method", METHODS.values())
def test_the_class_token_keeps_its_position(method):
    with_token = resize_positions(TABLE, (5, 7), method=method)
    without = resize_positions(TABLE[:, 1:], (5, 7), method=method, class_token=False)
    np.testing.assert_array_equal(with_token[:, 0], TABLE[:, 0])
    np.testing.assert_array_equal(with_token[:, 1:], without)


@pytest.mark.parametrize("method", METHODS.values())
def test_the_same_size_is_the_identity(method):
    np.testing.assert_array_equal(resize_positions(TABLE, 4, method=method), TABLE)


@pytest.mark.parametrize("method", METHODS.values())
def test_a_constant_stays_constant(method):
    ones = np.ones((1, 6, 2))
    for new_grid in ((5, 5), (1, 1), (2, 9)):
        resized = resize_positions(ones, new_grid, method=method, grid=(2, 3), class_token=False)
        np.testing.assert_allclose(resized, 1.0, rtol=0, atol=1e-12)


@pytest.mark.parametrize("method", METHODS.values())
def test_rows_and_columns_are_not_mixed_up(method):
    # Positions that grow along the columns only stay equal along the rows, and vice versa.
    columns = np.tile(np.arange(3.0), 2).reshape(1, 6, 1)
    resized = resize_positions(columns, (4, 5), method=method, grid=(2, 3), class_token=False)
    resized = resized.reshape(4, 5)
    np.testing.assert_allclose(resized, np.tile(resized[0], (4, 1)), rtol=0, atol=1e-12)
    assert (np.diff(resized[0]) > 0).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "bilinaer"}, "`method` is 'bilinaer'. Did you mean 'bilinear'?"),
        ({"new_grid": 0}, "`new_grid` must be a positive integer, got 0"),
        ({"grid": (4, 5)}, "`grid`=(4, 5) does not fit a table of 16 tokens"),
        ({"class_token": False}, "`grid` must be given: 17 tokens do not form a square"),
        ({"table": TABLE[0]}, "`table` must have shape (1, tokens, channels), got (17, 8)"),
        ({"table": TABLE[:, :1]}, "`grid` must be given: 0 tokens do not form a square"),
    ],
    ids=str,
)
def test_refuses_bad_arguments(arguments, message):
    with pytest.raises(ValueError) as error:
        resize_positions(**{"table": TABLE, "new_grid": 6, **arguments})
    assert message in str(error.value)
