"""Keras' `fit` on two virtual CPUs against one: prints a line of JSON for each case."""

import json
import sys

import keras
import numpy as np
import tensorflow as tf

from keras_mlp import MLPMixer, ReplicatedModel, RepMLPNet
from training.data.prefetching import untuned

SIZES = {"image_shape": (8, 8, 1), "patch_size": 2, "num_classes": 3}
MIXER = {**SIZES, "num_layers": 1, "hidden_dim": 8, "token_mlp_dim": 6, "channel_mlp_dim": 12}
REPMLP = {**SIZES, "num_layers": (1,), "hidden_dim": (8,), "num_sharesets": (2,)}


def data():
    """Three passes over the images, the last batch of each smaller than the others."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (96, 8, 8, 1)).astype("uint8")
    labels = rng.integers(0, 3, 96)
    return untuned(tf.data.Dataset.from_tensor_slices((images, labels)).batch(40).repeat(3))


def fitted(strategy, build, optimizer, epochs=1, **settings):
    keras.utils.set_random_seed(0)
    with strategy.scope():
        model = build()
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer(), loss, metrics=["accuracy"], **settings)
    history = model.fit(data(), epochs=epochs, verbose=0).history
    return model.get_weights(), history


def mixer():
    return MLPMixer(**MIXER)


def dense(model_class=ReplicatedModel):
    """Two layers: enough for how gradients are clipped, and traced in a fraction of the time."""
    inputs = keras.Input((8, 8, 1))
    hidden = keras.layers.Dense(8, "gelu")(keras.layers.Flatten()(inputs / 255.0))
    return model_class(inputs, keras.layers.Dense(3)(hidden))


def main():
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    one = tf.distribute.OneDeviceStrategy("CPU:0")
    two = tf.distribute.MirroredStrategy(
        ["CPU:0", "CPU:1"], cross_device_ops=tf.distribute.ReductionToOneDevice()
    )
    sgd, adamw = keras.optimizers.SGD, keras.optimizers.AdamW
    cases = {
        "no clipping": (mixer, lambda: sgd(0.1), 2),
        "clipnorm": (dense, lambda: sgd(0.1, clipnorm=0.01)),
        "global_clipnorm": (dense, lambda: sgd(0.1, global_clipnorm=0.02)),
        "clipvalue": (dense, lambda: sgd(0.1, clipvalue=0.001)),
        "AdamW": (mixer, lambda: adamw(1e-3, global_clipnorm=0.02)),
        "average": (dense, lambda: sgd(0.1, global_clipnorm=0.02, use_ema=True)),
        "BatchNorm": (lambda: RepMLPNet(**REPMLP), lambda: sgd(0.1, global_clipnorm=0.5)),
        "stock clipping": (lambda: dense(keras.Model), lambda: sgd(0.1, global_clipnorm=0.02)),
    }
    for name, case in cases.items():
        (ours, our_history), (theirs, their_history) = (fitted(each, *case) for each in (two, one))
        difference = max(float(np.abs(a - b).max()) for a, b in zip(ours, theirs, strict=True))
        print(json.dumps([name, difference, our_history, their_history]))
    refused = {
        "gradient_accumulation_steps": (lambda: sgd(0.1, gradient_accumulation_steps=2), {}),
        "ema_overwrite_frequency": (lambda: sgd(0.1, use_ema=True, ema_overwrite_frequency=4), {}),
        "jit_compile": (lambda: sgd(0.1), {"jit_compile": True}),
    }
    for name, (optimizer, settings) in refused.items():
        try:
            fitted(two, dense, optimizer, **settings)
        except RuntimeError as error:
            print(json.dumps([f"refused {name}", str(error)]))
    keras.distribution.set_distribution(keras.distribution.DataParallel(devices=["cpu:0"]))
    try:
        fitted(one, dense, lambda: sgd(0.1))
    except RuntimeError as error:
        print(json.dumps(["refused keras.distribution", str(error)]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
