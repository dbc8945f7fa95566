"""Pictures inside a graph: files become pixels, sizes become the model's, mistakes are refused."""

RESIZE_METHODS = ("nearest", "bilinear", "bicubic", "area")
DECODED_CHANNELS = (1, 3, 4)


def decoded(encoded, image_shape, method):
    """Pixels of picture files.

    Args:
        encoded: string tensor (B,), each a JPEG or PNG file. Grey pictures become coloured and
            coloured ones grey as the channels ask; alpha is kept by 4 channels only; of 16 bits
            the upper 8 are kept.
        image_shape: (H, W, C) that each picture is brought to, C one of `DECODED_CHANNELS`.
        method: of `resized`.

    Returns:
        A uint8 tensor (B, H, W, C).

    Raises:
        tensorflow.errors.InvalidArgumentError: when run, a file is damaged or of another kind.
    """
    import tensorflow as tf

    *size, channels = image_shape

    def picture(contents):
        # It reads PNG files too, and has the exact inverse transform of other libraries: pixels of
        # `decode_image` were off by 3, at quality 100 by 10. Never one channel: TensorFlow makes
        # grey of few kinds of files, and truncates.
        pixels = tf.io.decode_jpeg(contents, max(channels, 3), dct_method="INTEGER_ACCURATE")
        pixels = tf.ensure_shape(pixels, (None, None, max(channels, 3)))
        return resized(_grey(pixels) if channels == 1 else pixels, size, method)

    # One after the other, as they differ in size until they are resized.
    return tf.map_fn(picture, encoded, fn_output_signature=tf.TensorSpec(image_shape, tf.uint8))


def _grey(pixels):
    """Luma (ITU-R BT.601), as in JPEG files; exactly the pixel where all three are equal."""
    import tensorflow as tf

    weights = tf.constant([[0.299], [0.587], [0.114]])
    return tf.cast(tf.round(tf.tensordot(tf.cast(pixels, tf.float32), weights, 1)), tf.uint8)


def resized(images, size, method):
    """Images of another size, antialiased; exactly the images where they have that size.

    Args:
        images: uint8 or float32 (B, H, W, C) or (H, W, C). uint8 stay so, rounded and saturated.
        size: (height, width).
        method: of `RESIZE_METHODS`, those under which an image of that size stays as it is.
    """
    import tensorflow as tf

    pixels = tf.image.resize(images, size, method, antialias=True)
    if images.dtype == tf.uint8:
        pixels = tf.saturate_cast(tf.round(pixels), tf.uint8)
    return pixels


def refuse_pixels(images):
    """Stops where uint8 pixels became floats on their way: they would be scaled twice, silently.

    Not-a-numbers pass. XLA leaves the check out.
    """
    import tensorflow as tf

    message = (
        "Float images must lie in [0, 1], got pixels as floats: pass uint8, or divide by 255. "
        'In front of a layer put keras.Input(..., dtype="uint8").'
    )
    # Interpolation may leave [0, 1] a little.
    tf.debugging.Assert(tf.logical_not(tf.reduce_any(images > 2.0)), [message])
