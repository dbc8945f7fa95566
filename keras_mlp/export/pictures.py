"""Images inside a graph: decoding files, resizing to the model's size, refusing mistakes."""

from collections.abc import Sequence

from keras_mlp.export.picture_headers import MAX_PIXELS, orientation_of, upright, within_bound
from keras_mlp.typing import Tensor

# Those that do not change an image which already has the size.
RESIZE_METHODS = ("nearest", "bilinear", "bicubic", "area")
DECODED_CHANNELS = (1, 3, 4)


def decoded(
    encoded: Tensor,
    image_shape: tuple[int, int, int],
    method: str,
    max_pixels: int = MAX_PIXELS,
    turn: bool = False,
) -> Tensor:
    """Decodes image files to pixels.

    Args:
        encoded: string tensor (B,) of JPEG or PNG files. Images are converted to or from greyscale
            to match C. Alpha is kept with 4 channels only, and the upper 8 of 16 bits.
        image_shape: (H, W, C) of the result, C one of `DECODED_CHANNELS`.
        method: how to resize, see `resized`.
        max_pixels: largest number of pixels of a file, checked before it is decoded.
        turn: turn and mirror JPEG files as their EXIF orientation asks.

    Returns:
        A uint8 tensor (B, H, W, C).

    Raises:
        tensorflow.errors.InvalidArgumentError: when run, a file is damaged, of another kind, or
            larger than `max_pixels`.
    """
    import tensorflow as tf

    *size, channels = image_shape

    def picture(contents: Tensor) -> Tensor:
        # `decode_jpeg` reads PNG files too, and has the exact inverse transform of other libraries,
        # unlike `decode_image`. Never one channel: TensorFlow converts few kinds of files to
        # greyscale, and truncates.
        contents = within_bound(contents, max_pixels)
        pixels = tf.io.decode_jpeg(contents, max(channels, 3), dct_method="INTEGER_ACCURATE")
        pixels = tf.ensure_shape(pixels, (None, None, max(channels, 3)))
        if turn:
            pixels = upright(pixels, orientation_of(contents))
        return resized(grey(pixels) if channels == 1 else pixels, size, method)

    # One by one, since they differ in size until they are resized.
    return tf.map_fn(picture, encoded, fn_output_signature=tf.TensorSpec(image_shape, tf.uint8))


def grey(pixels: Tensor) -> Tensor:
    """Returns the luma (ITU-R BT.601), as in JPEG files; exact where all channels are equal."""
    import tensorflow as tf

    weights = tf.constant([[0.299], [0.587], [0.114]])
    return tf.cast(tf.round(tf.tensordot(tf.cast(pixels, tf.float32), weights, 1)), tf.uint8)


def resized(images: Tensor, size: Sequence[int], method: str) -> Tensor:
    """Resizes images with antialiasing. Images that already have the size are not changed.

    Args:
        images: uint8 or float32 (B, H, W, C) or (H, W, C). uint8 remains uint8, rounded and
            saturated.
        size: (height, width).
        method: one of `RESIZE_METHODS`.
    """
    import tensorflow as tf

    pixels = tf.image.resize(images, size, method, antialias=True)
    if images.dtype == tf.uint8:
        pixels = tf.saturate_cast(tf.round(pixels), tf.uint8)
    return pixels


def refuse_pixels(images: Tensor) -> None:
    """Fails, when run, on uint8 pixels that were cast to float, which would be scaled twice.

    NaNs pass. XLA omits the check.
    """
    import tensorflow as tf

    message = (
        "Float images must lie in [0, 1], got pixels as floats: pass uint8, or divide by 255. "
        'In front of a layer put keras.Input(..., dtype="uint8").'
    )
    # Interpolation may exceed [0, 1] a little.
    tf.debugging.Assert(tf.logical_not(tf.reduce_any(images > 2.0)), [message])
