"""A mean over seeds or draws, as tables show it."""

import statistics
from collections.abc import Sequence


def mean_and_range(values: Sequence[float], form: str) -> str:
    """The mean, and the range if there are several values: "85.0% (84.1% to 86.2%)".

    Args:
        values: at least one number.
        form: how one is formatted, such as ".1%".
    """
    mean = f"{statistics.mean(values):{form}}"
    return mean if len(values) == 1 else f"{mean} ({min(values):{form}} to {max(values):{form}})"
