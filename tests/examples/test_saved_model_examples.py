"""The examples that start from an artefact, each run end to end on a toy."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from examples import finetune_folder, keras_layer, knn_features
from examples.digit_images import digit_images
from training.evaluate import evaluate_source


def shares(text):
    """What a program printed, as a dict from the first word of each line to its percentage."""
    return {name: float(figure) / 100 for name, figure in re.findall(r"^(\S+) +(.*)%$", text, re.M)}


def test_digits_have_the_size_that_is_asked_for():
    train_images, test_images, train_labels, test_labels = digit_images((8, 8, 1))
    assert train_images.shape == (1437, 8, 8, 1) and train_images.dtype == "uint8"
    assert len(train_labels) == 1437 and len(test_images) == len(test_labels) == 360
    assert train_images.min() == 0 and train_images.max() == 255
    larger, *_ = digit_images((20, 24, 3))
    assert larger.shape == (1437, 20, 24, 3)
    np.testing.assert_array_equal(larger[..., 0], larger[..., 2])
    means = larger.mean((1, 2, 3)), train_images.mean((1, 2, 3))
    assert np.corrcoef(means)[0, 1] > 0.99  # the same digits in the same order


def test_a_saved_model_is_a_layer_that_learns(artefact, capsys):
    keras_layer.main(["--source", str(artefact / "feature_vector"), "--epochs", "30"])
    accuracy = shares(capsys.readouterr().out)
    assert accuracy.keys() == {"frozen", "fine-tuned"}
    assert accuracy["fine-tuned"] > 0.3  # chance is 10%
    assert accuracy["fine-tuned"] > accuracy["frozen"]


def test_a_folder_of_images_becomes_a_model_and_a_saved_model(artefact, tmp_path, capsys):
    images = finetune_folder.write_digits(tmp_path / "images", per_class=4)
    assert len(list(images.rglob("*.png"))) == 40
    arguments = ["--source", str(artefact / "model.keras"), "--images", str(images)]
    finetune_folder.main([*arguments, "--epochs", "2", "--output", str(tmp_path / "tuned")])
    assert re.search(
        r"^10 classes: \d+\.\d% accuracy on held-out images$", capsys.readouterr().out, re.M
    )
    model = keras.models.load_model(tmp_path / "tuned/model.keras")
    assert model.class_names == tuple(map(str, range(10)))
    judged = evaluate_source(tmp_path / "tuned/model.keras", folder=images)
    assert judged["examples"] == 40
    path = tmp_path / "tuned/saved_model"
    pixels = digit_images((8, 8, 1))[0][:3]
    loaded = tf.saved_model.load(str(path))
    np.testing.assert_allclose(loaded(pixels), model(pixels), rtol=0, atol=1e-4)
    assert (path / "assets/labels.txt").read_text().split() == [str(at) for at in range(10)]


def test_a_folder_of_classes_that_differ_is_learned(artefact, tmp_path):
    """Black and white images, which two epochs must separate."""
    for name, level in {"black": 0, "white": 255}.items():
        (tmp_path / name).mkdir()
        for at in range(20):
            image = np.full((12, 10, 1), level, "uint8")
            keras.utils.save_img(tmp_path / name / f"{at}.png", image, scale=False)
    source = keras.models.load_model(artefact / "model.keras")
    train, test = finetune_folder.read_images(tmp_path, source.image_shape)
    assert train.class_names == ["black", "white"]
    assert finetune_folder.finetune(source, train, test, epochs=10)[1] == 1.0


def test_neighbours_vote(artefact, capsys):
    knn_features.main(["--source", str(artefact / "feature_vector")])
    accuracy = shares(capsys.readouterr().out)
    assert accuracy.keys() == {"features", "pixels"}
    assert accuracy["pixels"] > 0.95  # for digits at their own size
    assert 0.3 < accuracy["features"] < 1.0  # for random weights


def test_the_nearest_come_first_and_equals_give_the_smallest_label():
    vectors = np.eye(3)[[0, 1, 2, 0]]
    rows = knn_features.nearest(np.array([[0.9, 0.1, 0.0]]), vectors, k=3)
    assert rows.tolist() == [[0, 3, 1]]
    assert knn_features.vote(np.array([[2, 2, 1], [3, 1, 2]])).tolist() == [2, 1]


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (keras_layer, "no/such was not written by keras_mlp"),
        (knn_features, "no/such was not written by keras_mlp"),
        (finetune_folder, "`source` must be a .keras file, and there is no no/such"),
    ],
)
def test_a_source_that_is_not_there_is_named(program, message, capsys):
    with pytest.raises(SystemExit) as stop:
        program.main(["--source", "no/such"])
    assert stop.value.code == 2 and message in capsys.readouterr().err
