"""TensorFlow.js: a folder that browsers and Node.js load."""

import os
import pathlib
import shutil
import subprocess
import tempfile

import keras

from keras_mlp.formats.destination import check_destination
from keras_mlp.formats.gelu_order import reorder_gelu
from keras_mlp.formats.inference_graph import inference_graph
from keras_mlp.formats.labels import LABELS_FILE, label_lines
from keras_mlp.whole_files import whole_folder

CONVERTER = "tensorflowjs_converter"
MODEL_FILE = "model.json"
# It pins an older TensorFlow than this package, so it cannot be an extra of it. The last two are
# pinned because newer ydf needs another protobuf, and newer setuptools lack pkg_resources.
REQUIREMENTS = (
    "tensorflowjs==4.22.0",
    "tensorflow-decision-forests==1.12.0",
    "ydf==0.11.0",
    "setuptools<81",
)
_INSTALL = (
    "It needs an environment of its own: python -m venv tfjs-env && tfjs-env/bin/pip install "
    + " ".join(f"'{each}'" for each in REQUIREMENTS)
)


def export_tfjs(
    model: keras.Model,
    path: str | os.PathLike[str],
    *,
    converter: str | os.PathLike[str] | None = None,
    deployed: bool = True,
    overwrite: bool = False,
) -> pathlib.Path:
    """Writes a model as a TensorFlow.js graph model: a folder with `model.json` and weights.

    In float32, with a free batch size. The input is `pixels` in [0, 255] for a `VisionModel` with
    `include_preprocessing`, with the dtype int32 that `tf.browser.fromPixels` returns; otherwise
    `images`, float32, as the model takes them. The output is one float32 tensor. `labels.txt` holds
    the model's `class_names`, if it has them.

    A separate program, `tensorflowjs_converter`, converts the model. Its requirements conflict with
    those of this package, so install it in an environment of its own (`docs/formats.md`).

    Args:
        model: a `VisionModel`, or a built functional or sequential Keras model from one image
            (B, H, W, channels) to one tensor, that computes in float32.
        path: folder to write, in an existing folder.
        converter: path of `tensorflowjs_converter`; None to search the PATH.
        deployed: export a `RepMLPNet` in its deployed form.
        overwrite: replace an existing folder with a `model.json`, once the new one is complete.

    Returns:
        `path`, as a `pathlib.Path`.

    Raises:
        ImportError: the converter is not installed.
        ValueError: an argument is wrong, or the model is of another kind.
        OSError: `path` exists and `overwrite` is False, or it cannot be written.
        RuntimeError: the converter failed, or Keras runs on a backend other than TensorFlow.

    Example:

    >>> export_tfjs(model, "mixer_tfjs", converter="tfjs-env/bin/tensorflowjs_converter")
    ... # doctest: +SKIP

    and in JavaScript:

        const model = await tf.loadGraphModel("mixer_tfjs/model.json");
        const logits = model.predict(tf.browser.fromPixels(canvas).expandDims());
    """
    path = check_destination(path, overwrite, marker=MODEL_FILE)
    program = _find(converter)
    graph = inference_graph(model, deployed)
    with tempfile.TemporaryDirectory() as source, whole_folder(path) as folder:
        graph.save(source)
        reorder_gelu(pathlib.Path(source))
        _run(program, source, folder)
        if graph.class_names is not None:
            (folder / LABELS_FILE).write_text(label_lines(graph.class_names), encoding="utf-8")
    return path


def _find(converter: str | os.PathLike[str] | None) -> str:
    program = shutil.which(converter or CONVERTER)
    if program is None:
        where = "on the PATH" if converter is None else f"at `converter`={str(converter)!r}"
        raise ImportError(f"There is no {CONVERTER} {where}. {_INSTALL}")
    return program


def _run(program: str, source: str, folder: pathlib.Path) -> None:
    order = ["--input_format=tf_saved_model", "--output_format=tfjs_graph_model"]
    finished = subprocess.run(
        [program, *order, "--signature_name=serving_default", source, str(folder)],
        # The module path of this process is wrong for the converter's environment.
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
    )
    if finished.returncode or not (pathlib.Path(folder) / MODEL_FILE).is_file():
        last = (finished.stderr.strip().splitlines() or ["without a message"])[-1]
        raise RuntimeError(f"{program} failed: {last}. {_INSTALL}")
