"""Models without allocated weights leave no state in Keras."""

import keras
import pytest

from keras_mlp import MLPMixer
from keras_mlp.analysis import cost, weightless


def test_has_shapes_and_no_values():
    # More than 40 GB in float32: allocating them would fail or take minutes.
    model = weightless(
        MLPMixer, num_layers=20, hidden_dim=8192, token_mlp_dim=4096, channel_mlp_dim=32768
    )
    assert cost(model).parameters > 10**10
    assert all(weight._value is None for weight in model.weights)


def test_later_models_are_not_touched():
    forgotten = weightless(MLPMixer.from_variant, "pico/2")
    with keras.StatelessScope(initialize_variables=True):
        pass  # initializes all variables that are still pending in Keras
    assert forgotten.weights[0]._value is None
    assert MLPMixer.from_variant("pico/2").weights[0]._value is not None


def test_keeps_the_global_policy_and_the_names():
    before = MLPMixer.from_variant("pico/2").name
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = weightless(MLPMixer.from_variant, "pico/2")
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.dtype_policy.name == "mixed_bfloat16"
    after = MLPMixer.from_variant("pico/2").name
    numbers = [int(name.removeprefix("mlp_mixer").lstrip("_") or 0) for name in (before, after)]
    assert numbers[1] == numbers[0] + 1


def test_errors_come_through():
    with pytest.raises(ValueError, match="`num_layers` must be"):
        weightless(MLPMixer, num_layers=0)
