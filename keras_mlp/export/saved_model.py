"""A model as a SavedModel that plain TensorFlow serves and trains further."""

import contextlib
import os
import pathlib
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

import keras

from keras_mlp.arguments import check_path
from keras_mlp.export.description import write_description
from keras_mlp.export.endpoints import input_conventions, reusable
from keras_mlp.export.folders import is_saved_model
from keras_mlp.export.picture_headers import MAX_PIXELS
from keras_mlp.export.selection import select
from keras_mlp.typing import ImageShape
from keras_mlp.whole_files import check_replaceable, whole_folder, write_errors

LABELS_FILE = "labels.txt"


def export_saved_model(
    model: keras.Model,
    path: str | os.PathLike[str],
    *,
    output: str = "logits",
    features: Sequence[str] = (),
    class_names: Sequence[str] | None = None,
    resize: str | None = None,
    max_pixels: int = MAX_PIXELS,
    upright: bool = False,
    image_shapes: Sequence[ImageShape] = (),
    overwrite: bool = False,
) -> pathlib.Path:
    """Writes a model as a SavedModel that plain TensorFlow serves and trains further.

    The loaded object has `__call__(images, training=False)` (`training` is a Python bool),
    `variables`, `trainable_variables` (without layers that are frozen) and
    `regularization_losses`; `serve` and `train` for `keras.layers.TFSMLayer`; with `features`,
    `features(images)`; and signatures. Outputs are float32 and the batch size is free. Inputs are:

    | model | float32, `serving_default` | uint8, `serving_uint8` | files, `serving_bytes` |
    |---|---|---|---|
    | `VisionModel` with `include_preprocessing` | [0, 1], as on TF Hub | [0, 255] | taken |
    | any other model with float input | as the model takes them | not taken | not taken |
    | any other model with uint8 input | not taken | [0, 255]; `serving_default` too | taken |

    (Images in [0, 1] cannot be converted to pixels without rounding, hence the last row.) Where
    [0, 1] is taken, the call fails on float images above 2, which are pixels that were cast to
    float. XLA and some converters omit this check.

    `serving_bytes` takes a batch of JPEG or PNG files as strings (B,), if the model has a fixed
    image size and 1, 3 or 4 channels. They are decoded to uint8, resized if necessary (antialiased,
    with `resize`, or bilinear) and rounded. Alpha is dropped unless the model has 4 channels, which
    only PNG files provide; 16 bits become 8. Pictures are read as they are stored: the EXIF
    orientation, with which cameras say how a picture was held, is ignored unless `upright` is
    True. The call fails on damaged files, on animations, and on pictures of more than `max_pixels`
    pixels, before it decodes them.

    A `RepMLPNet` is exported as it is: in its training form, unless it comes from `deploy`.

    `tf.Variable.trainable` remains True for frozen layers. Consumers that read this flag instead of
    `trainable_variables`, as `TFSMLayer` does, would train them.

    Args:
        model: a `VisionModel`, or a built functional or sequential Keras model from one image
            (B, H, W, channels) to one tensor.
        path: folder to write, in an existing folder.
        output: "logits" for the model's output, under the signature key "logits" ("default" for a
            `VisionModel` without top); the logits of a `VisionModel` with `classifier_activation`
            too, so that every SavedModel trains the same way; "features" for the input of a
            `VisionModel`'s classifier, pooled features (B, C), under the key "default".
        features: names of intermediate outputs of a `VisionModel`, as for `model.features`. Then
            `features(images)` and the signature `serving_features` return a dict of float32 maps
            (B, h, w, C) at inference.
        class_names: one name per logit, stored in `assets/labels.txt`, one per line; None for the
            names that a `VisionModel` has.
        resize: None to take only images of the model's size; "nearest", "bilinear", "bicubic" or
            "area" to take any height and width and resize with antialiasing. uint8 is rounded, as
            in image libraries; floats are not. XLA compiles only "nearest".
        max_pixels: largest height times width of a file that `serving_bytes` decodes; the default
            is 256 MiB as RGB. A file of a few kilobytes may need gigabytes.
        upright: whether `serving_bytes` turns JPEG files as their EXIF orientation asks. Use what
            the model was trained with: `data.upright` in `training`, which is False by default.
        image_shapes: further shapes (H, W, channels) that the SavedModel takes, besides that of a
            `VisionModel`: all endpoints but files take images of any of them, by one set of
            variables, as `model.at` does, and each has signatures of its own, such as
            `serving_default_48x64`.
        overwrite: replace an existing SavedModel, which remains until the new one is complete.

    Returns:
        `path`, as a `pathlib.Path`. The folder also holds `keras_mlp.json`; see `saved_model_info`.

    Raises:
        ValueError: an argument is not allowed, or the model is of another kind or lacks the output.
        FileExistsError: `path` exists, and `overwrite` is False or it is not a SavedModel.
        OSError: `path` cannot be written.
        RuntimeError: Keras runs on a backend other than TensorFlow.

    Example:

    >>> export_saved_model(model, "mixer")  # doctest: +SKIP
    >>> tf.saved_model.load("mixer")(images_between_0_and_1)  # doctest: +SKIP
    """
    check_tensorflow_backend()
    selection = select(
        model,
        output=output,
        features=features,
        class_names=class_names,
        resize=resize,
        max_pixels=max_pixels,
        upright=upright,
        image_shapes=image_shapes,
    )
    inputs = input_conventions(selection)
    path = check_path("path", path)
    check_replaceable(path, overwrite, is_saved_model, "is not a SavedModel")
    import tensorflow as tf

    with whole_folder(path) as folder:
        holder, signatures = reusable(selection, inputs)
        with _labels(holder, selection.class_names), write_errors(path, tf.errors.OpError):
            tf.saved_model.save(holder, str(folder), signatures)
        write_description(folder, selection, inputs)
    return path


def check_tensorflow_backend(what: str = "SavedModels need") -> None:
    """Raises RuntimeError, which begins with `what`, unless Keras runs on TensorFlow."""
    backend = keras.backend.backend()
    if backend != "tensorflow":
        raise RuntimeError(
            f"{what} the TensorFlow backend and Keras runs on {backend!r}: set the "
            "environment variable KERAS_BACKEND=tensorflow before Python starts."
        )


@contextlib.contextmanager
def _labels(holder: Any, class_names: Sequence[str] | None) -> Iterator[None]:
    """Attaches the labels to the object to save, as a file that TensorFlow copies on saving."""
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        if class_names is not None:
            file = pathlib.Path(folder) / LABELS_FILE
            file.write_text("".join(f"{name}\n" for name in class_names), encoding="utf-8")
            holder.labels = tf.saved_model.Asset(str(file))
        yield
