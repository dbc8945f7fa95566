"""Contenders must compute the same thing before their times are compared."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt


class Disagreement(Exception):
    """Contenders gave different outputs for the same weights and images."""


def check_agreement(outputs: Mapping[str, npt.ArrayLike], tolerance: float) -> dict[str, float]:
    """Compares all outputs with the first contender's.

    Args:
        outputs: maps each contender's name to its output; all arrays have one shape.
        tolerance: largest allowed difference, relative to the first output's largest magnitude.

    Returns:
        A dict from contender name to its relative difference.

    Raises:
        Disagreement: a contender differs by more, has another shape, or is not finite.

    >>> check_agreement({"a": [1.0, 2.0], "b": [1.0, 2.0]}, 1e-4)
    {'a': 0.0, 'b': 0.0}
    """
    (first, expected), *_ = outputs.items()
    expected = np.asarray(expected, "float64")
    differences = {}
    for name, output in outputs.items():
        output = np.asarray(output, "float64")
        if output.shape != expected.shape:
            raise Disagreement(f"{name} gives {output.shape}, {first} gives {expected.shape}.")
        difference = float(np.abs(output - expected).max() / np.abs(expected).max())
        if not difference <= tolerance:  # so that NaN fails too
            raise Disagreement(
                f"{name} differs from {first} by {difference:.1e} relative; allowed {tolerance:g}."
            )
        differences[name] = difference
    return differences
