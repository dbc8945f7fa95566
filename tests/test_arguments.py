"""Checks of arguments: a valid value is returned, any other raises one clear error."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_mlp import arguments

ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.binary(max_size=5),
    st.lists(st.integers(-2, 5), max_size=4),
    st.tuples(st.integers(-2, 5), st.one_of(st.integers(-2, 5), st.floats(), st.booleans())),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
    st.complex_numbers(),
)

SMALLEST, LARGEST = 2.0**-126, (2 - 2.0**-23) * 2.0**127  # of float32, subnormal numbers aside


def is_number(value, *kinds):
    return isinstance(value, kinds) and not isinstance(value, bool)


def is_count(value):
    return is_number(value, int) and 1 <= value < 2**31


CHECKS = (
    (arguments.check_positive_int, is_count),
    (arguments.check_rate, lambda value: is_number(value, int, float) and 0 <= value < 1),
    (
        arguments.check_positive,
        lambda value: is_number(value, int, float) and SMALLEST <= value <= LARGEST,
    ),
    (
        arguments.check_pair,
        lambda value: (
            is_count(value)
            or (isinstance(value, (tuple, list)) and len(value) == 2 and all(map(is_count, value)))
        ),
    ),
    (
        lambda name, value: arguments.check_image_shape(value),
        lambda value: (
            isinstance(value, (tuple, list)) and len(value) == 3 and all(map(is_count, value))
        ),
    ),
)


@pytest.mark.parametrize(
    ("check", "allowed"), CHECKS, ids=["positive_int", "rate", "positive", "pair", "image_shape"]
)
@given(value=ANYTHING)
def test_accepts_what_is_allowed_and_nothing_else(check, allowed, value):
    if allowed(value):
        check("image_shape", value)
        return
    with pytest.raises(ValueError, match=r"\A`image_shape` must be .*, got .*\.\Z"):
        check("image_shape", value)


@pytest.mark.parametrize(
    ("check", "value", "expected"),
    [
        (arguments.check_positive_int, np.int64(3), 3),
        (arguments.check_rate, np.float32(0.5), 0.5),
        (arguments.check_rate, 0, 0.0),
        (arguments.check_positive, np.float64(2.0), 2.0),
        (arguments.check_pair, 4, (4, 4)),
        (arguments.check_pair, [np.int32(2), 3], (2, 3)),
    ],
)
def test_returns_plain_python(check, value, expected):
    result = check("x", value)
    assert result == expected and type(result) is type(expected)
    if isinstance(result, tuple):
        assert {type(side) for side in result} == {int}


def test_image_shape_is_a_tuple_of_ints():
    assert arguments.check_image_shape([np.int64(4), 6, 3]) == (4, 6, 3)


@pytest.mark.parametrize(("height", "width"), [(8, 12), (2, 3), (16, 3)])
def test_patch_grid_counts_patches(height, width):
    assert arguments.patch_grid((height, width, 3), (2, 3)) == (height // 2, width // 3)


@pytest.mark.parametrize("shape", [(9, 12, 3), (8, 13, 3), (1, 3, 3)])
def test_patch_grid_refuses_a_remainder(shape):
    with pytest.raises(ValueError, match=r"not divisible by `patch_size`=\(2, 3\)") as error:
        arguments.patch_grid(shape, (2, 3))
    assert f"`image_shape`={shape}" in str(error.value)


@pytest.mark.parametrize("value", ["max", 3, ["avg"], {}, True])
def test_choice_lists_what_is_allowed(value):
    with pytest.raises(ValueError, match=r"`pooling` is .* Allowed: 'avg', None\.\Z") as error:
        arguments.check_choice("pooling", value, ("avg", None))
    assert repr(value) in str(error.value)


def test_choice_returns_what_is_allowed():
    assert arguments.check_choice("pooling", None, ("avg", None)) is None
    assert arguments.check_choice("variant", "B/16", {"B/16": 1, "S/16": 2}) == "B/16"


def test_choice_names_the_nearest_only_if_it_is_near():
    with pytest.raises(ValueError, match=r"Did you mean 'B/16'\? Allowed: 'B/16', 'nano/4'\."):
        arguments.check_choice("variant", "B16", ("B/16", "nano/4"))
    with pytest.raises(ValueError, match=r"`variant` is 'zzz'\. Allowed:"):
        arguments.check_choice("variant", "zzz", ("B/16", "nano/4"))


@pytest.mark.parametrize("value", [(2, 3), [2, 3]])
def test_stages_returns_a_tuple(value):
    assert arguments.check_stages("num_layers", value, count=2) == (2, 3)
    rates = arguments.check_stages("rates", (0, 0.5), arguments.check_rate)
    assert rates == (0.0, 0.5)


@pytest.mark.parametrize(
    ("value", "count", "message"),
    [
        (2, None, "a tuple of at least one value, one per stage, got 2"),
        ((), None, r"a tuple of at least one value, one per stage, got \(\)"),
        ((2,), 2, r"a tuple of 2 values, one per stage, got \(2,\)"),
        ("23", 2, "a tuple of 2 values, one per stage, got '23'"),
        ((2, 0), 2, "a positive integer, got 0"),
    ],
)
def test_stages_refuses(value, count, message):
    with pytest.raises(ValueError, match=f"`num_layers` must be {message}"):
        arguments.check_stages("num_layers", value, count=count)


def test_kernel_sizes_are_odd_and_differ():
    assert arguments.check_kernel_sizes([1, 3]) == (1, 3)
    assert arguments.check_kernel_sizes(3) == (3,)
    assert arguments.check_kernel_sizes(()) == ()
    for value in ((2,), (3, 3), (0,), (3.0,), "3"):
        with pytest.raises(ValueError, match="`kernel_sizes` must be"):
            arguments.check_kernel_sizes(value)


@pytest.mark.parametrize("value", [0, 1, "no", None, [True], np.int64(1)])
def test_bool_is_no_matter_of_truth(value):
    with pytest.raises(ValueError, match="`include_top` must be True or False, got"):
        arguments.check_bool("include_top", value)
    assert arguments.check_bool("include_top", np.bool_(False)) is False


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.5, 0.5), (np.float32(0.5), 0.5), ([0, 1], (0.0, 1.0)), (np.full(2, 0.5), (0.5, 0.5))],
)
def test_channel_values_are_one_or_one_per_channel(value, expected):
    result = arguments.check_channel_values("pixel_mean", value, 2, lowest=0.0, highest=1.0)
    assert result == expected and type(result) is type(expected)


@pytest.mark.parametrize("value", [-0.1, 127.5, (0.5,), (0.5, 2.0), np.full((2, 2), 0.5), "0.5"])
def test_channel_values_lie_on_their_scale(value):
    with pytest.raises(
        ValueError, match="`pixel_mean` must be a number from 0 to 1, or a tuple of"
    ):
        arguments.check_channel_values("pixel_mean", value, 2, lowest=0.0, highest=1.0)


@pytest.mark.parametrize("value", [None, "mixed_float16", keras.DTypePolicy("bfloat16")])
def test_dtype_is_a_policy(value):
    assert arguments.check_dtype(value) == keras.dtype_policies.get(value)


def test_a_message_stays_one_short_line():
    for value in (np.zeros((60, 60)), "x" * 10_000, -(10**5000), [0] * 10_000):
        with pytest.raises(ValueError) as error:
            arguments.check_positive_int("hidden_dim", value)
        assert "\n" not in str(error.value) and len(str(error.value)) < 300
