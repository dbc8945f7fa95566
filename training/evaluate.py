"""Evaluates a saved model on a split of a config's data, or on a folder of pictures:

    python -m training.evaluate --source runs/digits/saved_model --config training/configs/digits.py
    python -m training.evaluate --source runs/pets/model.keras --folder pictures --output judged

The source is a `.keras` file of a model that outputs logits or ends with a softmax, or the folder
of a SavedModel, which plain TensorFlow loads, of a run, or of an artefact of `saved_models`.
Pictures are `FOLDER/CLASS/*.jpg`, where CLASS is one of the model's class names. Golden outputs
beside the source are compared too. Prints tables of the classes, of the pairs that are confused
most and of the whole, which is also the last line, as JSON; writes `evaluation.json`,
`confusion.png` and `reliability.png` into `--output`.
"""

from training.command_line import SPLITS, Arguments, evaluate_options
from training.engine.interruption import end_on_ctrl_c

if __name__ == "__main__":  # wrong options end here, before TensorFlow loads
    end_on_ctrl_c()
    evaluate_options(__doc__)

import contextlib
import pathlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from keras_mlp.arguments import check_choice
from keras_mlp.errors import first_line
from keras_mlp.export.picture_headers import MAX_PIXELS
from keras_mlp.golden import GOLDEN_FILE, GOLDEN_IMAGES, write_golden
from keras_mlp.json_files import json_text
from keras_mlp.whole_files import made_folder, write_text
from training.config import Config
from training.data.checks import check_names
from training.data.damage import all_damaged
from training.engine.chosen import Split, engine_module
from training.models.opened_model import OpenedModel, open_model
from training.program_end import clear_end
from training.reports.evaluation_pictures import draw_confusion, draw_reliability
from training.reports.evaluation_rows import class_rows, pair_rows
from training.reports.judgement import Judgement
from training.reports.mistakes import Mistakes
from training.reports.printed import text_table
from training.reports.provenance import device_name, provenance
from training.terminal import set_up_terminal

GOLDEN_TOLERANCE = 1e-5
EVALUATION_FILE = "evaluation.json"
CONFUSION_FILE = "confusion.png"
RELIABILITY_FILE = "reliability.png"
FOLDER_BATCH_SIZE = 64
PRINTED_CLASSES = 20
_HEADLINE = (
    *("examples", "loss", "accuracy", "top5_accuracy", "calibration_error"),
    *("images_per_second", "golden_difference"),
)


def store_golden(model: Any, split: Split, folder: str | pathlib.Path) -> None:
    """Stores the first images of a split and the model's outputs for them beside the model.

    Args:
        model: from uint8 images to logits.
        split: a `training.data.pipeline.Split`.
        folder: path of the folder to which `golden.npz` is written.
    """
    images, _ = split.first(GOLDEN_IMAGES)
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
    way_out = "Remove it, or write it again with the model."
    try:
        outputs = np.asarray(model(images, training=False))
    except Exception as error:  # each backend has its own for images of another shape or dtype
        given = f"{images.dtype} {images.shape}"
        raise ValueError(
            f"{path} does not fit the model: its images are {given}. {way_out}"
        ) from error
    if outputs.shape != expected.shape or expected.dtype.kind != "f":
        kind = "" if expected.dtype.kind == "f" else f"of {expected.dtype} "
        raise ValueError(
            f"{path} does not fit the model: it holds outputs {kind}{expected.shape}, the model "
            f"gives {outputs.shape}. {way_out}"
        )
    difference = float(np.abs(outputs - expected).max())
    if not difference <= GOLDEN_TOLERANCE:
        raise ValueError(f"Outputs differ from those in {path} by {difference:.1e}.")
    return difference


def evaluate_source(
    source: str | pathlib.Path,
    config: Config | None = None,
    *,
    split: str = "test",
    folder: str | pathlib.Path | None = None,
    upright: bool = False,
    max_pixels: int = MAX_PIXELS,
    say: Callable[[str], object] = lambda line: None,
) -> dict[str, Any]:
    """Evaluates a saved model and compares its golden outputs.

    Args:
        source: see `training.models.opened_model.open_model`.
        config: the `training.config.Config` whose data is used; or None.
        split: "test", "validation" or "train".
        folder: path of a folder of pictures, instead of a config's data; or None.
        upright, max_pixels: of the pictures of `folder`, as in `training.config.Data`.
        say: function that takes a line on what is evaluated, before the work starts.

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
    if None in opened.image_shape:
        raise ValueError(
            f"`--source` {source} takes images {opened.image_shape}: pictures are read at one size "
            "only. Save the model with a fixed image size."
        )
    if folder is not None:
        data, classes = str(folder), _known_classes(opened, source)
        size = opened.image_shape
        examples = engine_module().load_folder(
            folder, classes, size, turn=upright, max_pixels=max_pixels
        )
        batch_size = FOLDER_BATCH_SIZE
        explained: contextlib.AbstractContextManager[Any] = contextlib.nullcontext()
    else:
        assert config is not None  # one of the two is given
        splits = engine_module().load_splits(config.data, opened.image_shape)
        data, classes = f"{config.data.name}, {split}", splits.classes
        examples, batch_size = getattr(splits, split), config.data.batch_size
        explained = splits.explained()
        if examples is None:
            raise ValueError("`--split` validation is empty: `data.validation_percent` is 0.")
    say(f"{source} on {data}: {examples.size:,} images, {len(classes)} classes, {device_name()}")
    with explained:
        judged = evaluate_model(opened.call, examples, classes, batch_size)
    return {
        "source": str(source),
        "data": data,
        **judged,
        "golden_difference": check_golden(opened.stored, opened.golden.parent),
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
        counts, one row for each true class; `reliability`; `mistakes`, those with the highest
        confidence, as in `Mistakes.most_confident`; and the keys of `provenance`.

    Raises:
        NotFiniteLogits: a logit is not finite.
        ValueError: the split is empty, all its pictures are damaged, or the model has other
            classes.
    """
    judgement, mistakes, images_per_second = _judge(model, split, len(classes), batch_size)
    return {
        **judgement.summary(),
        "images_per_second": images_per_second,
        "classes": list(classes),
        "per_class": judgement.per_class(),
        "confusion": judgement.confusion.tolist(),
        "reliability": judgement.reliability(),
        "mistakes": mistakes.most_confident(),
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
    lines = (f"{json_text(key)}: {json_text(value)}" for key, value in evaluation.items())
    write_text(folder / EVALUATION_FILE, "{\n" + ",\n".join(lines) + "\n}\n")


def _judge(
    model: Any, split: Split, num_classes: int, batch_size: int
) -> tuple[Judgement, Mistakes, float | None]:
    """`Judgement` and `Mistakes` of a split, and the images per second after the first batch."""
    call = engine_module().compiled(model)
    judgement, mistakes = Judgement(num_classes), Mistakes()
    began, first = None, 0
    for images, labels in split.batches(batch_size):
        counted = labels >= 0  # without what fills up the last batch
        logits, labels = call(images)[counted], labels[counted]
        judgement.add(logits, labels)
        mistakes.add(np.asarray(images)[counted], logits, labels)
        if began is None:
            began, first = time.perf_counter(), judgement.examples
    if split.size and not judgement.examples:
        raise all_damaged("evaluation")
    if began is None or judgement.examples == first:
        return judgement, mistakes, None
    return judgement, mistakes, (judgement.examples - first) / (time.perf_counter() - began)


def _known_classes(opened: OpenedModel, source: str | pathlib.Path) -> list[str]:
    if opened.classes is None:
        raise ValueError(
            f"`--folder` needs names of the model's classes: there are none in or beside {source} "
            "(labels.txt, metrics.json)."
        )
    check_names(opened.classes, f"`--source` {source}")
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


def _class_tables(evaluation: dict[str, Any]) -> str:
    """Precision, recall and number of images of the classes, and the most confused pairs."""
    number = len(evaluation["classes"])
    rows = class_rows(evaluation, PRINTED_CLASSES)
    title = "class" if number == len(rows) else f"class ({len(rows)} of {number}, lowest recall)"
    tables = [text_table((title, "precision", "recall", "images"), rows, numbers=(1, 2, 3))]
    if pairs := pair_rows(evaluation):
        header = ("truth", "most often taken for", "images", "share of truth")
        tables.append(text_table(header, pairs, numbers=(2, 3)))
    return "\n\n".join(tables)


def main(arguments: Arguments = None) -> None:
    options = evaluate_options(__doc__, arguments)

    def start(line: str) -> None:
        print(line, flush=True)
        if options.output:
            made_folder(options.output, "--output")  # before the work, after every check

    with clear_end():
        evaluation = evaluate_source(
            options.source,
            options.config,
            split=options.split,
            folder=options.folder,
            upright=options.upright,
            max_pixels=options.max_pixels,
            say=start,
        )
        if options.output:
            write_evaluation(evaluation, options.output)
    print(f"\n{_class_tables(evaluation)}\n\n{_table(evaluation)}")
    if options.output:
        print(f"written to {pathlib.Path(options.output) / EVALUATION_FILE}")
    print(json_text({key: evaluation[key] for key in _HEADLINE if key in evaluation}))


if __name__ == "__main__":
    set_up_terminal()
    main()
