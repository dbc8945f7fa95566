"""Models that are built for weights from elsewhere."""

import keras
import numpy as np
import pytest

import keras_mlp
from keras_mlp.models.blank_model import blank_model


@pytest.mark.parametrize("name", keras_mlp.ARCHITECTURES)
def test_only_what_is_drawn_at_random_is_blank(name):
    build = keras_mlp.ARCHITECTURES[name].from_variant
    keras.utils.set_random_seed(0)
    usual = build("pico/4", num_classes=3)
    keras.utils.set_random_seed(0)
    blank = blank_model(build, "pico/4", num_classes=3)
    assert blank.name != usual.name
    assert [w.path for w in blank.weights] == [w.path for w in usual.weights]
    zeros = 0
    for own, other in zip(blank.weights, usual.weights, strict=True):
        assert (own.shape, own.dtype, own.trainable) == (other.shape, other.dtype, other.trainable)
        values = np.asarray(own)
        if np.array_equal(values, np.asarray(other)):
            continue
        zeros += 1
        assert not values.any() and not own.path.startswith("head/"), own.path
    assert zeros > 5


def test_it_is_a_model_as_any_other():
    build = keras_mlp.MLPMixer.from_variant
    usual = build("pico/4", num_classes=3, dropout_rate=0.1)
    blank = blank_model(build, "pico/4", num_classes=3, dropout_rate=0.1)
    assert len(blank.variables) == len(usual.variables) > len(usual.weights)
    blank.set_weights(usual.get_weights())
    images = np.random.default_rng(0).integers(0, 256, (2, *usual.image_shape), "uint8")
    np.testing.assert_array_equal(blank(images), usual(images))
    blank.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    blank.fit(images, np.array([0, 1]), verbose=0)
    head = np.asarray(blank.get_layer("head").kernel)  # which starts at zero
    assert head.any() and np.isfinite(head).all()


def test_a_model_that_cannot_be_built_leaves_nothing():
    with pytest.raises(ValueError, match="variant"):
        blank_model(keras_mlp.MLPMixer.from_variant, "S/17")
    with pytest.raises(ValueError, match="num_heads"):  # after some layers have their weights
        blank_model(keras_mlp.ViT.from_variant, "pico/4", num_heads=5)
    model = keras_mlp.MLPMixer.from_variant("pico/4")
    assert all(np.isfinite(np.asarray(weight)).all() for weight in model.weights)


def test_what_replaces_all_weights_draws_none(monkeypatch, tmp_path):
    model = keras_mlp.MLPMixer.from_variant("pico/4", num_classes=10)
    path = keras_mlp.save_checkpoint(model, tmp_path / "weights.safetensors")
    factors = keras_mlp.MLPMixer.from_variant("pico/4", num_classes=10)
    keras_mlp.enable_lora(factors, rank=2)
    for name in ("GlorotUniform", "LecunNormal", "VarianceScaling", "RandomNormal"):
        monkeypatch.setattr(getattr(keras.initializers, name), "__call__", pytest.fail)
    loaded = keras_mlp.MLPMixer.from_preset(path, variant="pico/4", num_classes=10)
    larger = keras_mlp.with_image_shape(loaded, (56, 56, 3))
    for new in (loaded, larger, keras_mlp.merge_lora(factors)):
        kernels = [w for w in new.weights if "kernel" in w.path and not w.path.startswith("head/")]
        assert len(kernels) > 5 and all(np.asarray(kernel).any() for kernel in kernels)
