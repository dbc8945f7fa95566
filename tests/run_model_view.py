"""Views in a process of their own: `python -m tests.run_model_view FOLDER [replicas]`.

For every `*.keras` file in the folder, stores what a view of the model computes, and for an
`MLPMixer` the weights after steps of `fit` at the view and at the model's own size in turn, on the
backend of the environment; with `replicas`, on two virtual CPUs of a MirroredStrategy.
"""

import contextlib
import pathlib
import sys

import keras
import numpy as np

import keras_mlp  # noqa: F401  (registers its models with Keras)

SHAPE = (24, 32, 3)


def images_of(model, batch):
    rng = np.random.default_rng(4)
    return rng.integers(0, 256, (batch, *model.image_shape)).astype("uint8")


def results(file, scope=contextlib.nullcontext):
    """From a name to an array: logits and, after `fit`, the weights."""
    with scope():
        model = keras.models.load_model(file)
    found = {}
    for name, view in {
        "size": model.at(SHAPE),
        "patch": model.at(SHAPE, patch_size=(6, 8)),
    }.items():
        found[name] = np.asarray(view(images_of(view, 2), training=False))
    if file.stem != "MLPMixer":
        return found  # compiling takes seconds
    view = model.at(SHAPE)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for each in (view, model):
        with scope():
            each.compile(keras.optimizers.SGD(0.05), loss, jit_compile=False)
    for _ in range(2):
        for each in (view, model):
            labels = np.arange(8) % 5
            each.fit(images_of(each, 8), labels, batch_size=8, shuffle=False, verbose=0)
    found |= {weight.path.replace("/", "|"): np.asarray(weight) for weight in model.weights}
    return found


def main():
    folder, replicated = pathlib.Path(sys.argv[1]), "replicas" in sys.argv
    scope = contextlib.nullcontext
    if replicated:
        import tensorflow as tf

        (cpu,) = tf.config.list_physical_devices("CPU")
        two = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(cpu, two)
        strategy = tf.distribute.MirroredStrategy(
            ["CPU:0", "CPU:1"], cross_device_ops=tf.distribute.ReductionToOneDevice()
        )
        scope = strategy.scope
    for file in sorted(folder.glob("*.keras")):
        np.savez(folder / f"{file.stem}.npz", **results(file, scope))


if __name__ == "__main__":
    main()
