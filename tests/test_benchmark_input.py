"""The benchmarks of the input: both contenders do the same work, and shares are right."""

import numpy as np
import pytest
import tensorflow as tf

from benchmarks import input_pipeline, input_wait
from benchmarks.photographs import write_photographs
from benchmarks.rounds import Sample, Summary
from training.config import Augment

PICTURES = 4


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """From a stage to the first batch of each contender: all pictures of an epoch."""
    root = tmp_path_factory.mktemp("photographs")
    write_photographs(root, PICTURES)
    stages = ("whole picture, resized", "flip", "MixUp, CutMix")
    own = {stage: input_pipeline.STAGES[stage] for stage in stages}
    own["MixUp, CutMix"] = Augment(crop=0.08, mixup=0.8, cutmix=1.0)  # a policy would take minutes
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(input_pipeline, "STAGES", own)
        found = input_pipeline.contenders(root, PICTURES)
    return {
        stage: {name: next(batches.as_numpy_iterator()) for name, batches in pair.items()}
        for stage, pair in found.items()
    }


def test_pictures_are_as_large_as_imagenets(pairs):
    heights = pairs[input_pipeline.DECODING]["by hand"]
    assert len(heights) == PICTURES and 300 <= min(heights) < max(heights) < 450


def test_both_make_the_same_images_of_whole_pictures(pairs):
    ours, by_hand = (
        sorted((image.tobytes(), label) for image, label in zip(*batch, strict=True))
        for batch in pairs["whole picture, resized"].values()
    )
    assert ours == by_hand and len(set(ours)) == PICTURES


@pytest.mark.parametrize("stage", ["flip", "MixUp, CutMix"])
def test_both_make_batches_of_one_form(pairs, stage):
    (ours, own_labels), (by_hand, labels) = pairs[stage].values()
    assert ours.shape == by_hand.shape == (PICTURES, *input_pipeline.SHAPE)
    assert ours.dtype == by_hand.dtype == np.uint8
    assert own_labels.shape == labels.shape and own_labels.dtype == labels.dtype
    assert abs(ours.mean() - by_hand.mean()) < 60  # from the same photographs
    if stage == "MixUp, CutMix":
        np.testing.assert_allclose([own_labels.sum(1), labels.sum(1)], 1, rtol=1e-6)


def test_a_turn_is_timed_in_cpu_time():
    batches = tf.data.Dataset.range(10**9).batch(1000)
    turn = input_pipeline.sample(batches, 0.02)
    assert turn.calls > 1 and 0 < turn.milliseconds == turn.cpu_milliseconds < 1000


def test_the_table_says_images_per_second():
    summaries = {
        "decoding alone": {"by hand": Summary(20.0, 20.0, 1.0, 1.0, 1.0)},
        "flip": {
            "ours": Summary(100.0, 90.0, 0.8, 0.75, 0.9),
            "by hand": Summary(80.0, 70.0, 1.0, 1.0, 1.0),
        },
    }
    rows = input_pipeline.markdown(summaries, batch=40).splitlines()[2:]
    assert rows == [
        "| decoding alone | - | 2000 | - | - |",
        "| flip | 400 | 500 | 0.800 | 0.75-0.90 |",
    ]


def test_the_share_of_data_is_what_the_one_batch_does_not_need():
    samples = {
        "stream": [Sample(value, 1, 1.0) for value in (100.0, 110.0, 90.0)],
        input_wait.ONE_BATCH: [Sample(value, 1, 1.0) for value in (95.0, 99.0, 90.0)],
    }
    assert input_wait.share_of_data(samples) == pytest.approx((0.05, 0.0, 0.1))


@pytest.mark.sweep
def test_waiting_is_measured_on_digits(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(input_wait, "ALLOWED", 2.0)
    page = ["--config", "training/configs/digits.py", "--set", f"data.data_dir={tmp_path}"]
    input_wait.main([*page, "--steps", "1", "--seconds", "0.01", "--rounds", "2"])
    text = capsys.readouterr().out
    assert " ms per step; lowest CPU share " in text and " of the CPU time\n" in text
    monkeypatch.setattr(input_wait, "ALLOWED", -100.0)
    with pytest.raises(SystemExit, match=r"waiting for data takes .* of the time; .* is allowed"):
        input_wait.main([*page, "--steps", "1", "--seconds", "0.01", "--rounds", "1"])


def test_a_dataset_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(SystemExit, match=r"^error: cifar10 is not prepared in"):
        input_wait.main(["--set", f"data.data_dir={tmp_path}"])
