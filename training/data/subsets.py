"""Which training examples a small subset keeps: as many of each class, and nested by size."""

import numpy as np

from keras_mlp.typing import Array


def balanced_rows(labels: Array, per_class: int, seed: int | None) -> Array:
    """Draws as many examples of each class.

    Each class has one random order, of which the first examples are taken: with one seed, a smaller
    subset is part of every larger one.

    Args:
        labels: int (N,); negative ones are never taken.
        per_class: number of examples of each class; a class that has fewer gives all.
        seed: of the order; None for the order of the examples themselves.

    Returns:
        The rows of the examples, int64, class by class.
    """
    chosen = [np.zeros(0, np.int64)]
    for label in np.unique(labels[labels >= 0]):
        rows = np.flatnonzero(labels == label)
        if seed is not None:
            rows = np.random.default_rng([seed, int(label)]).permutation(rows)
        chosen.append(rows[:per_class])
    return np.concatenate(chosen)
