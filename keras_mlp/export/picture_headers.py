"""What the first bytes of a picture file say, read inside a graph before anything is decoded."""

import functools
from collections.abc import Callable
from typing import Any

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
        png = tf.stack([_number(head[20:24], False), _number(head[16:20], False)])
        gif = tf.stack([_number(head[8:10], True), _number(head[6:8], True)])
        # The height of a BMP file is negative if its first row is the top one.
        bmp = tf.stack([_signed(_number(head[start : start + 4], True)) for start in (22, 18)])
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
        is_exif = (head[1] == 0xE1) & tf.reduce_all(head[4:] == list(_EXIF))
        # Pixels or the end of the file: no more headers. Anything but a marker is damage.
        is_last = (head[0] != 0xFF) | (head[1] == 0xDA) | (head[1] == 0xD9)
        found = tf.where(is_exif, position + 10, found)
        is_padding = head[1] == 0xFF
        step = tf.where(is_padding, tf.constant(1, tf.int64), 2 + _number(head[2:4], False))
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

    extended = 1 + tf.stack([_number(head[27:30], True), _number(head[24:27], True)])
    bits = _number(head[21:25], True)
    lossless = 1 + tf.stack([bits // 2**14 % 2**14, bits % 2**14])
    lossy = tf.stack([_number(head[28:30], True), _number(head[26:28], True)]) % 2**14
    is_extended, is_lossless = (
        tf.reduce_all(head[12:16] == list(kind)) for kind in (b"VP8X", b"VP8L")
    )
    size = tf.where(is_extended, extended, tf.where(is_lossless, lossless, lossy))
    return tf.where(tf.reduce_all(head[8:12] == list(b"WEBP")), size, tf.zeros_like(size))


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
        is_frame, is_extension = (~in_data & (head[0] == kind) for kind in (0x2C, 0x21))
        area = _number(head[5:7], True) * _number(head[7:9], True)
        step = tf.where(in_data, 1 + head[0], tf.where(is_frame, 11 + table(head[9]), 2))
        is_known = in_data | is_frame | is_extension
        in_data = is_frame | is_extension | (in_data & (head[0] > 0))
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
    piece = tf.strings.substr(tf.strings.join([piece, b"\0" * count]), 0, count)
    return tf.ensure_shape(tf.cast(tf.io.decode_raw(piece, tf.uint8), tf.int64), (count,))


def _number(digits: Tensor, is_little: Tensor | bool) -> Tensor:
    """The unsigned number that bytes (..., n) stand for, int64 (...)."""
    import tensorflow as tf

    def sum_of(places: list[int]) -> Tensor:
        return tf.reduce_sum(digits * tf.constant(places, tf.int64), -1)

    little = [256**place for place in range(digits.shape[-1])]
    if isinstance(is_little, bool):
        return sum_of(little if is_little else little[::-1])
    return tf.where(is_little, sum_of(little), sum_of(little[::-1]))


def _signed(number: Tensor) -> Tensor:
    """The absolute value of the signed 32-bit number with these bits."""
    import tensorflow as tf

    return tf.where(number >= 2**31, 2**32 - number, number)
