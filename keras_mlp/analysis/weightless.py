"""Models with shapes but without values."""

import concurrent.futures
from collections.abc import Callable
from typing import Any, TypeVar

import keras

_T = TypeVar("_T")


def weightless(make: Callable[..., _T], *args: Any, **kwargs: Any) -> _T:
    """Builds a model without allocating its weights.

    The model has layers and the shapes of its weights, which is all that `cost` needs. Nothing
    else works, since the weights have no values.

    Args:
        make: a function that builds a model, such as `ViT.from_variant` or `MLPMixer`.
        *args: positional arguments for it.
        **kwargs: keyword arguments for it.

    Returns:
        What `make` returns.

    Example:

    >>> model = weightless(ViT.from_variant, "H/14")  # 632 million parameters, a few megabytes
    >>> len(model.trainable_weights)
    520
    """
    policy = keras.config.dtype_policy()

    def build() -> _T:
        keras.config.set_dtype_policy(policy)
        with keras.StatelessScope(initialize_variables=False):
            return make(*args, **kwargs)

    # Keras keeps a list of uninitialized variables per thread and initializes them later. The list
    # of a new thread, like its dtype policy, ends with the thread.
    with concurrent.futures.ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(build).result()
