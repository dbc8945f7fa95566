"""How published checkpoints name and lay out an architecture's tensors."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class CheckpointLayout:
    """One published naming of an architecture's weights.

    Attributes:
        names: from a weight's path in our model to the tensor's name in the file; `{i}` stands
            for the number of the block in both.
        torch: tensors are laid out as PyTorch does, linear (out, in) and convolution
            (out, in, height, width), instead of (in, out) and (height, width, in, out).
    """

    names: dict[str, str]
    torch: bool = False
