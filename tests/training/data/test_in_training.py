"""How the data affects a run: weights of examples, pictures, errors."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tests.training.data.pictures import write_folder
from training.config import Augment, Data, Model
from training.data.first_batch import with_first_seen
from training.engine.optimizers import build_optimizer
from training.engine.tensorflow.trainer import Trainer
from training.reports.pictures import draw_batch
from training.train import build_model, train

PNG = b"\x89PNG\r\n"


def new_trainer(config):
    tf.keras.utils.set_random_seed(0)
    model = build_model(config.model, 10, "float32")
    head = model.get_layer("head").kernel
    head.assign(tf.random.stateless_normal(head.shape, (0, 1)))  # zeros would block the gradient
    optimizer = build_optimizer(config.optimizer, model, total_steps=10, steps_per_epoch=5)
    return Trainer(model, optimizer, config)


@pytest.mark.parametrize("loss", ["softmax", "sigmoid"])
@pytest.mark.parametrize("soft", [False, True])
def test_a_damaged_picture_counts_for_nothing(change, loss, soft):
    config = change(data={"batch_size": 8}, optimizer={"loss": loss, "label_smoothing": 0.1})
    draw = np.random.default_rng(0)
    images = tf.constant(draw.integers(0, 256, (8, 8, 8, 1)).astype(np.uint8))
    labels = tf.constant([3, 1, 4, -1, 5, 9, -1, 6], tf.int64)
    whole = tf.where(labels >= 0)[:, 0]
    given = tf.one_hot(labels, 10) if soft else labels
    # Gradients of the mean loss over a batch of 8, and (summed loss, correct, examples).
    gradients = new_trainer(config)._gradients
    one, counted = gradients(images, given)
    other, expected = gradients(tf.gather(images, whole), tf.gather(labels, whole))
    np.testing.assert_allclose(counted, expected, rtol=1e-5)
    assert counted[2] == 6
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_the_first_batch_is_seen_once():
    batches = tf.data.Dataset.range(12).map(lambda i: (tf.fill((2,), i), i)).batch(3)
    seen = []
    passed = with_first_seen(batches, lambda images, labels: seen.append((images, labels)))
    for (one, label), (other, other_label) in zip(passed, batches, strict=True):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(label, other_label)
    assert len(seen) == 1 and seen[0][0].shape == (3, 2) and seen[0][1].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "labels", [np.array([0, 1, -1]), np.array([[1.0, 0], [0.3, 0.7], [0, 0]])], ids=["hard", "soft"]
)
def test_a_batch_is_drawn(tmp_path, labels):
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1)).astype(np.uint8)
    draw_batch(tmp_path / "batch.png", images, labels, ["zero", "one"])
    assert (tmp_path / "batch.png").read_bytes().startswith(PNG)
    assert len(list(tmp_path.iterdir())) == 1


@pytest.fixture
def folder_config(config, tmp_path):
    write_folder(tmp_path / "data", "train", {"china": 12, "flower": 12})
    write_folder(tmp_path / "data", "test", {"china": 3, "flower": 3}, seed=1)
    return dataclasses.replace(
        config,
        epochs=2,
        model=Model(variant="pico/2", arguments={"image_shape": (8, 8, 3), "num_layers": 1}),
        data=Data(name="image_folder", data_dir=str(tmp_path / "data"), batch_size=8),
        augment=Augment(crop=0.3, flip=True, mixup=0.2, cutmix=1.0),
    )


def test_a_folder_of_photographs_is_learned_from(folder_config, tmp_path):
    metrics = train(folder_config, tmp_path / "run")
    assert metrics["classes"] == ["china", "flower"] and metrics["test"]["examples"] == 6
    assert metrics["corrupt_pictures"] == 0
    for name in ("first_batch.png", "predictions.png"):
        assert (tmp_path / "run" / name).read_bytes().startswith(PNG)


def test_a_damaged_picture_ends_the_run_with_its_name_or_is_left_out(
    folder_config, blank, tmp_path
):
    file = tmp_path / "data" / "train" / "china" / "000.jpg"
    file = file.rename(file.with_name("Zürich.jpg"))
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"1 damaged picture\(s\).*china/Zürich\.jpg") as error:
        train(folder_config, tmp_path / "run")
    assert "\n" not in str(error.value)
    folder_config.data.max_corrupt = 1
    metrics = train(folder_config, tmp_path / "other")
    assert metrics["corrupt_pictures"] == 1 and metrics["steps"] == round(2 * 22 / 8)
