"""Decodes the bytes of a picture into pixels of the model's size."""

import tensorflow as tf

from keras_mlp.export.picture_headers import orientation_of, upright, within_bound
from keras_mlp.export.pictures import grey
from keras_mlp.typing import Tensor
from training.config import Data
from training.data.sources import Source


class Decoder:
    """Decodes the pictures of a source and resizes them to one size.

    Args:
        source: see `training.data.sources.open_source`.
        image_shape: (H, W, C) of the model; C is 1 or 3 unless the source fixes the channels.
        data: a `training.config.Data`; it uses `crop`, `interpolation`, `upright` and
            `max_pixels`.
    """

    def __init__(self, source: Source, image_shape: tuple[int, ...], data: Data) -> None:
        self.source = source
        self.image_shape = image_shape
        self.crop, self.interpolation = data.crop, data.interpolation
        self.upright, self.max_pixels = data.upright, data.max_pixels

    def whole(self, stored: tf.Tensor) -> tf.Tensor:
        """The picture for evaluation: uint8 (H, W, C)."""
        if self.source.image_shape:
            content = self.source.content(stored)
            return self._fit(self.source.decode(content))  # type: ignore[attr-defined]
        content = self._content(stored)
        return self._fit(self._turned(self._pixels(content), content))

    def part(self, stored: tf.Tensor, seed: Tensor, smallest: float, aspect: float) -> tf.Tensor:
        """A random part of the picture: uint8 (H, W, C); see `random_box`.

        Of a JPEG file only that part is decoded.
        """
        if self.source.image_shape:
            return random_part(self.whole(stored), seed, smallest, aspect, self.interpolation)
        content, channels = self._content(stored), self.image_shape[-1]

        def from_jpeg() -> tf.Tensor:
            box = random_box(tf.image.extract_jpeg_shape(content), seed, smallest, aspect)
            part = tf.image.decode_and_crop_jpeg(content, box, max(channels, 3))
            return grey(part) if channels == 1 else part

        def from_others() -> tf.Tensor:
            pixels = self._pixels(content)
            box = random_box(tf.shape(pixels), seed, smallest, aspect)
            return tf.slice(pixels, [box[0], box[1], 0], [box[2], box[3], channels])

        pixels = tf.cond(tf.io.is_jpeg(content), from_jpeg, from_others)
        return resize(self._turned(pixels, content), self.image_shape, self.interpolation)

    def _content(self, stored: tf.Tensor) -> tf.Tensor:
        """The bytes of a picture's file, which is small enough to be decoded."""
        return within_bound(self.source.content(stored), self.max_pixels, "data.max_pixels")

    def _pixels(self, content: tf.Tensor) -> tf.Tensor:
        """All pixels of a picture, with as many channels as the model takes."""
        if self.image_shape[-1] == 1:
            # TensorFlow converts few kinds of files to grey, not CMYK, and truncates. The decoder
            # of JPEG files reads PNG too.
            return grey(tf.io.decode_jpeg(content, 3))
        return tf.io.decode_image(content, self.image_shape[-1], expand_animations=False)

    def _turned(self, pixels: tf.Tensor, content: tf.Tensor) -> tf.Tensor:
        return upright(pixels, orientation_of(content)) if self.upright else pixels

    def _fit(self, pixels: tf.Tensor) -> tf.Tensor:
        """The central crop of the picture, or all of it, at the model's size."""
        if pixels.shape == self.image_shape and not self.crop:
            return pixels
        if not self.crop:
            return resize(pixels, self.image_shape, self.interpolation)
        # As in torchvision: the smallest size that covers `image_shape / crop`, cropped centrally.
        target = self.image_shape[:2]
        cover = tf.constant([int(side / self.crop) for side in target])
        size = tf.shape(pixels)[:2]
        size = tf.maximum(cover, size * tf.reverse(cover, [0]) // tf.reverse(size, [0]))
        start = tf.cast(tf.round((size - target) / 2), tf.int32)
        pixels = resize(pixels, (size[0], size[1], self.image_shape[-1]), self.interpolation)
        pixels = tf.slice(pixels, tf.concat([start, [0]], 0), self.image_shape)
        return tf.ensure_shape(pixels, self.image_shape)


def random_box(shape: tf.Tensor, seed: Tensor, smallest: float, aspect: float) -> tf.Tensor:
    """Draws a random part of a picture as TensorFlow's models do.

    Args:
        shape: shape of the picture, int32 (H, W, C).
        seed: a pair of integers.
        smallest: smallest share of the picture's area, in (0, 1].
        aspect: largest ratio of width to height; the smallest is its inverse.

    Returns:
        int32 (top, left, height, width); the whole picture if no such part is found.
    """
    start, size, _ = tf.image.stateless_sample_distorted_bounding_box(
        shape,
        tf.zeros((1, 0, 4)),
        seed,
        min_object_covered=0.0,
        aspect_ratio_range=(1 / aspect, aspect),
        area_range=(smallest, 1.0),
        use_image_if_no_bounding_boxes=True,
    )
    return tf.concat([start[:2], size[:2]], 0)


def random_part(
    image: tf.Tensor, seed: Tensor, smallest: float, aspect: float, interpolation: str
) -> tf.Tensor:
    """A random part of a uint8 image, resized to the image's size."""
    box = random_box(tf.shape(image), seed, smallest, aspect)
    part = tf.slice(image, [box[0], box[1], 0], [box[2], box[3], image.shape[-1]])
    return resize(part, image.shape, interpolation)


def resize(pixels: tf.Tensor, shape: Tensor, interpolation: str) -> tf.Tensor:
    """Resizes (h, w, C) in [0, 255] to uint8 (H, W, C), antialiased, rounded and clipped."""
    pixels = tf.round(tf.image.resize(pixels, shape[:2], interpolation, antialias=True))
    # Bilinear stays within the range; the other kernels overshoot.
    cast = tf.cast if interpolation == "bilinear" else tf.saturate_cast
    return tf.ensure_shape(cast(pixels, tf.uint8), (None, None, shape[-1]))
