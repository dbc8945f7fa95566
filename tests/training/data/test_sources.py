"""Folders and records of pictures: what is read, in which order, and damage."""

import shutil

import numpy as np
import pytest
import tensorflow as tf

from training.config import Augment, Config, Data, Model, Optimizer, Runtime
from training.data.decoding import random_box
from training.data.pipeline import evaluation_batches, load_splits, training_stream
from training.engine.tensorflow.strategies import Share
from training.train import train

SHAPE = (24, 24, 3)
EVERYTHING = Augment(
    crop=0.2,
    flip=True,
    policy="randaugment",
    magnitude_std=0.5,
    cutout=4,
    erase=0.5,
    mixup=0.8,
    cutmix=1.0,
    repeats=2,
)


def data_of(folder, **settings):
    settings = {"validation_percent": 0, "batch_size": 6, **settings}
    return Data(name="image_folder", data_dir=str(folder), **settings)


def taken(stream, count):
    return list(stream.take(count).as_numpy_iterator())


def test_a_folder_is_read_whole_and_resized_as_it_says(folder):
    splits = load_splits(data_of(folder, interpolation="bicubic"), SHAPE)
    assert splits.classes == ["china", "flower", "grey"]
    assert (splits.train.size, splits.test.size) == (24, 6)
    examples = list(splits.test.examples.as_numpy_iterator())
    assert sorted(label for _, label in examples) == [0, 0, 1, 1, 2, 2]
    expected = []
    for file in sorted((folder / "test").glob("*/*")):
        pixels = tf.io.decode_image(file.read_bytes(), 3, expand_animations=False)
        pixels = tf.image.resize(pixels, SHAPE[:2], "bicubic", antialias=True)
        expected.append(tf.saturate_cast(tf.round(pixels), tf.uint8).numpy().tobytes())
    assert sorted(image.tobytes() for image, _ in examples) == sorted(expected)


def test_the_middle_of_a_picture_is_what_it_is_judged_by(tmp_path):
    (tmp_path / "train" / "a").mkdir(parents=True)
    pixels = np.zeros((48, 64, 3), "uint8")
    pixels[:, 8:56] = 200  # the central square
    (tmp_path / "train" / "a" / "0.png").write_bytes(tf.io.encode_png(pixels).numpy())
    data = data_of(tmp_path, test_split="train", crop=1.0)
    ((image, _),) = load_splits(data, SHAPE).test.examples.as_numpy_iterator()
    assert image.shape == SHAPE and (image[:, 1:-1] == 200).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["image_folder", "digits"])
def test_a_stream_that_starts_later_is_the_rest_of_one_that_starts_at_0(folder, data_dir, name):
    if name == "digits":
        data = Data(name="digits", data_dir=data_dir, batch_size=6)
        shape, augment = (8, 8, 1), Augment(shift=1, erase=0.5, mixup=0.8, cutmix=1.0, repeats=3)
    else:
        data, shape, augment = data_of(folder), SHAPE, EVERYTHING
    splits = load_splits(data, shape)
    split = splits.train
    options = {"batch_size": 6, "seed": 3, "augment": augment}
    whole = taken(training_stream(split, start_step=0, **options), 11)
    for start in (1, 7):
        rest = taken(training_stream(split, start_step=start, **options), 11 - start)
        for ours, theirs in zip(rest, whole[start:], strict=True):
            for one, other in zip(ours, theirs, strict=True):
                np.testing.assert_array_equal(one, other)
    images, labels = whole[0]
    assert labels.shape == (6, len(splits.classes))
    np.testing.assert_allclose(labels.sum(-1), 1.0, rtol=1e-6)
    assert len({image.tobytes() for image in images}) == 6


@pytest.mark.slow
def test_hosts_share_every_batch(folder):
    split = load_splits(data_of(folder), SHAPE).train
    augment = Augment(crop=0.2, flip=True, erase=0.5)
    options = {"batch_size": 12, "seed": 0, "start_step": 1, "augment": augment}
    whole = taken(training_stream(split, **options), 4)
    parts = [taken(training_stream(split, **options, share=Share(h, 2, 2)), 4) for h in range(2)]
    for step, (images, _) in enumerate(whole):
        own = [image.tobytes() for part in parts for image in part[step][0]]
        assert sorted(own) == sorted(image.tobytes() for image in images)


def test_hosts_with_files_of_their_own_read_every_example_once(folder):
    data = data_of(folder, shard="files")
    split = load_splits(data, SHAPE).train
    seen = []
    for host in range(3):
        stream = training_stream(
            split,
            batch_size=6,
            seed=0,
            start_step=0,
            augment=Augment(),
            share=Share(host, 3, 3),
            shard="files",
        )
        seen += [image.tobytes() for images, _ in taken(stream, 4) for image in images]
    assert sorted(seen) == sorted(
        image.tobytes() for image, _ in split.examples.as_numpy_iterator()
    )


def test_random_parts_keep_their_bounds():
    boxes = np.array([random_box((60, 80, 3), (0, i), 0.2, 4 / 3) for i in range(200)])
    shares = boxes[:, 2] * boxes[:, 3] / 4800
    aspects = boxes[:, 3] / boxes[:, 2]
    assert (boxes[:, :2] >= 0).all() and (boxes[:, :2] + boxes[:, 2:] <= [60, 80]).all()
    assert shares.min() > 0.18 and shares.max() > 0.8 and np.std(shares) > 0.1
    assert aspects.min() > 0.7 and aspects.max() < 1.4 and np.std(aspects) > 0.1


@pytest.fixture
def damaged(folder, tmp_path):
    root = shutil.copytree(folder, tmp_path / "damaged")
    file = root / "train" / "flower" / "3.jpg"
    file.write_bytes(file.read_bytes()[:300])
    return root, str(file)


def test_a_damaged_picture_is_named_and_the_others_keep_their_places(damaged, folder, caplog):
    root, file = damaged
    options = {"batch_size": 6, "seed": 0, "start_step": 0, "augment": Augment(crop=0.5)}
    whole = taken(training_stream(load_splits(data_of(folder), SHAPE).train, **options), 4)
    splits = load_splits(data_of(root, max_corrupt=1), SHAPE)
    found = taken(training_stream(splits.train, **options), 4)
    differing = 0
    for (images, labels), (their_images, their_labels) in zip(found, whole, strict=True):
        same = labels == their_labels
        np.testing.assert_array_equal(images[same], their_images[same])
        assert (labels[~same] == -1).all() and not images[~same].any()
        differing += (~same).sum()
    assert differing == 1 and splits.ledger.names == [file]
    assert [record.getMessage() for record in caplog.records] == [
        f"Skipped a damaged picture: {file}"
    ]


def test_one_damaged_picture_too_many_is_one_error_that_names_it(damaged):
    root, file = damaged
    splits = load_splits(data_of(root), SHAPE)
    with (
        pytest.raises(ValueError, match=r"1 damaged picture\(s\), more than") as error,
        splits.ledger.explained(),
    ):
        taken(
            training_stream(splits.train, batch_size=6, seed=0, start_step=0, augment=Augment()), 4
        )
    assert file in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("split", ["train", "test"])
def test_only_damaged_pictures_are_one_clear_error(split, folder, tmp_path):
    root = shutil.copytree(folder, tmp_path / "damaged")
    for file in (root / split).glob("*/*"):
        file.write_bytes(b"not a picture")
    sizes = {"patch_size": 8, "num_layers": 1, "hidden_dim": 8, "channel_mlp_dim": 8}
    config = Config(
        model=Model(variant="pico/4", arguments={"image_shape": SHAPE, **sizes}),
        data=data_of(root, max_corrupt=100),
        runtime=Runtime(export=False, steps_per_loop=1),
    )
    use = {"train": "training", "test": "evaluation"}[split]
    with pytest.raises(ValueError, match=f"Every picture read for {use} is damaged") as error:
        train(config, tmp_path / "run")
    assert "\n" not in str(error.value) and not (tmp_path / "run" / "metrics.json").exists()
    if split == "test":
        with pytest.raises(ValueError, match="Every picture read for evaluation"):
            load_splits(config.data, SHAPE).test.first(4)


@pytest.mark.slow
def test_a_folder_is_trained_on_with_everything_random_and_one_damaged_picture(damaged, tmp_path):
    root, _ = damaged
    sizes = {"patch_size": 8, "num_layers": 1, "hidden_dim": 8, "channel_mlp_dim": 8}
    config = Config(
        epochs=2,
        model=Model(variant="pico/4", arguments={"image_shape": SHAPE, **sizes}),
        data=data_of(root, max_corrupt=1, crop=0.9),
        augment=EVERYTHING,
        optimizer=Optimizer(learning_rate=1e-3, label_smoothing=0.1),
        runtime=Runtime(export=False, steps_per_loop=2),
    )
    metrics = train(config, tmp_path / "run")
    assert metrics["test"]["examples"] == 6 and metrics["corrupt_pictures"] == 1
    for name in ("first_batch.png", "predictions.png", "report.html"):
        assert (tmp_path / "run" / name).stat().st_size > 1000


@pytest.fixture(scope="module")
def records(folder, tmp_path_factory):
    """Two files of three pictures each, as the model garden writes them."""
    root = tmp_path_factory.mktemp("records")
    files = sorted((folder / "test").glob("*/*"))
    for part in range(2):
        with tf.io.TFRecordWriter(str(root / f"train-0000{part}-of-00002")) as writer:
            for label, file in enumerate(files[3 * part : 3 * part + 3], 1 + 3 * part):
                feature = {
                    "image/encoded": tf.train.Feature(
                        bytes_list=tf.train.BytesList(value=[file.read_bytes()])
                    ),
                    "image/class/label": tf.train.Feature(
                        int64_list=tf.train.Int64List(value=[label])
                    ),
                }
                example = tf.train.Example(features=tf.train.Features(feature=feature))
                writer.write(example.SerializeToString())
    return root


def test_records_of_imagenet_count_labels_from_1(records):
    data = Data(
        name="imagenet_tfrecord", data_dir=str(records), test_split="train", validation_percent=0
    )
    splits = load_splits(data, SHAPE)
    assert len(splits.classes) == 1000 and splits.train.size == 6
    labels = [label for _, label in splits.train.examples.as_numpy_iterator()]
    assert sorted(labels) == list(range(6))
    data.validation_split = "train"
    assert load_splits(data, SHAPE).validation.size == 6


def test_records_that_are_cut_off_are_refused(records, tmp_path):
    root = shutil.copytree(records, tmp_path / "cut")
    file = root / "train-00001-of-00002"
    file.write_bytes(file.read_bytes()[:-50])
    with pytest.raises(ValueError, match=r"00001-of-00002 is truncated inside record 2"):
        load_splits(Data(name="imagenet_tfrecord", data_dir=str(root), test_split="train"), SHAPE)


def test_evaluation_fills_up_a_folder_too(folder):
    split = load_splits(data_of(folder), SHAPE).test
    batches = list(evaluation_batches(split, 4).as_numpy_iterator())
    labels = np.concatenate([labels for _, labels in batches])
    assert len(batches) == 2 and (labels[:6] >= 0).all() and (labels[6:] == -1).all()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"train_split": "trian"}, "must hold the folder 'trian'"),
        ({"data_dir": "/nowhere"}, "is not a folder"),
        ({"data_dir": None}, r"needs `data\.data_dir`"),
    ],
)
def test_a_wrong_folder_is_one_clear_error(folder, change, match):
    data = data_of(folder)
    for key, value in change.items():
        setattr(data, key, value)
    with pytest.raises(ValueError, match=match) as error:
        load_splits(data, SHAPE)
    assert "\n" not in str(error.value)
