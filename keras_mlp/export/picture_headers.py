"""What the first bytes of a picture file say, read inside a graph before anything is decoded."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from keras_mlp.typing import Tensor

# Pillow's bound: 256 MiB as RGB.
MAX_PIXELS = 89_478_485
_EXIF = b"Exif\0\0"
_ORIENTATION = 0x0112
_TAGS = 100  # of a directory, at most; cameras write about a dozen


def within_bound(contents: Tensor, max_pixels: int, name: str = "max_pixels") -> Tensor:
    """Returns a file's bytes, after a check that decoding them takes bounded memory.

    A few kilobytes can hold a picture that needs gigabytes when it is decoded.

    Args:
        contents: string tensor (), a JPEG, PNG, GIF, BMP or WebP file.
        max_pixels: largest number of pixels, height times width.
        name: what the user calls `max_pixels`.

    Raises:
        tensorflow.errors.InvalidArgumentError: when run, the picture is larger, or the header of
            a JPEG file is damaged.
    """
    import tensorflow as tf

    size, frames = _measured()(contents)
    pixels = tf.maximum(size[0] * size[1], frames // 3)
    shown = [tf.strings.as_string(side) for side in (size[1], size[0])]
    complaint = tf.strings.join(
        ["A picture of ", shown[0], " x ", shown[1], f" pixels is above `{name}`={max_pixels}."]
    )
    with tf.control_dependencies([tf.debugging.Assert(pixels <= max_pixels, [complaint])]):
        return tf.identity(contents)


@functools.cache
def _measured() -> Any:
    """Returns the function from a file to its `picture_size` and `_gif_frames`.

    It is traced once for all graphs that call it: it has several hundred operations.
    """
    import tensorflow as tf

    def measured(contents: Tensor) -> tuple[Tensor, Tensor]:
        return picture_size(contents), _gif_frames(contents)

    return tf.function(measured, [tf.TensorSpec((), tf.string)], autograph=False)


def picture_size(contents: Tensor) -> Tensor:
    """Returns (height, width) of a JPEG, PNG, GIF, BMP or WebP file, zeros for others: int64 (2,).

    Raises:
        tensorflow.errors.InvalidArgumentError: when run, the header of a JPEG file is damaged.
    """
    import tensorflow as tf

    def of_jpeg() -> Tensor:
        return tf.cast(tf.image.extract_jpeg_shape(contents)[:2], tf.int64)

    def of_others() -> Tensor:
        head = _bytes(contents, 0, 30)
        png = _numbers(head, [(20, 24), (16, 20)], is_little=False)
        gif = _numbers(head, [(8, 10), (6, 8)])
        # The height of a BMP file is negative if its first row is the top one.
        bmp = _signed(_numbers(head, [(22, 26), (18, 22)]))
        size = tf.zeros((2,), tf.int64)
        webp = _webp_size(head)
        for start, each in ((b"\x89PNG", png), (b"GIF8", gif), (b"BM", bmp), (b"RIFF", webp)):
            size = tf.where(_starts_with(contents, start), each, size)
        return size

    return tf.cond(tf.io.is_jpeg(contents), of_jpeg, of_others)


def orientation_of(contents: Tensor) -> Tensor:
    """Returns the EXIF orientation of a JPEG file, 1 to 8; 1 for all other files. int64 ()."""
    import tensorflow as tf

    length = tf.cast(tf.strings.length(contents), tf.int64)

    def goes_on(position: Tensor, found: Tensor) -> Tensor:
        return (position + 4 <= length) & (found < 0)

    def next_segment(position: Tensor, found: Tensor) -> tuple[Tensor, Tensor]:
        head = _bytes(contents, position, 10)
        fields = _numbers(head, [(0, 1), (1, 2), (2, 4)], is_little=False)
        mark, kind, size = tf.unstack(fields)
        is_exif = (kind == 0xE1) & tf.reduce_all(head[4:] == list(_EXIF))
        # Pixels or the end of the file: no more headers. Anything but a marker is damage.
        is_last = (mark != 0xFF) | (kind == 0xDA) | (kind == 0xD9)
        found = tf.where(is_exif, position + 10, found)
        is_padding = kind == 0xFF
        step = tf.where(is_padding, tf.constant(1, tf.int64), 2 + size)
        return tf.where(is_last, length, position + step), found

    def of_jpeg() -> Tensor:
        start = tf.constant(2, tf.int64), tf.constant(-1, tf.int64)
        _, found = tf.while_loop(goes_on, next_segment, start)
        return tf.cond(
            found >= 0, lambda: _orientation(contents, found), lambda: tf.constant(1, tf.int64)
        )

    return tf.cond(tf.io.is_jpeg(contents), of_jpeg, lambda: tf.constant(1, tf.int64))


def upright(pixels: Tensor, orientation: Tensor) -> Tensor:
    """Turns and mirrors pixels (H, W, C) as their EXIF orientation asks."""
    import tensorflow as tf

    def when(
        orientations: tuple[int, ...], change: Callable[[Tensor], Tensor], pixels: Tensor
    ) -> Tensor:
        is_one = tf.reduce_any(orientation == list(orientations))
        return tf.cond(is_one, lambda: change(pixels), lambda: pixels)

    pixels = when((5, 6, 7, 8), lambda x: tf.transpose(x, (1, 0, 2)), pixels)
    pixels = when((2, 3, 6, 7), lambda x: tf.reverse(x, [1]), pixels)
    return when((3, 4, 7, 8), lambda x: tf.reverse(x, [0]), pixels)


def _orientation(contents: Tensor, start: Tensor) -> Tensor:
    """The orientation in the TIFF header at a position, 1 if it holds none."""
    import tensorflow as tf

    head = _bytes(contents, start, 8)
    is_little = head[0] == ord("I")
    directory = start + _number(head[4:8], is_little)
    count = _number(_bytes(contents, directory, 2), is_little)
    entries = tf.reshape(_bytes(contents, directory + 2, 12 * _TAGS), (_TAGS, 12))
    tags, values = (_number(entries[:, at : at + 2], is_little) for at in (0, 8))
    is_own = (tags == _ORIENTATION) & (tf.range(_TAGS, dtype=tf.int64) < count)
    value = tf.reduce_max(tf.where(is_own, values, 0))
    return tf.where((value >= 1) & (value <= 8), value, 1)


def _webp_size(head: Tensor) -> Tensor:
    """(height, width) from the first 30 bytes of a WebP file of any of its three kinds."""
    import tensorflow as tf

    extended = 1 + _numbers(head, [(27, 30), (24, 27)])
    lossless = 1 + _numbers(head, [(21, 25), (21, 25)]) // [2**14, 1] % 2**14
    lossy = _numbers(head, [(28, 30), (26, 28)]) % 2**14
    file, kind = tf.unstack(_numbers(head, [(8, 12), (12, 16)], is_little=False))
    is_webp, is_extended, is_lossless = (
        word == int.from_bytes(name, "big")
        for word, name in ((file, b"WEBP"), (kind, b"VP8X"), (kind, b"VP8L"))
    )
    size = tf.where(is_extended, extended, tf.where(is_lossless, lossless, lossy))
    return tf.where(is_webp, size, tf.zeros_like(size))


def _gif_frames(contents: Tensor) -> Tensor:
    """Pixels of all frames of a GIF file together, which the decoder unpacks to one byte each."""
    import tensorflow as tf

    length = tf.cast(tf.strings.length(contents), tf.int64)

    def table(flags: Tensor) -> Tensor:
        """Bytes of the colour table that flags describe."""
        return tf.where(flags >= 128, 3 * 2 ** (flags % 8 + 1), 0)

    def goes_on(position: Tensor, in_data: Tensor, pixels: Tensor) -> Tensor:
        return position < length

    def next_block(
        position: Tensor, in_data: Tensor, pixels: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        head = _bytes(contents, position, 10)
        fields = _numbers(head, [(0, 1), (5, 7), (7, 9), (9, 10)])
        first, width, height, flags = tf.unstack(fields)
        is_frame, is_extension = (~in_data & (first == kind) for kind in (0x2C, 0x21))
        area = width * height
        step = tf.where(in_data, 1 + first, tf.where(is_frame, 11 + table(flags), 2))
        is_known = in_data | is_frame | is_extension
        in_data = is_frame | is_extension | (in_data & (first > 0))
        position = tf.where(is_known, position + step, length)
        return position, in_data, pixels + tf.where(is_frame, area, 0)

    def frames() -> Tensor:
        start = 13 + table(_bytes(contents, 10, 1)[0])
        none = tf.constant(False), tf.constant(0, tf.int64)
        return tf.while_loop(goes_on, next_block, (start, *none))[2]

    is_gif = _starts_with(contents, b"GIF8")
    return tf.cond(is_gif, frames, lambda: tf.constant(0, tf.int64))


def _starts_with(contents: Tensor, start: bytes) -> Tensor:
    import tensorflow as tf

    return tf.strings.substr(contents, 0, len(start)) == start


def _bytes(contents: Tensor, position: Tensor | int, count: int) -> Tensor:
    """Bytes from a position as int64 (count,), zeros after the end of the file."""
    import tensorflow as tf

    length = tf.cast(tf.strings.length(contents), tf.int64)
    position = tf.minimum(tf.cast(position, tf.int64), length)
    piece = tf.strings.substr(contents, position, tf.constant(count, tf.int64))
    digits = tf.io.decode_raw(piece, tf.uint8, fixed_length=count)  # adds zeros
    return tf.ensure_shape(tf.cast(digits, tf.int64), (count,))


def _numbers(
    digits: Tensor, fields: Sequence[tuple[int, int]], *, is_little: bool = True
) -> Tensor:
    """The unsigned numbers in fields (start, stop) of bytes, int64 (len(fields),).

    All in one product: a slice and a sum for each would make most of a graph that reads headers.
    """
    import tensorflow as tf

    places = np.zeros((len(fields), digits.shape[0]), np.int64)
    for row, (start, stop) in zip(places, fields, strict=True):
        values = 256 ** np.arange(stop - start)
        row[start:stop] = values if is_little else values[::-1]
    return tf.reduce_sum(places * digits, -1)


def _number(digits: Tensor, is_little: Tensor) -> Tensor:
    """The unsigned number that bytes (..., n) stand for, int64 (...)."""
    import tensorflow as tf

    places = [256**place for place in range(digits.shape[-1])]
    places = tf.where(is_little, tf.constant(places, tf.int64), places[::-1])
    return tf.reduce_sum(digits * places, -1)


def _signed(number: Tensor) -> Tensor:
    """The absolute values of the signed 32-bit numbers with these bits."""
    import tensorflow as tf

    return tf.where(number >= 2**31, 2**32 - number, number)
