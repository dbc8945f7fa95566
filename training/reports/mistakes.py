"""The mistakes of a classifier of which it was most certain, with small pictures of them."""

import base64
import heapq
import io
from typing import Any

import numpy as np
import numpy.typing as npt
import PIL.Image

KEPT = 12
LONGEST_SIDE = 96  # pixels of a stored picture


class Mistakes:
    """Collects the most confident mistakes, batch by batch.

    Args:
        count: how many to keep.
    """

    def __init__(self, count: int = KEPT) -> None:
        self.count = count
        # (confidence, -number): of equals the first one is kept.
        self._found: list[tuple[float, int, dict[str, Any]]] = []
        self._seen = 0

    def add(self, images: npt.ArrayLike, logits: npt.ArrayLike, labels: npt.ArrayLike) -> None:
        """Adds a batch.

        Args:
            images: uint8 (B, H, W, C), C 1 or 3; other channels leave out the picture.
            logits: (B, K).
            labels: (B,), integers from 0 to K - 1.
        """
        images, labels = np.asarray(images), np.asarray(labels)
        logits = np.asarray(logits, np.float64)
        powers = np.exp(logits - logits.max(-1, keepdims=True))
        confidence = powers.max(-1) / powers.sum(-1)
        guesses = logits.argmax(-1)
        for i in np.flatnonzero(guesses != labels):
            key = float(confidence[i]), -(self._seen + int(i))
            if len(self._found) == self.count and key <= self._found[0][:2]:
                continue
            mistake = {"truth": int(labels[i]), "guess": int(guesses[i]), "confidence": key[0]}
            entry = (*key, {**mistake, "png": _small_png(images[i])})
            if len(self._found) < self.count:
                heapq.heappush(self._found, entry)
            else:
                heapq.heapreplace(self._found, entry)
        self._seen += len(labels)

    def most_confident(self) -> list[dict[str, Any]]:
        """A dict for each: `truth` and `guess`, labels; `confidence`, the softmax of the guess;
        `png`, a PNG file in base64, "" if it cannot be drawn."""
        return [mistake for *_, mistake in sorted(self._found, key=lambda each: each[:2])[::-1]]


def _small_png(image: np.ndarray) -> str:
    if image.shape[-1] not in (1, 3) or image.dtype != np.uint8:
        return ""
    picture = PIL.Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    stream = io.BytesIO()
    picture.save(stream, "PNG", optimize=True)
    return base64.b64encode(stream.getvalue()).decode("ascii")
