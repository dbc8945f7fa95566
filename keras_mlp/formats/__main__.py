"""python -m keras_mlp.formats: a trained model in the format of another runtime."""

import functools
import pathlib
from collections.abc import Callable, Sequence

import keras

from keras_mlp.command_line import end_with_error, formats_options
from keras_mlp.formats.labels import LABELS_FILE
from keras_mlp.formats.litert import export_litert
from keras_mlp.formats.onnx import export_onnx
from keras_mlp.formats.openvino import export_openvino
from keras_mlp.formats.tfjs import export_tfjs
from keras_mlp.keras_file import load_keras_file
from keras_mlp.models import VisionModel

FORMATS: dict[str, Callable[..., pathlib.Path]] = {
    "litert": export_litert,
    "litert-int8": functools.partial(export_litert, quantize="dynamic_int8"),
    "onnx": export_onnx,
    "openvino": export_openvino,
    "openvino-int8": functools.partial(export_openvino, quantize="int8"),
    "tfjs": export_tfjs,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Converts a model and prints where, or ends the program with an error.

    Args:
        arguments: command-line arguments; None for those of the process.
    """
    options = formats_options(arguments)
    try:
        model = _load(options.file)
        path = FORMATS[options.format](
            model,
            options.output,
            deployed=not options.training_form,
            overwrite=options.overwrite,
            **options.own,
        )
    except (ValueError, OSError, RuntimeError, ImportError) as error:
        end_with_error(error)
    print(path)


def _load(file: pathlib.Path) -> keras.Model:
    model = load_keras_file(file)
    labels = file.parent / LABELS_FILE  # an artefact's
    if isinstance(model, VisionModel) and model.class_names is None and labels.is_file():
        model.class_names = _names_in(labels, model)
    return model


def _names_in(labels: pathlib.Path, model: VisionModel) -> list[str]:
    try:
        names = labels.read_text(encoding="utf-8").splitlines()
    except ValueError as error:
        raise ValueError(f"{labels} must be UTF-8 text, or be moved away: {error}.") from error
    if model.include_top and len(names) != model.num_classes:
        raise ValueError(
            f"{labels} has {len(names)} class names, the model {model.num_classes} classes: "
            "correct it, or move it away."
        )
    return names


if __name__ == "__main__":
    main()
