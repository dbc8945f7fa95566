"""Error against the number of training images: a power law, with its interval."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from keras_mlp.typing import Array

_DRAWS = 1000
_PERCENTILES = (2.5, 97.5)


@dataclasses.dataclass(frozen=True)
class PowerLaw:
    """`error = scale * images ** -exponent`, least squares on logarithms.

    Attributes:
        exponent: how fast the error falls; 0.5 halves it with four times the images.
        scale: the error at one image, far outside of what was measured.
        exponent_interval: of 95%, from a bootstrap over seeds; None for a single seed.
        deviation: the largest factor between a measured mean error and the law. Far from 1, the
            points are not on a power law.
        largest: the largest number of images that was measured.
        extrapolated: the error at ten times as many.
        extrapolated_interval: like `exponent_interval`.
    """

    exponent: float
    scale: float
    exponent_interval: tuple[float, float] | None
    deviation: float
    largest: int
    extrapolated: float
    extrapolated_interval: tuple[float, float] | None

    def error(self, images: float) -> float:
        """The error at a number of images."""
        return float(self.scale * images**-self.exponent)


def fit_power_law(errors: Mapping[int, Sequence[float]], seed: int = 0) -> PowerLaw:
    """Fits a power law to the mean error at each size.

    Args:
        errors: from a number of training images to the test error, in (0, 1], of each seed.
        seed: of the bootstrap, which draws the seeds of each size with replacement.

    Returns:
        A `PowerLaw`.

    Raises:
        ValueError: there are fewer than two sizes.
    """
    if len(errors) < 2:
        raise ValueError(f"A power law needs at least two sizes, got {sorted(errors)}.")
    sizes = np.array(sorted(errors))
    means = np.array([np.mean(errors[size]) for size in sizes.tolist()])
    exponent, scale = _fit(sizes, means)
    law = scale * sizes**-exponent
    far = 10 * int(sizes[-1])
    intervals: list[tuple[float, float] | None] = [None, None]
    if min(map(len, errors.values())) > 1:
        rng = np.random.default_rng(seed)
        drawn = [
            _fit(
                sizes,
                np.array(
                    [rng.choice(errors[size], len(errors[size])).mean() for size in sizes.tolist()]
                ),
            )
            for _ in range(_DRAWS)
        ]
        found = np.array([(own, factor * far**-own) for own, factor in drawn])
        low, high = np.percentile(found, _PERCENTILES, axis=0)
        intervals = [(float(low[i]), float(high[i])) for i in range(2)]
    return PowerLaw(
        exponent,
        scale,
        intervals[0],
        float(np.exp(np.abs(np.log(means / law)).max())),
        int(sizes[-1]),
        scale * far**-exponent,
        intervals[1],
    )


def _fit(sizes: Array, errors: Array) -> tuple[float, float]:
    slope, constant = np.polyfit(np.log(sizes), np.log(errors), 1)
    return -float(slope), float(np.exp(constant))
