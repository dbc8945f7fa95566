"""A PNG file from an array, with the standard library."""

import os
import pathlib
import struct
import uuid
import zlib


def write_png(path, pixels):
    """Writes a picture; the file appears whole or not at all.

    Args:
        path: of the file.
        pixels: uint8 array (H, W, 3), red, green and blue.

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


def _png(pixels):
    height, width, _ = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits of each of 3 colours
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)  # 0: a row stored as it is
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*each) for each in chunks)


def _chunk(kind, content):
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)
