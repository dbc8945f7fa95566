"""Ten steps on one, two and four virtual devices, which must end with the same state."""

import jax
import keras
import numpy as np

import keras_mlp
from training.config import Augment, Config, Data, Optimizer
from training.data.in_memory import load_arrays
from training.engine.jax.session import Session
from training.engine.optimizers import build_optimizer

STEPS = 10
# BatchNormalization, whose statistics must be those of the whole batch.
MODEL = {
    "image_shape": (8, 8, 1),
    "num_classes": 10,
    "num_layers": (1,),
    "hidden_dim": (16,),
    "num_sharesets": (4,),
}


def main() -> None:
    config = Config(
        data=Data(name="digits", batch_size=64, image_sizes=(8, 16)),
        augment=Augment(shift=1),
        optimizer=Optimizer(name="sgd", learning_rate=0.05, accumulate=2, ema=0.9, clip_norm=0.5),
    )
    train = load_arrays(config.data, MODEL["image_shape"]).train
    states = {}
    for count in (1, 2, 4):
        keras.utils.set_random_seed(0)
        model = keras_mlp.RepMLPNet.from_variant("pico/2", **MODEL)
        first = [np.array(weight) for weight in model.get_weights()]
        optimizer = build_optimizer(config.optimizer, model, total_steps=STEPS, steps_per_epoch=20)
        devices = jax.devices()[:count]
        session = Session([model], [optimizer], config, [0], train, longest=STEPS, devices=devices)
        session.run(STEPS)
        assert {each.device for each in session.state.sums.addressable_shards} == set(devices)
        states[count] = jax.device_get(session.state)
        session.finish()
        moved = max(
            float(np.abs(np.array(weight) - start).max())
            for weight, start in zip(model.get_weights(), first, strict=True)
        )
        assert moved > 0.01, moved
    for count in (2, 4):
        for one, other in zip(
            jax.tree.leaves(states[1]), jax.tree.leaves(states[count]), strict=True
        ):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
