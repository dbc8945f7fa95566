"""What every architecture keeps, as functions of a factory of toy models.

A factory `make(**overrides)` builds a small model of one architecture: a `functools.partial` of its
class. A promise is a function that raises AssertionError where the promise is broken. Those in
`PROMISES` take the factory. Those in `PROMISES_OF_MODELS` take what `one_of_each_policy` makes, and
leave it as it is: building models takes most of the time of these tests.
"""

import functools
import inspect
import re
import tempfile

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.layers import BatchNormalization

from keras_mlp.analysis.weightless import weightless
from keras_mlp.layers.tree import sublayers
from keras_mlp.models.block import Block

POLICIES = ("float32", "mixed_bfloat16", "mixed_float16")
SIZES = (
    "patch_size",
    "num_layers",
    "hidden_dim",
    "token_mlp_dim",
    "channel_mlp_dim",
    "num_heads",
    "representation_size",
    "num_classes",
)
RATES = ("dropout_rate", "drop_path_rate")
BAD_SIZES = (0, -1, 2.0, True, "8")
BAD_RATES = (-0.1, 1.0, 1.5, float("nan"), True, "0.1")
# The second of each pair is what the message shows: the whole shape, or the side that is wrong.
BAD_IMAGE_SHAPES = (
    ((16, 24), "(16, 24)"),
    ((1, 16, 24, 3), "(1, 16, 24, 3)"),
    (16, "16"),
    ((0, 24, 3), "0"),
    ((16, 24.0, 3), "24.0"),
    ((16, True, 3), "True"),
)


def arguments_of(make):
    """Names of what the factory's architecture takes."""
    return set(inspect.signature(make.func.__init__).parameters)


def shallow(make):
    """The factory of models with one block in each stage, for what depth does not change."""
    return functools.partial(make, num_layers=one_block(make.keywords["num_layers"]))


def one_block(num_layers):
    """One block in place of so many; one in each stage in place of several stages."""
    return 1 if isinstance(num_layers, int) else (1,) * len(num_layers)


def one_of_each_policy(make):
    """From each dtype policy to a model that has it, random weights and rates above zero."""
    arguments = {"name": "toy", **rates_of(make, 0.1)}
    return {each: with_random_weights(make(dtype=each, **arguments)) for each in POLICIES}


def with_random_weights(model, seed=0):
    """The model with noise on all weights, so that no zero and no symmetry hides a difference.

    Moving variances become random numbers in [0.5, 1.5).
    """
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if weight.path.endswith("/moving_variance"):
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
        else:
            weight.assign(np.asarray(weight) + 0.1 * rng.normal(size=weight.shape))
    return model


def some_pixels(model, batch=2, seed=1):
    """Random uint8 images that the model takes, (B, H, W, C)."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (batch, *model.image_shape)).astype("uint8")


def predict(model, images, training=False):
    """Outputs of one call, as numpy."""
    return np.asarray(model(images, training=training))


def reloaded(model):
    """The model after a `.keras` file."""
    with tempfile.TemporaryDirectory() as folder:
        model.save(f"{folder}/model.keras")
        return keras.models.load_model(f"{folder}/model.keras")


def takes_images_that_are_not_square(make):
    height, width, channels = make.keywords["image_shape"]
    assert height != width, "the toy image must not be square"
    for shape in ((height, width, channels), (width, height, channels)):
        model = with_random_weights(shallow(make)(image_shape=shape))
        assert predict(model, some_pixels(model)).shape == (2, model.num_classes)


def refuses_images_that_are_not_square(make):
    """Replaces `takes_images_that_are_not_square` for designs that need square images."""
    height, width, channels = make.keywords["image_shape"]
    assert height == width
    for shape in ((height, 2 * width, channels), (2 * height, width, channels)):
        _assert_refused(make, "image_shape", shape, repr(shape))


def takes_any_number_of_channels(make):
    # With the default normalisation, which may have one number for each of three colours.
    height, width, _ = make.keywords["image_shape"]
    for channels in (1, 4):
        model = with_random_weights(shallow(make)(image_shape=(height, width, channels)))
        assert predict(model, some_pixels(model)).shape == (2, model.num_classes)


def takes_any_batch_size(models):
    model = models["float32"]
    images = some_pixels(model, batch=3)
    one_by_one = np.concatenate([predict(model, images[i : i + 1]) for i in range(3)])
    np.testing.assert_allclose(predict(model, images), one_by_one, rtol=0, atol=1e-5)
    assert (
        np.abs(one_by_one[0] - one_by_one[1]).max() > 1e-3
    )  # the comparison above means something


def config_rebuilds_the_model(models):
    for policy, model in models.items():
        copy = type(model).from_config(model.get_config())
        copy.set_weights(model.get_weights())
        assert copy.get_config() == model.get_config()
        assert copy.dtype_policy.name == policy
        images = some_pixels(model)
        np.testing.assert_array_equal(predict(copy, images), predict(model, images))


def file_holds_the_model(models):
    for policy, model in models.items():
        copy = reloaded(model)
        assert type(copy) is type(model)
        assert copy.get_config() == model.get_config()
        assert copy.dtype_policy.name == policy
        images, logits = some_pixels(model), predict(model, some_pixels(model))
        assert logits.dtype == predict(copy, images).dtype == "float32"
        np.testing.assert_array_equal(predict(copy, images), logits)


def file_holds_the_global_policy(make):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = with_random_weights(shallow(make)())
    finally:
        keras.config.set_dtype_policy("float32")
    copy = reloaded(model)
    assert copy.dtype_policy.name == "mixed_bfloat16"
    images = some_pixels(model)
    np.testing.assert_array_equal(predict(copy, images), predict(model, images))


def file_holds_what_is_frozen(make):
    model = shallow(make)()
    layers = [layer for layer in model.layers if layer.weights]
    for layer in layers[:2]:
        layer.trainable = False
    copy = reloaded(model)
    assert [layer.name for layer in copy.layers if not layer.trainable] == [
        layer.name for layer in layers[:2]
    ]
    trainable = [weight.path for weight in model.trainable_weights]
    assert 0 < len(trainable) < len(model.weights)
    assert [weight.path for weight in copy.trainable_weights] == trainable


def rates_of(make, value):
    """The architecture's rates of what is random in training, each of this value."""
    return {rate: value for rate in RATES if rate in arguments_of(make)}


def training_changes_only_what_is_random(make):
    plain = with_random_weights(make(**rates_of(make, 0.0)))
    images = some_pixels(plain, batch=8)
    inference = predict(plain, images)
    has_batch_norm = freeze_batch_norm(plain)
    np.testing.assert_array_equal(predict(plain, images, training=True), inference)
    for rate, value in rates_of(make, 0.5).items():
        model = make(**{rate: value})
        model.set_weights(plain.get_weights())
        np.testing.assert_array_equal(predict(model, images), inference)
        freeze_batch_norm(model)
        assert np.abs(predict(model, images, training=True) - inference).max() > 1e-3, rate
    if has_batch_norm:
        moves_batch_statistics_in_training_only(make)


def moves_batch_statistics_in_training_only(make):
    model = with_random_weights(make())
    images = some_pixels(model, batch=8)
    before = model.get_weights()
    predict(model, images)
    for weight, old in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight, old)
    predict(model, images, training=True)
    for weight, old in zip(model.weights, before, strict=True):
        assert np.array_equal(weight, old) == weight.trainable, weight.path


def freeze_batch_norm(model):
    """Makes every BatchNorm always use its moving statistics; returns whether there is one."""
    layers = [each for each in layers_of(model) if isinstance(each, BatchNormalization)]
    for layer in layers:
        layer.trainable = False
    return bool(layers)


def layers_of(layer):
    """The layers inside a layer or model, at any depth."""
    return sublayers(layer)


def xla_changes_nothing(models):
    model = models["float32"]
    images = some_pixels(model)
    compiled = tf.function(lambda x: model(x, training=False), jit_compile=True)
    np.testing.assert_allclose(compiled(images), predict(model, images), rtol=0, atol=1e-5)


def same_seed_same_model(make):
    def run(seed):
        keras.utils.set_random_seed(seed)
        model = make(include_top=False, **rates_of(make, 0.2))
        return [*model.get_weights(), predict(model, some_pixels(model), training=True)]

    first, again, other = run(7), run(7), run(8)
    for array, same in zip(first, again, strict=True):
        np.testing.assert_array_equal(array, same)
    assert np.abs(first[-1] - other[-1]).max() > 1e-3


def layer_names_have_no_slash(models):
    names = [layer.name for layer in models["float32"].layers]
    assert not [name for name in names if "/" in name]


def gives_features(make):
    make = shallow(make)
    model = make(include_top=False, pooling="avg")
    feature_map = make(include_top=False, pooling=None)
    feature_map.set_weights(with_random_weights(model).get_weights())
    images = some_pixels(model)
    pooled, grid = predict(model, images), predict(feature_map, images)
    assert pooled.shape == (2, grid.shape[-1])
    height, width, _ = model.image_shape
    assert grid.ndim == 4 and grid.shape[1] * width == grid.shape[2] * height  # (B, h, w, C)
    np.testing.assert_allclose(grid.mean(axis=(1, 2)), pooled, rtol=0, atol=1e-5)


def taps_what_it_computes(models):
    model = models["float32"]
    images = some_pixels(model)
    layers = {layer.name: layer.output for layer in model.layers}
    expected = keras.Model(model.input, layers)(images)
    blocks = [layer.name for layer in model.layers if isinstance(layer, Block)]
    branches = [f"{name}/{kind}" for name in blocks for kind in ("token_mixing", "channel_mixing")]
    taps = model.features([*layers, *branches], grid=False)(images)
    for name in layers:
        np.testing.assert_array_equal(taps[name], expected[name], name)
    assert blocks and all(np.abs(taps[name]).max() > 1e-3 for name in branches)
    shapes = [each.shape for each in model.features([*blocks, *branches]).outputs]
    height, width, _ = model.image_shape
    assert all(len(each) == 4 and each[1] * width == each[2] * height for each in shapes), shapes


def rematerialisation_changes_no_number(make):
    """The loss, gradients, masks and variables after two steps stay the same."""
    runs = []
    for remat in (False, True):
        keras.utils.set_random_seed(7)
        model = with_random_weights(make(remat=remat, **rates_of(make, 0.3)))
        images = some_pixels(model, batch=6)
        for _ in range(2):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(tf.square(model(images, training=True)))
            gradients = tape.gradient(loss, [weight.value for weight in model.trainable_weights])
            runs.append([np.asarray(each) for each in (loss, *gradients)])
        runs[-1] += [np.asarray(variable) for variable in model.variables]  # states of seeds too
    plain, plain_again, remat, remat_again = runs
    for a, b in zip(remat + remat_again, plain + plain_again, strict=True):
        np.testing.assert_array_equal(a, b)
    # The steps differ in masks or statistics, so a mask drawn again or a second update would show.
    assert plain[0] != plain_again[0] or not rates_of(make, 0.3)


def takes_pixels_as_bytes_or_floats(models):
    for model in models.values():
        images = some_pixels(model)
        as_bytes = predict(model, images)
        np.testing.assert_array_equal(as_bytes, predict(model, images.astype("float32")))
        assert np.abs(as_bytes - predict(model, 255 - images)).max() > 1e-3


def normalises_inside_or_outside(make):
    make = shallow(make)
    mean, std = (0.4, 0.5, 0.6), (0.2, 0.3, 0.25)
    inside = with_random_weights(make(pixel_mean=mean, pixel_std=std))
    outside = make(include_preprocessing=False)
    outside.set_weights(inside.get_weights())
    images = some_pixels(inside)
    normalised = ((images / 255 - mean) / std).astype("float32")
    logits = predict(inside, images)
    np.testing.assert_allclose(predict(outside, normalised), logits, rtol=0, atol=2e-5)


def refuses_images_of_another_shape(make):
    # Per-channel numbers would broadcast a grey image to colours if nothing checked.
    model = shallow(make)(pixel_mean=(0.4, 0.5, 0.6))
    height, width, channels = model.image_shape
    for shape in (
        (height, width, channels),
        (1, 1, height, width, channels),
        (1, width, height, channels),
        (1, height, width, 1),
    ):
        if shape == (1, height, width, channels):
            continue  # of a square image
        with pytest.raises(ValueError, match=r"(?s)expected .*shape"):
            model(np.zeros(shape, "uint8"))


def returns_logits_or_probabilities(make):
    make = shallow(make)
    plain = with_random_weights(make())
    images = some_pixels(plain)
    logits = predict(plain, images)
    softmax = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    for activation, expected in {"softmax": softmax, "sigmoid": 1 / (1 + np.exp(-logits))}.items():
        model = make(classifier_activation=activation, dtype="float32")
        assert [weight.path for weight in model.weights] == [w.path for w in plain.weights]
        model.set_weights(plain.get_weights())
        np.testing.assert_allclose(predict(model, images), expected, rtol=0, atol=1e-6)
        inside = keras.Model(model.input, model.logits)
        np.testing.assert_array_equal(predict(inside, images), logits)
        assert reloaded(model).classifier_activation == activation
        features = weightless(make, classifier_activation=activation, include_top=False)
        assert features.logits is None
    half = weightless(make, classifier_activation="softmax", dtype="mixed_bfloat16")
    assert half.output.dtype == half.logits.dtype == "float32"
    old = plain.get_config()
    del old["classifier_activation"]  # of a file that was saved before there was the argument
    assert weightless(type(plain).from_config, old).classifier_activation is None
    _assert_refused(make, "classifier_activation", "relu", "'relu'")


def names_the_nearest_variant(make):
    architecture = make.func
    for variant, arguments in architecture.variants.items():
        assert len(arguments["image_shape"]) == 3  # others ask a variant for its image size
        with pytest.raises(ValueError, match=f"`variant` is .* mean {re.escape(repr(variant))}"):
            architecture.from_variant(f"{variant}x")


def refuses_sizes_that_are_no_counts(make):
    for name in set(SIZES) & arguments_of(make):
        for value in BAD_SIZES:
            _assert_refused(make, name, value, repr(value))


def refuses_rates_outside_their_range(make):
    for name in set(RATES) & arguments_of(make):
        for value in BAD_RATES:
            _assert_refused(make, name, value, repr(value))


def refuses_image_shapes_that_do_not_fit(make):
    for value, shown in BAD_IMAGE_SHAPES:
        _assert_refused(make, "image_shape", value, shown)
    height, width, channels = make.keywords["image_shape"]
    for shape in ((height + 1, width, channels), (height, width + 1, channels)):
        _assert_refused(make, "image_shape", shape, f"{shape} is not divisible by `patch_size`")


def _assert_refused(make, name, value, shown):
    with pytest.raises(ValueError) as error:
        make(**{name: value})
    message = str(error.value)
    assert f"`{name}`" in message and shown in message and "\n" not in message, message


PROMISES = (
    takes_images_that_are_not_square,
    takes_any_number_of_channels,
    file_holds_the_global_policy,
    file_holds_what_is_frozen,
    training_changes_only_what_is_random,
    same_seed_same_model,
    gives_features,
    rematerialisation_changes_no_number,
    normalises_inside_or_outside,
    refuses_images_of_another_shape,
    returns_logits_or_probabilities,
    names_the_nearest_variant,
    refuses_sizes_that_are_no_counts,
    refuses_rates_outside_their_range,
    refuses_image_shapes_that_do_not_fit,
)

PROMISES_OF_MODELS = (
    takes_any_batch_size,
    config_rebuilds_the_model,
    file_holds_the_model,
    xla_changes_nothing,
    layer_names_have_no_slash,
    taps_what_it_computes,
    takes_pixels_as_bytes_or_floats,
)


def weights_without_gradient(make):
    """Paths of the weights that move no logit, and those that have no gradient at all."""
    model = with_random_weights(make())
    images = some_pixels(model, batch=4)
    direction = np.random.default_rng(2).normal(size=(4, model.num_classes)).astype("float32")
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(images, training=True) * direction)
    variables = [weight.value for weight in model.trainable_weights]
    gradients = tape.gradient(loss, variables)
    return [
        weight.path
        for weight, gradient in zip(model.trainable_weights, gradients, strict=True)
        if gradient is None or not np.abs(gradient).max() > 1e-5
    ]
