"""TF Hub's own layer in Keras 2: serving, training, freezing, saving and reloading, as JSON.

Run by `test_hub.py` in the interpreter of `make test-clients`, in a process of its own, because no
process should import two Keras. It imports nothing from keras_mlp:

    python -m tests.clients.run_hub ORDER.json REPLY.json
"""

import json
import os
import pathlib
import sys
import tempfile

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
import tf_keras


def served(order):
    """Outputs of `hub.load` and of `hub.KerasLayer`, for a folder and for an address."""
    images = batch(order)[0]
    outputs = {}
    for source in ("folder", "address"):
        outputs[source] = hub.load(order[source])(images).numpy().tolist()
        outputs[f"{source}, layer"] = hub.KerasLayer(order[source])(images).numpy().tolist()
    return outputs


def taught(order, key, **arguments):
    """Losses, and the variables before and after training the layer alone by SGD."""
    images, targets = batch(order)
    layer = hub.KerasLayer(order[key], **arguments)
    model = tf_keras.Sequential([tf_keras.Input(images.shape[1:]), layer])
    model.compile(tf_keras.optimizers.SGD(order["rate"]), "mse")
    before = values(layer)
    losses = [float(model.train_on_batch(images, targets)) for _ in range(order["steps"])]
    return {"losses": losses, "before": before, "after": values(layer)}


def frozen(order):
    """The layer with `trainable=False` under a new classifier that trains."""
    images, targets = batch(order)
    layer = hub.KerasLayer(order["folder"], trainable=False)
    model = tf_keras.Sequential([layer, tf_keras.layers.Dense(targets.shape[1])])
    model.compile("adam", "mse")
    before = values(layer)
    model.train_on_batch(images, targets)
    return {"before": before, "after": values(layer), "losses": len(layer.losses)}


def reloaded(order):
    """Largest difference in the outputs of a fine-tuned model after each file format."""
    images, targets = batch(order)
    model = new_model(order)
    untrained = model(images).numpy()
    model.compile("adam", "mse")
    model.fit(images, targets, epochs=2, verbose=0)
    tuned = model(images).numpy()
    differences = {"training": distance(tuned, untrained)}
    with tempfile.TemporaryDirectory() as folder:
        model.save(f"{folder}/saved_model")
        again = tf_keras.models.load_model(f"{folder}/saved_model")
        differences["SavedModel"] = distance(again(images), tuned)
        again.fit(images, targets, verbose=0)
        differences["SavedModel, trained on"] = distance(again(images), tuned)
        objects = {"KerasLayer": hub.KerasLayer}
        for suffix in ("h5", "keras"):
            model.save(f"{folder}/model.{suffix}")
            again = tf_keras.models.load_model(f"{folder}/model.{suffix}", objects)
            differences[suffix] = distance(again(images), tuned)
    return differences


def new_model(order):
    images, targets = batch(order)
    layer = hub.KerasLayer(order["folder"], trainable=True)
    head = tf_keras.layers.Dense(targets.shape[1])
    return tf_keras.Sequential([tf_keras.Input(images.shape[1:]), layer, head])


def batch(order):
    return np.array(order["images"], "float32"), np.array(order["targets"], "float32")


def values(layer):
    return {v.name.split(":")[0]: v.numpy().tolist() for v in layer.weights}


def distance(found, expected):
    return float(np.abs(np.asarray(found) - expected).max())


def main(order, reply):
    order = json.loads(pathlib.Path(order).read_text(encoding="utf-8"))
    os.environ["TFHUB_CACHE_DIR"] = order["cache"]
    facts = {
        "versions": [tf.__version__, hub.__version__, tf_keras.__version__],
        "served": served(order),
        "taught": taught(order, "folder", trainable=True),
        "taught, partly frozen": taught(order, "partly frozen", trainable=True),
        "frozen": frozen(order),
        "reloaded": reloaded(order),
    }
    pathlib.Path(reply).write_text(json.dumps(facts), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
