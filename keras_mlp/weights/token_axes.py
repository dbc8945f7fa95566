"""Which weights of which architecture run over tokens, and over which grid of them."""

import re

from keras_mlp.arguments import check_pair, patch_grid
from keras_mlp.models import GMLP, FFOnly, MLPMixer, RepMLPNet, ResMLP, ViT
from keras_mlp.weights.token_mixing_resize import HIDDEN, IN, OTHER, OUT

_BLOCK = re.compile(r"^(?:stage_(\d+)_)?block_\d+/")

_TOKEN_MLP = {
    "token_mlp/fc1/kernel": (IN, HIDDEN),
    "token_mlp/fc1/bias": (HIDDEN,),
    "token_mlp/fc2/kernel": (HIDDEN, OUT),
    "token_mlp/fc2/bias": (OUT,),
}

# From the path of a weight inside its block to what each of its axes runs over. Every other weight
# knows nothing of the image size.
TOKEN_AXES = {
    MLPMixer: _TOKEN_MLP,
    ResMLP: {"token_linear/kernel": (IN, OUT), "token_linear/bias": (OUT,)},
    GMLP: {"gate/token_linear/kernel": (IN, OUT), "gate/token_linear/bias": (OUT,)},
    FFOnly: {**_TOKEN_MLP, "norm2/gamma": (OUT,), "norm2/beta": (OUT,)},
    RepMLPNet: {"repmlp/fc3/kernel": (OTHER, IN, OUT), "repmlp/fc3/bias": (OTHER, OUT)},
    ViT: {"position_embedding/embeddings": (OTHER, OUT, OTHER)},
}


def token_axes(model, path):
    """What each axis of a weight runs over, as `interpolate_tokens` takes it.

    Args:
        model: a `VisionModel`.
        path: of one of its weights.

    Returns:
        A tuple, or None for a weight that knows nothing of the image size.
    """
    tables = [table for kind, table in TOKEN_AXES.items() if isinstance(model, kind)]
    return tables[0].get(_BLOCK.sub("", path)) if tables else None


def token_grid(model, path):
    """The grid (h, w) of the tokens that a weight of a model runs over.

    Every stage of a `RepMLPNet` has a grid of its own: the map, or the partition of it.
    """
    grid = patch_grid(model.image_shape, check_pair("patch_size", model.patch_size))
    stage = (_BLOCK.match(path) or [None, None])[1]
    if stage is None:
        return grid
    if model.partition_size is not None:
        return check_pair("partition_size", model.partition_size[int(stage)])
    return tuple(side // 2 ** int(stage) for side in grid)


def has_class_token(model):
    """Whether the first token of a model's sequences is a class token."""
    return isinstance(model, FFOnly) or (isinstance(model, ViT) and model.class_token)
