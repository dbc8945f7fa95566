"""Converts a trained model for another runtime: LiteRT, ONNX or TensorFlow.js."""

import argparse
import functools
import pathlib

import keras

from keras_mlp.formats.litert import export_litert
from keras_mlp.formats.onnx import export_onnx
from keras_mlp.formats.tfjs import export_tfjs

MODEL_FILE = "model.keras"
FORMATS = {
    "litert": export_litert,
    "litert-int8": functools.partial(export_litert, quantize="dynamic_int8"),
    "onnx": export_onnx,
    "tfjs": export_tfjs,
}
# Which formats each option is for.
_OPTIONS = {"batch_size": ("litert", "litert-int8"), "converter": ("tfjs",)}


def main(arguments=None):
    """Converts and says where; ends the program on an error.

    Args:
        arguments: list of strings; None for those of the process.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        extra = _extra(options)
        model = keras.models.load_model(_file(options.source), compile=False)
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


def _extra(options):
    """The options that only some formats take, where they were given."""
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


def _file(source):
    """The `.keras` file that a source is or holds."""
    path = pathlib.Path(source)
    file = path / MODEL_FILE if path.is_dir() else path
    if file.suffix != ".keras" or not file.is_file():
        raise ValueError(
            f"SOURCE {source} is neither a .keras file nor a folder with {MODEL_FILE}."
        )
    return file


def _parser():
    parser = argparse.ArgumentParser(prog="python -m keras_mlp.formats", description=__doc__)
    add = parser.add_argument
    add("source", metavar="SOURCE", help=f"a .keras file, or a folder with a {MODEL_FILE}")
    add("--format", required=True, choices=FORMATS)
    add("--output", required=True, metavar="PATH", help="file to write; for tfjs a folder")
    add("--batch-size", type=int, help="images per call, fixed in a LiteRT file (1)")
    add("--converter", help="path of tensorflowjs_converter, where it is not on the PATH")
    add("--training-form", action="store_true", help="do not deploy a RepMLPNet first")
    add("--overwrite", action="store_true", help="replace what is there")
    return parser


if __name__ == "__main__":
    main()
