"""Labelled images in few bytes, to carry them to a machine without network, and back to arrays:

    python -m benchmarks.packed_images pack cifar10.npz --output packed --parts 2
    python -m benchmarks.packed_images unpack packed/part*.npz --output cifar10.npz

Images are columns of lossless WebP, 500 images each: just over half of their bytes. Every part
holds a part of every split; `unpack` needs Pillow and numpy.
"""

import argparse
import io
import pathlib
import sys

import numpy as np
from PIL import Image

from keras_mlp.typing import Array

COLUMN = 500  # images; WebP pictures are at most 16,383 pixels high


def pack(images: Array) -> tuple[Array, Array]:
    """Lossless WebP pictures of columns of images, one after the other.

    Args:
        images: uint8 (N, H, W, 3).

    Returns:
        Their bytes, uint8 (n,), and where each picture ends, int64.
    """
    pictures = []
    for start in range(0, len(images), COLUMN):
        column = images[start : start + COLUMN].reshape(-1, *images.shape[2:])
        file = io.BytesIO()
        Image.fromarray(column).save(file, "WEBP", lossless=True, quality=100, method=4, exact=True)
        pictures.append(np.frombuffer(file.getvalue(), np.uint8))
    return np.concatenate(pictures), np.cumsum([len(each) for each in pictures])


def unpack(packed: Array, ends: Array, height: int) -> Array:
    """The inverse of `pack`: uint8 (N, `height`, W, 3)."""
    starts = [0, *ends[:-1]]
    columns = [
        np.asarray(Image.open(io.BytesIO(packed[start:end].tobytes())).convert("RGB"))
        for start, end in zip(starts, ends, strict=True)
    ]
    return np.concatenate([each.reshape(-1, height, *each.shape[1:]) for each in columns])


def pack_file(source: pathlib.Path, output: pathlib.Path, parts: int) -> None:
    """Writes `part0.npz`, `part1.npz`, ... of a file of `training.data.arrays`."""
    output.mkdir(parents=True, exist_ok=True)
    with np.load(source) as file:
        arrays = {name: file[name] for name in file.files}
    for part in range(parts):
        own = {"classes": arrays["classes"]}
        for name in (name for name in arrays if name.endswith("_images")):
            split = name.removesuffix("_images")
            images, labels = arrays[name], arrays[f"{split}_labels"]
            rows = slice(len(labels) * part // parts, len(labels) * (part + 1) // parts)
            own[f"{split}_packed"], own[f"{split}_ends"] = pack(images[rows])
            own[f"{split}_labels"] = labels[rows].astype(np.uint8)
            own[f"{split}_height"] = np.array(images.shape[1])
        np.savez(output / f"part{part}.npz", **own)


def unpack_files(paths: list[pathlib.Path], output: pathlib.Path) -> None:
    """Joins all parts, in the order of their names, to one file."""
    columns: dict[str, list[Array]] = {}
    for path in sorted(paths):
        with np.load(path) as part:
            for name in (name for name in part.files if name.endswith("_packed")):
                split = name.removesuffix("_packed")
                height = int(part[f"{split}_height"])
                images = unpack(part[name], part[f"{split}_ends"], height)
                columns.setdefault(f"{split}_images", []).append(images)
                columns.setdefault(f"{split}_labels", []).append(
                    part[f"{split}_labels"].astype(np.int64)
                )
            classes = part["classes"]
    arrays = {name: np.concatenate(each) for name, each in columns.items()}
    np.savez(output, allow_pickle=False, classes=classes, **arrays)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.packed_images",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("direction", choices=("pack", "unpack"))
    parser.add_argument("files", nargs="+", type=pathlib.Path)
    parser.add_argument("--output", required=True, type=pathlib.Path)
    parser.add_argument("--parts", type=int, default=2)
    options = parser.parse_args(arguments)
    if options.direction == "unpack":
        unpack_files(options.files, options.output)
    elif len(options.files) != 1:
        sys.exit("error: `pack` takes one file.")
    else:
        pack_file(options.files[0], options.output, options.parts)


if __name__ == "__main__":
    main()
