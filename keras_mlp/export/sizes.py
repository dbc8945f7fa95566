"""One set of weights as SavedModels for several image sizes."""

import os
import pathlib
from collections.abc import Sequence
from typing import Any

from keras_mlp.arguments import check_path, shown
from keras_mlp.export.folders import is_saved_model
from keras_mlp.export.saved_model import check_tensorflow_backend, export_saved_model
from keras_mlp.models import VisionModel
from keras_mlp.weights import with_image_shape
from keras_mlp.whole_files import check_replaceable, whole_folder


def export_at_sizes(
    model: VisionModel,
    folder: str | os.PathLike[str],
    image_shapes: Sequence[tuple[int, int, int]],
    *,
    overwrite: bool = False,
    **kwargs: Any,
) -> pathlib.Path:
    """Writes a SavedModel per image shape, all from the weights of one model.

    The weights are resized to each shape with the defaults of `with_image_shape`;
    docs/image_sizes.md shows the accuracy without fine-tuning. `export_saved_model` with
    `image_shapes` writes one SavedModel for all of them instead, which resizes in every call.

    Args:
        model: a model of one of the architectures of `keras_mlp`. It is not changed.
        folder: folder to write, in an existing folder, with a SavedModel `<folder>/<H>x<W>` per
            shape. It appears complete or not at all.
        image_shapes: distinct shapes (H, W, channels) with the channels of `model`.
        overwrite: replace an existing folder of SavedModels.
        **kwargs: `output`, `features`, `class_names` and `resize`, as for `export_saved_model`.

    Returns:
        `folder`, as a `pathlib.Path`.

    Raises:
        ValueError: `image_shapes` is not a list of distinct shapes, a shape does not fit the model,
            or as `export_saved_model`.
        FileExistsError: `folder` exists, and `overwrite` is False or it holds anything but
            SavedModels.
        OSError: `folder` cannot be written.
        RuntimeError: Keras runs on a backend other than TensorFlow.

    Example:

    >>> export_at_sizes(model, "mixer", [(32, 32, 3), (64, 48, 3)])  # doctest: +SKIP
    >>> tf.saved_model.load("mixer/64x48")(images)  # doctest: +SKIP
    """
    check_tensorflow_backend()
    if not isinstance(image_shapes, (list, tuple)) or not image_shapes:
        raise ValueError(
            "`image_shapes` must be a list of (height, width, channels), got "
            f"{shown(image_shapes)}."
        )
    folder = check_path("folder", folder)
    check_replaceable(
        folder, overwrite, _holds_saved_models, "holds something other than SavedModels"
    )
    models = _models(model, image_shapes)
    with whole_folder(folder) as partial:
        for name, resized in models.items():
            export_saved_model(resized, partial / name, **kwargs)
    return folder


def _models(model: VisionModel, image_shapes: Sequence[Any]) -> dict[str, VisionModel]:
    """Returns a model per size by "HxW". All are built before anything is written."""
    models: dict[str, VisionModel] = {}
    for shape in image_shapes:
        resized = with_image_shape(model, shape)
        height, width, channels = resized.image_shape
        if channels != model.image_shape[-1]:
            raise ValueError(
                f"`image_shapes` holds {shape} and `model` {model.name} takes "
                f"{model.image_shape[-1]} channels: the number of channels cannot be changed here. "
                "Change it by `keras_mlp.with_image_shape` first."
            )
        name = f"{height}x{width}"
        if name in models:
            raise ValueError(f"`image_shapes` must differ, got {name} more than once.")
        models[name] = resized
    return models


def _holds_saved_models(folder: pathlib.Path) -> bool:
    entries = list(folder.iterdir()) if folder.is_dir() else []
    return bool(entries) and all(map(is_saved_model, entries))
