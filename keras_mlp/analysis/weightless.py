"""Models that have shapes but no numbers."""

import concurrent.futures

import keras


def weightless(make, *args, **kwargs):
    """Calls a constructor so that no weight of the new model is allocated.

    The model knows its layers and the shapes of its weights, which is all that `cost` needs, and
    is good for nothing else: its weights have no values.

    Args:
        make: a function that builds a model, such as `ViT.from_variant` or `MLPMixer`.
        *args, **kwargs: for it.

    Returns:
        What `make` returns.

    Example:

    >>> model = weightless(ViT.from_variant, "H/14")  # 632 million parameters, a few megabytes
    >>> len(model.trainable_weights)
    520
    """
    policy = keras.config.dtype_policy()

    def build():
        keras.config.set_dtype_policy(policy)
        with keras.StatelessScope(initialize_variables=False):
            return make(*args, **kwargs)

    # Keras lists variables without a value, and gives them one at the next chance. It has a list
    # per thread (and a dtype policy): that of this thread ends with it.
    with concurrent.futures.ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(build).result()
