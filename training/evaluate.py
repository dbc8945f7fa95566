"""Evaluates a saved model on a split of a config's data, or on a folder of pictures:

    python -m training.evaluate --source runs/digits/saved_model --config training/configs/digits.py
    python -m training.evaluate --source runs/pets/model.keras --folder pictures --output judged

The source is a `.keras` file, the folder of a SavedModel, which plain TensorFlow loads, or the
folder of an artefact of `saved_models`. Pictures are `FOLDER/CLASS/*.jpg`, where CLASS is one of
the model's class names. Golden outputs beside the source are compared too. Prints a table, then the
same as one line of JSON; writes `evaluation.json`, `confusion.png` and `reliability.png` into
`--output`.
"""

from training.command_line import SPLITS, evaluate_options
from training.engine.interruption import end_on_ctrl_c

if __name__ == "__main__":  # wrong options end here, before TensorFlow loads
    end_on_ctrl_c()
    evaluate_options(__doc__)

import json
import pathlib
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from keras_mlp.arguments import check_choice
from keras_mlp.errors import first_line
from keras_mlp.golden import GOLDEN_FILE, write_golden
from keras_mlp.whole_files import write_text
from training.config import Config
from training.engine.chosen import Split, engine_module
from training.models.opened_model import OpenedModel, open_model
from training.reports.evaluation_pictures import draw_confusion, draw_reliability
from training.reports.judgement import Judgement
from training.reports.provenance import provenance
from training.terminal import set_up_terminal

GOLDEN_TOLERANCE = 1e-5
EVALUATION_FILE = "evaluation.json"
CONFUSION_FILE = "confusion.png"
RELIABILITY_FILE = "reliability.png"
FOLDER_BATCH_SIZE = 64
_HEADLINE = (
    *("examples", "loss", "accuracy", "top5_accuracy", "calibration_error"),
    *("images_per_second", "golden_difference"),
)


def store_golden(model: Any, split: Split, folder: str | pathlib.Path, count: int = 16) -> None:
    """Stores the first images of a split and the model's outputs for them beside the model.

    Args:
        model: from uint8 images to logits.
        split: a `training.data.pipeline.Split`.
        folder: path of the folder to which `golden.npz` is written.
        count: number of images.
    """
    images, _ = split.first(count)
    outputs = keras.ops.convert_to_numpy(model(images, training=False))
    write_golden(folder, images, outputs=outputs)


def check_golden(model: Callable[..., Any], folder: str | pathlib.Path) -> float | None:
    """The largest difference from the stored outputs, or None if none are stored.

    Raises:
        ValueError: it is above `GOLDEN_TOLERANCE`, or the file is damaged.
    """
    path = pathlib.Path(folder) / GOLDEN_FILE
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as golden:
            images = golden["images"]
            expected = golden[
                "logits" if "logits" in golden else "outputs"
            ]  # an artefact's; a run's
    except Exception as error:  # a damaged archive can raise anything
        raise ValueError(f"{path} cannot be read: {first_line(error)}") from error
    difference = float(np.abs(np.asarray(model(images, training=False)) - expected).max())
    if not difference <= GOLDEN_TOLERANCE:
        raise ValueError(f"Outputs differ from those in {path} by {difference:.1e}.")
    return difference


def evaluate_source(
    source: str | pathlib.Path,
    config: Config | None = None,
    *,
    split: str = "test",
    folder: str | pathlib.Path | None = None,
) -> dict[str, Any]:
    """Evaluates a saved model and compares its golden outputs.

    Args:
        source: see `training.models.opened_model.open_model`.
        config: the `training.config.Config` whose data is used; or None.
        split: "test", "validation" or "train".
        folder: path of a folder of pictures, instead of a config's data; or None.

    Returns:
        The dict of `evaluate_model`, with `source`, `data` and `golden_difference`, None if no
        golden outputs are stored.

    Raises:
        ValueError: the source or the data cannot be read, they do not fit each other, or the model
            does not reproduce the golden outputs.
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
        assert config is not None  # one of the two is given
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


def evaluate_model(
    model: Any, split: Split, classes: Sequence[str], batch_size: int
) -> dict[str, Any]:
    """Evaluates a classifier in memory on a split.

    Args:
        model: from uint8 images and `training=False` to logits.
        split: a `training.data.pipeline.Split`.
        classes: names, in the order of the logits.
        batch_size: images per call.

    Returns:
        A dict: `examples`, `loss`, `accuracy`, `top5_accuracy` and `calibration_error` as in
        `Judgement.summary`; `images_per_second`, which includes reading them and excludes the first
        batch, None if there was only one batch; `classes`; `per_class`; `confusion`, lists of
        counts, one row for each true class; `reliability`; and the keys of `provenance`.

    Raises:
        ValueError: the split is empty, or the model has other classes or logits that are not
            finite.
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


def write_evaluation(evaluation: dict[str, Any], folder: str | pathlib.Path) -> None:
    """Writes `evaluation.json`, `confusion.png` and `reliability.png` into a folder.

    Args:
        evaluation: the dict of `evaluate_model` or `evaluate_source`.
        folder: path, created if it does not exist.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    draw_confusion(folder / CONFUSION_FILE, evaluation["confusion"], evaluation["classes"])
    draw_reliability(folder / RELIABILITY_FILE, evaluation["reliability"])
    # One line per key: with `indent`, every count of the confusion matrix would take a line.
    lines = (f"{json.dumps(key)}: {json.dumps(value)}" for key, value in evaluation.items())
    write_text(folder / EVALUATION_FILE, "{\n" + ",\n".join(lines) + "\n}\n")


def _judge(
    model: Any, split: Split, num_classes: int, batch_size: int
) -> tuple[Judgement, float | None]:
    """The `Judgement` of a split, and the images per second after the first batch."""
    call = engine_module().compiled(model)
    judgement = Judgement(num_classes)
    began, first = None, 0
    for images, labels in split.batches(batch_size):
        counted = labels >= 0  # without what fills up the last batch
        judgement.add(call(images)[counted], labels[counted])
        if began is None:
            began, first = time.perf_counter(), judgement.examples
    if began is None or judgement.examples == first:
        return judgement, None
    return judgement, (judgement.examples - first) / (time.perf_counter() - began)


def _known_classes(opened: OpenedModel, source: str | pathlib.Path) -> list[str]:
    if opened.classes is None:
        raise ValueError(
            f"`--folder` needs names of the model's classes: there are none in or beside {source} "
            "(labels.txt, metrics.json)."
        )
    return opened.classes


def _table(evaluation: dict[str, Any]) -> str:
    """The headline as aligned lines."""
    formats = {"examples": ",d", "loss": ".4f", "images_per_second": ",.0f"}
    formats |= {"golden_difference": ".1e", "calibration_error": ".4f"}
    rows = [
        (key.replace("_", " "), format(evaluation[key], formats.get(key, ".2%")))
        for key in _HEADLINE
        if evaluation.get(key) is not None
    ]
    return "\n".join(f"{name:<20}{value:>12}" for name, value in rows)


def main(arguments: list[str] | None = None) -> None:
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
    set_up_terminal()
    main()
