"""Facts of an artefact's models, measured on the files that users load."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

import keras_mlp
from keras_mlp.export import sha256_of
from keras_mlp.typing import Array, ImageShape
from saved_models.artefact import (
    CLASSIFIER,
    FEATURE_VECTOR,
    KERAS_MODEL,
    load_saved_model,
    read_golden,
    read_labels,
)
from saved_models.golden import agreement, difference
from saved_models.manifest import digests, fingerprint
from training.data.splits import Split
from training.engine.tensorflow.evaluator import evaluate


def measure(
    folder: str | pathlib.Path,
    model: keras_mlp.VisionModel,
    models: Mapping[str, keras_mlp.VisionModel],
    split: Split,
    batch_size: int,
    splits: Mapping[ImageShape, Split],
) -> dict[str, Any]:
    """Measures what `metrics.json` adds to the run's own metrics.

    Args:
        folder: folder with `model.keras`, the SavedModels and `golden.npz`.
        model: the Keras model in `model.keras`.
        models: maps the path of each SavedModel with logits to the Keras model it comes from.
        split: the test split of `model`.
        batch_size: batch size of the evaluation.
        splits: maps each further image shape that the classifier's SavedModel takes to the test
            split at that shape.

    Returns:
        A dict. "agreement" holds the largest absolute differences from the Keras model's outputs,
        "test" the results of the classifier's SavedModel on the whole test split, "curve" its
        accuracy at each size if there are several, "bytes" the sizes on disk, and "sha256" the
        digests; the digest of a folder is its fingerprint.
    """
    folder = pathlib.Path(folder)
    golden = read_golden(folder)
    classifier = load_saved_model(folder / CLASSIFIER)
    served = models[CLASSIFIER]
    parts = [KERAS_MODEL, FEATURE_VECTOR, *models]
    test = evaluate(classifier, split, batch_size)
    return {
        "architecture": type(model).__name__,
        "form": _form(served),
        "image_shape": list(model.image_shape),
        "feature_dim": golden["features"].shape[-1],
        "feature_maps": _maps(folder / CLASSIFIER, classifier, golden["images"]),
        "cost": {KERAS_MODEL: _cost(model), CLASSIFIER: _cost(served)},
        "agreement": agreement(classifier, load_saved_model(folder / FEATURE_VECTOR), golden),
        "sizes": _sizes(folder, models, golden["images"]),
        "test": test,
        "curve": _curve(classifier, model, test["accuracy"], splits, batch_size, golden["images"]),
        "bytes": {part: _bytes(folder / part) for part in parts},
        "sha256": {part: _sha256(folder / part) for part in parts},
        "classes": read_labels(folder),
    }


def _sha256(path: pathlib.Path) -> str:
    """The digest of a file, or the fingerprint of the files in a folder."""
    return fingerprint(digests(path)) if path.is_dir() else sha256_of(path)


def _form(model: keras_mlp.VisionModel) -> str | None:
    is_deployed = getattr(model, "deployed", None)
    return None if is_deployed is None else "deployed" if is_deployed else "training"


def _maps(folder: pathlib.Path, classifier: Any, images: Array) -> dict[str, list[int]]:
    """Shapes of the classifier's feature maps without the batch axis, from the stem upwards."""
    maps = classifier.features(tf.constant(images[:1]))
    names = keras_mlp.saved_model_info(folder)["features"]
    return {name: list(maps[name].shape[1:]) for name in names}


def _cost(model: keras_mlp.VisionModel) -> dict[str, int]:
    cost = keras_mlp.analysis.cost(model)
    return {
        "parameters": cost.parameters,
        "batch_norm_statistics": cost.batch_norm_statistics,
        "macs": cost.macs,
    }


def _sizes(
    folder: pathlib.Path, models: Mapping[str, keras_mlp.VisionModel], images: Array
) -> dict[str, float]:
    """Agreement of the SavedModels for other sizes, on the golden images resized to each."""
    sizes = {}
    for name, model in models.items():
        if name != CLASSIFIER:
            pixels = resized(images, model.image_shape)
            expected = np.asarray(model(pixels, training=False))
            sizes[name] = difference(load_saved_model(folder / name)(pixels), expected)
    return sizes


def _curve(
    classifier: Any,
    model: keras_mlp.VisionModel,
    own: float,
    splits: Mapping[ImageShape, Split],
    batch_size: int,
    images: Array,
) -> list[dict[str, Any]]:
    """Accuracy at each size, and agreement with the Keras model's views on the golden images."""
    if not splits:
        return []
    curve = [{"size": list(model.image_shape[:2]), "accuracy": own, "agreement": 0.0}]
    for shape, split in splits.items():
        pixels = resized(images, shape)
        expected = np.asarray(model.at(shape)(pixels, training=False))
        found = {
            "size": list(shape[:2]),
            "accuracy": evaluate(classifier, split, batch_size)["accuracy"],
            "agreement": difference(classifier(pixels), expected),
        }
        curve.append(found)
    return sorted(curve, key=lambda each: each["size"])


def resized(images: Array, image_shape: Sequence[int]) -> Array:
    """Resizes uint8 images (B, H, W, C) to another height and width, bilinear."""
    new = tf.image.resize(images, image_shape[:2], antialias=True)
    return tf.cast(tf.round(new), tf.uint8).numpy()


def _bytes(path: pathlib.Path) -> int:
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    return sum(file.stat().st_size for file in files)
