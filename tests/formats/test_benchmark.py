"""The benchmark of formats, with its process in node."""

import argparse
import sys

import numpy as np
import pytest

from benchmarks import format_runs
from benchmarks.contenders.exported import KERAS, TFJS
from keras_mlp import MLPMixer
from keras_mlp.formats import export_tfjs
from tests.contract import predict, some_pixels, with_random_weights

OPTIONS = argparse.Namespace(python=sys.executable, rounds=2, seconds=0.001, threads=1)


@pytest.mark.formats
def test_node_gives_the_logits_of_keras_and_times(tmp_path):
    model = with_random_weights(MLPMixer.from_variant("pico/2", image_shape=(8, 8, 1)))
    model.save(tmp_path / "model.keras")
    files = {KERAS: tmp_path / "model.keras", TFJS: export_tfjs(model, tmp_path / "tfjs")}
    pixels = some_pixels(model, batch=103)  # more than one batch, the last one smaller
    labels = predict(model, pixels).argmax(-1)
    figures = format_runs.measure_accuracy(files, pixels, labels, OPTIONS)[TFJS]
    assert figures["accuracy"] == figures["same"] == 1.0
    assert figures["largest"] < 1e-5
    run = format_runs.measure_speed(files, pixels[:1], OPTIONS)
    assert "@tensorflow/tfjs 4.22.0" in run["facts"]["versions"]
    samples = run["contenders"][TFJS]["samples"]
    assert len(samples) == 2
    assert all(each.milliseconds > 0 and each.calls >= 1 for each in samples)
    # Pinned to one CPU, however many threads node has.
    assert all(0 < each.cpu_share <= 1.1 for each in samples)


@pytest.mark.formats
def test_images_that_are_no_pixels_are_refused(tmp_path):
    with pytest.raises(format_runs.WorkerFailed, match=r"(?s)TensorFlow.js ended early.*not uint8"):
        format_runs.measure_accuracy(
            {TFJS: tmp_path}, np.zeros((1, 8, 8, 1), "float32"), np.zeros(1), OPTIONS
        )
