"""Streams of pictures in files: resumed, shared, repeated, and damaged."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tests.training.data.pictures import write_folder
from training.config import Augment, Data
from training.data.decoding import Decoder
from training.data.pipeline import evaluation_batches, load_splits, training_stream
from training.engine.tensorflow.strategies import Share

SHAPE = (12, 16, 3)
EVERYTHING = Augment(crop=0.3, shift=1, flip=True, cutout=4, erase=0.3, mixup=0.4, cutmix=1.0)


@pytest.fixture
def data(tmp_path):
    write_folder(tmp_path, "train", {"china": 11, "flower": 12})
    write_folder(tmp_path, "test", {"china": 3, "flower": 2}, seed=1)
    return Data(name="image_folder", data_dir=str(tmp_path), validation_percent=0)


def take(split, count, **options):
    options = {"batch_size": 6, "seed": 3, "start_step": 0, "augment": EVERYTHING, **options}
    stream = training_stream(split, **options)
    return list(stream.take(count).as_numpy_iterator())


def assert_equal(batches, others):
    for batch, other in zip(batches, others, strict=True):
        for one, another in zip(batch, other, strict=True):
            np.testing.assert_array_equal(one, another)


# A batch of 6 ends between copies of 4.
@pytest.mark.parametrize(
    "repeats", [4, *(pytest.param(number, marks=pytest.mark.sweep) for number in (1, 3))]
)
def test_it_can_start_at_any_step(data, repeats):
    split = load_splits(data, SHAPE).train
    augment = dataclasses.replace(EVERYTHING, repeats=repeats)
    whole = take(split, 9, augment=augment)
    assert whole[0][0].shape == (6, *SHAPE) and whole[0][1].dtype == np.float32
    tf.random.set_seed(99)  # another state of the global generator
    for start in (1, 3, 8):  # 23 examples: the first epoch ends inside batch 3
        assert_equal(take(split, 9 - start, augment=augment, start_step=start), whole[start:])
    assert (take(split, 1, augment=augment, seed=4)[0][0] != whole[0][0]).any()


def test_a_host_decodes_its_share_only_and_nothing_of_what_is_skipped(data, monkeypatch):
    decoded = []
    part = Decoder.part

    def counted(self, stored, *arguments):
        noted = tf.numpy_function(lambda name: decoded.append(name) or name, [stored], tf.string)
        return part(self, tf.ensure_shape(noted, ()), *arguments)

    monkeypatch.setattr(Decoder, "part", counted)
    split = load_splits(data, SHAPE).train
    stream = training_stream(
        split,
        batch_size=6,
        seed=0,
        start_step=100,
        augment=Augment(crop=0.5),
        share=Share(1, 3, 3),
    )
    read = 4 * 2
    list(stream.take(4))
    # A few are read ahead. All 600 examples before, or other hosts' shares, would be far more.
    assert read <= len(decoded) < 10 * read


def test_repeats_come_together_each_in_its_own_way(data):
    split = load_splits(data, SHAPE).train
    labels = [y for _, y in take(split, 4, augment=Augment(crop=0.2, repeats=3))]
    for batch in labels:
        assert (batch.reshape(2, 3) == batch.reshape(2, 3)[:, :1]).all()
    ((images, _),) = take(split, 1, augment=Augment(crop=0.2, repeats=3))
    assert len({image.tobytes() for image in images}) == 6
    plain = take(split, 4, augment=Augment())
    repeated = take(split, 12, augment=Augment(repeats=3))
    images = np.concatenate([images for images, _ in repeated])
    np.testing.assert_array_equal(images[::3], np.concatenate([images for images, _ in plain]))


def test_hosts_with_files_of_their_own_see_everything_once(data):
    data = dataclasses.replace(data, shard="files")
    split = load_splits(data, SHAPE).train
    options = {"augment": Augment(), "batch_size": 2, "shard": "files"}
    parts = [take(split, n, **options, share=Share(i, 2, 2)) for i, n in ((0, 11), (1, 12))]
    seen = [images[0].tobytes() for part in parts for images, _ in part]
    assert sorted(seen) == sorted(
        image.tobytes() for image, _ in split.examples.as_numpy_iterator()
    )
    rest = take(split, 5, **options, share=Share(1, 2, 2), start_step=7)
    assert_equal(rest, parts[1][7:])


@pytest.mark.parametrize("share", [Share(), Share(1, 2, 2)])
def test_evaluation_sees_every_picture_once_in_order(data, share):
    split = load_splits(data, SHAPE).test
    batches = list(evaluation_batches(split, 4, share).as_numpy_iterator())
    images, labels = (np.concatenate(part) for part in zip(*batches, strict=True))
    assert len(batches) == 2 and len(labels) == 8 // share.hosts
    expected = list(split.examples.as_numpy_iterator())[share.host :: share.hosts]
    assert (labels[len(expected) :] == -1).all() and not images[len(expected) :].any()
    shown = zip(images[: len(expected)], labels, strict=False)
    assert_equal(shown, expected)


def damage(data, count):
    """Cuts off, empties or replaces the first pictures of a class; returns their names."""
    contents = (lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"no picture")
    files = sorted(tf.io.gfile.glob(f"{data.data_dir}/train/china/*"))[:count]
    for file, change in zip(files, contents, strict=False):
        with open(file, "rb") as opened:
            content = opened.read()
        with open(file, "wb") as opened:
            opened.write(change(content))
    return files


@pytest.mark.parametrize("augment", [Augment(), Augment(crop=0.3, mixup=0.3)])
def test_damaged_pictures_are_left_out_and_others_keep_their_places(data, augment):
    before = take(load_splits(data, SHAPE).train, 4, augment=dataclasses.replace(augment, mixup=0))
    files = damage(data, 3)
    splits = load_splits(dataclasses.replace(data, max_corrupt=3), SHAPE)
    after = take(splits.train, 4, augment=dataclasses.replace(augment, mixup=0))
    lost = 0
    for (images, labels), (expected, expected_labels) in zip(after, before, strict=True):
        whole = labels >= 0
        np.testing.assert_array_equal(images[whole], expected[whole])
        np.testing.assert_array_equal(labels[whole], expected_labels[whole])
        assert not images[~whole].any()
        lost += (~whole).sum()
    assert lost >= 3 and sorted(splits.ledger.names) == files
    if augment.mixup:
        shares = np.concatenate([shares for _, shares in take(splits.train, 4, augment=augment)])
        sums = shares.sum(1)
        assert set(np.round(sums, 5)) == {0.0, 1.0} and (sums == 0).sum() == lost


def test_other_errors_stay_what_they_are(data):
    ledger = load_splits(data, SHAPE).ledger
    with pytest.raises(tf.errors.InvalidArgumentError, match="its own"), ledger.explained():
        raise tf.errors.InvalidArgumentError(None, None, "its own")
    named = pytest.raises(ValueError, match="A file of records is damaged: here")
    with named, ledger.explained():
        raise tf.errors.DataLossError(None, None, "here")


def test_a_damaged_picture_in_memory_is_left_out_too(data_dir, monkeypatch):
    data = Data(name="digits", data_dir=data_dir, max_corrupt=1)
    whole = Decoder.whole

    def fails_on_the_second(self, stored):
        is_second = tf.strings.length(stored) == lengths[1]
        return whole(self, tf.where(is_second & (stored == second), "", stored))

    stored = load_splits(dataclasses.replace(data, cache=False), (8, 8, 1)).train.stored.read(0, 1)
    pictures = [picture for picture, _, _ in stored[0].take(2).as_numpy_iterator()]
    second, lengths = pictures[1], [len(picture) for picture in pictures]
    monkeypatch.setattr(Decoder, "whole", fails_on_the_second)
    splits = load_splits(data, (8, 8, 1))
    assert splits.train.stored is None  # kept in memory
    images, labels = next(splits.train.examples.batch(3).as_numpy_iterator())
    assert (labels < 0).tolist() == [False, True, False] and not images[1].any()
    assert len(splits.ledger.names) == 1 and splits.ledger.names[0].endswith("example 1")


def test_a_policy_for_grey_images_is_refused(data):
    split = load_splits(data, (12, 16, 1)).train
    with pytest.raises(ValueError, match="needs images with 3 channels, got 1"):
        take(split, 1, augment=Augment(policy="randaugment"))


@pytest.mark.parametrize(("classes", "found"), [((), 2), ((1,), 1)])
def test_another_number_of_classes_is_refused(data, classes, found):
    data = dataclasses.replace(data, classes=classes, num_classes=found)
    assert len(load_splits(data, SHAPE).classes) == found
    data = dataclasses.replace(data, num_classes=3)
    with pytest.raises(ValueError, match=rf"`data.num_classes` is 3; .* has {found} class"):
        load_splits(data, SHAPE)
