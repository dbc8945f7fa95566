"""The command lines of the programs of keras_mlp, such as `python -m keras_mlp.analysis`.

Python imports all of `keras_mlp`, and with it Keras, before it runs a program in it: that takes
seconds, which neither `--help` nor an error should cost. So `keras_mlp/__init__.py` calls
`check_program` before it imports anything else. Nothing that imports Keras may be imported here.
"""

import argparse
import json
import os
import pathlib
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from keras_mlp.arguments import check_choice, check_optional, check_positive_int
from keras_mlp.interruption import end_on_ctrl_c

# The classes need Keras. Tests compare these names with `keras_mlp.ARCHITECTURES`, and the formats
# with those that the program writes.
ARCHITECTURES = (
    "MLPMixer",
    "ResMLP",
    "GMLP",
    "VisionPermutator",
    "RepMLPNet",
    "FFOnly",
    "ViT",
    "ConvMixer",
)
RESIZE_METHODS = ("nearest", "bilinear", "bicubic", "area")
FORMATS = ("litert", "litert-int8", "onnx", "openvino", "openvino-int8", "tfjs")
MODEL_FILE = "model.keras"
# The formats that each option applies to.
_OWN_OPTIONS = {
    "batch_size": ("litert", "litert-int8"),
    "calibration_images": ("openvino-int8",),
    "converter": ("tfjs",),
}

Arguments = Sequence[str] | None


def check_program() -> None:
    """Ends the process if it is `python -m` of a program of ours with a wrong command line.

    From then on Ctrl-C ends the program without a traceback.

    For the time when Python looks for the module of `python -m`: `sys.argv` then has "-m" in the
    place of the program's path.
    """
    # The program's arguments end both lists; its name comes before them.
    name = "".join(sys.orig_argv[-len(sys.argv) :][:1])
    name = name.removeprefix("-m").removesuffix(".__main__")
    if name in (*_PROGRAMS, "keras_mlp"):  # the last runs `keras-mlp`, once this package is loaded
        end_on_ctrl_c()
    if name in _PROGRAMS:
        # TensorFlow's log is for its developers: what fails raises a Python error too. Read when
        # TensorFlow loads; 0 shows all of it.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        _PROGRAMS[name](None)


def analysis_options(arguments: Arguments = None) -> argparse.Namespace:
    """Parses the command line of `keras_mlp.analysis`; ends the program if it is wrong.

    Like the functions below, which do the same for other programs.

    Args:
        arguments: list of strings; None for those of the process.

    Returns:
        A namespace with an attribute for each option; `sides` is a list of sides and
        [height, width] pairs, or None.
    """
    parser = _parser(
        "analysis",
        "Prints what models cost, as Markdown: all published sizes, or one at several image sizes.",
    )
    add = parser.add_argument
    add("--architecture", help=f"one of {', '.join(ARCHITECTURES)}; all published sizes if omitted")
    add("--variant", help="one of its sizes, such as S/16; all of them if omitted")
    add("--sides", help="image sides in pixels, such as 224,448 or 224x448; needs --variant")
    options = parser.parse_args(arguments)
    try:
        _check_analysis(options)
    except ValueError as error:
        end_with_error(error, code=2)
    return options


def convert_options(arguments: Arguments = None) -> argparse.Namespace:
    """See `analysis_options`; `argument` is a dict from the name of an argument to its value."""
    parser = _parser(
        "convert",
        "Converts published files to models that are ready to use. A preset of the catalogue, or a "
        "file in a published naming, becomes a folder with model.keras, a SavedModel, golden "
        "outputs and a card.",
    )
    add = parser.add_argument
    add(
        "source",
        type=_nonempty,
        help="name of a preset, or path of a file, which needs --architecture",
    )
    add("--architecture", help="architecture of the file, such as MLPMixer")
    add("--variant", help="variant of the file, such as B/16")
    add("--file", type=_nonempty, help="path of the preset's file, if you have it")
    add(
        "--argument",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="argument of the constructor, its value as JSON; may be repeated",
    )
    add("--output", type=_nonempty, required=True, metavar="FOLDER", help="folder to write")
    add(
        "--reference",
        type=_nonempty,
        metavar="FILE.npz",
        help="`images` and `logits`, or `x` and `y`, to compare with",
    )
    add("--overwrite", action="store_true", help="replace a folder that was converted before")
    options = parser.parse_args(arguments)
    try:
        options.argument = dict(_argument(each) for each in options.argument)
        _check_convert(options)
        _check_output(options)
    except (ValueError, OSError) as error:
        end_with_error(error)
    return options


def export_options(arguments: Arguments = None) -> argparse.Namespace:
    """See `analysis_options`; `file` is the path of the `.keras` file, `class_names` a list."""
    parser = _parser(
        "export", "Writes a .keras file as a SavedModel that serves and trains further."
    )
    add = parser.add_argument
    add(
        "source",
        type=_nonempty,
        metavar="SOURCE",
        help=f"a .keras file, or a folder with a {MODEL_FILE}",
    )
    add("--output", type=_nonempty, required=True, metavar="FOLDER", help="folder to write")
    add(
        "--returns",
        choices=("logits", "features"),
        default="logits",
        help="what the SavedModel returns (default logits)",
    )
    add(
        "--features",
        nargs="+",
        default=[],
        metavar="LAYER",
        help="intermediate outputs to return on request, such as block_3",
    )
    add(
        "--labels", type=_nonempty, metavar="FILE", help="class names, one per line, to store in it"
    )
    add("--resize", choices=RESIZE_METHODS, help="take any image size and resize it by this method")
    add("--deployed", action="store_true", help="fold convolutions and BatchNorms of a RepMLPNet")
    add("--overwrite", action="store_true", help="replace a SavedModel that is there")
    options = parser.parse_args(arguments)
    try:
        options.file = _model_file(options.source)
        options.class_names = _labels(options.labels)
        _check_output(options)
    except (ValueError, OSError) as error:
        end_with_error(error)
    return options


def weights_options(arguments: Arguments = None) -> argparse.Namespace:
    """See `analysis_options`."""
    parser = _parser("weights", "Lists published weights, for `from_preset`, as Markdown.")
    add = parser.add_argument
    add("--architecture", help=f"one of {', '.join(ARCHITECTURES)}; all of them if omitted")
    add("--variant", help="one of its sizes, such as B/16")
    add("--pattern", default="*", help='names to list, such as "*in21k"')
    options = parser.parse_args(arguments)
    try:
        check_optional("--architecture", options.architecture, _check_architecture)
    except ValueError as error:
        end_with_error(error, code=2)
    return options


def formats_options(arguments: Arguments = None) -> argparse.Namespace:
    """See `analysis_options`; `file` is the path of the `.keras` file.

    `own` is a dict of the given options that apply to some formats only.
    """
    parser = _parser(
        "formats",
        "Converts a trained model for another runtime: LiteRT, ONNX, OpenVINO or TensorFlow.js.",
    )
    add = parser.add_argument
    add(
        "source",
        type=_nonempty,
        metavar="SOURCE",
        help=f"a .keras file, or a folder with a {MODEL_FILE}",
    )
    add("--format", required=True, choices=FORMATS)
    add(
        "--output",
        type=_nonempty,
        required=True,
        metavar="PATH",
        help="file to write; for openvino and tfjs a folder",
    )
    add("--batch-size", type=int, help="images per call of a LiteRT file (default any)")
    add(
        "--calibration-images",
        type=_nonempty,
        metavar="PATH",
        help="for openvino-int8: some 300 training images, a folder of JPEG and PNG files, or a "
        ".npy file of what the model takes",
    )
    add("--converter", help="path of tensorflowjs_converter, if it is not on the PATH")
    add("--training-form", action="store_true", help="export a RepMLPNet as it is, not deployed")
    add("--overwrite", action="store_true", help="replace an existing output of this kind")
    options = parser.parse_args(arguments)
    try:
        options.own = _own_options(options)
        _check_calibration(options)
        _check_output(options)
        options.file = _model_file(options.source)
    except (ValueError, OSError) as error:
        end_with_error(error)
    return options


def end_with_error(error: object, code: int = 1) -> NoReturn:
    """Ends the program with an error on stderr."""
    print(f"error: {error}", file=sys.stderr)
    sys.exit(code)


_PROGRAMS: dict[str, Callable[[Arguments], argparse.Namespace]] = {
    "keras_mlp.analysis": analysis_options,
    "keras_mlp.convert": convert_options,
    "keras_mlp.export": export_options,
    "keras_mlp.formats": formats_options,
    "keras_mlp.weights": weights_options,
}


def _parser(program: str, description: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(prog=f"python -m keras_mlp.{program}", description=description)


def _nonempty(text: str) -> str:
    """An `argparse` type: a path as it is, but not "", which would stand for this folder."""
    if not text:
        raise argparse.ArgumentTypeError("must not be empty; use . for the current folder")
    return text


def _check_analysis(options: argparse.Namespace) -> None:
    if options.architecture is None:
        if options.variant or options.sides:
            raise ValueError("`--variant` and `--sides` need `--architecture`.")
    else:
        check_choice("--architecture", options.architecture, ARCHITECTURES)
        if options.variant is None and options.sides:
            raise ValueError("`--sides` needs `--variant`.")
    options.sides = _sides(options.sides)


def _check_architecture(name: str, value: str) -> str:
    return check_choice(name, value, ARCHITECTURES)


def _labels(path: str | None) -> list[str] | None:
    if path is None:
        return None
    if not pathlib.Path(path).is_file():
        raise FileNotFoundError(f"`--labels`: there is no file at {path}.")
    try:
        return pathlib.Path(path).read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(
            f"`--labels` {path} must be UTF-8 text, a class name a line: {error}."
        ) from error


def _sides(text: str | None) -> list[Any] | None:
    """Parses "224,448" or "224x448,448x448"; None for None."""
    if text is None:
        return None
    try:
        sizes = [[int(side) for side in size.split("x")] for size in text.split(",")]
    except ValueError:
        raise ValueError(f"`--sides` must be like 224,448 or 224x448, got {text!r}.") from None
    return [size[0] if len(size) == 1 else size for size in sizes]


def _argument(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    try:
        return name, json.loads(value)
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"`--argument` must be NAME=VALUE with a JSON value, such as num_classes=10 or "
            f"image_shape=[64,96,3], got {text!r}."
        ) from error


def _check_convert(options: argparse.Namespace) -> None:
    is_file = pathlib.Path(options.source).is_file()
    if options.architecture is None:
        if is_file:
            raise ValueError(f"{options.source} is a file: it needs `--architecture`.")
        if options.variant is not None:
            raise ValueError(f"`--variant` {options.variant!r} needs `--architecture`.")
    else:
        check_choice("--architecture", options.architecture, ARCHITECTURES)
        if options.file is not None:
            raise ValueError("`--file` is for a preset: SOURCE is already the file.")
        if not is_file:
            raise FileNotFoundError(f"There is no checkpoint file at {options.source}.")
    for option in ("file", "reference"):
        path = getattr(options, option)
        if path is not None and not pathlib.Path(path).is_file():
            raise FileNotFoundError(f"`--{option}`: there is no file at {path}.")


def _check_output(options: argparse.Namespace) -> None:
    path = pathlib.Path(options.output)
    if path.exists() and not options.overwrite:
        raise FileExistsError(f"{path} already exists; `--overwrite` replaces it.")
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(f"`--output` {path}: there is no folder {path.absolute().parent}.")


def _own_options(options: argparse.Namespace) -> dict[str, Any]:
    own = {}
    for name, formats in _OWN_OPTIONS.items():
        value = getattr(options, name)
        if value is not None and options.format not in formats:
            raise ValueError(
                f"`--{name.replace('_', '-')}` {value} is for `--format` "
                f"{' and '.join(formats)}, not {options.format}."
            )
        if value is not None:
            own[name] = value
    check_optional("batch_size", options.batch_size, check_positive_int)
    return own


def _check_calibration(options: argparse.Namespace) -> None:
    """Raises an error unless there are calibration images where they are needed."""
    images = options.calibration_images
    if images is None and options.format in _OWN_OPTIONS["calibration_images"]:
        raise ValueError(
            f"`--format` {options.format} needs `--calibration-images`: some 300 training images, "
            "a folder of JPEG and PNG files or a .npy file of what the model takes."
        )
    if images is not None and not pathlib.Path(images).exists():
        raise FileNotFoundError(f"`--calibration-images`: there is nothing at {images}.")


def _model_file(source: str) -> pathlib.Path:
    """Returns the `.keras` file that `source` names, or that is in the folder it names."""
    path = pathlib.Path(source)
    file = path / MODEL_FILE if path.is_dir() else path
    if file.suffix != ".keras" or not file.is_file():
        raise ValueError(
            f"SOURCE {source} is neither a .keras file nor a folder with {MODEL_FILE}."
        )
    return file
