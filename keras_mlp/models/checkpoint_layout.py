"""How published checkpoints name and lay out an architecture's tensors."""

import dataclasses
import functools
import re
from collections.abc import Callable, Mapping
from typing import Any

from keras_mlp.arguments import describe_choices
from keras_mlp.typing import Array

# What PyTorch and Flax call the weights of a layer.
_TORCH_SUFFIXES = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
_FLAX_SUFFIXES = {"kernel": "kernel", "bias": "bias", "gamma": "scale", "beta": "bias"}


@dataclasses.dataclass(frozen=True)
class Converted:
    """A published tensor that is converted in a way of its own.

    Attributes:
        name: of the tensor in the file; or of a layer, whose kernel is converted.
        convert: from the tensor to the weight, both numpy arrays.
        takes_shape: whether `convert` takes the shape of the weight as its second argument.
        invert: from the weight and the model to the tensor, or to this weight's part of it: the
            parts of weights that share a tensor are joined along the first axis, in the order of
            the layout's `names`. It raises ValueError for a weight that the layout cannot hold.
            None if the conversion cannot be inverted.
    """

    name: str
    convert: Callable[..., Array]
    takes_shape: bool = False
    invert: Callable[[Array, Any], Array] | None = None


@dataclasses.dataclass(frozen=True)
class CheckpointLayout:
    """One published naming of an architecture's layers.

    Attributes:
        names: from the path of a layer in our model to its name in the file, or to a `Converted`.
            Where a layer's tensors are not named as usual, from the path of a weight to the
            tensor's name. `{i}` and the like stand for numbers, the same ones in path and name.
        torch: tensors are named and laid out as in PyTorch: "NAME.weight", linear (out, in) and
            convolution (out, in, height, width). Otherwise as in Flax: "NAME/kernel", (in, out) and
            (height, width, in, out).
        suffixes: names of weights that differ from PyTorch's or Flax's, by ours.
        numbers: from a model and the numbers in a path to the numbers in the name.
        ignored: patterns (as of `fnmatch`) of tensors that are not weights.
        prepare: from the tensors of a file, by name, to those that `names` describes.
        check: from a model and those tensors to problems that the shapes do not show, a line each.
    """

    names: Mapping[str, str | Converted]
    torch: bool = False
    suffixes: Mapping[str, str] = dataclasses.field(default_factory=dict)
    numbers: Callable[[Any, dict[str, int]], dict[str, int]] = lambda model, numbers: numbers
    ignored: tuple[str, ...] = ()
    prepare: Callable[[dict[str, Array]], dict[str, Array]] = dict
    check: Callable[[Any, dict[str, Array]], list[str]] = lambda model, tensors: []

    def row(self, weight_path: str) -> int | None:
        """The position in `names` of the row for the weight of this path; None if it has none."""
        found = self._find(weight_path)
        return None if found is None else list(self.names).index(found[0])

    def origin(self, weight_path: str, model: Any) -> Converted:
        """The tensor for the weight of this path, as a `Converted` with its name in the file.

        Raises:
            ValueError: the layout does not name this weight.
        """
        found = self._find(weight_path)
        if found is None:
            hint = describe_choices(weight_path.rpartition("/")[0], self.names)
            raise ValueError(f"The weight {weight_path} has no published name. {hint}")
        key, suffix, numbers = found
        kind, value = weight_path.rpartition("/")[2], self.names[key]
        if not isinstance(value, Converted):
            is_turned = self.torch and kind == "kernel"
            value = _turned(value) if is_turned else _unchanged(value)
        elif suffix and kind != "kernel":
            value = _unchanged(value.name)
        name = (value.name + suffix).format(**self.numbers(model, numbers))
        return dataclasses.replace(value, name=name)

    def _find(self, weight_path: str) -> tuple[str, str, dict[str, int]] | None:
        """The key in `names`, what to append to the name, and the numbers in the path."""
        layer, _, kind = weight_path.rpartition("/")
        suffixes = {**(_TORCH_SUFFIXES if self.torch else _FLAX_SUFFIXES), **self.suffixes}
        candidates = {weight_path: ""}
        if kind in suffixes:
            candidates[layer] = f"{'.' if self.torch else '/'}{suffixes[kind]}"
        for path, suffix in candidates.items():
            for key, pattern in self._patterns.items():
                if match := pattern.fullmatch(path):
                    return key, suffix, {name: int(n) for name, n in match.groupdict().items()}
        return None

    @functools.cached_property
    def _patterns(self) -> dict[str, re.Pattern[str]]:
        number = re.compile(r"\\\{(\w+)\\\}")
        return {key: re.compile(number.sub(r"(?P<\1>\\d+)", re.escape(key))) for key in self.names}


def _unchanged(name: str) -> Converted:
    return Converted(name, lambda tensor: tensor, invert=lambda weight, model: weight)


def _turned(name: str) -> Converted:
    return Converted(name, _from_torch, invert=lambda weight, model: _to_torch(weight))


def _from_torch(tensor: Array) -> Array:
    """Linear (out, in) and convolution (out, in, h, w) kernels as (in, out) and (h, w, in, out)."""
    if tensor.ndim == 4:
        return tensor.transpose(2, 3, 1, 0)
    return tensor.T if tensor.ndim == 2 else tensor


def _to_torch(weight: Array) -> Array:
    if weight.ndim == 4:
        return weight.transpose(3, 2, 0, 1)
    return weight.T if weight.ndim == 2 else weight
