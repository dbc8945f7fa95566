"""LoRA: what trains, that it learns, and that files, copies and SavedModels keep it."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import save_file

import keras_mlp
from keras_mlp.lora import enable_lora, merge_lora
from tests.contract import (
    layers_of,
    predict,
    reloaded,
    shallow,
    some_pixels,
    with_random_weights,
)
from tests.test_contract import ROWS, factory

DENSE = [name for name, row in ROWS.items() if any(row.dense)]


def plain(architecture="MLPMixer", **overrides):
    """A model without factors; each block has layers of every kind."""
    return shallow(factory(architecture))(**overrides)


def toy(architecture="MLPMixer", rank=2, **overrides):
    """A model whose LoRA factors are all nonzero."""
    model = plain(architecture, **overrides)
    enable_lora(model, rank)
    return with_random_weights(model)


def trained(model, steps=40, **compilation):
    """The losses of several steps on one batch."""
    images, labels = some_pixels(model, batch=8), np.arange(8) % model.num_classes
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    # Adam takes four times as long to trace, and XLA seconds to compile.
    quick = {"optimizer": keras.optimizers.SGD(0.3), "jit_compile": False}
    model.compile(loss=loss, **{**quick, **compilation})
    return [model.train_on_batch(images, labels) for _ in range(steps)]


def assert_same(copy, model):
    assert copy.get_config() == model.get_config()
    assert [w.path for w in copy.trainable_weights] == [w.path for w in model.trainable_weights]
    for weight, other in zip(copy.weights, model.weights, strict=True):
        np.testing.assert_array_equal(weight, other, err_msg=weight.path)
    images = some_pixels(model)
    np.testing.assert_array_equal(predict(copy, images), predict(model, images))


@pytest.mark.parametrize("architecture", ROWS)
def test_layers_of_each_kind(architecture):
    tokens, channels = ROWS[architecture].dense
    for mixing, count in {"tokens": tokens, "channels": channels, "all": tokens + channels}.items():
        model = factory(architecture)()
        if count:
            assert len(enable_lora(model, 1, mixing=mixing)) == count
        else:
            with pytest.raises(ValueError, match=f"`mixing`='{mixing}'.* no dense layer"):
                enable_lora(model, 1, mixing=mixing)


@pytest.mark.parametrize("architecture", DENSE)
def test_computes_the_same_at_first(architecture):
    model = with_random_weights(plain(architecture))
    before = predict(model, some_pixels(model))
    enable_lora(model, 2)
    np.testing.assert_allclose(predict(model, some_pixels(model)), before, rtol=0, atol=1e-6)


@pytest.mark.parametrize("architecture", DENSE)
def test_only_factors_and_head_are_trained(architecture):
    # Widens RepMLPNet's gates: of the toy's two hidden units, both may be dead ReLUs.
    model = toy(architecture, **({"reduction": 1} if architecture == "RepMLPNet" else {}))
    before = {weight.path: np.array(weight) for weight in model.weights}
    losses = trained(model, jit_compile=architecture == "MLPMixer")
    assert losses[-1] < 0.8 * losses[0]
    moved = {w.path for w in model.weights if not np.array_equal(w, before[w.path])}
    factors = {path for path in before if "/lora_kernel_" in path}
    dense = [each for each in layers_of(model) if isinstance(each, keras.layers.Dense)]
    assert len(factors) == 2 * (len(dense) - 1)  # all but the head
    assert moved == factors | {"head/kernel", "head/bias"}


def test_the_head_can_be_left_out():
    model = plain()
    enable_lora(model, 2, train_head=False)
    assert all("/lora_kernel_" in weight.path for weight in model.trainable_weights)
    features = plain(include_top=False)
    assert len(enable_lora(features, 2)) == len(features.trainable_weights) / 2


@pytest.mark.parametrize(
    "freeze",
    [
        lambda model: setattr(model, "trainable", False),
        lambda model: keras_mlp.freeze_through(model, "block_0"),
        lambda model: setattr(model.get_layer("block_0").channel_mlp.fc1, "trainable", False),
    ],
    ids=["all", "through a block", "one layer"],
)
def test_what_was_frozen_before_does_not_matter(freeze):
    model = plain()
    freeze(model)
    enable_lora(model, 2)
    again = plain()
    enable_lora(again, 2)
    paths = [weight.path for weight in model.trainable_weights]
    assert paths == [weight.path for weight in again.trainable_weights] and len(paths) == 10
    for copy in (reloaded(model), keras_mlp.with_new_head(model, 4)):
        assert [weight.path for weight in copy.trainable_weights] == paths
    keras_mlp.freeze_through(model, "block_0")
    left = [weight.path for weight in model.trainable_weights]
    assert left == [path for path in paths if not path.startswith("block_0/")] != paths


@pytest.mark.parametrize("architecture", DENSE)
def test_files_keep_it(architecture):
    model = toy(architecture)
    copy = reloaded(model)
    assert_same(copy, model)
    assert_same(reloaded(copy), model)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_files_keep_it_in_mixed_precision(policy):
    model = toy(dtype=policy)
    assert_same(reloaded(model), model)


def test_training_goes_on_from_a_file(tmp_path):
    model = toy()
    trained(model, steps=5, optimizer=keras.optimizers.Adam(0.01))
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    images, labels = some_pixels(model, batch=8), np.arange(8) % 5
    for each in (model, copy):
        each.train_on_batch(images, labels)
    for weight, other in zip(copy.weights, model.weights, strict=True):
        np.testing.assert_allclose(weight, other, rtol=0, atol=1e-6, err_msg=weight.path)


def test_plain_weights_fit_a_model_with_factors(tmp_path):
    other = with_random_weights(plain())
    other.save_weights(tmp_path / "plain.weights.h5")
    model = toy()
    model.load_weights(tmp_path / "plain.weights.h5")
    images = some_pixels(model)
    np.testing.assert_allclose(predict(model, images), predict(other, images), rtol=0, atol=1e-6)
    fc1 = model.get_layer("block_0").token_mlp.fc1
    assert np.abs(fc1.lora_kernel_a).min() > 0  # two zero factors would have no gradient
    assert not np.any(fc1.lora_kernel_b)


@pytest.mark.parametrize("architecture", ["MLPMixer", "RepMLPNet"])
def test_saved_models_compute_and_train_it(architecture, tmp_path):
    model = toy(architecture)
    images = some_pixels(model)
    keras_mlp.export_saved_model(model, tmp_path / "model")
    loaded = tf.saved_model.load(tmp_path / "model")
    served = loaded(tf.constant(images))
    np.testing.assert_allclose(served, predict(model, images), rtol=0, atol=1e-6)
    assert len(loaded.trainable_variables) == len(model.trainable_weights)


@pytest.mark.parametrize("architecture", DENSE)
def test_merged_kernels_give_the_same(architecture):
    model = toy(architecture)
    merged = merge_lora(model)
    images = some_pixels(model)
    np.testing.assert_allclose(predict(merged, images), predict(model, images), rtol=0, atol=2e-5)
    other = plain(architecture)
    assert [w.path for w in merged.weights] == [w.path for w in other.weights]
    assert len(merged.trainable_weights) == len(other.trainable_weights)


def test_quantized_kernels_take_factors():
    model = with_random_weights(plain())
    model.quantize("int8")
    with pytest.raises(ValueError, match=r"the classifier of .* is quantized"):
        enable_lora(model, 2)
    model = keras_mlp.with_new_head(model, 5)
    enable_lora(model, 2)
    losses = trained(model)
    assert losses[-1] < 0.9 * losses[0]
    assert_same(reloaded(model), model)
    with pytest.raises(ValueError, match="merged kernels would be rounded"):
        merge_lora(model)


def test_quantization_after_factors_is_kept():
    model = toy()
    model.quantize("int8")
    assert_same(reloaded(model), model)


def test_what_takes_no_factors_is_refused():
    float8 = plain()
    float8.quantize("float8")
    enabled = toy()
    other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    for model, message in (
        (float8, "is quantized to float8"),
        (enabled, "has LoRA factors already"),
        (other, "must be a keras_mlp model"),
    ):
        paths = [weight.path for weight in model.trainable_weights]
        with pytest.raises(ValueError, match=message):
            enable_lora(model, 2)
        assert [weight.path for weight in model.trainable_weights] == paths
    with pytest.raises(ValueError, match="has no LoRA factors"):
        merge_lora(plain())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        *[({"rank": rank}, "`rank` must be") for rank in (0, -1, 2.0, True, None, "4")],
        ({"rank": 13}, r"`rank`=13 is above the smaller side, 12, of the kernel of block_0/token"),
        ({"rank": 2, "alpha": 0}, "`alpha` must be"),
        ({"rank": 2, "mixing": "token"}, "Did you mean 'tokens'"),
    ],
)
def test_bad_arguments_change_nothing(arguments, message):
    model = plain()
    paths = [weight.path for weight in model.trainable_weights]
    with pytest.raises(ValueError, match=message):
        enable_lora(model, **arguments)
    assert [weight.path for weight in model.trainable_weights] == paths


def test_alpha_is_kept():
    model = plain()
    enable_lora(model, 2, alpha=8)
    with_random_weights(model)
    assert reloaded(model).get_layer("block_0").token_mlp.fc1.lora_alpha == 8
    images = some_pixels(model)
    np.testing.assert_allclose(
        predict(merge_lora(model), images), predict(model, images), rtol=0, atol=2e-5
    )


def test_a_checkpoint_is_refused(tmp_path):
    model = toy()
    save_file({"stem.proj.weight": np.ones(3, "float32")}, tmp_path / "timm.safetensors")
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"cannot load a checkpoint: its layer \S+ has LoRA"):
        keras_mlp.load_checkpoint(model, tmp_path / "timm.safetensors")
    for weight, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)
