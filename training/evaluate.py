"""Judges a saved model on the test split of a config's data:

    python -m training.evaluate --source runs/digits/saved_model --config training/configs/digits.py

The source is a `.keras` file or the folder of a SavedModel, which plain TensorFlow loads: nothing
of the code that made it is needed. Golden outputs beside the source are compared too.
"""

import json
import pathlib
import sys

import keras
import numpy as np
import tensorflow as tf

import keras_mlp
from training.command_line import parse_command_line
from training.config import load_config
from training.data.pipeline import load_splits
from training.evaluator import evaluate
from training.workdir import written_beside

GOLDEN_FILE = "golden.npz"
GOLDEN_TOLERANCE = 1e-5


def write_golden(model, split, folder, count=16):
    """Stores the first test images of a split and what the model makes of them, beside the model.

    Args:
        model: from uint8 images to logits.
        split: a `training.data.pipeline.Split`.
        folder: where `golden.npz` is written.
        count: number of images.
    """
    images = np.stack([image for image, _ in split.examples.take(count).as_numpy_iterator()])
    outputs = keras.ops.convert_to_numpy(model(images, training=False))
    with written_beside(pathlib.Path(folder) / GOLDEN_FILE) as path:
        np.savez_compressed(path, images=images, outputs=outputs)


def check_golden(model, folder):
    """Largest difference to the stored outputs, or None where none are stored.

    Raises:
        ValueError: it is above `GOLDEN_TOLERANCE`.
    """
    path = pathlib.Path(folder) / GOLDEN_FILE
    if not path.exists():
        return None
    with np.load(path) as golden:
        outputs = np.asarray(model(golden["images"], training=False))
        difference = float(np.abs(outputs - golden["outputs"]).max())
    if not difference <= GOLDEN_TOLERANCE:
        raise ValueError(f"Outputs differ from those in {path} by {difference:.1e}.")
    return difference


def evaluate_source(source, config):
    """Accuracy and golden check of a saved model.

    Args:
        source: path of a `.keras` file or of a SavedModel's folder.
        config: a `training.config.Config`; its data's test split is read.

    Returns:
        A dict with `loss`, `accuracy`, `examples` and `golden_difference`.

    Raises:
        ValueError: the source cannot be read, or its golden outputs are not met.
    """
    source = pathlib.Path(source)
    if source.is_dir():
        shape = keras_mlp.saved_model_info(source)["image_shape"]
        model, folder = tf.saved_model.load(str(source)), source
    elif source.suffix == ".keras" and source.is_file():
        model, folder = keras.models.load_model(source), source.parent
        shape = model.input_shape[1:]
    else:
        raise ValueError(f"`--source` {source} is neither a .keras file nor a SavedModel's folder.")
    test = load_splits(config.data, tuple(shape)).test
    result = evaluate(model, test, config.data.batch_size)
    return {**result, "golden_difference": check_golden(model, folder)}


def main(arguments=None):
    options = parse_command_line("training.evaluate", __doc__, ("source", "config"), arguments)
    try:
        config = load_config(options.config, options.overrides)
        print(json.dumps(evaluate_source(options.source, config)))
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
