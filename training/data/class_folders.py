"""A folder of pictures with a subfolder per class, as a split."""

import concurrent.futures
import logging
import pathlib
from collections.abc import Sequence

import tensorflow as tf

from keras_mlp.export.picture_headers import MAX_PIXELS, orientation_of, upright, within_bound
from keras_mlp.export.pictures import grey
from training.data.decoding import resize
from training.data.labelled_folder import labelled_folder, unreadable
from training.data.picture_files import content_of, needs_pillow
from training.data.picture_notes import picture_fault, picture_notes
from training.data.pipeline import Split

log = logging.getLogger(__name__)


def load_folder(
    root: str | pathlib.Path,
    classes: Sequence[str],
    image_shape: tuple[int, int, int],
    *,
    turn: bool = False,
    max_pixels: int = MAX_PIXELS,
) -> Split:
    """Loads pictures `ROOT/CLASS/*.jpg`, as `labelled_folder` lists them.

    Pictures of another size are resized without cropping, bilinear and antialiased. Pictures are
    converted to the model's number of channels. A warning names what users may not expect, such
    as files that are not read.

    Args:
        root: path of the folder.
        classes: names of the model's classes, which folders are matched with.
        image_shape: (H, W, C), C 1 or 3.
        turn: turn pictures as their EXIF orientation asks.
        max_pixels: largest height times width of a picture.

    Returns:
        A `training.data.pipeline.Split`, in the order of the paths.

    Raises:
        ValueError: there is no folder or no picture, a folder's name is not a class, a picture is
            damaged or too large, or `image_shape` has another number of channels.
    """
    found = labelled_folder(root, classes, image_shape[-1])
    paths = found.paths
    reader = _Reader(image_shape, turn, max_pixels, needs_pillow(paths))
    _check_pictures(paths, reader)
    for note in [*found.notes, *picture_notes(paths, image_shape[-1], turn)]:
        log.warning(note)
    examples = tf.data.Dataset.from_tensor_slices((paths, found.labels))
    examples = examples.map(
        lambda path, label: (reader.read(path), label), tf.data.AUTOTUNE, deterministic=True
    )
    return Split(lambda: examples, len(paths))


def _check_pictures(paths: Sequence[str], reader: "_Reader") -> None:
    """Reads every picture once: in the stream an error could not name the picture."""
    with concurrent.futures.ThreadPoolExecutor() as threads:
        for path, is_whole in zip(paths, threads.map(reader.can_read, paths), strict=True):
            if not is_whole:
                raise unreadable(path, picture_fault(path, reader.max_pixels))


class _Reader:
    """Reads pictures as `serving_bytes` does.

    Args:
        image_shape: (H, W, C), C 1 or 3.
        turn, max_pixels: as for `load_folder`.
        with_pillow: whether some files are neither JPEG nor PNG.
    """

    def __init__(
        self, image_shape: tuple[int, int, int], turn: bool, max_pixels: int, with_pillow: bool
    ) -> None:
        self.image_shape, self.turn, self.max_pixels = image_shape, turn, max_pixels
        self.with_pillow = with_pillow

    def can_read(self, path: str) -> bool:
        try:
            self._decoded(tf.constant(path))
        except (tf.errors.OpError, OSError, ValueError):  # TensorFlow's; Pillow's
            return False
        return True

    def read(self, path: tf.Tensor) -> tf.Tensor:
        pixels = self._decoded(path)
        if self.image_shape[-1] == 1:
            pixels = grey(pixels)
        return resize(pixels, self.image_shape, "bilinear")

    def _decoded(self, path: tf.Tensor) -> tf.Tensor:
        if self.with_pillow:
            contents = content_of(path, self.max_pixels, self.turn)
        else:
            contents = tf.io.read_file(path)
        contents = within_bound(contents, self.max_pixels, "--max-pixels")
        # It decodes PNG too. `decode_image` has the fast inverse DCT, which is some levels off.
        pixels = tf.io.decode_jpeg(contents, channels=3, dct_method="INTEGER_ACCURATE")
        return upright(pixels, orientation_of(contents)) if self.turn else pixels
