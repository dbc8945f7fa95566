"""Forty steps on JAX without augmentation, for a comparison with TensorFlow.

Each case is an optimizer, or "sized" after its name for steps of another size. It leaves a folder
of its name with `first.keras`, `last.keras`, and `batches.npz` with the batches in their order.
With sizes, a second session resumes from a checkpoint of the first, and must end with the same
state.
"""

import dataclasses
import pathlib

import jax
import keras
import numpy as np

import keras_mlp
from training.config import Config, Data, Model, Optimizer
from training.data.in_memory import load_arrays
from training.engine.jax.checkpoints import Checkpoints, newest_common
from training.engine.jax.session import Session
from training.engine.optimizers import build_optimizer

STEPS = 40
# Twice the size: the interpolated pixels are exact in float32, so both engines round them alike.
SIZED = {"image_sizes": (16,), "equal_cost": True}
MODEL = {"image_shape": (8, 8, 1), "num_classes": 10, "num_layers": 1, "hidden_dim": 32}


def config(case: str) -> Config:
    optimizer, _, sized = case.partition(" ")
    is_sized = sized == "sized"
    return Config(
        model=Model(patch_sizes=(2, 4) if is_sized else ()),
        data=Data(name="digits", batch_size=64, **(SIZED if is_sized else {})),
        optimizer=dataclasses.replace(
            Optimizer(name=optimizer, warmup_epochs=0.5, clip_norm=0.5, label_smoothing=0.1),
            learning_rate={"sgd": 0.05, "adamw": 1e-3}[optimizer],
        ),
    )


def new_session(own: Config) -> Session:
    keras.utils.set_random_seed(0)
    model = keras_mlp.MLPMixer.from_variant("pico/2", **MODEL)
    train = load_arrays(own.data, model.image_shape).train
    optimizer = build_optimizer(own.optimizer, model, total_steps=STEPS, steps_per_epoch=20)
    return Session([model], [optimizer], own, [0], train, longest=STEPS)


def main(path: str, *cases: str) -> None:
    for case in cases:
        folder = pathlib.Path(path) / case
        folder.mkdir()
        train(config(case), folder)


def train(own: Config, folder: pathlib.Path) -> None:
    session = new_session(own)
    (model,) = session.models
    model.save(folder / "first.keras")
    batches = [session.batch(step) for step in range(STEPS)]
    np.savez(
        folder / "batches.npz",
        images=np.stack([images for images, _ in batches]),
        labels=np.stack([shares.argmax(-1) for _, shares in batches]),
    )
    checkpoints = Checkpoints(folder, keep=1)
    session.run(STEPS // 2 - 1)
    checkpoints.save(session.step, session.state)
    session.run(STEPS - session.step)
    session.finish()
    model.save(folder / "last.keras")
    if own.data.image_sizes:
        check_resumed(new_session(own), checkpoints, session)


def check_resumed(resumed: Session, checkpoints: Checkpoints, session: Session) -> None:
    resumed.go_on_from(*newest_common([checkpoints], resumed.states()))
    resumed.run(STEPS - resumed.step)
    for one, other in zip(
        jax.tree.leaves(session.state), jax.tree.leaves(resumed.state), strict=True
    ):
        np.testing.assert_array_equal(one, other)
