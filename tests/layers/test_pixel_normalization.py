"""PixelNormalization against the formula in float64."""

import keras
import numpy as np
import pytest

from keras_mlp.layers import PixelNormalization

PIXELS = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3)).astype("uint8")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float32"])
@pytest.mark.parametrize(("mean", "std"), [(0.5, 0.25), (MEAN, STD), (list(MEAN), np.array(STD))])
def test_equals_the_formula(mean, std, dtype):
    expected = (PIXELS / 255 - np.asarray(mean)) / np.asarray(std)
    outputs = PixelNormalization(mean, std)(PIXELS.astype(dtype))
    assert outputs.dtype == "float32"
    np.testing.assert_allclose(outputs, expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_rounds_once_at_the_end(policy):
    # Neither half type can represent 200.7, so rounding the pixels first would show.
    pixels = np.full((1, 1, 1, 3), 200.7, "float32")
    outputs = PixelNormalization(MEAN, STD, dtype=policy)(pixels)
    exact = keras.ops.cast(PixelNormalization(MEAN, STD)(pixels), outputs.dtype)
    assert outputs.dtype == policy.removeprefix("mixed_")
    np.testing.assert_array_equal(outputs, exact)


def test_symbolic_dtype_is_the_real_one():
    layer = PixelNormalization(dtype="mixed_bfloat16")
    assert layer(keras.Input((4, 5, 3), dtype="uint8")).dtype == "bfloat16"


def test_is_rebuilt_from_its_config():
    layer = PixelNormalization(MEAN, 0.5, name="normalize")
    copy = PixelNormalization.from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()
    np.testing.assert_array_equal(copy(PIXELS), layer(PIXELS))


@pytest.mark.parametrize(
    "value", ["x", None, float("nan"), float("inf"), (), [[0.5]], [0.5, [0.5]], {}, 1j]
)
@pytest.mark.parametrize("name", ["mean", "std"])
def test_refuses_what_is_no_number(name, value):
    with pytest.raises(ValueError, match=f"`{name}` must be a finite number, or one per channel"):
        PixelNormalization(**{name: value})


@pytest.mark.parametrize("value", [0, -0.5, (0.5, 0.0, 0.5)])
def test_refuses_a_std_that_is_not_above_0(value):
    with pytest.raises(ValueError, match="`std` must be above 0, got"):
        PixelNormalization(std=value)


@pytest.mark.parametrize("arguments", [{"mean": (0.5, 0.5)}, {"std": (0.5, 0.5)}], ids=str)
def test_refuses_numbers_for_another_count_of_channels(arguments):
    with pytest.raises(ValueError, match="has 2 values for 3 channels"):
        PixelNormalization(**arguments).build((None, 4, 5, 3))


def test_refuses_images_with_other_channels_than_it_was_built_for():
    layer = PixelNormalization(MEAN, STD)
    layer.build((None, 4, 5, 3))
    with pytest.raises(ValueError, match="expected axis -1 of input shape to have value 3"):
        layer(PIXELS[..., :1])
