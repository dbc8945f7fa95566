"""Judges a saved model on a split of a config's data, or on a folder of pictures:

    python -m training.evaluate --source runs/digits/saved_model --config training/configs/digits.py
    python -m training.evaluate --source runs/pets/model.keras --folder pictures --output judged

The source is a `.keras` file, the folder of a SavedModel, which plain TensorFlow loads, or that of
an artefact of `saved_models`. Pictures are `FOLDER/CLASS/*.jpg`, with the model's names of classes.
Golden outputs beside the source are compared too. Prints a table, and last the same as one line of
JSON; writes `evaluation.json`, `confusion.png` and `reliability.png` into `--output`.
"""

from training.command_line import SPLITS, evaluate_options

if __name__ == "__main__":  # wrong options end here, before TensorFlow loads
    evaluate_options(__doc__)

import json
import pathlib
import sys
import time

import keras
import numpy as np

from keras_mlp.arguments import check_choice
from keras_mlp.errors import first_line
from keras_mlp.golden import GOLDEN_FILE, write_golden
from keras_mlp.whole_files import write_text
from training.engine.chosen import engine_module
from training.models.opened_model import open_model
from training.reports.evaluation_pictures import draw_confusion, draw_reliability
from training.reports.judgement import Judgement
from training.reports.provenance import provenance

GOLDEN_TOLERANCE = 1e-5
EVALUATION_FILE = "evaluation.json"
CONFUSION_FILE = "confusion.png"
RELIABILITY_FILE = "reliability.png"
FOLDER_BATCH_SIZE = 64
_HEADLINE = (
    *("examples", "loss", "accuracy", "top5_accuracy", "calibration_error"),
    *("images_per_second", "golden_difference"),
)


def store_golden(model, split, folder, count=16):
    """Stores the first test images of a split and what the model makes of them, beside the model.

    Args:
        model: from uint8 images to logits.
        split: a `training.data.pipeline.Split`.
        folder: where `golden.npz` is written.
        count: number of images.
    """
    images, _ = split.first(count)
    outputs = keras.ops.convert_to_numpy(model(images, training=False))
    write_golden(folder, images, outputs=outputs)


def check_golden(model, folder):
    """Largest difference to the stored outputs, or None where none are stored.

    Raises:
        ValueError: it is above `GOLDEN_TOLERANCE`, or the file is damaged.
    """
    path = pathlib.Path(folder) / GOLDEN_FILE
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as golden:
            images = golden["images"]
            expected = golden["logits" if "logits" in golden else "outputs"]  # an artefact's; ours
    except Exception as error:  # a damaged archive raises whatever it happens to break
        raise ValueError(f"{path} cannot be read: {first_line(error)}") from error
    difference = float(np.abs(np.asarray(model(images, training=False)) - expected).max())
    if not difference <= GOLDEN_TOLERANCE:
        raise ValueError(f"Outputs differ from those in {path} by {difference:.1e}.")
    return difference


def evaluate_source(source, config=None, *, split="test", folder=None):
    """What a saved model is worth, and whether its golden outputs are met.

    Args:
        source: see `training.models.opened_model.open_model`.
        config: a `training.config.Config`, of whose data a split is read; or None.
        split: "test", "validation" or "train".
        folder: path of a folder of pictures, in place of a config's data; or None.

    Returns:
        See `evaluate_model`; `golden_difference`, None where no golden outputs are stored, and
        `source` and `data`, what was judged on what, are added.

    Raises:
        ValueError: the source or the data cannot be read, they do not fit each other, or the
            golden outputs are not met.
    """
    if (config is None) == (folder is None):
        raise ValueError("Either `--config` or `--folder` must be given, not both or none.")
    check_choice("--split", split, SPLITS)
    opened = open_model(source)
    if folder is not None:
        if keras.backend.backend() != "tensorflow":
            raise ValueError(
                "`--folder` needs TensorFlow, which decodes the pictures: set "
                "KERAS_BACKEND=tensorflow, or write them into one file with "
                "`python -m training.data.arrays`."
            )
        from training.data.class_folders import load_folder  # imports TensorFlow

        data, classes = str(folder), _known_classes(opened, source)
        examples, batch_size = load_folder(folder, classes, opened.image_shape), FOLDER_BATCH_SIZE
    else:
        splits = engine_module().load_splits(config.data, opened.image_shape)
        data, classes = f"{config.data.name}, {split}", splits.classes
        examples, batch_size = getattr(splits, split), config.data.batch_size
        if examples is None:
            raise ValueError("`--split` validation is empty: `data.validation_percent` is 0.")
    return {
        "source": str(source),
        "data": data,
        **evaluate_model(opened.call, examples, classes, batch_size),
        "golden_difference": check_golden(opened.call, opened.golden.parent),
    }


def evaluate_model(model, split, classes, batch_size):
    """What a classifier in memory is worth on a split.

    Args:
        model: from uint8 images and `training=False` to logits.
        split: a `training.data.pipeline.Split`.
        classes: names, in the order of the logits.
        batch_size: images of one call.

    Returns:
        A dict: `examples`, `loss`, `accuracy`, `top5_accuracy` and `calibration_error` as in
        `Judgement.summary`; `images_per_second`, reading them included and the first batch left
        out, None where there was but one; `classes`; `per_class`; `confusion`, lists of counts, a
        row for each true class; `reliability`; and where, when and with what it was measured.

    Raises:
        ValueError: the split is empty, or the model has other classes or gives no finite logits.
    """
    judgement, images_per_second = _judge(model, split, len(classes), batch_size)
    return {
        **judgement.summary(),
        "images_per_second": images_per_second,
        "classes": list(classes),
        "per_class": judgement.per_class(),
        "confusion": judgement.confusion.tolist(),
        "reliability": judgement.reliability(),
        **provenance(),
    }


def write_evaluation(evaluation, folder):
    """Writes `evaluation.json`, `confusion.png` and `reliability.png` into a folder.

    Args:
        evaluation: of `evaluate_model` or `evaluate_source`.
        folder: path; it is made if need be.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    draw_confusion(folder / CONFUSION_FILE, evaluation["confusion"], evaluation["classes"])
    draw_reliability(folder / RELIABILITY_FILE, evaluation["reliability"])
    # A line for each key: indented, each count of the confusions would have its own.
    lines = (f"{json.dumps(key)}: {json.dumps(value)}" for key, value in evaluation.items())
    write_text(folder / EVALUATION_FILE, "{\n" + ",\n".join(lines) + "\n}\n")


def _judge(model, split, num_classes, batch_size):
    """The `Judgement` of a split, and the images per second after the first batch."""
    call = engine_module().compiled(model)
    judgement = Judgement(num_classes)
    began = None
    for images, labels in split.batches(batch_size):
        counted = labels >= 0  # not what fills up the last batch
        judgement.add(call(images)[counted], labels[counted])
        if began is None:
            began, first = time.perf_counter(), judgement.examples
    if judgement.examples == 0 or judgement.examples == first:
        return judgement, None
    return judgement, (judgement.examples - first) / (time.perf_counter() - began)


def _known_classes(opened, source):
    if opened.classes is None:
        raise ValueError(
            f"`--folder` needs names of the model's classes: there are none in or beside {source} "
            "(labels.txt, metrics.json)."
        )
    return opened.classes


def _table(evaluation):
    """The headline as aligned lines."""
    formats = {"examples": ",d", "loss": ".4f", "images_per_second": ",.0f"}
    formats |= {"golden_difference": ".1e", "calibration_error": ".4f"}
    rows = [
        (key.replace("_", " "), format(evaluation[key], formats.get(key, ".2%")))
        for key in _HEADLINE
        if evaluation.get(key) is not None
    ]
    return "\n".join(f"{name:<20}{value:>12}" for name, value in rows)


def main(arguments=None):
    options = evaluate_options(__doc__, arguments)
    try:
        evaluation = evaluate_source(
            options.source, options.config, split=options.split, folder=options.folder
        )
        if options.output:
            write_evaluation(evaluation, options.output)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    print(_table(evaluation))
    print(json.dumps({key: evaluation[key] for key in _HEADLINE if key in evaluation}))


if __name__ == "__main__":
    main()
