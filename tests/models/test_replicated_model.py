"""`fit` on several replicas equals `fit` on one, or fails with the reason."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_mlp import MLPMixer, ReplicatedModel
from tests.own_process import ROOT, run_in_own_process


@pytest.fixture(scope="module")
def cases():
    """From a case to its results on two virtual CPUs, compared with one."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.run_replicated_fit"],
        cwd=ROOT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    return {name: rest for name, *rest in lines}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "tolerance"),
    [
        ("no clipping", 1e-6),
        ("clipnorm", 1e-6),
        ("global_clipnorm", 1e-6),
        ("clipvalue", 1e-6),
        ("AdamW", 1e-4),  # divides gradients that are only rounding errors by their own size
        ("average", 1e-6),
        ("BatchNorm", 1e-5),
    ],
)
def test_two_replicas_equal_one(cases, case, tolerance):
    difference, ours, theirs = cases[case]
    assert difference <= tolerance
    assert ours.keys() == theirs.keys() == {"loss", "accuracy"}
    for name in ours:
        assert ours[name] == pytest.approx(theirs[name], abs=1e-5)


@pytest.mark.slow
def test_what_is_made_right_is_wrong_in_keras(cases):
    assert cases["stock clipping"][0] > 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["gradient_accumulation_steps", "ema_overwrite_frequency", "jit_compile"]
)
def test_what_cannot_be_made_right_is_refused(cases, name):
    (message,) = cases[f"refused {name}"]
    assert message == (
        f"`{name}` does not work in Keras' `fit` on 2 replicas of a MirroredStrategy: leave it out."
    )


@pytest.mark.slow
def test_a_keras_distribution_is_refused_on_tensorflow(cases):
    (message,) = cases["refused keras.distribution"]
    assert "ignores on TensorFlow" in message


JAX = """
import keras, numpy as np, jax
from keras_mlp import MLPMixer
assert len(jax.devices()) == 2

def train(devices):
    keras.utils.set_random_seed(0)
    model = MLPMixer(image_shape=(8, 8, 1), patch_size=2, num_layers=1, hidden_dim=8,
                     token_mlp_dim=6, channel_mlp_dim=12, num_classes=3)
    model.compile(keras.optimizers.SGD(0.1, global_clipnorm=0.02),
                  keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (96, 8, 8, 1)).astype("uint8")
    model.fit(images, rng.integers(0, 3, 96), batch_size=32, epochs=2, shuffle=False, verbose=0)
    assert len(model.get_layer("head").kernel.value.sharding.device_set) == devices
    return model.get_weights()

one = train(1)
keras.distribution.set_distribution(keras.distribution.DataParallel())
two = train(2)
assert max(np.abs(a - b).max() for a, b in zip(one, two, strict=True)) <= 1e-6
"""


@pytest.mark.sweep
def test_jax_trains_on_two_devices_as_on_one():
    run_in_own_process(
        JAX, KERAS_BACKEND="jax", XLA_FLAGS="--xla_force_host_platform_device_count=2"
    )


def test_a_functional_model_of_this_kind_is_saved_and_reloaded(tmp_path):
    inputs = keras.Input((8, 8, 3))
    mixer = MLPMixer(image_shape=(8, 8, 3), patch_size=4, num_layers=1, hidden_dim=8, num_classes=2)
    model = ReplicatedModel(inputs, keras.layers.Dense(1)(mixer(inputs)))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(again, ReplicatedModel)
    images = np.random.default_rng(0).random((2, 8, 8, 3))
    np.testing.assert_array_equal(
        model.predict(images, verbose=0), again.predict(images, verbose=0)
    )
