"""A folder of pictures, one folder inside it for each class, as a split."""

import concurrent.futures
import pathlib

import tensorflow as tf

from keras_mlp.arguments import describe_choices
from training.data.decoding import resize
from training.data.image_folder import SUFFIXES
from training.data.pipeline import Split


def load_folder(root, classes, image_shape):
    """Pictures `ROOT/CLASS/*.jpg` (or .jpeg or .png).

    A picture of another size is resized as a whole, bilinear and antialiased; nothing is cropped.
    Grey pictures become coloured and coloured ones grey as the model asks.

    Args:
        root: path of the folder.
        classes: names of the model's classes; folders are matched by name. Classes without a
            folder have no examples.
        image_shape: (H, W, C), C 1 or 3.

    Returns:
        A `training.data.pipeline.Split`, in the order of the paths.

    Raises:
        ValueError: there is no folder or no picture, a folder is named like no class, a picture is
            damaged, or the model takes other channels.
    """
    root = pathlib.Path(root)
    if not root.is_dir():
        raise ValueError(f"`--folder` {root} is no folder.")
    if image_shape[-1] not in (1, 3):
        raise ValueError(f"Pictures have 1 or 3 channels; the model takes {image_shape[-1]}.")
    paths = sorted(
        file for file in root.glob("*/*") if file.suffix.lower() in SUFFIXES and file.is_file()
    )
    if not paths:
        raise ValueError(f"`--folder` {root} holds no CLASS/*{', CLASS/*'.join(SUFFIXES)}.")
    labels = _labels(root, paths, classes)
    _check_pictures(paths)
    examples = tf.data.Dataset.from_tensor_slices(([str(path) for path in paths], labels))
    examples = examples.map(
        lambda path, label: (_read(path, image_shape), label),
        tf.data.AUTOTUNE,
        deterministic=True,
    )
    return Split(examples, len(paths))


def _labels(root, paths, classes):
    numbers = {name: number for number, name in enumerate(classes)}
    for path in paths:
        if path.parent.name not in numbers:
            name = path.parent.name
            near = describe_choices(name, classes).split("Allowed:")[0]  # there may be thousands
            raise ValueError(
                f"`--folder` {root} has a folder {name!r}, which is none of the model's "
                f"{len(classes)} classes. {near}".strip()
            )
    return tf.constant([numbers[path.parent.name] for path in paths], tf.int64)


def _check_pictures(paths):
    """Reads all of them once: in the stream an error could not say which picture it is of."""
    with concurrent.futures.ThreadPoolExecutor() as threads:
        for path, is_whole in zip(paths, threads.map(_is_picture, paths), strict=True):
            if not is_whole:
                raise ValueError(f"`--folder` {path} is damaged, or not the picture it says.")


def _is_picture(path):
    try:
        _decoded(path.read_bytes())
    except tf.errors.InvalidArgumentError:
        return False
    return True


def _decoded(contents):
    # It reads PNG files too. `decode_image` takes the fast inverse transform, some levels off.
    return tf.io.decode_jpeg(contents, channels=3, dct_method="INTEGER_ACCURATE")


def _read(path, image_shape):
    pixels = _decoded(tf.io.read_file(path))
    if image_shape[-1] == 1:
        # Luma as in JPEG files, exactly the pixel where all three are equal.
        pixels = tf.tensordot(tf.cast(pixels, tf.float32), [[0.299], [0.587], [0.114]], 1)
        pixels = tf.round(pixels)
    return resize(pixels, image_shape, "bilinear")
