"""Feature maps as colours: what looks alike to the model has the same colour."""

import numpy as np

from keras_mlp.typing import Array


def feature_colours(features: Array) -> Array:
    """The three main components of feature maps as red, green and blue.

    Args:
        features: (N, h, w, C) with C of at least 3. The N maps have their components in common.

    Returns:
        uint8 (N, h, w, 3). Each component runs from 0 to 255 over all maps; one that does not vary
        is 0.
    """
    rows = features.reshape(-1, features.shape[-1]).astype("float64")
    rows = rows - rows.mean(axis=0)
    _, _, directions = np.linalg.svd(rows, full_matrices=False)
    directions = directions[:3]
    # The sign of a component is arbitrary: its largest entry is positive, so that colours repeat.
    largest = np.abs(directions).argmax(axis=1)
    directions = directions * np.sign(directions[np.arange(3), largest])[:, None]
    values = rows @ directions.T
    values -= values.min(axis=0)
    reach = values.max(axis=0)
    values /= np.where(reach > 1e-6 * reach.max(), reach, np.inf)
    return np.rint(255 * values).astype("uint8").reshape(*features.shape[:3], 3)
