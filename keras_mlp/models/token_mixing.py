"""How the blocks of an architecture mix tokens: what tools need to know of it."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from keras_mlp.layers.token_grid import HIDDEN, IN, OUT
from keras_mlp.typing import Tensor

# What an axis of a weight runs over, besides IN, OUT and HIDDEN.
POSITION = "position"  # tokens, in a table of position embeddings
OTHER = "other"  # anything that does not depend on the tokens

# The axes of a token MLP's weights.
TOKEN_MLP_AXES = {
    "token_mlp/fc1/kernel": (IN, HIDDEN),
    "token_mlp/fc1/bias": (HIDDEN,),
    "token_mlp/fc2/kernel": (HIDDEN, OUT),
    "token_mlp/fc2/bias": (OUT,),
}


@dataclasses.dataclass(frozen=True)
class TokenMixing:
    """How an architecture's blocks mix tokens.

    Attributes:
        layers: names of the layers inside a block that mix tokens (LoRA's choice of layers).
        axes: from the path of a weight, inside its block, to what each of its axes runs over. The
            shape of every other weight is independent of the image size.
        maps: from a block to the learned weights with which it reads tokens: rows (units, tokens),
            or maps (units, h, w); None where no weights connect tokens.
        parts: from the name of a layer inside a block to the part of the cost that its products
            belong to: "token_mixing", "channel_mixing" or "other". A layer inside it that is named
            too belongs to its own part.
    """

    layers: tuple[str, ...] = ()
    axes: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    maps: Callable[[Any], Tensor] | None = None
    parts: Mapping[str, str] = dataclasses.field(default_factory=dict)
