"""Files of pictures in class folders: which are read, and what is said about the others."""

import dataclasses
import io
import os
import pathlib
from collections.abc import Iterator, Sequence

import PIL.Image
import PIL.ImageOps

from keras_mlp.typing import Array, Tensor

# TensorFlow decodes the first three. Pillow reads the others, and hands them on as PNG: TensorFlow
# converts none of them to grey, gets palettes of BMP files wrong, and refuses animated WebP files.
_BY_TENSORFLOW = (".jpg", ".jpeg", ".png")
SUFFIXES = (*_BY_TENSORFLOW, ".webp", ".gif", ".bmp")
KINDS = "JPEG, PNG, WebP, GIF or BMP"
SHOWN = 3


@dataclasses.dataclass
class ClassFolders:
    """The pictures in a folder with a subfolder per class.

    Attributes:
        root: path of the folder.
        pictures: maps the name of each class to the paths of its pictures, sorted.
        left_out: paths of files that are not read: other suffixes and broken links.
        loose: paths of pictures that are in no class folder, and are not read.
        deeper: paths of pictures that are not directly in the folder of their class.
    """

    root: pathlib.Path
    pictures: dict[str, list[str]]
    left_out: list[str]
    loose: list[str]
    deeper: list[str]

    def notes(self) -> list[str]:
        """A sentence for each thing that a user may not expect."""
        empty = [name for name, paths in self.pictures.items() if not paths]
        notes = []
        if empty:
            notes.append(
                f"{self.root}: {len(empty)} of {len(self.pictures)} class folders hold no picture: "
                f"{_some(empty)}. These classes have no examples."
            )
        if self.left_out:
            notes.append(
                f"{self.root}: {len(self.left_out)} file(s) are not read: "
                f"{_some(self._relative(self.left_out))}. Pictures must be {KINDS} files, by "
                "their suffix; convert others."
            )
        if self.loose:
            notes.append(
                f"{self.root}: {len(self.loose)} picture(s) in no class folder are not read: "
                f"{_some(self._relative(self.loose))}."
            )
        if self.deeper:
            notes.append(
                f"{self.root}: {len(self.deeper)} picture(s) in folders inside class folders count "
                f"to the class: {_some(self._relative(self.deeper))}."
            )
        return notes

    def _relative(self, paths: Sequence[str]) -> list[str]:
        return [os.path.relpath(path, self.root) for path in paths]


def class_folders(root: pathlib.Path) -> ClassFolders:
    """Lists the pictures `ROOT/CLASS/**/*`, of any of `SUFFIXES` in lower or upper case.

    Links are followed. Hidden files and folders (".DS_Store", "._1.jpg") are ignored.
    """
    loose = [
        entry.path
        for entry in sorted(os.scandir(root), key=lambda entry: entry.name)
        if not entry.is_dir() and _is_picture(entry.name)
    ]
    found = ClassFolders(root, {}, [], loose, [])
    for name in subfolders(root):
        found.pictures[name] = []
        for file, depth in _files(root / name, tuple(map(os.path.realpath, (root, root / name)))):
            if not _is_picture(file.name) or not file.is_file():
                found.left_out.append(file.path)
                continue
            found.pictures[name].append(file.path)
            if depth:
                found.deeper.append(file.path)
    return found


def subfolders(path: pathlib.Path) -> list[str]:
    """Names of the folders in a folder, sorted; hidden ones are ignored."""
    return sorted(
        entry.name
        for entry in os.scandir(path)
        if entry.is_dir() and not entry.name.startswith(".")
    )


def content_of(path: Tensor, max_pixels: int, upright: bool) -> Tensor:
    """The bytes of a picture's file, in a graph: JPEG and PNG as they are, others as PNG."""
    import tensorflow as tf  # listing files works without

    def converted() -> Tensor:
        def as_png(content: Array | bytes) -> bytes:
            # TensorFlow passes bytes inside a graph, and an array of one element outside.
            own: bytes = content if isinstance(content, bytes) else content.item()
            return _as_png(own, max_pixels, upright)

        return tf.ensure_shape(tf.numpy_function(as_png, [tf.io.read_file(path)], tf.string), ())

    is_native = [
        tf.strings.regex_full_match(tf.strings.lower(path), f".*\\{suffix}")
        for suffix in _BY_TENSORFLOW
    ]
    return tf.cond(tf.reduce_any(is_native), lambda: tf.io.read_file(path), converted)


def needs_pillow(paths: Sequence[str]) -> bool:
    """Whether TensorFlow alone cannot read some of the files."""
    return not all(path.lower().endswith(_BY_TENSORFLOW) for path in paths)


def _is_picture(name: str) -> bool:
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


def _as_png(content: bytes, max_pixels: int, upright: bool) -> bytes:
    """The first frame of a picture as the bytes of a PNG file; ValueError if it is too large."""
    with PIL.Image.open(io.BytesIO(content)) as image:
        if image.width * image.height > max_pixels:
            raise ValueError("The picture is larger than the bound.")
        picture: PIL.Image.Image = PIL.ImageOps.exif_transpose(image) if upright else image
        is_grey = picture.mode in ("1", "L")
        with_alpha = "A" in picture.getbands() or "transparency" in picture.info
        stream = io.BytesIO()
        mode = "L" if is_grey and not with_alpha else "RGBA" if with_alpha else "RGB"
        picture.convert(mode).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def _files(
    folder: str | pathlib.Path, above: tuple[str, ...], depth: int = 0
) -> Iterator[tuple[os.DirEntry[str], int]]:
    """The files below a folder, with their depth in it, in the order of their names."""
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.name.startswith("."):
            continue
        if not entry.is_dir():
            yield entry, depth
            continue
        real = os.path.realpath(entry.path)
        if real not in above:  # a link to a folder that holds it would never end
            yield from _files(entry.path, (*above, real), depth + 1)


def _some(names: Sequence[str]) -> str:
    """The first names, on one line."""
    shown = (name if name.isprintable() else ascii(name) for name in names[:SHOWN])
    return ", ".join(shown) + (", ..." if len(names) > SHOWN else "")
