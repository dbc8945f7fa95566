"""python -m keras_mlp.formats: a trained model as a file of LiteRT, ONNX or TensorFlow.js."""

import functools
import pathlib
from collections.abc import Callable, Sequence

from keras_mlp.command_line import end_with_error, formats_options
from keras_mlp.formats.litert import export_litert
from keras_mlp.formats.onnx import export_onnx
from keras_mlp.formats.tfjs import export_tfjs
from keras_mlp.keras_file import load_keras_file

FORMATS: dict[str, Callable[..., pathlib.Path]] = {
    "litert": export_litert,
    "litert-int8": functools.partial(export_litert, quantize="dynamic_int8"),
    "onnx": export_onnx,
    "tfjs": export_tfjs,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Converts a model and prints where, or ends the program with an error.

    Args:
        arguments: command-line arguments; None for those of the process.
    """
    options = formats_options(arguments)
    try:
        model = load_keras_file(options.file)
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


if __name__ == "__main__":
    main()
