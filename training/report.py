"""Writes what there is to see of a finished run into one page, `report.html`, in its folder:

    python -m training.report runs/digits

The page is one file that any browser shows without a server or a network. `training.train` writes
it too; write it again after the run's folder got other pictures or another evaluation.
"""

import argparse
import json
import pathlib
import sys

from keras_mlp.whole_files import write_text
from training.config import Config
from training.engine.stored_config import as_stored, flat
from training.evaluate import CONFUSION_FILE, EVALUATION_FILE, RELIABILITY_FILE
from training.reports.curves import learning_curves
from training.reports.html_page import heading, page, paragraph, picture, table

REPORT_FILE = "report.html"
LISTED_CLASSES = 50  # of more, those with the lowest recall
LISTED_PAIRS = 10
_PICTURES = {
    "first_batch.png": "The first training images, as the model saw them",
    "predictions.png": "Predictions on test images",
}


def write_report(folder):
    """Writes `report.html` from what lies in a run's folder.

    Args:
        folder: of a finished run of `training.train`: its `metrics.json`, and as far as they are
            there `history.jsonl`, `evaluation.json` with its pictures, `first_batch.png` and
            `predictions.png`.

    Returns:
        The path of the page.

    Raises:
        ValueError: the folder holds no finished run, or a file of it is damaged.
    """
    folder = pathlib.Path(folder)
    metrics = _read_metrics(folder)
    evaluation = _read_json(folder / EVALUATION_FILE)
    try:
        parts = [
            *_summary(metrics),
            *_curves(folder),
            *_evaluation(folder, evaluation),
            *_pictures(folder),
            *_config(metrics["config"]),
        ]
    except (KeyError, TypeError, AttributeError) as error:  # JSON of another shape than ours
        raise ValueError(f"A file in {folder} is damaged: {error!r}.") from error
    write_text(folder / REPORT_FILE, page(folder.resolve().name, parts))
    return folder / REPORT_FILE


def _read_metrics(folder):
    metrics = _read_json(folder / "metrics.json")
    if not isinstance(metrics, dict) or not {"test", "config", "parameters"} <= metrics.keys():
        raise ValueError(f"{folder} holds no finished run of training.train.")
    return metrics


def _read_json(file):
    """What a file holds, or None where there is no file."""
    try:
        return json.loads(file.read_text())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError as error:
        raise ValueError(f"{file} is damaged: {error}") from error


def _summary(metrics):
    test, model, hardware = metrics["test"], metrics["config"]["model"], metrics["hardware"]
    what = f"{model['architecture']} {model['variant']} on {metrics['config']['data']['name']}"
    gpus = [gpu.get("device_name", "GPU") for gpu in hardware["gpus"]]
    machine = f"{hardware['cpu']}, {hardware['cores']} cores, {hardware['memory_gib']} GiB"
    rows = [
        ("Test accuracy", f"{test['accuracy']:.2%} of {test['examples']:,} images"),
        ("Test accuracy, top 5", f"{test['top5_accuracy']:.2%}" if "top5_accuracy" in test else ""),
        ("Test loss", f"{test['loss']:.4f}"),
        ("Parameters", f"{metrics['parameters']:,}"),
        ("Training images", f"{metrics['train_examples']:,}"),
        ("Steps", f"{metrics['steps']:,}"),
        ("Training time", _duration(metrics["wall_seconds"])),
        ("Date", metrics["date"].replace("T", " ").replace("+00:00", " UTC")),
        ("Hardware", "; ".join([machine, *gpus])),
        ("Devices used", metrics["replicas"]),
        ("Versions", _versions(metrics)),
        ("Commit", metrics["commit"] or "none"),
        ("Command", metrics["command"]),
    ]
    return [paragraph(what, quiet=True), table([row for row in rows if row[1] != ""])]


def _versions(metrics):
    versions = {"Python": metrics["python"], **metrics["versions"]}
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _duration(seconds):
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def _curves(folder):
    file = folder / "history.jsonl"
    lines = file.read_text().splitlines() if file.exists() else []
    try:
        history = [json.loads(line) for line in lines]
    except ValueError as error:
        raise ValueError(f"{file} is damaged: {error}") from error
    if not history:
        return []
    text = "" if "validation" in history[-1] else "No images were held out for validation."
    curves = picture(learning_curves(history), ".svg", "Learning curves")
    return [heading("Learning curves"), *([paragraph(text, quiet=True)] if text else []), curves]


def _evaluation(folder, evaluation):
    if evaluation is None:
        text = (
            f"Not judged class by class: training.evaluate with --output {folder} does that; "
            "then write this report again."
        )
        return [heading("Confusion matrix and calibration"), paragraph(text, quiet=True)]
    error = evaluation["calibration_error"]
    return [
        heading("Confusion matrix"),
        *_stored(folder / CONFUSION_FILE, "Confusion matrix", width=640),
        *_most_confused(evaluation),
        heading("Calibration"),
        paragraph(
            f"Expected calibration error {error:.4f}, from {len(evaluation['reliability'])} bins "
            f"of equal width ({evaluation['data']})."
        ),
        *_stored(folder / RELIABILITY_FILE, "Reliability diagram", width=480),
        *_classes(evaluation),
    ]


def _most_confused(evaluation):
    """A table of the largest counts off the diagonal; nothing where there are none."""
    counts = [
        (count, sum(row), true, taken)
        for true, row in enumerate(evaluation["confusion"])
        for taken, count in enumerate(row)
        if count and true != taken
    ]
    names = evaluation["classes"]
    rows = [
        (names[true], names[taken], f"{count:,}", _share(count / total))
        for count, total, true, taken in sorted(counts, key=lambda each: -each[0])[:LISTED_PAIRS]
    ]
    header = ("truth", "most often taken for", "images", "share of the true class")
    return [table(rows, header, numbers=(2, 3))] if rows else []


def _classes(evaluation):
    rows = [
        (name, _share(each["precision"]), _share(each["recall"]), f"{each['count']:,}")
        for name, each in zip(evaluation["classes"], evaluation["per_class"], strict=True)
    ]
    note = []
    if len(rows) > LISTED_CLASSES:
        recalls = [each["recall"] for each in evaluation["per_class"]]
        worst = sorted(
            (i for i, recall in enumerate(recalls) if recall is not None), key=recalls.__getitem__
        )
        text = f"The {LISTED_CLASSES} of {len(rows)} with the lowest recall; {EVALUATION_FILE} "
        note = [paragraph(text + "has all.", quiet=True)]
        rows = [rows[i] for i in worst[:LISTED_CLASSES]]
    header = ("class", "precision", "recall", "images")
    return [heading("Classes"), *note, table(rows, header, numbers=(1, 2, 3))]


def _share(value):
    return "none" if value is None else f"{value:.1%}"


def _pictures(folder):
    return [
        part
        for name, description in _PICTURES.items()
        if (folder / name).exists()
        for part in (heading(description), *_stored(folder / name, description))
    ]


def _stored(file, description, width=None):
    return [picture(file.read_bytes(), ".png", description, width)] if file.exists() else []


def _config(config):
    """Every key of the config; those that differ from the defaults stand out."""
    defaults = flat(as_stored(Config()))
    rows, marked = [], []
    for number, (key, value) in enumerate(flat(config).items()):
        default = defaults.get(key)
        is_same = key in defaults and value == default
        shown = "" if is_same else json.dumps(default) if key in defaults else "not set"
        rows.append((key, json.dumps(value), shown))
        marked += [] if is_same else [number]
    header = ("key", "value", "default, where it differs")
    return [heading("Config"), table(rows, header, marked=marked)]


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="python -m training.report",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", help="folder of a finished run of training.train")
    try:
        print(write_report(parser.parse_args(arguments).run))
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
