"""A model as a SavedModel that plain TensorFlow serves and trains further."""

import contextlib
import pathlib
import tempfile

import keras

from keras_mlp.export.description import write_description
from keras_mlp.export.endpoints import input_conventions, reusable
from keras_mlp.export.folders import is_saved_model
from keras_mlp.export.selection import select
from keras_mlp.whole_files import check_replaceable, whole_folder, write_errors

LABELS_FILE = "labels.txt"


def export_saved_model(
    model,
    path,
    *,
    output="logits",
    features=(),
    class_names=None,
    resize=None,
    overwrite=False,
):
    """Writes a model as a SavedModel that plain TensorFlow serves and trains further.

    The loaded object has `__call__(images, training=False)` (`training` is a Python bool),
    `variables`, `trainable_variables` (without the layers that are frozen now) and
    `regularization_losses`; `serve` and `train` for `keras.layers.TFSMLayer`; with `features`,
    `features(images)`; and signatures. Outputs are float32 and the batch size is free. What it
    takes:

    | model | float32, `serving_default` | uint8, `serving_uint8` | files, `serving_bytes` |
    |---|---|---|---|
    | `VisionModel` with `include_preprocessing` | [0, 1], as on TF Hub | [0, 255] | taken |
    | any other model with float input | what the model takes | not taken | not taken |
    | any other model with uint8 input | not taken | [0, 255]; `serving_default` too | taken |

    (Images in [0, 1] cannot become pixels again without rounding, hence the last row.) Float images
    above 2 where [0, 1] is taken are an error of the call, as they are pixels that became floats on
    their way; XLA, and some converters, leave this check out.

    `serving_bytes` takes a batch of JPEG or PNG files in strings, (B,), where the model has one
    image size and 1, 3 or 4 channels. They are decoded to uint8, resized if need be (antialiased,
    by `resize`, or bilinear) and rounded. Alpha is dropped unless the model has 4 channels, which
    only PNG files have; 16 bits become 8; EXIF orientation is not looked at. A damaged file, or an
    animation, is an error of the call.

    A `RepMLPNet` is exported as it is: in the form that trains, unless it comes from `deploy`.

    `tf.Variable.trainable` stays True for frozen layers. Consumers that read that flag instead of
    `trainable_variables`, as `TFSMLayer` does, would train them.

    Args:
        model: a `VisionModel`, or a built functional or sequential Keras model from one image
            (B, H, W, channels) to one tensor.
        path: folder to write, in an existing folder.
        output: "logits" for the model's own output, under the signature key "logits" ("default"
            for a `VisionModel` without top); "features" for what the classifier of a
            `VisionModel` sees, pooled features (B, C), under the key "default".
        features: names, as `model.features` takes them, of what a `VisionModel` computes on its
            way. Then `features(images)`, and the signature `serving_features`, give a dict of
            float32 maps (B, h, w, C) at inference.
        class_names: list of one str per logit, stored in `assets/labels.txt`, one per line.
        resize: None to take images of the model's size only; "nearest", "bilinear", "bicubic" or
            "area" to take any height and width and resize, antialiased: uint8 rounded, as
            picture libraries do; floats as they come. XLA compiles only "nearest".
        overwrite: replace a SavedModel that is there. It stays until the new one is complete.

    Returns:
        `path`, as a `pathlib.Path`. Beside the SavedModel, the folder holds `keras_mlp.json`; see
        `saved_model_info`.

    Raises:
        ValueError: an argument is none of what it may be; or the model has no such output, or is
            not of that kind.
        FileExistsError: there is something at `path`, and `overwrite` is False or it is not a
            SavedModel.
        OSError: `path` cannot be written.
        RuntimeError: Keras runs on another backend than TensorFlow.

    Example:

    >>> export_saved_model(model, "mixer")  # doctest: +SKIP
    >>> tf.saved_model.load("mixer")(images_between_0_and_1)  # doctest: +SKIP
    """
    check_tensorflow_backend()
    selection = select(
        model, output=output, features=features, class_names=class_names, resize=resize
    )
    inputs = input_conventions(selection)
    path = pathlib.Path(path)
    check_replaceable(path, overwrite, is_saved_model, "is not a SavedModel")
    import tensorflow as tf

    with whole_folder(path) as folder:
        holder, signatures = reusable(selection, inputs)
        with _labels(holder, selection.class_names), write_errors(path, tf.errors.OpError):
            tf.saved_model.save(holder, str(folder), signatures)
        write_description(folder, selection, inputs)
    return path


def check_tensorflow_backend():
    """Raises RuntimeError unless Keras runs on TensorFlow."""
    backend = keras.backend.backend()
    if backend != "tensorflow":
        raise RuntimeError(
            f"SavedModels need the TensorFlow backend and Keras runs on {backend!r}: set the "
            "environment variable KERAS_BACKEND=tensorflow before Python starts."
        )


@contextlib.contextmanager
def _labels(holder, class_names):
    """Gives the object to save its labels, in a file that TensorFlow copies while it saves."""
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        if class_names is not None:
            file = pathlib.Path(folder) / LABELS_FILE
            file.write_text("".join(f"{name}\n" for name in class_names), encoding="utf-8")
            holder.labels = tf.saved_model.Asset(str(file))
        yield
