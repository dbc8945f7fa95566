"""Mistakes that would only show in the results are reported."""

import functools
import re
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_mlp import MLPMixer
from tests.contract import reloaded, shallow
from tests.test_contract import ARCHITECTURES, factory

tiny = functools.partial(MLPMixer.from_variant, "pico/2", num_layers=1, num_classes=4)
eager = {"run_eagerly": True}  # what is checked is the same, and nothing is compiled
PIXELS = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 3)).astype("float32")
LABELS = np.arange(8) % 4
SHARES = np.eye(4, dtype="float32")[LABELS]
Sparse = keras.losses.SparseCategoricalCrossentropy

# One model for all losses: each `compile` leads to a warning of its own.
of_logits = functools.cache(tiny)
of_probabilities = functools.cache(functools.partial(tiny, classifier_activation="softmax"))

OF_PROBABILITIES = [
    "sparse_categorical_crossentropy",
    "SparseCategoricalCrossentropy",
    Sparse,
    Sparse(),
    keras.losses.sparse_categorical_crossentropy,
    "categorical_crossentropy",
    "binary_crossentropy",
    "kld",
    "poisson",
    keras.losses.BinaryCrossentropy(),
    keras.losses.CategoricalCrossentropy(),
    keras.losses.CategoricalFocalCrossentropy(),
    keras.losses.KLDivergence(),
    keras.losses.Poisson(),
    keras.losses.Dice(),
    ["sparse_categorical_crossentropy"],
]
OF_ANYTHING = [Sparse(from_logits=True), "mse", keras.losses.CategoricalHinge(), None]
OF_ANYTHING.append(lambda y, outputs: keras.ops.mean(outputs, axis=-1))


def labels_for(loss):
    is_sparse = "parse" in str(getattr(loss, "name", loss)) + str(loss)
    return LABELS if is_sparse else SHARES


def loss_id(loss):
    """Without the addresses that `str` shows: every process must collect the same tests."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(loss))


@pytest.mark.parametrize("loss", OF_PROBABILITIES, ids=loss_id)
def test_warns_that_a_loss_of_probabilities_does_not_learn_from_logits(loss):
    model, probabilities = of_logits(), of_probabilities()
    model.compile("sgd", loss, **eager)
    with pytest.warns(UserWarning, match=r"returns logits .* `classifier_activation`='softmax'"):
        model.test_on_batch(PIXELS, labels_for(loss))
    model.test_on_batch(PIXELS, labels_for(loss))  # once is enough
    probabilities.compile("sgd", loss, **eager)
    probabilities.test_on_batch(PIXELS, labels_for(loss))


@pytest.mark.parametrize("loss", OF_ANYTHING, ids=loss_id)
def test_does_not_warn_of_other_losses(loss):
    model = of_logits()
    model.compile("sgd", loss or "mse", **eager)
    model.test_on_batch(PIXELS, labels_for(loss))
    features = tiny(include_top=False)
    features.compile("adam", "binary_crossentropy", **eager)  # of features, which may be anything
    features.test_on_batch(PIXELS, np.zeros((8, 64)))


def test_names_from_logits_where_the_loss_has_it():
    for loss, ways in {
        "binary_crossentropy": "from_logits=True, or",
        "kld": "fix it, build",
    }.items():
        model = tiny()
        model.compile("adam", loss, **eager)
        with pytest.warns(UserWarning, match=ways):
            model.train_on_batch(PIXELS, SHARES)


@pytest.mark.filterwarnings("ignore:.*produced by a S")  # Keras' own, on TensorFlow alone
def test_warns_that_a_loss_of_logits_is_given_probabilities():
    model = tiny(classifier_activation="softmax")
    model.compile("adam", Sparse(from_logits=True), **eager)
    with pytest.warns(UserWarning, match="returns probabilities .* expects logits"):
        model.fit(PIXELS, LABELS, verbose=0)
    model.compile("adam", keras.losses.BinaryCrossentropy(from_logits=True), **eager)
    with pytest.warns(UserWarning, match="returns probabilities .* expects logits"):
        model.fit(PIXELS, SHARES, verbose=0)


def test_probabilities_learn_from_a_loss_by_its_name_and_the_compiled_model_is_saved():
    model = tiny(classifier_activation="softmax")
    model.compile(
        keras.optimizers.Adam(1e-2),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=False,
    )
    model.fit(PIXELS, LABELS, epochs=15, verbose=0)
    copy = reloaded(model)
    assert copy.evaluate(PIXELS, LABELS, verbose=0)[1] == 1.0


def calls():
    return {
        "call": lambda model, x: model(x),
        "predict": lambda model, x: model.predict(x, verbose=0),
        "predict_on_batch": lambda model, x: model.predict_on_batch(x),
        "fit": lambda model, x: model.fit(x, LABELS[: len(x)], verbose=0),
        "evaluate": lambda model, x: model.evaluate(x, LABELS[: len(x)], verbose=0),
        "train_on_batch": lambda model, x: model.train_on_batch(x, LABELS[: len(x)]),
        "test_on_batch": lambda model, x: model.test_on_batch(x, LABELS[: len(x)]),
    }


@pytest.mark.parametrize("call", calls().values(), ids=calls())
@pytest.mark.parametrize("kind", [np.asarray, tf.constant])
def test_warns_once_of_images_that_are_not_pixels(call, kind):
    for images in (PIXELS / 255, PIXELS / 127.5 - 1, (PIXELS / 255 - 0.45) / 0.225):
        model = tiny()
        model.compile("sgd", Sparse(from_logits=True), **eager)
        with pytest.warns(
            UserWarning, match=r"pixels in \[0, 255\].*`include_preprocessing`=False"
        ):
            call(model, kind(images))
        call(model, kind(images))
        model(kind(images))


def test_warns_of_images_in_another_range_than_before():
    model = tiny()
    model(np.zeros((1, 8, 8, 3), "float32"))  # shows nothing
    model(PIXELS)
    with pytest.warns(UserWarning, match="from 0 to 1"):
        model.predict(PIXELS / 255, verbose=0)


@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32", "float64"])
def test_says_nothing_about_pixels(dtype):
    images = [PIXELS, PIXELS // 255, PIXELS * 0, PIXELS * 0 + 255, PIXELS // 64]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for each in images:
            tiny()(each.astype(dtype))
        model = tiny(include_preprocessing=False)
        model((PIXELS / 255).astype(dtype))
        # A graph is traced without a look at values.
        tf.function(tiny())(tf.constant(PIXELS / 255))


@pytest.mark.parametrize("call", calls().values(), ids=calls())
def test_refuses_images_of_another_size_in_the_first_and_in_later_calls(call):
    model = tiny()
    model.compile("sgd", Sparse(from_logits=True), **eager)
    for _ in range(2):
        with pytest.raises(ValueError, match=r"got \(8, 8, 12, 3\).*with_image_shape"):
            call(model, np.zeros((8, 8, 12, 3), "float32"))
        with pytest.raises(ValueError, match=r"got \(8, 8, 8, 1\).*images of 3 channels"):
            call(model, np.zeros((8, 8, 8, 1), "float32"))
        call(model, PIXELS)


def test_refuses_datasets_of_another_size():
    def dataset(images):
        return tf.data.Dataset.from_tensor_slices((images, LABELS)).batch(4)

    model = tiny()
    model.compile("sgd", Sparse(from_logits=True), **eager)
    model.fit(dataset(PIXELS), shuffle=False, verbose=0)
    for call in (model.fit, model.evaluate, model.predict):
        with pytest.raises(ValueError, match=r"expected images .*got \(B, 16, 8, 3\)"):
            call(dataset(np.zeros((8, 16, 8, 3), "float32")))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_refuses_inputs_of_unknown_size(architecture):
    model = shallow(factory(architecture))()
    with pytest.raises(ValueError, match=r"got \(B, None, None, 3\).*keras.Input\(\("):
        model(keras.Input((None, None, 3)))
    assert model(keras.Input(model.image_shape)).shape == (None, 5)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_checks_a_size_that_a_graph_does_not_know_when_it_runs(architecture):
    model = shallow(factory(architecture))()
    images = np.zeros((2, *model.image_shape), "float32")
    run = tf.function(model, input_signature=[tf.TensorSpec((None, None, None, 3))])
    np.testing.assert_allclose(run(images), model(images), rtol=0, atol=1e-6)
    with pytest.raises(tf.errors.InvalidArgumentError, match="expected shape"):
        run(images[:, :-1])
