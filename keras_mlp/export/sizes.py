"""One set of weights as SavedModels for several image sizes."""

import pathlib

from keras_mlp.export.folders import is_saved_model
from keras_mlp.export.saved_model import check_tensorflow_backend, export_saved_model
from keras_mlp.weights import with_image_shape
from keras_mlp.whole_files import check_replaceable, whole_folder


def export_at_sizes(model, folder, image_shapes, *, overwrite=False, **kwargs):
    """Writes a SavedModel per image shape, all from the weights of one model.

    The weights are made to fit each shape as `with_image_shape` does by default; what that is worth
    without fine-tuning, docs/image_sizes.md measures.

    Args:
        model: of one of the architectures of `keras_mlp`. It is not changed.
        folder: to write, in an existing folder: a SavedModel in `<folder>/<H>x<W>` per shape. It
            appears whole or not at all.
        image_shapes: list of (H, W, channels), the channels those of `model`.
        overwrite: replace a folder of SavedModels that is there.
        **kwargs: `output`, `features`, `class_names` and `resize`, as for `export_saved_model`.

    Returns:
        `folder`, as a `pathlib.Path`.

    Raises:
        ValueError: `image_shapes` is no list of shapes that differ; a shape does not fit the model,
            or its architecture is of one size (`VisionPermutator`); or as `export_saved_model`.
        FileExistsError: there is something at `folder`, and `overwrite` is False or it holds
            anything but SavedModels.
        OSError: `folder` cannot be written.
        RuntimeError: Keras runs on another backend than TensorFlow.

    Example:

    >>> export_at_sizes(model, "mixer", [(32, 32, 3), (64, 48, 3)])  # doctest: +SKIP
    >>> tf.saved_model.load("mixer/64x48")(images)  # doctest: +SKIP
    """
    check_tensorflow_backend()
    if not isinstance(image_shapes, (list, tuple)) or not image_shapes:
        raise ValueError(
            f"`image_shapes` must be a list of (height, width, channels), got {image_shapes!r}."
        )
    folder = pathlib.Path(folder)
    check_replaceable(
        folder, overwrite, _holds_saved_models, "holds something else than SavedModels"
    )
    models = _models(model, image_shapes)
    with whole_folder(folder) as partial:
        for name, resized in models.items():
            export_saved_model(resized, partial / name, **kwargs)
    return folder


def _models(model, image_shapes):
    """From "HxW" to the model of that size: all of them, before anything is written."""
    models = {}
    for shape in image_shapes:
        resized = with_image_shape(model, shape)
        height, width, _ = resized.image_shape
        name = f"{height}x{width}"
        if name in models:
            raise ValueError(f"`image_shapes` must differ, got {name} more than once.")
        models[name] = resized
    return models


def _holds_saved_models(folder: pathlib.Path) -> bool:
    entries = list(folder.iterdir()) if folder.is_dir() else []
    return bool(entries) and all(map(is_saved_model, entries))
