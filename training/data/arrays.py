"""Labelled images in one `.npz` file, which every backend reads without TensorFlow:

    python -m training.data.arrays cifar10 --output cifar10.npz
    python -m training.data.arrays pictures --output pictures.npz

writes one from a prepared TFDS data set, or from a folder `SPLIT/CLASS/*.jpg` whose pictures are
all of one size. Pages read it as `data.name="arrays"`, `data.data_dir="cifar10.npz"`.
"""

from training.command_line import Arguments, arrays_options
from training.engine.interruption import end_on_ctrl_c

if __name__ == "__main__":  # wrong options end here, before Keras loads
    end_on_ctrl_c()
    arrays_options(__doc__)

import pathlib
import zipfile

import numpy as np

from keras_mlp.typing import Array
from keras_mlp.whole_files import whole_file
from training.data.digit_arrays import digit_arrays
from training.program_end import clear_end


class ArrayFile:
    """An `.npz` file with uint8 `SPLIT_images` (N, H, W, C), integer `SPLIT_labels` (N,) for each
    split, and `classes`, the names in the order of the labels.

    Args:
        path: of the file.

    Attributes:
        place: what messages call it.
        classes: names.
        splits: from a name to the number of its images.
        image_shape: (H, W, C) of every image.
        channels: C.

    Raises:
        ValueError: the file is missing, damaged, or holds something else.
    """

    def __init__(self, path: str | pathlib.Path | None) -> None:
        if path is None:
            raise ValueError(
                '`data.name`="arrays" needs `data.data_dir`, the path of the .npz file.'
            )
        self.path = pathlib.Path(path)
        self.place = str(path)
        if not self.path.is_file():
            raise ValueError(
                f"`data.data_dir` {path} is not a file. `python -m training.data.arrays NAME "
                "--output FILE.npz` writes one."
            )
        try:
            # numpy leaves a damaged file open.
            with open(self.path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
                self._arrays = {name: file[name] for name in file.files}
        # A damaged header may ask for any amount of memory.
        except (OSError, ValueError, EOFError, MemoryError, zipfile.BadZipFile) as error:
            raise ValueError(f"`data.data_dir` {path} cannot be read: {error}") from error
        self._check()
        self.classes = [str(name) for name in self._arrays["classes"]]

    @property
    def splits(self) -> dict[str, int]:
        return {name: len(self._arrays[f"{name}_labels"]) for name in _splits(self._arrays)}

    @property
    def image_shape(self) -> tuple[int, ...]:
        first = next(iter(self.splits))
        return tuple(self._arrays[f"{first}_images"].shape[1:])

    @property
    def channels(self) -> int:
        return self.image_shape[-1]

    def columns(self, split: str) -> tuple[Array, Array]:
        """uint8 images (N, H, W, C) and int64 labels (N,) of a split."""
        labels = self._arrays[f"{split}_labels"]
        return self._arrays[f"{split}_images"], labels.astype(np.int64)

    def _check(self) -> None:
        splits = _splits(self._arrays)
        if not splits or "classes" not in self._arrays:
            raise ValueError(
                f"`data.data_dir` {self.path} must hold `SPLIT_images` and `SPLIT_labels` of each "
                f"split and `classes`; it holds {', '.join(self._arrays) or 'nothing'}."
            )
        if self._arrays["classes"].ndim != 1 or any(
            self._arrays[f"{name}_{part}"].ndim == 0
            for name in splits
            for part in ("images", "labels")
        ):
            raise ValueError(
                f"`data.data_dir` {self.path}: `classes`, images and labels must have an entry for "
                "each class or image, got a single value."
            )
        shapes = {self._arrays[f"{name}_images"].shape[1:] for name in splits}
        if len(shapes) != 1 or len(next(iter(shapes))) != 3:
            raise ValueError(
                f"The images of `data.data_dir` {self.path} must all be (H, W, C), got {shapes}."
            )
        for name in splits:
            images, labels = (self._arrays[f"{name}_{part}"] for part in ("images", "labels"))
            if images.dtype != np.uint8 or labels.dtype.kind not in "iu":
                raise ValueError(
                    f"{self.path}: `{name}_images` must be uint8 and `{name}_labels` integers, got "
                    f"{images.dtype} and {labels.dtype}."
                )
            if labels.shape != images.shape[:1]:
                raise ValueError(
                    f"{self.path}: `{name}_labels` must be ({len(images)},), one for each of the "
                    f"images, got {labels.shape}."
                )
            count = len(self._arrays["classes"])
            if len(labels) and not 0 <= labels.min() <= labels.max() < count:
                raise ValueError(
                    f"{self.path}: `{name}_labels` must be from 0 to {count - 1}, got "
                    f"{labels.min()} to {labels.max()}."
                )


class DigitArrays:
    """The embedded digits, with the attributes and functions of `ArrayFile`."""

    place = "digits"
    image_shape = (8, 8, 1)
    channels = 1

    def __init__(self) -> None:
        self._columns = digit_arrays()
        self.classes = [str(digit) for digit in range(10)]
        self.splits = {name: len(rows) for name, (rows, _, _) in self._columns.items()}

    def columns(self, split: str) -> tuple[Array, Array]:
        _, images, labels = self._columns[split]
        return images, labels


def write_arrays(
    path: str | pathlib.Path, splits: dict[str, tuple[Array, Array]], classes: list[str]
) -> None:
    """Writes a file that `ArrayFile` reads, whole or not at all.

    Args:
        path: of the file.
        splits: from a name to uint8 images (N, H, W, C) and integer labels (N,).
        classes: names, in the order of the labels.
    """
    arrays = {"classes": np.array(classes)}
    for name, (images, labels) in splits.items():
        arrays |= {f"{name}_images": images, f"{name}_labels": np.asarray(labels, np.int64)}
    with whole_file(path) as beside:
        np.savez(beside, allow_pickle=False, **arrays)


def _splits(arrays: dict[str, Array]) -> list[str]:
    names = [name.removesuffix("_images") for name in arrays if name.endswith("_images")]
    return [name for name in names if f"{name}_labels" in arrays]


def main(arguments: Arguments = None) -> None:
    options = arrays_options(__doc__, arguments)
    with clear_end():
        # Imported here: reading such a file needs no TensorFlow.
        from training.data.to_arrays import source_arrays

        splits, classes = source_arrays(options.name, options.data_dir)
        write_arrays(options.output, splits, classes)
    counts = ", ".join(f"{len(labels):,} {name}" for name, (_, labels) in splits.items())
    print(f"{options.output}: {counts}, {len(classes)} classes")


if __name__ == "__main__":
    main()
