"""One SavedModel that every client trains, three steps on one batch, and the same in Keras."""

import keras
import numpy as np

STEPS, RATE = 3, 0.1
IMAGES = np.random.default_rng(2).random((8, 8, 8, 3), "float32")
TARGETS = np.random.default_rng(3).normal(size=(8, 3)).astype("float32")


def student(frozen=(), penalty=0.1):
    """A small model with everything that clients treat differently: BatchNorm, penalties, freezing.

    Args:
        frozen: names of layers to freeze, among "stem", "norm" and "head".
        penalty: factor of the L2 penalty of both kernels; 0 for none.
    """
    keras.utils.set_random_seed(0)
    regularizer = keras.regularizers.L2(penalty) if penalty else None
    images = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, kernel_regularizer=regularizer, name="stem")(images)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(x))
    x = keras.layers.Dense(3, kernel_regularizer=regularizer, name="head")(x)
    model = keras.Model(images, x)
    for name in frozen:
        model.get_layer(name).trainable = False
    return model


def taught_by_keras(model):
    """Trains the model itself and returns its losses and its weights by name."""
    model.compile(keras.optimizers.SGD(RATE), "mse")
    losses = [float(model.train_on_batch(IMAGES, TARGETS)) for _ in range(STEPS)]
    return losses, {weight.path: np.array(weight) for weight in model.weights}


def values(variables):
    """Copies of `tf.Variable`s, by the names that Keras gave the weights."""
    return {variable.name.split(":")[0]: variable.numpy() for variable in variables}


def moved(before, after):
    """Names of the weights that differ."""
    return {name for name in before if not np.array_equal(before[name], after[name])}


def assert_same_weights(found, expected):
    """All weights, statistics of BatchNorm included, up to the rounding of float32."""
    assert found.keys() == expected.keys()
    for name, weight in expected.items():
        np.testing.assert_allclose(found[name], weight, rtol=0, atol=1e-5, err_msg=name)
