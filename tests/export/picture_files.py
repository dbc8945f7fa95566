"""Picture files of all formats, in memory."""

import io

import numpy as np
from PIL import Image


def encoded(image, kind, **options):
    """A PIL image as the bytes of a file."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def png(pixels):
    """A PNG file of uint8 (or, for one channel, uint16) pixels (H, W, C)."""
    return encoded(Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels), "PNG")


def jpeg(pixels):
    """A JPEG file of uint8 pixels (H, W, 3), at the highest quality."""
    return encoded(Image.fromarray(pixels), "JPEG", quality=100, subsampling=0)


def smooth(height, width, channels=3):
    """Smooth colours, which JPEG barely changes, (H, W, channels) uint8."""
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    planes = [y, x, (x + y) / 2, 1 - y][:channels]
    return np.round(20 + 200 * np.stack(planes, -1)).astype("uint8")
