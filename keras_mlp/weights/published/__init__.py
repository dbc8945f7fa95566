"""The rows of the catalogue, one file per architecture: data only."""

from keras_mlp.weights.published import (
    conv_mixer,
    ff_only,
    gmlp,
    mlp_mixer,
    repmlpnet,
    resmlp,
    vision_permutator,
    vit,
)

TABLES = (
    mlp_mixer.PRESETS,
    resmlp.PRESETS,
    gmlp.PRESETS,
    vision_permutator.PRESETS,
    repmlpnet.PRESETS,
    ff_only.PRESETS,
    vit.PRESETS,
    conv_mixer.PRESETS,
)
