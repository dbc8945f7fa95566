"""Splits, the resumable stream, and augmentation on the embedded dataset."""

import dataclasses
import os
import re
import time

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from training.config import Augment, Data
from training.data.augmentation import augment_image
from training.data.pipeline import evaluation_batches, load_splits, training_stream
from training.data.sources import find_dataset
from training.data.subsets import balanced_rows
from training.engine.tensorflow.strategies import Share

SHAPE = (8, 8, 1)


@pytest.fixture
def data(data_dir):
    return Data(name="digits", data_dir=data_dir, validation_percent=10, batch_size=50)


def read(split):
    images, labels = zip(*split.examples.as_numpy_iterator(), strict=True)
    return np.stack(images), np.stack(labels)


def test_digits_are_scikit_learns(data):
    from sklearn.datasets import load_digits

    splits = load_splits(dataclasses.replace(data, validation_percent=0), SHAPE)
    assert (splits.train.size, splits.test.size) == (1437, 360)
    images, labels = (
        np.concatenate(parts) for parts in zip(*map(read, (splits.train, splits.test)), strict=True)
    )
    ours = sorted(
        (int(label), image.tobytes()) for image, label in zip(images, labels, strict=True)
    )
    pixels, targets = load_digits(return_X_y=True)
    pixels = np.round(pixels.reshape(-1, *SHAPE) * 255 / 16).astype(np.uint8)
    assert ours == sorted(
        (int(k), image.tobytes()) for image, k in zip(pixels, targets, strict=True)
    )


def test_validation_is_cut_from_train(data):
    whole, _ = read(load_splits(dataclasses.replace(data, validation_percent=0), SHAPE).train)
    splits = load_splits(data, SHAPE)
    train, _ = read(splits.train)
    validation, _ = read(splits.validation)
    assert len(train) == splits.train.size and len(validation) == splits.validation.size == 144
    np.testing.assert_array_equal(np.concatenate([train, validation]), whole)


def test_classes_are_kept_and_renumbered(data):
    splits = load_splits(dataclasses.replace(data, classes=(7, 3)), SHAPE)
    _, labels = read(splits.test)
    assert splits.classes == ["7", "3"]
    assert len(labels) == splits.test.size and set(labels) == {0, 1}
    assert np.bincount(labels).tolist() == [36, 37]


def test_the_first_examples_of_each_class(data):
    first = dataclasses.replace(data, examples_per_class=4, subset_seed=None)
    split = load_splits(first, SHAPE).train
    images, labels = read(split)
    assert np.bincount(labels).tolist() == [4] * 10 and split.size == 40
    whole, numbers = read(load_splits(data, SHAPE).train)
    for label in range(10):
        np.testing.assert_array_equal(images[labels == label], whole[numbers == label][:4])


def test_a_drawn_subset_is_balanced_and_part_of_a_larger_one(data):
    def drawn(per_class, seed):
        changed = dataclasses.replace(data, examples_per_class=per_class, subset_seed=seed)
        images, labels = read(load_splits(changed, SHAPE).train)
        assert np.bincount(labels).tolist() == [per_class] * 10
        return {image.tobytes() for image in images}

    few, more, others = drawn(4, 0), drawn(9, 0), drawn(4, 1)
    assert few < more and few != others


def test_a_class_with_few_examples_gives_all():
    labels = np.array([1, 0, 1, 1, -1, 1, 0])
    for seed in (None, 0, 7):
        rows = balanced_rows(labels, 3, seed)
        assert len(set(rows.tolist())) == len(rows)
        assert np.bincount(labels[rows]).tolist() == [2, 3]
    assert balanced_rows(labels, 3, None).tolist() == [1, 6, 0, 2, 3]
    assert balanced_rows(np.array([-1, -1]), 3, 0).tolist() == []


def test_images_are_resized_to_the_models_size(data):
    images, _ = read(load_splits(data, (16, 12, 1)).test)
    assert images.shape[1:] == (16, 12, 1) and images.dtype == np.uint8


@pytest.mark.parametrize(
    ("changes", "shape", "message"),
    [
        ({"train_split": "training"}, SHAPE, "`data.train_split` is 'training'; digits has"),
        ({"classes": (3, 10)}, SHAPE, "labels from 0 to 9"),
        ({"classes": (3, 3)}, SHAPE, "different labels"),
        ({}, (8, 8, 3), "1 channel"),
    ],
)
def test_what_does_not_fit_is_named(data, changes, shape, message):
    with pytest.raises(ValueError, match=message):
        load_splits(dataclasses.replace(data, **changes), shape)


@pytest.mark.parametrize(
    ("name", "message"),
    [("fashion_mnst", "Did you mean 'fashion_mnist'"), ("fashion_mnist", "download_and_prepare")],
)
def test_a_missing_dataset_fails_in_seconds(name, message, tmp_path):
    began = time.monotonic()
    with pytest.raises(ValueError, match=message) as error:
        find_dataset(name, str(tmp_path))
    assert time.monotonic() - began < 10
    assert "\n" not in str(error.value)


def take(stream, count):
    return [(images.numpy(), labels.numpy()) for images, labels in stream.take(count)]


def test_the_stream_can_start_at_any_step(data):
    split = load_splits(data, SHAPE).train
    options = {"batch_size": 50, "seed": 3, "augment": Augment(shift=1, flip=True)}
    whole = take(training_stream(split, start_step=0, **options), 60)
    tf.random.set_seed(99)  # another state of the global generator
    for start in (1, 25, 26, 52):  # 1,293 examples: epochs end inside batches 25 and 51
        rest = take(training_stream(split, start_step=start, **options), 60 - start)
        for (images, labels), (expected, expected_labels) in zip(rest, whole[start:], strict=True):
            np.testing.assert_array_equal(images, expected)
            np.testing.assert_array_equal(labels, expected_labels)


def test_an_epoch_holds_every_example_once_in_an_order_of_its_own(data):
    split = load_splits(data, SHAPE).train
    stream = training_stream(split, batch_size=1, seed=0, start_step=0, augment=Augment())
    images = np.concatenate([image for image, _ in take(stream, 2 * split.size)])
    expected = sorted(image.tobytes() for image in read(split)[0])
    first, second = images[: split.size], images[split.size :]
    assert sorted(image.tobytes() for image in first) == expected
    assert sorted(image.tobytes() for image in second) == expected
    assert (first != second).any()


def test_evaluation_sees_every_example_once_in_order(data):
    split = load_splits(data, SHAPE).test
    batches = list(evaluation_batches(split, 100).as_numpy_iterator())
    assert [len(labels) for _, labels in batches] == [100] * 4  # 360 examples, padded
    images, labels = (np.concatenate(part) for part in zip(*batches, strict=True))
    np.testing.assert_array_equal(images[:360], read(split)[0])
    assert (labels[:360] >= 0).all() and (labels[360:] == -1).all()


@pytest.mark.parametrize("hosts", [1, 2, 3])
def test_hosts_and_replicas_share_every_batch(data, hosts):
    split = load_splits(data, SHAPE).train
    options = {"batch_size": 24, "seed": 3, "start_step": 5, "augment": Augment(shift=1)}
    whole = list(training_stream(split, **options).take(4).as_numpy_iterator())
    replicas = 2 * hosts
    streams = [
        training_stream(split, **options, share=Share(host, hosts, replicas))
        for host in range(hosts)
    ]
    parts = [list(stream.take(8).as_numpy_iterator()) for stream in streams]
    for step, (images, _) in enumerate(whole):
        own = [part[2 * step + i][0] for part in parts for i in range(2)]
        assert all(len(each) == 24 // replicas for each in own)
        found = sorted(image.tobytes() for each in own for image in each)
        assert found == sorted(image.tobytes() for image in images)


def test_augmentation_is_a_function_of_its_seed():
    image = tf.cast(np.random.default_rng(0).integers(0, 256, (12, 10, 3)), tf.uint8)
    augment = Augment(shift=2, flip=True, rotate=15, zoom=0.1)
    once, again, other = (augment_image(image, (5, i), augment) for i in (1, 1, 2))
    np.testing.assert_array_equal(once, again)
    assert (once.numpy() != other.numpy()).any()
    assert once.shape == image.shape and once.dtype == image.dtype
    np.testing.assert_array_equal(augment_image(image, (5, 1), Augment()), image)


def test_shift_moves_whole_pixels_and_covers_the_range():
    image = np.zeros((9, 9, 1), np.uint8)
    image[4, 4] = 200
    seen = set()
    for i in range(200):
        moved = augment_image(tf.constant(image), (0, i), Augment(shift=2)).numpy()
        ((row, column),) = np.argwhere(moved[..., 0])
        assert moved[row, column, 0] == 200
        seen.add((int(row) - 4, int(column) - 4))
    assert seen == {(row, column) for row in range(-2, 3) for column in range(-2, 3)}


def test_rotation_turns_about_the_centre():
    image = np.zeros((9, 9, 1), np.uint8)
    image[4, 1:8] = 255  # a horizontal bar through the centre
    angles = []
    for i in range(50):
        moved = augment_image(tf.constant(image), (0, i), Augment(rotate=30.0)).numpy()[..., 0]
        assert moved[4, 4] > 200
        rows, columns = np.mgrid[-4:5, -4:5]
        covariance = np.cov(rows.ravel(), columns.ravel(), aweights=moved.ravel())
        angles.append(np.degrees(np.arctan2(covariance[0, 1], covariance[1, 1])))
    assert min(angles) < -15 and max(angles) > 15 and max(np.abs(angles)) < 33


def test_translation_moves_by_fractions_of_a_pixel():
    image = np.zeros((9, 9, 1), np.uint8)
    image[4, 4] = 200
    rows, columns = np.mgrid[-4:5, -4:5]
    centres = []
    for i in range(100):
        moved = augment_image(tf.constant(image), (0, i), Augment(translate=0.2))
        moved = moved.numpy()[..., 0].astype(float)
        assert moved.sum() == pytest.approx(200, abs=2)
        centres.append([(moved * axis).sum() / 200 for axis in (rows, columns)])
    assert 1.6 < np.abs(centres).max() < 1.85  # 0.2 of 9 pixels
    np.testing.assert_allclose(np.mean(centres, 0), 0, atol=0.35)


def test_a_share_of_the_images_is_moved():
    image = np.arange(81, dtype=np.uint8).reshape(9, 9, 1)
    augment = Augment(share=0.5, shift=4, flip=True)
    moved = 0
    for i in range(300):
        pixels = augment_image(tf.constant(image), (0, i), augment).numpy()
        moved += not any((pixels == kept).all() for kept in (image, image[:, ::-1]))
    # One of the 81 shifts is zero.
    assert 120 < moved < 180


def test_half_of_the_images_are_mirrored():
    image = tf.constant(np.arange(4, dtype=np.uint8).reshape(1, 4, 1))
    mirrored = [
        bool(augment_image(image, (0, i), Augment(flip=True))[0, 0, 0] == 3) for i in range(400)
    ]
    assert 160 < sum(mirrored) < 240


@pytest.mark.parametrize(
    ("name", "data_dir", "message"),
    [
        ("digits", "typo", "`data.data_dir` typo is not a folder. `mkdir -p typo` makes it."),
        ("cifar10", "typo", "tfds.builder('cifar10', data_dir='typo').download_and_prepare()"),
        ("digits", "", "`data.data_dir` must not be empty"),
        ("digits", "file", "is not a folder"),
    ],
)
def test_a_mistyped_folder_is_not_made(name, data_dir, message, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=re.escape(message)):
        find_dataset(name, data_dir)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("default", "message"),
    [("~/tensorflow_datasets", "There is no home folder"), ("file/of", "cannot be prepared in")],
)
def test_a_home_that_cannot_be_written_names_the_way_out(default, message, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", default)
    with pytest.raises(ValueError, match=f"{message}.*TFDS_DATA_DIR"):
        find_dataset("digits")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
