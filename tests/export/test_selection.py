"""What cannot be exported is refused with a one-line error, before anything is written."""

import os

import keras
import pytest

from keras_mlp import export_saved_model
from tests.export.toys import IMAGE, functional, toy

REFUSED = {
    "not a model": (lambda: "toy", "must be a built functional Keras model, got 'toy'"),
    "not built": (lambda: keras.Sequential([keras.layers.Flatten()]), "must be a built functional"),
    "two inputs": (
        lambda: functional(keras.Input(**IMAGE), keras.Input(**IMAGE)),
        "must have one tensor as input",
    ),
    "two outputs": (
        lambda: functional(keras.Input(**IMAGE), outputs=2),
        "must have one tensor as output",
    ),
    "not images": (lambda: functional(keras.Input((4,))), r"free batch size B, takes \(None, 4\)"),
    "fixed batch": (
        lambda: functional(keras.Input(**IMAGE, batch_size=2)),
        r"takes \(2, 4, 4, 3\)",
    ),
    "integers": (
        lambda: functional(keras.Input(**IMAGE, dtype="int32")),
        "must take floats or uint8, takes int32",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refuses_what_it_cannot_export(case, tmp_path):
    make, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        export_saved_model(make(), tmp_path / "toy")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "make",
    [lambda: toy(include_top=False, pooling=None), lambda: functional(keras.Input(**IMAGE))],
)
def test_refuses_features_that_a_model_does_not_have(make, tmp_path):
    with pytest.raises(ValueError, match="`output`='features' needs a VisionModel with pooled fea"):
        export_saved_model(make(), tmp_path / "toy", output="features")


def test_refuses_an_unknown_output(tmp_path):
    with pytest.raises(ValueError, match="`output` is 'feature'"):
        export_saved_model(toy(), tmp_path / "toy", output="feature")


def test_refuses_another_backend(monkeypatch, tmp_path):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(RuntimeError, match="need the TensorFlow backend and Keras runs on 'jax'"):
        export_saved_model(toy(), tmp_path / "toy")


OPTIONS = {
    "unknown feature": ({"features": ["block_9"]}, r"`features` is 'block_9'\. Did you mean 'bloc"),
    "a feature twice": ({"features": ["stem", "stem"]}, "`features` must differ, got 'stem' more"),
    "one name": ({"features": "stem"}, "`features` must be a list of names, got 'stem'"),
    "unknown method": ({"resize": "bilinaer"}, "`resize` is 'bilinaer'. Did you mean 'bilinear'"),
    "too few names": (
        {"class_names": ["a", "b"]},
        r"one name per logit .*\(None, 3\); got 2 names",
    ),
    "one string": ({"class_names": "abc"}, "one name per logit .*; got 'abc'"),
    "two lines": ({"class_names": ["a", "b\n", "c"]}, r"strings of one line each, got 'b\\n'"),
    "no name": ({"class_names": ["a", "", "c"]}, "strings of one line each, got ''"),
    "a number": ({"class_names": ["a", 1, "c"]}, "strings of one line each, got 1"),
}


@pytest.mark.parametrize("case", OPTIONS)
def test_refuses_options_that_mean_nothing(case, tmp_path):
    options, message = OPTIONS[case]
    with pytest.raises(ValueError, match=message) as error:
        export_saved_model(toy(), tmp_path / "toy", **options)
    assert "\n" not in str(error.value) and os.listdir(tmp_path) == []


def test_refuses_class_names_of_features(tmp_path):
    names = [str(i) for i in range(8)]
    with pytest.raises(ValueError, match="`class_names` name logits"):
        export_saved_model(toy(), tmp_path / "toy", output="features", class_names=names)


def test_refuses_features_of_a_model_without_names_for_them(tmp_path):
    with pytest.raises(ValueError, match=r"`features` needs a VisionModel; .* is a Functional"):
        export_saved_model(functional(keras.Input(**IMAGE)), tmp_path / "toy", features=["dense"])


def test_refuses_to_resize_for_a_model_of_any_size(tmp_path):
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(inputs))
    with pytest.raises(ValueError, match="`resize`='area' needs a model of one image size"):
        export_saved_model(model, tmp_path / "toy", resize="area")
    assert export_saved_model(model, tmp_path / "toy").is_dir()
