"""What surrounds the names of tensors in published files: wrappers, prefixes, stacked blocks."""

from keras_mlp.typing import Array

# Put before all names by PyTorch's data parallelism, by torch.compile, and by programs that hold
# the network as an attribute, in any order.
_WRAPPERS = ("module.", "_orig_mod.", "model.")
# Where Google's files keep an image model, next to optimizers or a text model. One of them begins
# with another, so the longest come first.
_FLAX_PREFIXES = ("opt/target/", "params/img/", "params/")
_STACKED = "/encoderblock/"
_MOST_BLOCKS = 1000  # a longer axis is damage: each of its parts would become a tensor


def plain_names(tensors: dict[str, Array]) -> dict[str, Array]:
    """Returns the weights of a file under their plain names.

    Wrappers' prefixes that all names have are removed: "module.", "_orig_mod." and "model.". If a
    file keeps the model under "params/img/", "params/" or "opt/target/", only that part remains.
    Blocks that are stacked along a first axis ("encoderblock") are separated ("encoderblock_0",
    "encoderblock_1", ...).

    >>> plain_names({"params/head/bias": numpy.zeros(3), "opt/step": numpy.zeros(())}).keys()
    dict_keys(['head/bias'])
    """
    tensors = _unwrapped(tensors)
    for prefix in _FLAX_PREFIXES:
        if any(name.startswith(prefix) for name in tensors):
            tensors = _below(prefix, tensors)
            break
    return _unstacked(tensors)


def _unwrapped(tensors: dict[str, Array]) -> dict[str, Array]:
    while tensors:
        shared = (each for each in _WRAPPERS if all(name.startswith(each) for name in tensors))
        wrapper = next(shared, None)
        if wrapper is None:
            break
        tensors = _below(wrapper, tensors)
    return tensors


def _below(prefix: str, tensors: dict[str, Array]) -> dict[str, Array]:
    """Returns the tensors whose names start with a prefix, without it."""
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def _unstacked(tensors: dict[str, Array]) -> dict[str, Array]:
    plain = {}
    for name, tensor in tensors.items():
        if _STACKED not in name or tensor.ndim == 0 or len(tensor) > _MOST_BLOCKS:
            plain[name] = tensor
            continue
        before, _, after = name.partition(_STACKED)
        for block, part in enumerate(tensor):
            plain[f"{before}/encoderblock_{block}/{after}"] = part
    return plain
