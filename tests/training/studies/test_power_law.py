"""The power law of error against images: recovered, with its interval."""

import numpy as np
import pytest

from training.studies.power_law import fit_power_law

SIZES = (100, 300, 1000, 3000)


def test_an_exact_law_is_found():
    law = fit_power_law({size: [3 * size**-0.4] for size in SIZES})
    assert law.exponent == pytest.approx(0.4) and law.scale == pytest.approx(3)
    assert law.error(50) == pytest.approx(3 * 50**-0.4)
    assert law.largest == 3000 and law.extrapolated == pytest.approx(3 * 30_000**-0.4)
    assert law.deviation == pytest.approx(1)
    assert law.exponent_interval is None and law.extrapolated_interval is None


def test_noise_over_seeds_widens_the_interval():
    def interval(noise):
        rng = np.random.default_rng(0)
        errors = {size: 3 * size**-0.4 * np.exp(noise * rng.normal(size=4)) for size in SIZES}
        law = fit_power_law(errors)
        low, high = law.exponent_interval
        assert low <= law.exponent <= high
        assert law.extrapolated_interval[0] <= law.extrapolated <= law.extrapolated_interval[1]
        return high - low

    assert 0 < 5 * interval(0.01) < interval(0.2)


def test_errors_that_stop_falling_are_off_the_law():
    law = fit_power_law({100: [0.5], 300: [0.2], 1000: [0.2], 3000: [0.2]})
    assert law.deviation > 1.2


def test_one_size_has_no_law():
    with pytest.raises(ValueError, match=r"at least two sizes, got \[100\]"):
        fit_power_law({100: [0.5]})
