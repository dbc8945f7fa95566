"""How published checkpoints name and lay out an architecture's tensors."""

import collections.abc
import dataclasses
import re

import numpy as np

from keras_mlp.arguments import describe_choices

_BLOCK = re.compile(r"block_(\d+)")


@dataclasses.dataclass(frozen=True)
class Converted:
    """A published tensor from which a weight is made in a way of its own.

    Attributes:
        name: of the tensor in the file.
        convert: from the tensor to the weight, both numpy arrays.
        takes_shape: whether `convert` takes the shape of the weight as its second argument.
        invert: from the weight and the model to the tensor, or to this weight's part of it: the
            parts of weights that share a tensor are joined along the first axis, in the order of
            the layout's `names`. ValueError for a weight that the layout has no tensor for. None:
            there is no way back.
    """

    name: str
    convert: collections.abc.Callable[..., np.ndarray]
    takes_shape: bool = False
    invert: collections.abc.Callable[..., np.ndarray] | None = None


@dataclasses.dataclass(frozen=True)
class CheckpointLayout:
    """One published naming of an architecture's weights.

    Attributes:
        names: from a weight's path in our model to the tensor's name in the file, or to a
            `Converted`; `{i}` stands for the number of the block in path and name.
        torch: tensors are laid out as PyTorch does, linear (out, in) and convolution
            (out, in, height, width), instead of (in, out) and (height, width, in, out).
            `Converted` ones are not turned round.
        ignored: patterns (as of `fnmatch`) of tensors that are no weights.
        prepare: from the tensors of a file, by name, to those that `names` speaks of.
        check: from a model and those tensors to lines of an error, for what the shapes do not show.
    """

    names: dict[str, str | Converted]
    torch: bool = False
    ignored: tuple[str, ...] = ()
    prepare: collections.abc.Callable[[dict], dict] = dict
    check: collections.abc.Callable[..., list[str]] = lambda model, tensors: []

    def key(self, weight_path):
        """What `names` calls the weight of this path: the path, or that with {i} for the block."""
        return weight_path if weight_path in self.names else _BLOCK.sub("block_{i}", weight_path)

    def origin(self, weight_path):
        """The tensor of the weight of this path, as a `Converted` with the name that it has there.

        Raises:
            ValueError: the layout does not name this weight.
        """
        block, key = _BLOCK.search(weight_path), self.key(weight_path)
        if key not in self.names:
            hint = describe_choices(key, self.names)
            raise ValueError(f"The weight {weight_path} has no published name. {hint}")
        origin = self.names[key]
        if isinstance(origin, str):
            is_turned = self.torch and weight_path.endswith("/kernel")
            convert, invert = (_from_torch, _to_torch) if is_turned else (_unchanged, _as_it_is)
            origin = Converted(origin, convert, invert=invert)
        name = origin.name.format(i=block.group(1) if block else "")
        return dataclasses.replace(origin, name=name)


def _unchanged(tensor):
    return tensor


def _as_it_is(weight, model):
    return weight


def _from_torch(tensor):
    """Linear (out, in) and convolution (out, in, h, w) kernels, turned round."""
    if tensor.ndim == 4:
        return tensor.transpose(2, 3, 1, 0)
    return tensor.T if tensor.ndim == 2 else tensor


def _to_torch(weight, model):
    if weight.ndim == 4:
        return weight.transpose(3, 2, 0, 1)
    return weight.T if weight.ndim == 2 else weight
