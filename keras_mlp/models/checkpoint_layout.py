"""How published checkpoints name and lay out an architecture's tensors."""

import collections.abc
import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Converted:
    """A published tensor from which a weight is made in a way of its own.

    Attributes:
        name: of the tensor in the file.
        convert: from the tensor to the weight, both numpy arrays.
        takes_shape: whether `convert` takes the shape of the weight as its second argument.
    """

    name: str
    convert: collections.abc.Callable[..., np.ndarray]
    takes_shape: bool = False


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
    """

    names: dict[str, str | Converted]
    torch: bool = False
    ignored: tuple[str, ...] = ()
