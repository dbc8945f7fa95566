"""PNG files from arrays, with the standard library alone."""

import os
import pathlib
import struct
import uuid
import zlib

from keras_mlp.typing import Array


def write_png(path: str | os.PathLike[str], pixels: Array) -> None:
    """Writes an image. The file appears complete or not at all.

    Args:
        path: path of the file.
        pixels: uint8 array (H, W, 3) in the order red, green, blue.

    Raises:
        OSError: `path` cannot be written.
    """
    path = pathlib.Path(path)
    beside = path.with_name(f".{uuid.uuid4().hex}{path.suffix}")
    try:
        beside.write_bytes(_png(pixels))
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _png(pixels: Array) -> bytes:
    height, width, _ = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits per channel, RGB
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)  # 0: an unfiltered row
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*each) for each in chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)
