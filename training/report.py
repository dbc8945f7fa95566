"""Writes the results of a finished run into one page, `report.html`, in its folder:

    python -m training.report runs/digits

The page is one file that any browser shows without a server or a network. `training.train` writes
it too; write it again when the run's folder has new pictures or a new evaluation.
"""

from training.command_line import Arguments, report_options
from training.engine.interruption import end_on_ctrl_c

if __name__ == "__main__":  # wrong options end here, before TensorFlow loads
    end_on_ctrl_c()
    report_options(__doc__)

import json
import pathlib
import sys
from collections.abc import Mapping
from typing import Any

from keras_mlp.json_files import read_json, read_json_lines
from keras_mlp.whole_files import write_text
from training.config import Config
from training.engine.explosion import described
from training.engine.stored_config import as_stored, flat
from training.evaluate import CONFUSION_FILE, EVALUATION_FILE, RELIABILITY_FILE
from training.reports.curves import learning_curves
from training.reports.html_page import heading, page, paragraph, picture, table

REPORT_FILE = "report.html"
METRICS_WAY_OUT = (
    "Remove it and give the command of training.train again: it is written anew from the last "
    "checkpoint."
)
LISTED_CLASSES = 50  # of more, those with the lowest recall
LISTED_PAIRS = 10
_PICTURES = {
    "first_batch.png": "The first training images, as the model saw them",
    "predictions.png": "Predictions on test images",
}


def write_report(folder: str | pathlib.Path) -> pathlib.Path:
    """Writes `report.html` from the files in a run's folder.

    Args:
        folder: folder of a finished run of `training.train`. It must hold `metrics.json`, and may
            hold `history.jsonl`, `evaluation.json` with its pictures, `first_batch.png` and
            `predictions.png`.

    Returns:
        The path of the page.

    Raises:
        ValueError: the folder holds no finished run, or a file of it is damaged.
    """
    folder = pathlib.Path(folder)
    metrics = _read_metrics(folder)
    parts = [
        *_summary(metrics),
        *_curves(folder),
        *_evaluation(folder),
        *_pictures(folder),
        *_config(metrics["config"]),
    ]
    write_text(folder / REPORT_FILE, page(folder.resolve().name, parts))
    return folder / REPORT_FILE


def _read_metrics(folder: pathlib.Path) -> dict[str, Any]:
    def check(metrics: dict[str, Any]) -> None:
        if is_run(metrics):
            _summary(metrics)
            _config(metrics["config"])

    def is_run(metrics: Any) -> bool:
        return isinstance(metrics, dict) and {"test", "config", "parameters"} <= metrics.keys()

    try:
        metrics = read_json(folder / "metrics.json", METRICS_WAY_OUT, check)
    except (FileNotFoundError, NotADirectoryError):
        metrics = None
    if not is_run(metrics):
        raise ValueError(f"{folder} holds no finished run of training.train.")
    return metrics


def _summary(metrics: Mapping[str, Any]) -> list[str]:
    test, model, hardware = metrics["test"], metrics["config"]["model"], metrics["hardware"]
    what = f"{model['architecture']} {model['variant']} on {metrics['config']['data']['name']}"
    gpus = [gpu.get("device_name", "GPU") for gpu in hardware["gpus"]]
    machine = f"{hardware['cpu']}, {hardware['cores']} cores, {hardware['memory_gib']} GiB"
    rows = [
        ("Test accuracy", f"{test['accuracy']:.2%} of {test['examples']:,} images"),
        ("Test accuracy, top 5", f"{test['top5_accuracy']:.2%}" if "top5_accuracy" in test else ""),
        ("Test loss", f"{test['loss']:.4f}"),
        ("Diverged", described(metrics["diverged"]) if metrics.get("diverged") else ""),
        ("Best checkpoint", _best(metrics.get("best_checkpoint"))),
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


def _best(judged: Mapping[str, Any] | None) -> str:
    if not judged:
        return ""
    if judged["by"] == "train":
        return f"step {judged['step']:,}, by the training loss {judged['loss']:.4f} after it"
    return (
        f"step {judged['step']:,}, by the validation accuracy {judged['accuracy']:.2%} and loss "
        f"{judged['loss']:.4f}"
    )


def _versions(metrics: Mapping[str, Any]) -> str:
    versions = {"Python": metrics["python"], **metrics["versions"]}
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _curves(folder: pathlib.Path) -> list[str]:
    file, way_out = folder / "history.jsonl", "Remove it for a page without learning curves."
    history: list[dict[str, Any]] = []
    if file.exists():
        history = read_json_lines(file, way_out, _check_entry)
    if not history:
        return []
    text = "" if "validation" in history[-1] else "No images were held out for validation."
    curves = picture(learning_curves(history), ".svg", "Learning curves")
    return [heading("Learning curves"), *([paragraph(text, quiet=True)] if text else []), curves]


def _check_entry(entry: dict[str, Any]) -> None:
    """Raises an error for what is not an entry of the learning curve."""
    _ = entry["epoch"] + 0.0
    for part in ("train", "validation"):
        entry.get(part, {}).items()


def _evaluation(folder: pathlib.Path) -> list[str]:
    file = folder / EVALUATION_FILE
    if not file.exists():
        text = (
            f"Not evaluated class by class: training.evaluate with --output {folder} does that; "
            "then write this report again."
        )
        return [heading("Confusion matrix and calibration"), paragraph(text, quiet=True)]
    way_out = "Write it again by training.evaluate with --output, or remove it."
    evaluation = read_json(file, way_out, lambda tree: _evaluation_parts(folder, tree))
    return _evaluation_parts(folder, evaluation)


def _evaluation_parts(folder: pathlib.Path, evaluation: dict[str, Any]) -> list[str]:
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


def _most_confused(evaluation: Mapping[str, Any]) -> list[str]:
    """A table of the largest counts off the diagonal; an empty list if there are none."""
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


def _classes(evaluation: Mapping[str, Any]) -> list[str]:
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


def _share(value: float | None) -> str:
    return "none" if value is None else f"{value:.1%}"


def _pictures(folder: pathlib.Path) -> list[str]:
    return [
        part
        for name, description in _PICTURES.items()
        if (folder / name).exists()
        for part in (heading(description), *_stored(folder / name, description))
    ]


def _stored(file: pathlib.Path, description: str, width: int | None = None) -> list[str]:
    return [picture(file.read_bytes(), ".png", description, width)] if file.exists() else []


def _config(config: dict[str, Any]) -> list[str]:
    """Every key of the config; those that differ from the defaults stand out."""
    defaults = flat(as_stored(Config()))
    rows: list[tuple[str, str, str]] = []
    marked: list[int] = []
    for number, (key, value) in enumerate(flat(config).items()):
        default = defaults.get(key)
        is_same = key in defaults and value == default
        shown = "" if is_same else json.dumps(default) if key in defaults else "not set"
        rows.append((key, json.dumps(value), shown))
        marked += [] if is_same else [number]
    header = ("key", "value", "default, where it differs")
    return [heading("Config"), table(rows, header, marked=marked)]


def main(arguments: Arguments = None) -> None:
    options = report_options(__doc__, arguments)
    try:
        print(write_report(options.run))
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
