"""What reading does to pictures that a user may not expect, found in their headers."""

import pathlib
import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence

import PIL.Image

from keras_mlp.export.picture_headers import picture_size

LOOKED_AT = 200
_ORIENTATION = 0x0112
_DEEP = ("I", "F")  # more than 8 bits per channel, also "I;16"


def picture_notes(paths: Sequence[str], channels: int, upright: bool) -> list[str]:
    """Looks at the headers of the first pictures.

    Args:
        paths: paths of the pictures, in an order that mixes the classes.
        channels: 1 or 3, what they are converted to.
        upright: whether they are turned as their EXIF orientation asks.

    Returns:
        A sentence for each kind of change: colour to grey, transparency, animation, depth, and
        EXIF orientation that is ignored.
    """
    sentences = {
        "grey": "in colour, converted to grey: the model takes 1 channel (`image_shape`)",
        "alpha": "with transparency, which is dropped",
        "frames": "animated: only the first frame is read",
        "deep": "of more than 8 bits per channel, reduced to 8",
        "turned": (
            "with an EXIF orientation, which is ignored: `data.upright`=True turns them for "
            "training, and `upright` of `export_saved_model` for serving"
        ),
    }
    looked_at = paths[:LOOKED_AT]
    found: dict[str, list[str]] = defaultdict(list)
    for path in looked_at:
        for change in _changes(path, channels, upright):
            found[change].append(path)
    return [
        f"{len(found[change])} of {len(looked_at)} pictures that were looked at are {sentence}. "
        f"First: {found[change][0]}"
        for change, sentence in sentences.items()
        if found[change]
    ]


def picture_fault(path: str, max_pixels: int) -> str:
    """Why a picture cannot be read, or "" if it is merely damaged.

    Args:
        path: path of its file; for anything else the result is "".
        max_pixels: bound on its size.
    """
    import tensorflow as tf  # the notes work without

    try:
        contents = pathlib.Path(path).read_bytes()
        height, width = picture_size(tf.constant(contents)).numpy().tolist()
        if height * width > max_pixels:
            return f"{width} x {height} pixels, above `data.max_pixels`={max_pixels}"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with PIL.Image.open(path) as image:
                kind, (width, height) = image.format, image.size
    except (OSError, ValueError, tf.errors.OpError, PIL.Image.DecompressionBombError):
        return ""
    if width * height > max_pixels:
        return f"{width} x {height} pixels, above `data.max_pixels`={max_pixels}"
    if kind not in ("JPEG", "PNG", "MPO") and path.lower().endswith((".jpg", ".jpeg", ".png")):
        return f"a {kind} file by its content: give it the suffix of its kind"
    return ""


def _changes(path: str, channels: int, upright: bool) -> Iterator[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what is odd in a file; reading it decides
            with PIL.Image.open(path) as image:
                bands, info = image.getbands(), image.info
                orientation = 1 if upright else image.getexif().get(_ORIENTATION, 1)
                frames = getattr(image, "n_frames", 1) if image.format in ("GIF", "WEBP") else 1
                mode = image.mode
    except Exception:  # a damaged file can raise anything; reading it says so
        return
    if channels == 1 and (mode == "P" or len(set(bands) - {"A", "a"}) > 1):
        yield "grey"
    if "A" in bands or "transparency" in info:
        yield "alpha"
    if frames > 1:
        yield "frames"
    if mode.startswith(_DEEP):
        yield "deep"
    if orientation in range(2, 9):
        yield "turned"
