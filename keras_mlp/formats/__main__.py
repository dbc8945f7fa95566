"""Converts a trained model for another runtime: LiteRT, ONNX or TensorFlow.js."""

import argparse
import functools
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import keras

from keras_mlp.errors import first_line
from keras_mlp.formats.labels import LABELS_FILE
from keras_mlp.formats.litert import export_litert
from keras_mlp.formats.onnx import export_onnx
from keras_mlp.formats.tfjs import export_tfjs
from keras_mlp.models import VisionModel

MODEL_FILE = "model.keras"
FORMATS: dict[str, Callable[..., pathlib.Path]] = {
    "litert": export_litert,
    "litert-int8": functools.partial(export_litert, quantize="dynamic_int8"),
    "onnx": export_onnx,
    "tfjs": export_tfjs,
}
# The formats that each option applies to.
_OPTIONS = {"batch_size": ("litert", "litert-int8"), "converter": ("tfjs",)}


def main(arguments: Sequence[str] | None = None) -> None:
    """Converts a model and prints where, or ends the program with an error.

    Args:
        arguments: command-line arguments; None for those of the process.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        extra = _extra(options)
        _check_output(options)
        model = _load(options.source)
        path = FORMATS[options.format](
            model,
            options.output,
            deployed=not options.training_form,
            overwrite=options.overwrite,
            **extra,
        )
    except (ValueError, OSError, RuntimeError, ImportError) as error:
        parser.exit(1, f"error: {error}\n")
    print(path)


def _extra(options: argparse.Namespace) -> dict[str, Any]:
    """Returns the given options that apply to some formats only."""
    extra = {}
    for name, formats in _OPTIONS.items():
        value = getattr(options, name)
        if value is not None and options.format not in formats:
            raise ValueError(
                f"`--{name.replace('_', '-')}` {value} is for `--format` "
                f"{' and '.join(formats)}, not {options.format}."
            )
        if value is not None:
            extra[name] = value
    return extra


def _check_output(options: argparse.Namespace) -> None:
    if pathlib.Path(options.output).exists() and not options.overwrite:
        raise FileExistsError(f"{options.output} already exists; `--overwrite` replaces it.")


def _load(source: str) -> keras.Model:
    file = _file(source)
    try:
        model = keras.models.load_model(file, compile=False)
    except Exception as error:  # damaged bytes raise whatever they happen to break
        raise ValueError(
            f"{file} cannot be loaded; it may be damaged: {first_line(error)}"
        ) from error
    labels = file.parent / LABELS_FILE  # an artefact's
    if isinstance(model, VisionModel) and model.class_names is None and labels.is_file():
        model.class_names = labels.read_text(encoding="utf-8").splitlines()
    return model


def _file(source: str) -> pathlib.Path:
    """Returns the `.keras` file that `source` names, or that is in the folder it names."""
    path = pathlib.Path(source)
    file = path / MODEL_FILE if path.is_dir() else path
    if file.suffix != ".keras" or not file.is_file():
        raise ValueError(
            f"SOURCE {source} is neither a .keras file nor a folder with {MODEL_FILE}."
        )
    return file


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m keras_mlp.formats", description=__doc__)
    add = parser.add_argument
    add("source", metavar="SOURCE", help=f"a .keras file, or a folder with a {MODEL_FILE}")
    add("--format", required=True, choices=FORMATS)
    add("--output", required=True, metavar="PATH", help="file to write; for tfjs a folder")
    add("--batch-size", type=int, help="images per call, fixed in a LiteRT file (default 1)")
    add("--converter", help="path of tensorflowjs_converter, if it is not on the PATH")
    add("--training-form", action="store_true", help="export a RepMLPNet as it is, not deployed")
    add("--overwrite", action="store_true", help="replace an existing output of this kind")
    return parser


if __name__ == "__main__":
    main()
