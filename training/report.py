"""Writes the results of a finished run into one page, or compares several runs on one page:

    python -m training.report runs/digits
    python -m training.report runs/digits runs/wider --output comparison.html

A page is one file that any browser shows without a server or a network. The page of one run is
`report.html` in its folder. `training.train` writes it too; write it again when the run's folder
has new pictures or a new evaluation.
"""

from training.command_line import Arguments, report_options
from training.engine.interruption import end_on_ctrl_c

if __name__ == "__main__":  # wrong options end here, before TensorFlow loads
    end_on_ctrl_c()
    report_options(__doc__)

import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from keras_mlp.json_files import json_text, read_json, read_json_lines
from keras_mlp.whole_files import check_replaceable, write_text
from training.config import Config
from training.engine.explosion import described
from training.engine.stored_config import as_stored, flat
from training.evaluate import CONFUSION_FILE, EVALUATION_FILE, RELIABILITY_FILE
from training.program_end import clear_end
from training.reports.curves import learning_curves
from training.reports.evaluation_rows import class_rows, pair_rows
from training.reports.higher_loss import why_training_loss_is_higher
from training.reports.html_page import (
    GENERATOR,
    command,
    gallery,
    heading,
    headline,
    page,
    paragraph,
    picture,
    table,
)
from training.reports.printed import shown_number
from training.reports.run_comparison import FinishedRun, comparison_parts, duration

REPORT_FILE = "report.html"
COMPARISON_FILE = "comparison.html"
METRICS_WAY_OUT = (
    "Remove it and give the command of training.train again: it is written anew from the last "
    "checkpoint."
)
LISTED_CLASSES = 50  # of more, those with the lowest recall
_PICTURES = {
    "first_batch.png": "The first training images, as the model saw them",
    "predictions.png": "Predictions on test images",
}


def write_report(
    folder: str | pathlib.Path, output: str | pathlib.Path | None = None
) -> pathlib.Path:
    """Writes a page from the files in a run's folder.

    Args:
        folder: folder of a finished run of `training.train`. It must hold `metrics.json`, and may
            hold `history.jsonl`, `evaluation.json` with its pictures, `first_batch.png` and
            `predictions.png`.
        output: path of the page; None for `report.html` in the folder.

    Returns:
        The path of the page.

    Raises:
        ValueError: the folder holds no finished run, or a file of it is damaged.
        FileExistsError: `output` is a file other than such a page.
    """
    folder = pathlib.Path(folder)
    if output is not None:
        _check_output(pathlib.Path(output))
    path = folder / REPORT_FILE if output is None else pathlib.Path(output)
    metrics = _read_metrics(folder)
    parts = [
        *_result(metrics),
        *_evaluation(folder),
        *_curves(folder, metrics),
        *_calibration(folder),
        *_pictures(folder),
        heading("The run"),
        command(metrics["command"]),
        *_summary(metrics),
        *_config(metrics["config"]),
    ]
    write_text(path, page(folder.resolve().name, parts))
    return path


def write_comparison(
    folders: Sequence[str | pathlib.Path], output: str | pathlib.Path = COMPARISON_FILE
) -> pathlib.Path:
    """Writes a page that shows several runs side by side.

    Args:
        folders: folders of finished runs of `training.train`, at least two.
        output: path of the page.

    Returns:
        `output`, as a `pathlib.Path`.

    Raises:
        ValueError: a folder holds no finished run, a file of it is damaged, or a run is given
            twice.
        FileExistsError: `output` is a file other than such a page.
    """
    output = pathlib.Path(output)
    _check_output(output)
    real = [pathlib.Path(folder).resolve() for folder in folders]
    twice = [folder for folder, path in zip(folders, real, strict=True) if real.count(path) > 1]
    if twice:
        raise ValueError(f"`RUN` {twice[0]} is given twice: runs must differ.")
    names = [path.name for path in real]
    names = [
        name if names.count(name) == 1 else str(folder)
        for name, folder in zip(names, folders, strict=True)
    ]
    runs = [
        FinishedRun(
            name, _read_metrics(path), _read_history(path), read_evaluation(path, _evaluation_parts)
        )
        for name, path in zip(names, real, strict=True)
    ]
    write_text(output, page(f"{len(runs)} runs compared", comparison_parts(runs)))
    return output


def _check_output(path: pathlib.Path) -> None:
    def is_page(path: pathlib.Path) -> bool:
        return path.is_file() and GENERATOR.encode() in path.read_bytes()[:1000]

    check_replaceable(path, True, is_page, "is not a page of training.report", "--output")


def _read_metrics(folder: pathlib.Path) -> dict[str, Any]:
    def check(metrics: dict[str, Any]) -> None:
        if is_run(metrics):
            _result(metrics)
            _summary(metrics)
            _ = metrics["command"] + ""
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


def _result(metrics: Mapping[str, Any]) -> list[str]:
    test, model = metrics["test"], metrics["config"]["model"]
    what = f"{model['architecture']} {model['variant']} on {metrics['config']['data']['name']}"
    text = f"{test['accuracy']:.2%} of {test['examples']:,} test images right"
    warning = [paragraph(described(metrics["diverged"]))] if metrics.get("diverged") else []
    return [paragraph(what, quiet=True), headline(text), *warning]


def _summary(metrics: Mapping[str, Any]) -> list[str]:
    test, hardware = metrics["test"], metrics["hardware"]
    gpus = [gpu.get("device_name", "GPU") for gpu in hardware["gpus"]]
    machine = f"{hardware['cpu']}, {hardware['cores']} cores, {hardware['memory_gib']} GiB"
    rows = [
        ("Test accuracy", f"{test['accuracy']:.2%} of {test['examples']:,} images"),
        ("Test accuracy, top 5", f"{test['top5_accuracy']:.2%}" if "top5_accuracy" in test else ""),
        ("Test loss", shown_number(test["loss"], ".4f")),
        ("Diverged", described(metrics["diverged"]) if metrics.get("diverged") else ""),
        ("Best checkpoint", _best(metrics.get("best_checkpoint"))),
        ("Parameters", f"{metrics['parameters']:,}"),
        ("Training images", f"{metrics['train_examples']:,}"),
        ("Steps", f"{metrics['steps']:,}"),
        ("Training time", duration(metrics["wall_seconds"])),
        ("Date", metrics["date"].replace("T", " ").replace("+00:00", " UTC")),
        ("Hardware", "; ".join([machine, *gpus])),
        ("Devices used", metrics["replicas"]),
        ("Versions", _versions(metrics)),
        ("Commit", metrics["commit"] or "none"),
    ]
    return [table([row for row in rows if row[1] != ""])]


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


def _read_history(folder: pathlib.Path) -> list[dict[str, Any]]:
    file, way_out = folder / "history.jsonl", "Remove it for a page without learning curves."
    return read_json_lines(file, way_out, _check_entry) if file.exists() else []


def _curves(folder: pathlib.Path, metrics: Mapping[str, Any]) -> list[str]:
    history = _read_history(folder)
    if not history:
        return []
    curves = picture(learning_curves(history), ".svg", "Learning curves", chart=True)
    if "validation" not in history[-1]:
        note = [paragraph("No images were held out for validation.", quiet=True)]
    else:
        reason = why_training_loss_is_higher(history[-1], metrics["config"])
        note = [paragraph(reason)] if reason and not metrics.get("diverged") else []
    return [heading("Learning curves"), *note, curves]


def _check_entry(entry: dict[str, Any]) -> None:
    """Raises an error for what is not an entry of the learning curve."""
    _ = entry["epoch"] + 0.0
    for part in ("train", "validation"):
        entry.get(part, {}).items()


def read_evaluation(
    folder: pathlib.Path, check: Callable[[pathlib.Path, dict[str, Any]], object]
) -> dict[str, Any] | None:
    """The evaluation in a run's folder, or None; ValueError if it is damaged."""
    file = folder / EVALUATION_FILE
    if not file.exists():
        return None
    way_out = "Write it again by training.evaluate with --output, or remove it."
    evaluation: dict[str, Any] = read_json(file, way_out, lambda tree: check(folder, tree))
    return evaluation


def _evaluation(folder: pathlib.Path) -> list[str]:
    evaluation = read_evaluation(folder, _evaluation_parts)
    if evaluation is not None:
        return _evaluation_parts(folder, evaluation)
    text = (
        f"Not evaluated class by class: training.evaluate with --output {folder} does that; "
        "then write this report again."
    )
    return [heading("Mistakes and calibration"), paragraph(text, quiet=True)]


def _evaluation_parts(folder: pathlib.Path, evaluation: dict[str, Any]) -> list[str]:
    return [
        *_mistakes(evaluation),
        *_most_confused(evaluation),
        *_classes(evaluation),
        heading("Confusion matrix"),
        *_stored(folder / CONFUSION_FILE, "Confusion matrix", width=640, chart=True),
    ]


def _mistakes(evaluation: Mapping[str, Any]) -> list[str]:
    """The mistakes of which the model was most certain; older evaluations hold none."""
    names = evaluation["classes"]
    figures = [
        (
            each["png"],
            f"taken for {names[each['guess']]}",
            [f"is {names[each['truth']]}", f"{each['confidence']:.1%} certain"],
        )
        for each in evaluation.get("mistakes", ())
    ]
    if not figures:
        return []
    text = "Test images that the model got wrong with the highest confidence: its guess in red."
    return [heading("Most confident mistakes"), paragraph(text, quiet=True), gallery(figures)]


def _most_confused(evaluation: Mapping[str, Any]) -> list[str]:
    """A table of the largest counts off the diagonal; an empty list if there are none."""
    header = ("truth", "taken for", "images", "share of truth")
    rows = pair_rows(evaluation)
    return [heading("Confused most"), table(rows, header, numbers=(2, 3))] if rows else []


def _classes(evaluation: Mapping[str, Any]) -> list[str]:
    rows, number = class_rows(evaluation, LISTED_CLASSES), len(evaluation["classes"])
    note = []
    if number > len(rows):
        text = f"The {len(rows)} of {number} with the lowest recall; {EVALUATION_FILE} has all."
        note = [paragraph(text, quiet=True)]
    header = ("class", "precision", "recall", "images")
    return [heading("Classes"), *note, table(rows, header, numbers=(1, 2, 3))]


def _calibration(folder: pathlib.Path) -> list[str]:
    evaluation = read_evaluation(folder, _calibration_parts)
    return [] if evaluation is None else _calibration_parts(folder, evaluation)


def _calibration_parts(folder: pathlib.Path, evaluation: dict[str, Any]) -> list[str]:
    return [
        heading("Calibration"),
        paragraph(
            f"Expected calibration error {evaluation['calibration_error']:.4f}, from "
            f"{len(evaluation['reliability'])} bins of equal width ({evaluation['data']})."
        ),
        *_stored(folder / RELIABILITY_FILE, "Reliability diagram", width=480, chart=True),
    ]


def _pictures(folder: pathlib.Path) -> list[str]:
    return [
        part
        for name, description in _PICTURES.items()
        if (folder / name).exists()
        for part in (heading(description), *_stored(folder / name, description))
    ]


def _stored(
    file: pathlib.Path, description: str, width: int | None = None, chart: bool = False
) -> list[str]:
    if not file.exists():
        return []
    return [picture(file.read_bytes(), ".png", description, width, chart)]


def _config(config: dict[str, Any]) -> list[str]:
    """Every key of the config; those that differ from the defaults stand out."""
    defaults = flat(as_stored(Config()))
    rows: list[tuple[str, str, str]] = []
    marked: list[int] = []
    for number, (key, value) in enumerate(flat(config).items()):
        default = defaults.get(key)
        is_same = key in defaults and value == default
        shown = "" if is_same else json_text(default) if key in defaults else "not set"
        rows.append((key, json_text(value), shown))
        marked += [] if is_same else [number]
    header = ("key", "value", "default, where it differs")
    return [heading("Config"), table(rows, header, marked=marked)]


def main(arguments: Arguments = None) -> None:
    options = report_options(__doc__, arguments)
    with clear_end():
        if len(options.runs) == 1:
            print(write_report(options.runs[0], options.output))
        else:
            print(write_comparison(options.runs, options.output or COMPARISON_FILE))


if __name__ == "__main__":
    main()
