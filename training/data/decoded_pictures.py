"""Pictures in folders as arrays in memory, decoded by Pillow: for the engine on JAX."""

import collections.abc
import concurrent.futures
import logging
import pathlib
import typing
import warnings

import numpy as np
import PIL.Image
import PIL.ImageOps

from keras_mlp.typing import Array
from training.config import Data
from training.data.checks import OWN_PICTURES, named_splits
from training.data.damage import beyond_limit, described
from training.data.image_folder import ImageFolder
from training.data.own_pictures import OwnPictures

log = logging.getLogger(__name__)

_FILTERS = {
    "bilinear": PIL.Image.Resampling.BILINEAR,
    "bicubic": PIL.Image.Resampling.BICUBIC,
    "lanczos3": PIL.Image.Resampling.LANCZOS,
}


class TooLarge(ValueError):
    """A picture has more pixels than it may have."""


class DecodedPictures:
    """Pictures of class folders, whole, at the model's size; with the attributes of `ArrayFile`.

    Every split is decoded once. The label of a damaged picture is -1.

    Args:
        data: a `training.config.Data` whose `name` is "pictures" or "image_folder".
        image_shape: (H, W, C) of the model; C is 1 or 3.

    Attributes:
        damaged: paths of pictures that could not be read, in the splits read so far.

    Raises:
        ValueError: there is no such folder, or no pictures, as `OwnPictures` and `ImageFolder` say.
    """

    channels: int | None = None  # decoded as the model asks

    def __init__(self, data: Data, image_shape: tuple[int, ...]) -> None:
        if data.data_dir is None:
            raise ValueError(
                f"`data.name`={data.name!r} needs `data.data_dir`, the folder it is in."
            )
        root = pathlib.Path(data.data_dir).absolute()
        if not root.is_dir():
            raise ValueError(f"`data.data_dir` {root} is not a folder.")
        if data.name == OWN_PICTURES:
            self.folder: ImageFolder = OwnPictures(root, data)
        else:
            self.folder = ImageFolder(root, named_splits(data), data)
        self.data, self.image_shape = data, image_shape
        self.place, self.classes = self.folder.place, self.folder.classes
        self.splits = self.folder.splits
        self.damaged: dict[str, str] = {}
        self._columns: dict[str, tuple[Array, Array]] = {}

    def notes(self) -> list[str]:
        """What reading does to the pictures that a user may not expect."""
        return self.folder.notes(self.image_shape[-1])

    def columns(self, split: str) -> tuple[Array, Array]:
        """uint8 images (N, H, W, C) and int64 labels (N,) of a split; -1 for a damaged picture.

        Raises:
            ValueError: more pictures are damaged than `data.max_corrupt`.
        """
        if split not in self._columns:
            paths, labels = self.folder.examples[split]
            images, damaged = decode(
                paths.tolist(),
                self.image_shape,
                interpolation=self.data.interpolation,
                upright=self.data.upright,
                max_pixels=self.data.max_pixels,
            )
            self._note(damaged)
            is_whole = np.array([path not in damaged for path in paths.tolist()])
            self._columns[split] = images, np.where(is_whole, labels, -1)
        return self._columns[split]

    def _note(self, damaged: dict[str, str]) -> None:
        for path, reason in damaged.items():
            log.warning("Skipped a damaged picture: %s", described(path, reason))
        self.damaged |= damaged
        if error := beyond_limit(self.damaged, self.data.max_corrupt):
            raise ValueError(error)


def decode(
    paths: collections.abc.Sequence[str],
    image_shape: tuple[int, ...],
    *,
    interpolation: str = "bilinear",
    upright: bool = False,
    max_pixels: int,
) -> tuple[Array, dict[str, str]]:
    """Decodes files of pictures, converts them to grey or colour, and resizes them whole.

    Args:
        paths: of the files.
        image_shape: (H, W, C) of the result; C is 1 or 3.
        interpolation: "bilinear", "bicubic" or "lanczos3", with antialiasing.
        upright: turn pictures as their EXIF orientation asks.
        max_pixels: largest height times width of a file's picture.

    Returns:
        uint8 images (N, H, W, C), black where a file cannot be read; and the paths of these files,
        with the reason where it is more than damage, "" elsewhere.
    """
    images = np.zeros((len(paths), *image_shape), np.uint8)

    def read(number: int) -> str | None:
        try:
            images[number] = _pixels(
                paths[number], image_shape, _FILTERS[interpolation], upright, max_pixels
            )
        except TooLarge as error:
            return str(error)
        except Exception:  # a damaged file can raise anything
            return ""
        return None

    with warnings.catch_warnings(), concurrent.futures.ThreadPoolExecutor() as threads:
        warnings.simplefilter("ignore")  # of odd files; decoding decides
        reasons = dict(zip(paths, threads.map(read, range(len(paths))), strict=True))
    return images, {path: reason for path, reason in reasons.items() if reason is not None}


def _pixels(
    path: str,
    image_shape: tuple[int, ...],
    resampling: PIL.Image.Resampling,
    upright: bool,
    max_pixels: int,
) -> Array:
    height, width, channels = image_shape
    with PIL.Image.open(path) as image:
        if image.width * image.height > max_pixels:
            raise TooLarge(
                f"{image.width} x {image.height} pixels, above `data.max_pixels`={max_pixels}"
            )
        picture: PIL.Image.Image = PIL.ImageOps.exif_transpose(image) if upright else image
        if picture.mode.startswith("I"):  # 16 bits of grey, which Pillow would cut off at 255
            picture = PIL.Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
        picture = picture.convert("L" if channels == 1 else "RGB")
        resized = picture.resize((width, height), resampling)
        return typing.cast(Array, np.asarray(resized).reshape(image_shape))
