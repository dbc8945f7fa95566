"""A folder of pictures with a subfolder per class, as a split."""

import concurrent.futures
import pathlib
from collections.abc import Sequence

import tensorflow as tf

from keras_mlp.arguments import describe_choices
from training.data.decoding import resize
from training.data.image_folder import SUFFIXES
from training.data.pipeline import Split


def load_folder(
    root: str | pathlib.Path, classes: Sequence[str], image_shape: tuple[int, int, int]
) -> Split:
    """Loads pictures `ROOT/CLASS/*.jpg` (or .jpeg or .png).

    Pictures of another size are resized without cropping, bilinear and antialiased. Pictures are
    converted to the model's number of channels.

    Args:
        root: path of the folder.
        classes: names of the model's classes, which folders are matched with. Classes without a
            folder have no examples.
        image_shape: (H, W, C), C 1 or 3.

    Returns:
        A `training.data.pipeline.Split`, in the order of the paths.

    Raises:
        ValueError: there is no folder or no picture, a folder's name is not a class, a picture is
            damaged, or `image_shape` has another number of channels.
    """
    root = pathlib.Path(root)
    if not root.is_dir():
        raise ValueError(f"`--folder` {root} is not a folder.")
    if image_shape[-1] not in (1, 3):
        raise ValueError(f"Pictures have 1 or 3 channels; the model takes {image_shape[-1]}.")
    paths = sorted(
        file for file in root.glob("*/*") if file.suffix.lower() in SUFFIXES and file.is_file()
    )
    if not paths:
        raise ValueError(f"`--folder` {root} has no files CLASS/*{', CLASS/*'.join(SUFFIXES)}.")
    labels = _labels(root, paths, classes)
    _check_pictures(paths)
    examples = tf.data.Dataset.from_tensor_slices(([str(path) for path in paths], labels))
    examples = examples.map(
        lambda path, label: (_read(path, image_shape), label),
        tf.data.AUTOTUNE,
        deterministic=True,
    )
    return Split(examples, len(paths))


def _labels(root: pathlib.Path, paths: Sequence[pathlib.Path], classes: Sequence[str]) -> tf.Tensor:
    numbers = {name: number for number, name in enumerate(classes)}
    for path in paths:
        if path.parent.name not in numbers:
            name = path.parent.name
            near = describe_choices(name, classes).split("Allowed:")[0]  # there may be thousands
            raise ValueError(
                f"`--folder` {root} has a folder {name!r}, which is not one of the model's "
                f"{len(classes)} classes. {near}".strip()
            )
    return tf.constant([numbers[path.parent.name] for path in paths], tf.int64)


def _check_pictures(paths: Sequence[pathlib.Path]) -> None:
    """Reads every picture once: in the stream an error could not name the picture."""
    with concurrent.futures.ThreadPoolExecutor() as threads:
        for path, is_whole in zip(paths, threads.map(_is_picture, paths), strict=True):
            if not is_whole:
                raise ValueError(f"`--folder` {path} is damaged, or is not a JPEG or PNG file.")


def _is_picture(path: pathlib.Path) -> bool:
    try:
        _decoded(path.read_bytes())
    except tf.errors.InvalidArgumentError:
        return False
    return True


def _decoded(contents: bytes | tf.Tensor) -> tf.Tensor:
    # It decodes PNG too. `decode_image` uses the fast inverse DCT, which is some levels off.
    return tf.io.decode_jpeg(contents, channels=3, dct_method="INTEGER_ACCURATE")


def _read(path: tf.Tensor, image_shape: tuple[int, int, int]) -> tf.Tensor:
    pixels = _decoded(tf.io.read_file(path))
    if image_shape[-1] == 1:
        # Luma as in JPEG files; exact if all three channels are equal.
        pixels = tf.tensordot(tf.cast(pixels, tf.float32), [[0.299], [0.587], [0.114]], 1)
        pixels = tf.round(pixels)
    return resize(pixels, image_shape, "bilinear")
