"""hub.KerasLayer in tf_keras, for a separate interpreter without keras_mlp.

Takes the paths of an order and of a reply, both JSON. The order is a list of fits, {"folder",
"trainable", "rate", "lesson"}; "lesson" is a `.npz` file with the arrays of a `Lesson`. The reply
holds the versions and, for each fit, the logits of the test images.
"""

import json
import pathlib
import sys

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
import tf_keras


def fitted(folder: str, trainable: bool, lesson: str, rate: float) -> np.ndarray:
    """Logits of the test images after training, as in the functions of `client_fits`."""
    arrays = np.load(lesson)
    model = tf_keras.Sequential(
        [
            tf_keras.Input(arrays["images"].shape[1:], dtype="uint8"),
            hub.KerasLayer(folder, trainable=trainable),
            tf_keras.layers.Dense(int(arrays["classes"]), kernel_initializer="zeros"),
        ]
    )
    loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(tf_keras.optimizers.Adam(rate), loss)
    batch = int(arrays["batch"])
    model.fit(arrays["images"], arrays["labels"], batch, shuffle=False, verbose=0)
    return model.predict(arrays["test_images"], verbose=0)


def main(order: str, reply: str) -> None:
    fits = json.loads(pathlib.Path(order).read_text(encoding="utf-8"))
    versions = {"tensorflow-hub": hub.__version__, "tf-keras": tf_keras.__version__}
    logits = [fitted(**fit).tolist() for fit in fits]
    answer = {"versions": {**versions, "tensorflow": tf.__version__}, "logits": logits}
    pathlib.Path(reply).write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
