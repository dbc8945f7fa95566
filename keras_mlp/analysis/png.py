"""PNG files from arrays, with the standard library alone."""

import os
import struct
import zlib

from keras_mlp.typing import Array
from keras_mlp.whole_files import write_bytes


def write_png(path: str | os.PathLike[str], pixels: Array) -> None:
    """Writes an image. The file appears complete or not at all.

    Args:
        path: path of the file.
        pixels: uint8 array (H, W, 3) in the order red, green, blue.

    Raises:
        OSError: `path` cannot be written.
    """
    write_bytes(path, _png(pixels))


def _png(pixels: Array) -> bytes:
    height, width, _ = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits per channel, RGB
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)  # 0: an unfiltered row
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*each) for each in chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)
