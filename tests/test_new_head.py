"""A new classifier on a trained model."""

import keras
import numpy as np
import pytest

import keras_mlp
from tests.contract import predict, shallow, some_pixels, with_random_weights
from tests.test_contract import factory


@pytest.mark.parametrize("architecture", keras_mlp.ARCHITECTURES)
@pytest.mark.parametrize("overrides", [{}, {"include_top": False, "pooling": None}], ids=str)
def test_all_but_the_head_is_kept(architecture, overrides):
    model = with_random_weights(shallow(factory(architecture))(**overrides))
    before = model.get_weights()
    new = keras_mlp.with_new_head(model, 3)
    assert predict(new, some_pixels(new)).shape == (2, 3)
    kept = {weight.path: np.array(weight) for weight in model.weights}
    for weight in new.weights:
        if weight.path.startswith("head/"):
            assert weight.shape[-1] == 3
        else:
            np.testing.assert_array_equal(weight, kept[weight.path], err_msg=weight.path)
    for weight, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


def test_what_is_frozen_stays_frozen_but_the_head():
    model = factory("MLPMixer")()
    model.trainable = False
    new = keras_mlp.with_new_head(model, 3)
    assert {weight.path for weight in new.trainable_weights} == {"head/kernel", "head/bias"}


def test_what_is_quantized_stays_quantized_but_the_head():
    model = with_random_weights(factory("MLPMixer")())
    model.quantize("int8")
    new = keras_mlp.with_new_head(model, 3)
    assert new.get_layer("block_0").channel_mlp.fc1.quantization_mode == "int8"
    assert new.get_layer("head").quantization_mode is None
    kept = {weight.path: np.array(weight) for weight in model.weights}
    for weight in new.weights:
        if not weight.path.startswith("head/"):
            np.testing.assert_array_equal(weight, kept[weight.path], err_msg=weight.path)


def test_settings_are_kept():
    model = factory("ResMLP")(drop_path_rate=0.1, dtype="mixed_bfloat16")
    new = keras_mlp.with_new_head(model, 3)
    assert new.drop_path_rate == 0.1 and new.dtype_policy.name == "mixed_bfloat16"
    assert new.image_shape == model.image_shape


@pytest.mark.parametrize("value", [0, -1, 2.5, True, None, "10"])
def test_a_wrong_number_of_classes_is_refused(value):
    with pytest.raises(ValueError, match="`num_classes` must be"):
        keras_mlp.with_new_head(factory("MLPMixer")(), value)


def test_a_copy_that_lost_its_class_is_refused_with_a_way_to_copy():
    model = with_random_weights(factory("MLPMixer")())
    lost = (keras.models.clone_model(model), keras.Model(model.input, model.output))
    for function in (keras_mlp.with_new_head, keras_mlp.enable_lora):
        for copy in lost:
            with pytest.raises(ValueError, match=r"plain Functional .*`type\(model\).from_config"):
                function(copy, 3)
    for copy in lost:
        with pytest.raises(ValueError, match=r"`type\(model\).from_config"):
            keras_mlp.load_checkpoint(copy, "weights.npz")
    copy = type(model).from_config(model.get_config())  # that way
    copy.set_weights(model.get_weights())
    assert keras_mlp.with_new_head(copy, 3).output.shape == (None, 3)
