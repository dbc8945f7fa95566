"""The accuracy, size and speed of exported formats on CPU: python -m benchmarks.formats --help.

Measures trained models on their test split or, with --variant, the speed of a size of any
architecture with random weights.
"""

import argparse
import os
import pathlib
import shlex
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from benchmarks.agreement import Disagreement
from benchmarks.contenders.exported import KERAS, LITERT_INT8
from benchmarks.format_files import litert_at_batch, write_formats
from benchmarks.format_runs import measure_accuracy, measure_speed
from benchmarks.report import check_folder_of, machine_facts, markdown
from benchmarks.rounds import Sample
from benchmarks.task import check_threads, without_zeros
from benchmarks.trained_models import read_trained_model
from benchmarks.worker_process import WorkerFailed
from keras_mlp import ARCHITECTURES
from keras_mlp.arguments import check_choice, check_positive, check_positive_int
from keras_mlp.json_files import write_json

MOST_POINTS_LOST = 0.5  # of test accuracy, by int8
LEAST_CPU_SHARE = 0.9  # below it another job used the CPU: see benchmarks/README.md
LEAST_SPEED = 3.0  # of int8 over TensorFlow's float32, at the size of S/16


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints Markdown, and writes JSON if asked to; exits on an error."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        _check(options)
    except ValueError as error:
        parser.error(str(error))
    facts = {
        **machine_facts(),
        "command": shlex.join(["python", "-m", "benchmarks.formats", *arguments]),
        "load before": f"{os.getloadavg()[0]:.2f}",
    }
    try:
        run = measure_variant(options) if options.variant else measure_models(options)
    except (OSError, ValueError, Disagreement, WorkerFailed) as error:
        sys.exit(f"error: {error}")
    run["facts"] = {**facts, **run["facts"]}
    print(markdown(run) if options.variant else table(run))
    for warning in run["warnings"]:
        print(f"WARNING: {warning}")
    if options.json:
        write_json(options.json, run)


def measure_models(options: argparse.Namespace) -> dict[str, Any]:
    """Exports every trained model, evaluates all forms on its test images, and times them in turn.

    Args:
        options: the command-line options.

    Returns:
        A dict with "facts"; "models", from name to a dict from the name of a form to its figures
        (see `format_runs`) and "bytes"; and "warnings", a list of sentences.

    Raises:
        ValueError, OSError: a folder holds no trained model, or its images cannot be read.
        Disagreement: forms compute different logits.
        WorkerFailed: a form could not be made or run.
    """
    run: dict[str, Any] = {"facts": {}, "models": {}, "warnings": []}
    for source in options.models:
        trained = read_trained_model(source, options.data_dir)
        with tempfile.TemporaryDirectory() as scratch:
            folder = pathlib.Path(scratch)
            files = write_formats(
                trained.model, folder, options.python, trained.calibration, options.converter
            )
            images, labels = trained.images[: options.images], trained.labels[: options.images]
            accuracy = measure_accuracy(files, images, labels, options)
            timed = litert_at_batch(files, trained.model, folder, options.batch)
            speed = measure_speed(timed, images[: options.batch], options)
            run["models"][trained.name] = {
                form: {**accuracy[form], **speed["contenders"][form], "bytes": size_of(path)}
                for form, path in files.items()
            }
        run["facts"] |= speed["facts"]
        run["warnings"] += accuracy_warnings(trained.name, accuracy)
        run["warnings"] += speed_warnings(trained.name, speed["contenders"])
        # Progress, in case a later model fails.
        print(f"{trained.name} done", file=sys.stderr, flush=True)
    return run


def measure_variant(options: argparse.Namespace) -> dict[str, Any]:
    """Times all forms of a size of an architecture, with random weights.

    Returns:
        A run, for `report.markdown`, with "warnings".

    Raises:
        Disagreement: forms compute different logits.
        WorkerFailed: a form could not be made or run.
    """
    keras.utils.set_random_seed(0)
    model = without_zeros(ARCHITECTURES[options.architecture].from_variant(options.variant))
    shape = (options.batch, *model.image_shape)
    pixels = np.random.default_rng(1).integers(0, 256, shape, "uint8")
    calibration = np.random.default_rng(2).integers(0, 256, (8, *model.image_shape), "uint8")
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        files = write_formats(
            model, folder, options.python, calibration, options.converter, keras_int8=True
        )
        files = litert_at_batch(files, model, folder, options.batch)
        run = measure_speed(files, pixels, options)
        for form, path in files.items():
            result = run["contenders"][form]
            result["description"] += f", {size_of(path) / 1e6:.1f} MB"
    ratio = run["contenders"][LITERT_INT8]["summary"].ratio
    slow = f"{LITERT_INT8} is {ratio:.2f} times as fast as {KERAS}, not {LEAST_SPEED:g}."
    return {**run, "warnings": [slow] if ratio < LEAST_SPEED else []}


def accuracy_warnings(name: str, accuracy: Mapping[str, Mapping[str, float]]) -> list[str]:
    """A sentence for each form that loses too much accuracy."""
    return [
        f"{form} of {name} loses {lost:.2f} points of accuracy, more than {MOST_POINTS_LOST:g}."
        for form, figures in accuracy.items()
        if (lost := -figures["points"]) > MOST_POINTS_LOST
    ]


def speed_warnings(name: str, contenders: Mapping[str, dict[str, Any]]) -> list[str]:
    """A sentence if another job used the CPU."""
    lowest = min(lowest_share(each["samples"]) for each in contenders.values())
    quiet = lowest >= LEAST_CPU_SHARE
    return [] if quiet else [f"The times of {name} are not quotable: a CPU share of {lowest:.2f}."]


def lowest_share(samples: Sequence[Sample]) -> float:
    """The lowest CPU share of some samples."""
    return min(sample.cpu_share for sample in samples)


def table(run: dict[str, Any]) -> str:
    """The results of `measure_models` as Markdown."""
    columns = (
        *("model", "form", "accuracy", "points over Keras", "logits differ by", "MB"),
        *("median ms", "speed over Keras", "range over rounds", "lowest CPU share"),
    )
    lines = [f"- {name}: {value}" for name, value in run["facts"].items()]
    lines += ["", f"| {' | '.join(columns)} |", "|---|---|" + "---:|" * (len(columns) - 2)]
    for name, forms in run["models"].items():
        lines += [_row(name, form, figures) for form, figures in forms.items()]
    return "\n".join(lines) + "\n"


def _row(name: str, form: str, figures: dict[str, Any]) -> str:
    summary = figures["summary"]
    share = lowest_share(figures["samples"])
    return (
        f"| {name} | {form} | {figures['accuracy']:.2%} | {figures['points']:+.2f} "
        f"| {figures['largest']:.1e} | {figures['bytes'] / 1e6:.2f} | {summary.median:.3g} "
        f"| {summary.ratio:.2f} | {summary.lowest:.2f}-{summary.highest:.2f} | {share:.2f} |"
    )


def size_of(path: pathlib.Path) -> int:
    """Size in bytes of a file, or of all files in a folder."""
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    return sum(file.stat().st_size for file in files)


def _check(options: argparse.Namespace) -> None:
    """Raises ValueError for invalid options."""
    if bool(options.models) == bool(options.variant):
        raise ValueError("Give either `--models` or `--variant`.")
    if options.variant:
        check_choice("architecture", options.architecture, ARCHITECTURES)
        check_choice("variant", options.variant, ARCHITECTURES[options.architecture].variants)
    for name in ("batch", "threads", "rounds"):
        check_positive_int(name, getattr(options, name))
    check_threads(options.threads)
    check_positive("seconds", options.seconds)
    if shutil.which(options.python) is None:
        raise ValueError(f"`python` must be an interpreter, got {options.python!r}.")
    if options.images is not None:
        check_positive_int("images", options.images)
    if options.converter and shutil.which(options.converter) is None:
        raise ValueError(f"`converter` must be a program, got {options.converter!r}.")
    if options.converter and shutil.which("node") is None:
        raise ValueError("With `converter`, node must be on the PATH.")
    check_folder_of("json", options.json)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.formats", description=__doc__)
    add = parser.add_argument
    add("--models", nargs="+", metavar="FOLDER", help="folders with model.keras and metrics.json")
    add("--variant", help="variant of the architecture, such as S/16")
    add("--architecture", default="MLPMixer", help="architecture of the variant (MLPMixer)")
    add("--batch", type=int, default=1, help="images per call (1)")
    add("--threads", type=int, default=1, help="threads of a form, each on its own CPU (1)")
    add(
        "--python",
        default=sys.executable,
        help="interpreter with the extras litert, onnx and openvino-int8",
    )
    add("--converter", help="tensorflowjs_converter, to measure TensorFlow.js too (see NODE_PATH)")
    add("--images", type=int, help="use only this many images, the first of the test split")
    add("--data-dir", help="of TFDS; by default, that of the training run")
    add("--rounds", type=int, default=8, help="number of turns of each form (8)")
    add("--seconds", type=float, default=0.3, help="minimum duration of a turn (0.3)")
    add("--json", help="file to write all samples to")
    return parser


if __name__ == "__main__":
    main()
