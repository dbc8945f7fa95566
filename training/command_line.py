"""The command lines of the programs in this folder.

Importing TensorFlow takes seconds, which neither `--help` nor an error should cost. So each program
parses its command line and loads its config with the function for it here, before it imports
anything else; its `main` then calls the same function for the options. Nothing that imports Keras
or TensorFlow may be imported here.
"""

import argparse
import pathlib
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
    """See `train_options`; `config` is a `Comparison`."""
    parser = program_parser("training.compare", description)
    _add_config(parser)
    _add_workdir(parser)
    parser.add_argument(
        "--seeds", type=int, nargs="+", metavar="N", help="instead of those of the page's repeats"
    )
    options = parser.parse_args(arguments)
    if options.seeds:
        options.overrides.append(f"seeds={tuple(options.seeds)}")
    return _with_config(options, Comparison)


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
    return _with_config(parser.parse_args(arguments), AnySize)


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
    _add_source(parser, "a .keras file, or the folder of a SavedModel or of an artefact")
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
    if options.output and pathlib.Path(options.output).is_file():
        end_with_error(f"`--output` {options.output} is a file: name a folder.")
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
    """A parser for `python -m program` that shows its description as it is written."""
    return argparse.ArgumentParser(
        prog=f"python -m {program}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def nonempty_path(text: str) -> str:
    """An `argparse` type: a path as it is, but not "", which would stand for this folder."""
    if not text:
        raise argparse.ArgumentTypeError("must not be empty; use . for the current folder")
    return text


def must_exist(name: str, path: str) -> None:
    """Ends the program unless there is something at a path.

    Args:
        name: of the option, for the error.
        path: what the option is set to.
    """
    if not pathlib.Path(path).exists():
        end_with_error(f"`{name}` {path} does not exist.")


def end_with_error(reason: object) -> NoReturn:
    """Ends the program with one line on stderr and exit code 1."""
    sys.exit(f"error: {reason}")


def _add_config(
    parser: argparse.ArgumentParser, group: argparse._MutuallyExclusiveGroup | None = None
) -> None:
    """Adds `--config`, to a group of alternatives if there is one, and `--set`."""
    text = "a page of training/configs"
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
