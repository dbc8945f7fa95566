"""What surrounds the names of tensors in published files: wrappers, prefixes, stacked blocks."""

_WRAPPER = "module."
# Where Google's files keep an image model, beside optimizers or a text model. The longest first:
# one of them begins with another.
_FLAX_PREFIXES = ("opt/target/", "params/img/", "params/")
_STACKED = "/encoderblock/"


def plain_names(tensors):
    """The weights of a file under the names that they have where nothing surrounds them.

    Args:
        tensors: dict from name to numpy array.

    Returns:
        A dict of the same kind. "module.", which PyTorch's data-parallel wrapper puts before all
        names, is gone. Of a file that keeps the model under "params/img/", "params/" or
        "opt/target/" only that part is left. Blocks that were stacked along a first axis
        ("encoderblock") are apart ("encoderblock_0", "encoderblock_1", ...).

    >>> plain_names({"params/head/bias": numpy.zeros(3), "opt/step": numpy.zeros(())}).keys()
    dict_keys(['head/bias'])
    """
    if all(name.startswith(_WRAPPER) for name in tensors):
        tensors = _below(_WRAPPER, tensors)
    for prefix in _FLAX_PREFIXES:
        if any(name.startswith(prefix) for name in tensors):
            tensors = _below(prefix, tensors)
            break
    return _unstacked(tensors)


def _below(prefix, tensors):
    """The tensors whose names begin with a prefix, without it."""
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def _unstacked(tensors):
    plain = {}
    for name, tensor in tensors.items():
        if _STACKED not in name or tensor.ndim == 0:
            plain[name] = tensor
            continue
        before, _, after = name.partition(_STACKED)
        for block, part in enumerate(tensor):
            plain[f"{before}/encoderblock_{block}/{after}"] = part
    return plain
