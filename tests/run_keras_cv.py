"""Each architecture as the backbone of KerasCV's classifier: fitted, saved and reloaded.

Run by `test_backbones.py` in a process of its own: KerasCV is slow to import and warns.
"""

import json
import pathlib
import sys

import keras
import keras_cv
import numpy as np

from tests.contract import predict, some_pixels
from tests.test_contract import ROWS, factory


def classify(architecture, folder):
    """The results of one epoch, and the difference from the reloaded model."""
    keras.utils.set_random_seed(0)
    backbone = factory(architecture)(include_top=False, pooling=None)
    model = keras_cv.models.ImageClassifier(backbone=backbone, num_classes=3, pooling="avg")
    model.compile("adam", "sparse_categorical_crossentropy")
    before = backbone.get_weights()
    images, labels = some_pixels(backbone, batch=12), np.arange(12) % 3
    losses = model.fit(images, labels, batch_size=4, epochs=1, verbose=0).history["loss"]
    moved = [not np.array_equal(*pair) for pair in zip(before, backbone.get_weights(), strict=True)]
    model.save(folder / "model.keras")
    copy = keras.models.load_model(folder / "model.keras")
    difference = np.abs(predict(copy, images) - predict(model, images))
    return {
        "loss": losses[-1],
        "moved": all(moved),
        "backbone": type(copy.backbone).__name__,
        "difference": float(difference.max()),
    }


if __name__ == "__main__":
    results = {name: classify(name, pathlib.Path(sys.argv[1])) for name in ROWS}
    print(json.dumps(results))
