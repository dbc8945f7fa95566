"""The command lines of the programs in this folder.

Importing TensorFlow takes seconds, which neither `--help` nor an error should cost. So each program
parses its command line and loads its config with the function for it here, before it imports
anything else; its `main` then calls the same function for the options. Nothing that imports Keras
or TensorFlow may be imported here.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from training.config import (
    AnySize,
    Comparison,
    Config,
    Data,
    FineTuneConfig,
    ImageSizes,
    check_config,
    load_config,
)
from training.overrides import apply_override

SPLITS = ("test", "validation", "train")
Arguments = Sequence[str] | None


def train_options(description: str | None, arguments: Arguments = None) -> argparse.Namespace:
    """Parses the command line of `training.train`; ends the program if it is wrong.

    Like the functions below, which do the same for other programs.

    Args:
        description: docstring of the program, for `--help`.
        arguments: list of strings; None for those of the process.

    Returns:
        A namespace with an attribute for each option; `config` is the checked config, overrides
        applied.
    """
    parser = program_parser("training.train", description)
    _add_config(parser)
    _add_workdir(parser)
    parser.add_argument(
        "--accept-changes",
        action="store_true",
        help="continue the training of a folder that was made with another config",
    )
    return _with_config(parser.parse_args(arguments), Config)


def compare_options(description: str | None, arguments: Arguments = None) -> argparse.Namespace:
    """See `train_options`; `config` is a `Comparison`, or None if `stored` names results."""
    parser = program_parser("training.compare", description)
    parser.add_argument(
        "--minutes",
        metavar="N",
        help="the same time for the training steps of each run, instead of the page's epochs",
    )
    options = _study_options(parser, arguments)
    if options.minutes is not None and not options.stored:
        options.overrides.append(f"minutes={options.minutes}")
    return _with_comparison(options)


def scaling_options(description: str | None, arguments: Arguments = None) -> argparse.Namespace:
    """See `train_options`; `config` is a `Comparison`, or None if `stored` names results."""
    parser = program_parser("training.scaling", description)
    parser.add_argument(
        "--percent",
        type=float,
        nargs="+",
        default=[1, 3, 10, 30, 100],
        metavar="P",
        help="of the training images in each subset (default 1 3 10 30 100)",
    )
    parser.add_argument(
        "--steps", type=int, default=2000, metavar="N", help="of each run (default 2000)"
    )
    options = _study_options(parser, arguments)
    if not all(0 < percent <= 100 for percent in options.percent):
        end_with_error(f"`--percent` must be above 0 and at most 100, got {options.percent}.")
    if options.steps < 1:
        end_with_error(f"`--steps` must be a positive integer, got {options.steps}.")
    return _with_comparison(options)


def permuted_options(description: str | None, arguments: Arguments = None) -> argparse.Namespace:
    """See `train_options`; `config` is a `Comparison`, or None if `stored` names results."""
    parser = program_parser("training.permuted", description)
    parser.add_argument(
        "--patch", type=int, default=7, metavar="N", help="side of a patch in pixels (default 7)"
    )
    options = _study_options(parser, arguments)
    if options.patch < 2:
        end_with_error(f"`--patch` must be at least 2 pixels, got {options.patch}.")
    return _with_comparison(options)


def pareto_options(description: str | None, arguments: Arguments = None) -> argparse.Namespace:
    """See `train_options`."""
    parser = program_parser("training.pareto", description)
    parser.add_argument(
        "--from",
        type=existing_path,
        required=True,
        metavar="FILE",
        dest="stored",
        help="results.json of training.compare",
    )
    parser.add_argument(
        "--costs", type=existing_path, metavar="FILE", help="JSON file of benchmarks.latency"
    )
    parser.add_argument(
        "--output", type=nonempty_path, required=True, help="folder of the pictures"
    )
    options = parser.parse_args(arguments)
    must_be_folder("--output", options.output)
    return options


def fewshot_options(description: str | None, arguments: Arguments = None) -> argparse.Namespace:
    """See `train_options`; `config` is None if `stored` names results."""
    parser = program_parser("training.fewshot", description)
    _add_config_or_results(parser)
    parser.add_argument(
        "--source",
        type=nonempty_path,
        nargs="+",
        help="trained models: .keras files, folders of SavedModels or of artefacts",
    )
    parser.add_argument("--output", type=nonempty_path, help="folder of the results")
    parser.add_argument(
        "--shots",
        type=int,
        nargs="+",
        default=[1, 5, 10, 25],
        metavar="K",
        help="images per class (default 1 5 10 25)",
    )
    parser.add_argument(
        "--draws", type=int, default=10, metavar="N", help="of these images (default 10)"
    )
    options = parser.parse_args(arguments)
    if options.stored:
        return options
    for name in ("source", "output"):
        if getattr(options, name) is None:
            parser.error(f"the following arguments are required: --{name}")
    for source in options.source:
        must_exist("--source", source)
    must_be_folder("--output", options.output)
    for name, count in [("shots", each) for each in options.shots] + [("draws", options.draws)]:
        if count < 1:
            end_with_error(f"`--{name}` must be a positive integer, got {count}.")
    return _with_config(options, Config)


def finetune_options(description: str | None, arguments: Arguments = None) -> argparse.Namespace:
    """See `train_options`; `config` is a `FineTuneConfig`, or None if there is a `folder`."""
    parser = program_parser("training.finetune", description)
    add = parser.add_argument
    data = parser.add_mutually_exclusive_group(required=True)
    data.add_argument("--folder", type=nonempty_path, help="pictures, FOLDER/CLASS/*.jpg")
    _add_config(parser, data)
    add(
        "--source",
        type=nonempty_path,
        help="a .keras file; the folder of a run, an artefact or a SavedModel; or the name of "
        "published weights",
    )
    _add_workdir(parser)
    add("--epochs", type=int, metavar="N", help="passes over the training pictures")
    add("--image-size", type=int, metavar="N", help="side of the model's images, in pixels")
    add("--channels", type=int, choices=(1, 3), help="1 for grey images, 3 for colour")
    add("--compare", action="store_true", help="train the source frozen and from scratch, too")
    add(
        "--accept-changes",
        action="store_true",
        help="continue in a folder that was made with another config",
    )
    options = parser.parse_args(arguments)
    if options.epochs is not None:
        options.overrides.append(f"epochs={options.epochs}")
    if options.config is not None:
        return _with_page(options)
    if options.image_size is not None and options.image_size < 1:
        end_with_error(f"`--image-size` must be a positive integer, got {options.image_size}.")
    must_exist("--folder", options.folder)
    try:  # the keys and values; what they are for is known later
        config = Config()
        for override in options.overrides:
            apply_override(config, override)
        check_config(config)
    except ValueError as error:
        end_with_error(error)
    return options


def _with_page(options: argparse.Namespace) -> argparse.Namespace:
    """The options of a fine-tuning by a page."""
    if not options.source:
        end_with_error("`--config` needs `--source`, the model to fine-tune.")
    for name in ("image_size", "channels", "compare", "accept_changes"):
        if getattr(options, name):
            end_with_error(f"`--{name.replace('_', '-')}` is for `--folder`.")
    return _with_config(options, FineTuneConfig)


def image_sizes_options(description: str | None, arguments: Arguments = None) -> argparse.Namespace:
    """See `train_options`; `config` is an `ImageSizes`."""
    parser = program_parser("training.image_sizes", description)
    _add_source(parser, "workdir of a training.compare")
    _add_config(parser)
    _add_workdir(parser)
    options = _with_config(parser.parse_args(arguments), ImageSizes)
    must_exist("--source", options.source)
    return options


def any_size_options(description: str | None, arguments: Arguments = None) -> argparse.Namespace:
    """See `train_options`; `config` is an `AnySize`."""
    parser = program_parser("training.any_size", description)
    _add_config(parser)
    _add_workdir(parser)
    _add_jobs(parser)
    return _with_config(_checked_jobs(parser.parse_args(arguments)), AnySize)


def dry_run_options(description: str | None, arguments: Arguments = None) -> argparse.Namespace:
    """See `train_options`."""
    parser = program_parser("training.dry_run", description)
    _add_config(parser)
    parser.add_argument(
        "--images", type=int, default=2, metavar="N", help="images per step (default 2)"
    )
    options = _with_config(parser.parse_args(arguments), Config)
    if options.images < 1:
        end_with_error(f"`--images` must be at least 1, got {options.images}.")
    return options


def evaluate_options(description: str | None, arguments: Arguments = None) -> argparse.Namespace:
    """See `train_options`; `config` is None if pictures of a folder are evaluated."""
    parser = program_parser("training.evaluate", description)
    _add_source(parser, "a .keras file, or the folder of a run, of a SavedModel or of an artefact")
    data = parser.add_mutually_exclusive_group(required=True)
    _add_config(parser, data)
    data.add_argument(
        "--folder", type=nonempty_path, help="a folder of pictures, FOLDER/CLASS/*.jpg"
    )
    parser.add_argument(
        "--upright",
        action="store_true",
        help="turn pictures of the folder as their EXIF orientation asks",
    )
    parser.add_argument(
        "--max-pixels",
        type=int,
        metavar="N",
        help="largest height times width of a picture of the folder (89,478,485)",
    )
    parser.add_argument("--split", default="test", choices=SPLITS, help="of the config's data")
    parser.add_argument(
        "--output", type=nonempty_path, help="folder for evaluation.json and pictures"
    )
    options = parser.parse_args(arguments)
    must_exist("--source", options.source)
    if options.output:
        must_be_folder("--output", options.output)
    if options.max_pixels is not None and options.max_pixels < 1:
        end_with_error(f"`--max-pixels` must be a positive integer, got {options.max_pixels}.")
    if options.config is not None:
        if options.upright or options.max_pixels is not None:
            end_with_error(
                "`--upright` and `--max-pixels` are for `--folder`; with `--config` set "
                "`data.upright` and `data.max_pixels` by `--set`."
            )
        options = _with_config(options, Config)
    options.max_pixels = options.max_pixels or Data.max_pixels
    if options.config is not None:
        return options
    if options.overrides or options.split != "test":
        end_with_error("`--set` and `--split` are for `--config`; `--folder` does not use them.")
    must_exist("--folder", options.folder)
    return options


def launch_options(description: str | None, arguments: Arguments = None) -> argparse.Namespace:
    """See `train_options`; `train` is the checked command line of each worker, a list."""
    parser = program_parser("training.launch", description)
    parser.add_argument("--workers", type=int, required=True, help="number of processes")
    parser.add_argument(
        "--restarts", type=int, default=10, help="restarts after a worker's death, at most (10)"
    )
    parser.add_argument("train", nargs="+", metavar="OPTION", help="of training.train, after --")
    options = parser.parse_args(arguments)
    if options.workers < 1 or options.restarts < 0:
        parser.error("--workers must be at least 1, --restarts at least 0.")
    options.train += ["--set", "runtime.strategy=multi_worker_mirrored"]
    train_options(None, options.train)
    return options


def report_options(description: str | None, arguments: Arguments = None) -> argparse.Namespace:
    """See `train_options`; there is no config."""
    parser = program_parser("training.report", description)
    parser.add_argument(
        "runs",
        type=nonempty_path,
        nargs="+",
        metavar="RUN",
        help="folder of a finished run of training.train; several are compared on one page",
    )
    parser.add_argument(
        "--output",
        type=nonempty_path,
        metavar="FILE.html",
        help="the page; RUN/report.html by default, comparison.html for several runs",
    )
    options = parser.parse_args(arguments)
    for run in options.runs:
        must_exist("RUN", run)
    if options.output and not options.output.endswith(".html"):
        end_with_error(f"`--output` {options.output} must end with .html.")
    return options


def arrays_options(description: str | None, arguments: Arguments = None) -> argparse.Namespace:
    """See `train_options`; there is no config."""
    parser = program_parser("training.data.arrays", description)
    add = parser.add_argument
    add("name", type=nonempty_path, help="of a prepared TFDS data set, or path of a picture folder")
    add("--output", type=nonempty_path, required=True, help="the .npz file")
    add("--data-dir", type=nonempty_path, help="where TFDS keeps its prepared data sets")
    options = parser.parse_args(arguments)
    if not options.output.endswith(".npz"):
        end_with_error(f"`--output` {options.output} must end with .npz.")
    return options


def back_to_best_options(
    description: str | None, arguments: Arguments = None
) -> argparse.Namespace:
    """See `train_options`; there is no config."""
    parser = program_parser("training.back_to_best", description)
    parser.add_argument("run", type=nonempty_path, help="folder of a run of training.train")
    options = parser.parse_args(arguments)
    must_exist("RUN", options.run)
    return options


def demo_options(description: str | None, arguments: Arguments = None) -> argparse.Namespace:
    """See `train_options`; there is no config."""
    parser = program_parser("training.demo", description)
    parser.add_argument(
        "--folder", type=nonempty_path, default="demo", help="where everything is written (demo)"
    )
    return parser.parse_args(arguments)


def program_parser(program: str, description: str | None) -> argparse.ArgumentParser:
    """A parser that shows its description as it is written, for `python -m program`.

    `keras-mlp` runs the same programs under names of its own, which it leaves in `sys.argv`.
    """
    name = f"python -m {program}"
    if sys.argv[0].startswith("keras-mlp "):
        name = sys.argv[0]
        description = description and description.replace(f"python -m {program}", name)
    return argparse.ArgumentParser(
        prog=name,
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def nonempty_path(text: str) -> str:
    """An `argparse` type: a path as it is, but not "", which would stand for this folder."""
    if not text:
        raise argparse.ArgumentTypeError("must not be empty; use . for the current folder")
    return text


def existing_path(text: str) -> str:
    """An `argparse` type: a path at which there is something."""
    if not os.path.exists(nonempty_path(text)):  # pathlib raises for names that are too long
        raise argparse.ArgumentTypeError(f"{text} does not exist")
    return text


def must_exist(name: str, path: str) -> None:
    """Ends the program unless there is something at a path.

    Args:
        name: of the option, for the error.
        path: what the option is set to.
    """
    if not os.path.exists(path):  # pathlib raises for names that are too long
        end_with_error(f"`{name}` {path} does not exist.")


def must_be_folder(name: str, path: str) -> None:
    """Ends the program if there is something other than a folder at a path; as `must_exist`."""
    if os.path.exists(path) and not os.path.isdir(path):
        end_with_error(f"`{name}` {path} is a file: name a folder.")


def end_with_error(reason: object) -> NoReturn:
    """Ends the program with one line on stderr and exit code 1."""
    sys.exit(f"error: {reason}")


def _add_config(
    parser: argparse.ArgumentParser, group: argparse._MutuallyExclusiveGroup | None = None
) -> None:
    """Adds `--config`, to a group of alternatives if there is one, and `--set`."""
    text = "a page: a Python file that defines CONFIG, or the name of one of ours, such as digits"
    if group is None:
        parser.add_argument("--config", type=nonempty_path, required=True, help=text)
    else:
        group.add_argument("--config", type=nonempty_path, help=text)
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="overrides",
        help="change a value of the page, such as optimizer.learning_rate=0.002; may be repeated",
    )


def _add_config_or_results(parser: argparse.ArgumentParser) -> None:
    """Adds `--config` and `--set`, or in their place `--from`."""
    task = parser.add_mutually_exclusive_group(required=True)
    _add_config(parser, task)
    task.add_argument(
        "--from",
        nargs="+",
        type=existing_path,
        metavar="FILE",
        dest="stored",
        help="measure nothing; print the tables of results.json files again",
    )


def _add_jobs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--jobs",
        type=int,
        default=0,
        metavar="N",
        help="runs at a time, each in a process with one core; 0, the default, for one after the "
        "other in this process",
    )


def _checked_jobs(options: argparse.Namespace) -> argparse.Namespace:
    if options.jobs < 0:
        end_with_error(f"`--jobs` must be 0 or a positive integer, got {options.jobs}.")
    return options


def _study_options(parser: argparse.ArgumentParser, arguments: Arguments) -> argparse.Namespace:
    """What programs share that train many models side by side, or print what was found."""
    _add_config_or_results(parser)
    parser.add_argument("--workdir", type=nonempty_path, help="folder of the runs")
    parser.add_argument(
        "--seeds", type=int, nargs="+", metavar="N", help="instead of those of the page's repeats"
    )
    _add_jobs(parser)
    options = _checked_jobs(parser.parse_args(arguments))
    if options.stored:
        return options
    if options.workdir is None:
        parser.error("the following arguments are required: --workdir")
    if options.seeds:
        options.overrides.append(f"seeds={tuple(options.seeds)}")
    return options


def _with_comparison(options: argparse.Namespace) -> argparse.Namespace:
    return options if options.stored else _with_config(options, Comparison)


def _add_source(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("--source", type=nonempty_path, required=True, help=text)


def _add_workdir(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workdir", type=nonempty_path, required=True, help="folder of the run")


def _with_config(
    options: argparse.Namespace, kind: type[Config | ImageSizes | FineTuneConfig]
) -> argparse.Namespace:
    """The same options, with the config in place of the path of its page."""
    try:
        options.config = load_config(options.config, options.overrides, kind)
    except ValueError as error:
        end_with_error(error)
    return options
