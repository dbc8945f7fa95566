"""Forty steps on JAX without augmentation, for a comparison with TensorFlow.

Leaves `first.keras`, `last.keras`, and `batches.npz` with the batches in their order.
"""

import dataclasses
import pathlib

import keras
import numpy as np

import keras_mlp
from training.config import Config, Data, Optimizer
from training.data.in_memory import load_arrays
from training.engine.jax.session import Session
from training.engine.optimizers import build_optimizer

STEPS = 40
MODEL = {"image_shape": (8, 8, 1), "num_classes": 10, "num_layers": 2, "hidden_dim": 32}


def config(optimizer: str) -> Config:
    return Config(
        data=Data(name="digits", batch_size=64),
        optimizer=dataclasses.replace(
            Optimizer(name=optimizer, warmup_epochs=0.5, clip_norm=0.5, label_smoothing=0.1),
            learning_rate={"sgd": 0.05, "adamw": 1e-3}[optimizer],
        ),
    )


def main(path: str, name: str) -> None:
    folder, own = pathlib.Path(path), config(name)
    keras.utils.set_random_seed(0)
    model = keras_mlp.MLPMixer.from_variant("pico/2", **MODEL)
    model.save(folder / "first.keras")
    train = load_arrays(own.data, model.image_shape).train
    optimizer = build_optimizer(own.optimizer, model, total_steps=STEPS, steps_per_epoch=20)
    session = Session([model], [optimizer], own, [0], train, longest=STEPS)
    batches = [session.batch(step) for step in range(STEPS)]
    np.savez(
        folder / "batches.npz",
        images=np.stack([images for images, _ in batches]),
        labels=np.stack([shares.argmax(-1) for _, shares in batches]),
    )
    session.run(STEPS)
    session.finish()
    model.save(folder / "last.keras")
