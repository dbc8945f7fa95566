"""Types that annotations share. Keras has no static type for a tensor, so it is `Any` here."""

from typing import Any, TypeAlias

import numpy as np

# A tensor of the backend, a symbolic `keras.KerasTensor`, or a numpy array.
Tensor: TypeAlias = Any
Array: TypeAlias = np.ndarray[Any, Any]
# Axes from the outside in: integers, and None where an axis is not known before the call.
Shape: TypeAlias = tuple[Any, ...]
# One number for both axes of an image, or (height, width).
Pair: TypeAlias = int | tuple[int, int]
# Anything `keras.initializers.get` takes.
Initializer: TypeAlias = Any
# Anything `keras.dtype_policies.get` takes: a name, a policy, its config, or None for the default.
DTypePolicy: TypeAlias = Any
# What `get_config` returns and `from_config` takes.
Config: TypeAlias = dict[str, Any]
# (height, width, channels) of an image.
ImageShape: TypeAlias = tuple[int, int, int]
# One number for all channels of an image, or one per channel.
PerChannel: TypeAlias = float | tuple[float, ...]
