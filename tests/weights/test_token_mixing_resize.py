"""Token-mixing weights on other grids, against their definition computed in another way."""

import numpy as np
import pytest

from keras_mlp.weights.token_mixing_resize import copy_tokens, interpolate_tokens
from tests.oracle import Oracle

GRIDS = [((3, 4), (6, 8)), ((4, 4), (5, 7)), ((3, 4), (4, 3)), ((6, 8), (3, 4)), ((7, 5), (2, 5))]
RNG = np.random.default_rng(0)


def keys(x):
    """Keys' cubic kernel with a = -0.5."""
    x = abs(x)
    if x <= 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0


def read(field, new_grid):
    """A field (h, w, ...) interpolated at the points of a finer grid, number by number."""
    for axis, new in enumerate(new_grid):
        old = field.shape[axis]
        places = [(i + 0.5) * old / new - 0.5 for i in range(new)]
        matrix = np.array([[keys(place - j) for j in range(old)] for place in places])
        matrix /= matrix.sum(axis=1, keepdims=True)  # taps beyond the edge are dropped
        field = np.moveaxis(np.tensordot(matrix, field, (1, axis)), 0, axis)
    return field


def tokens(field):
    """(h, w, C) -> (S, C), row-major."""
    return field.reshape(-1, field.shape[-1])


def mixed(kernel, x):
    """(S, C) -> (S', C), as a dense layer with this kernel (in, out) over tokens."""
    return kernel.T @ x


def resized(kernel, grid, new_grid, roles=("in", "out"), **arguments):
    return interpolate_tokens(kernel, roles, grid, new_grid, **arguments)


def relative_error(values, expected):
    return np.abs(values - expected).max() / np.abs(expected).max()


def smooth_fields(grid, number=6):
    """Fields of at most half a period over the grid, (h, w, number)."""
    y, x = ((np.arange(side) + 0.5) / side for side in grid)
    waves = [np.cos(np.pi * a * y)[:, None] * np.cos(np.pi * b * x) for a in (0, 1) for b in (0, 1)]
    return np.stack(waves, -1) @ np.random.default_rng(1).normal(size=(4, number))


def test_reading_here_is_what_timm_does_to_positions():
    oracle = Oracle("posembed_interp").arrays
    table = oracle["pos_embed"][0, 1:].reshape(4, 4, 8)
    sizes = {"5x7": (5, 7), "6x6": (6, 6)}
    found = [name for name in sizes if f"timm_bicubic_antialias_{name}" in oracle]
    for name in found:
        expected = oracle[f"timm_bicubic_antialias_{name}"][0, 1:]
        np.testing.assert_allclose(tokens(read(table, sizes[name])), expected, rtol=0, atol=1e-6)
    assert found


@pytest.mark.parametrize("new_grid", [(6, 8), (4, 5), (9, 4), (3, 11)])
def test_a_larger_kernel_commutes_with_reading(new_grid):
    kernel, field = RNG.normal(size=(12, 12)), RNG.normal(size=(3, 4, 5))
    out = mixed(kernel, tokens(field)).reshape(3, 4, 5)
    larger = resized(kernel, (3, 4), new_grid)
    expected = tokens(read(out, new_grid))
    np.testing.assert_allclose(mixed(larger, tokens(read(field, new_grid))), expected, atol=1e-10)


@pytest.mark.parametrize("factor", ["none", "square root", "inverse"])
def test_another_scale_of_the_sum_does_not_commute(factor):
    kernel, field = RNG.normal(size=(12, 12)), RNG.normal(size=(3, 4, 5))
    ratio = 48 / 12
    scale = {"none": ratio, "square root": ratio**0.5, "inverse": 1 / ratio}[factor]
    expected = tokens(read(mixed(kernel, tokens(field)).reshape(3, 4, 5), (6, 8)))
    x = tokens(read(field, (6, 8)))
    larger = resized(kernel, (3, 4), (6, 8))
    assert relative_error(mixed(larger, x), expected) < 1e-10
    assert relative_error(mixed(scale * larger, x), expected) > 0.4


def test_the_factor_is_that_of_a_density():
    # A sampled kernel that is a function of two places: its integral over the grid must stay.
    def sampled(side):
        at = (np.arange(side) + 0.5) / side
        line = np.exp(-2 * np.abs(at[:, None] - at)) * (1 + at)
        return np.kron(line, line) / side**2

    larger = resized(sampled(8), (8, 8), (16, 16))
    expected = sampled(16)
    assert (
        relative_error(mixed(larger, np.ones((256, 1))), mixed(expected, np.ones((256, 1)))) < 0.1
    )
    x = tokens(smooth_fields((16, 16)))
    right = relative_error(mixed(larger, x), mixed(expected, x))
    assert right < 0.1
    assert relative_error(4 * mixed(larger, x), mixed(expected, x)) > 10 * right


def gaussian(grid):
    """A smooth kernel, sampled on a grid as a density, (S, S)."""
    places = [(np.arange(side) + 0.5) / side for side in grid]
    return np.kron(*(np.exp(-3 * (at[:, None] - at) ** 2) / len(at) for at in places))


@pytest.mark.parametrize(("grid", "new_grid"), [((8, 10), (4, 5)), ((9, 9), (7, 6))])
def test_a_smaller_kernel_does_to_smooth_fields_what_it_did(grid, new_grid):
    x = tokens(smooth_fields(new_grid))
    outputs = mixed(resized(gaussian(grid), grid, new_grid), x)
    expected = mixed(gaussian(new_grid), x)
    assert relative_error(outputs, expected) < 0.05
    fewer = new_grid[0] * new_grid[1] / (grid[0] * grid[1])
    assert relative_error(fewer * outputs, expected) > 0.4


@pytest.mark.parametrize(("grid", "new_grid"), GRIDS)
def test_sums_over_the_input_are_kept(grid, new_grid):
    size = grid[0] * grid[1]
    kernel = RNG.normal(size=(size, 6))
    same = resized(kernel, grid, new_grid, ("in", "hidden"))
    assert same.shape == (new_grid[0] * new_grid[1], 6)
    np.testing.assert_allclose(same.sum(axis=0), kernel.sum(axis=0), rtol=0, atol=1e-11)


@pytest.mark.parametrize(("grid", "new_grid"), GRIDS)
def test_constants_stay_constant(grid, new_grid):
    # Each output is 2 if all inputs are 1, whatever the individual weights are.
    size, new_size = grid[0] * grid[1], new_grid[0] * new_grid[1]
    kernel = RNG.normal(size=(size, size))
    kernel += (2.0 - kernel.sum(axis=0)) / size
    outputs = mixed(resized(kernel, grid, new_grid), np.ones((new_size, 3)))
    np.testing.assert_allclose(outputs, 2.0, rtol=0, atol=1e-11)
    bias = resized(np.full(size, 0.3), grid, new_grid, ("out",))
    np.testing.assert_allclose(bias, np.full(new_size, 0.3), rtol=0, atol=1e-12)


@pytest.mark.parametrize("new_grid", [(5, 7), (8, 8), (4, 9)])
def test_larger_and_back_is_the_same(new_grid):
    kernel = RNG.normal(size=(3, 16, 16))
    roles = ("other", "in", "out")
    larger = resized(kernel, (4, 4), new_grid, roles)
    back = resized(larger, new_grid, (4, 4), roles)
    np.testing.assert_allclose(back, kernel, rtol=0, atol=1e-10)


def test_smaller_and_back_keeps_what_is_smooth():
    kernel = tokens(smooth_fields((8, 8)))
    for role in ("in", "out"):
        smaller = resized(kernel, (8, 8), (5, 6), (role, "other"))
        back = resized(smaller, (5, 6), (8, 8), (role, "other"))
        assert relative_error(back, kernel) < 0.15


def test_the_same_grid_is_the_identity():
    for dtype in ("float32", "float64"):
        kernel = RNG.normal(size=(12, 12)).astype(dtype)
        same = resized(kernel, (3, 4), (3, 4))
        assert same.dtype == dtype
        np.testing.assert_array_equal(same, kernel)


def test_rows_and_columns_are_not_mixed_up():
    # A field that grows along the columns only stays equal along the rows.
    field = np.tile(np.arange(4.0), 3)
    larger = resized(field, (3, 4), (5, 8), ("out",)).reshape(5, 8)
    np.testing.assert_allclose(larger, np.tile(larger[0], (5, 1)), rtol=0, atol=1e-12)
    assert (np.diff(larger[0]) > 0).all()


def test_the_class_token_is_kept_as_it_is():
    kernel = RNG.normal(size=(13, 13))
    larger = resized(kernel, (3, 4), (6, 8), class_token=True)
    assert larger.shape == (49, 49) and larger[0, 0] == kernel[0, 0]
    without = resized(kernel[1:, 1:], (3, 4), (6, 8))
    np.testing.assert_array_equal(larger[1:, 1:], without)
    to_token = resized(kernel[1:, 0], (3, 4), (6, 8), ("in",))
    np.testing.assert_allclose(larger[1:, 0], to_token, rtol=0, atol=1e-12)
    np.testing.assert_allclose(larger[:, 0].sum(), kernel[:, 0].sum(), rtol=0, atol=1e-12)


def cut(field, grid):
    """Splits (H, W, C) into its sub-grids, row by row: a list of (h, w, C)."""
    height, width = grid
    return [
        field[top : top + height, left : left + width]
        for top in range(0, field.shape[0], height)
        for left in range(0, field.shape[1], width)
    ]


@pytest.mark.parametrize("new_grid", [(4, 6), (2, 6), (6, 3), (2, 3)])
def test_copies_mix_every_sub_grid_by_itself(new_grid):
    grid = (2, 3)
    kernel, bias = RNG.normal(size=(6, 6)), RNG.normal(size=6)
    field = RNG.normal(size=(*new_grid, 5))
    outputs = mixed(copy_tokens(kernel, ("in", "out"), grid, new_grid), tokens(field))
    outputs = outputs + copy_tokens(bias, ("out",), grid, new_grid)[:, None]
    for sub_field, sub_output in zip(
        cut(field, grid), cut(outputs.reshape(*new_grid, 5), grid), strict=True
    ):
        expected = mixed(kernel, tokens(sub_field)) + bias[:, None]
        np.testing.assert_allclose(tokens(sub_output), expected, rtol=0, atol=1e-12)


def test_copies_have_hidden_units_of_their_own():
    kernel = RNG.normal(size=(6, 4))
    copied = copy_tokens(kernel, ("in", "hidden"), (2, 3), (4, 6))
    assert copied.shape == (24, 16) and np.count_nonzero(copied) == 4 * 24
    assert (np.count_nonzero(copied, axis=0) == 6).all()
    # The second sub-grid holds columns 3, 4 and 5 of rows 0 and 1 of the 4 x 6 grid.
    np.testing.assert_array_equal(copied[[3, 4, 5, 9, 10, 11], 4:8], kernel)
    hidden = copy_tokens(np.arange(4), ("hidden",), (2, 3), (4, 6))
    np.testing.assert_array_equal(hidden, np.tile(np.arange(4), 4))


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (interpolate_tokens, {"roles": ("inn", "out")}, "Did you mean 'in'?"),
        (interpolate_tokens, {"roles": ("in",)}, "does not have the axes `roles`=('in',)"),
        (interpolate_tokens, {"grid": (3, 5)}, "`array` of shape (12, 12) does not have the axes"),
        (interpolate_tokens, {"class_token": True}, "`grid`=(3, 4): 13 tokens"),
        (interpolate_tokens, {"new_grid": 0}, "`new_grid` must be a positive integer"),
        (
            copy_tokens,
            {"new_grid": (6, 9)},
            "`new_grid`=(6, 9) must have sides that are multiples of `grid`",
        ),
        (copy_tokens, {"grid": (4, 4)}, "`array` of shape (12, 12) does not have the axes"),
    ],
)
def test_refuses_bad_arguments(function, arguments, message):
    given = {
        "array": np.zeros((12, 12)),
        "roles": ("in", "out"),
        "grid": (3, 4),
        "new_grid": (6, 8),
    }
    with pytest.raises(ValueError) as error:
        function(**{**given, **arguments})
    assert message in str(error.value)
