"""One change at a time, on Fashion-MNIST with the recipe of compare_fashion_mnist.py.

python -m training.compare --config training/configs/ablations_fashion_mnist.py \
    --workdir runs/ablations --seeds 0 1 2

Rows to compare: the class token of ViT with the mean over tokens; LayerNorm in a Mixer with
BatchNorm and Affine; the Mixer's token MLP with one linear layer.
"""

from training.config import Comparison
from training.configs.compare_fashion_mnist import CONFIG as COMPARE

CONFIG = Comparison(
    **{
        **vars(COMPARE),
        "architectures": (
            "examples.ablations:vit_class_token",
            "examples.ablations:vit_mean",
            "examples.ablations:mixer_layer_norm",
            "examples.ablations:mixer_batch_norm",
            "examples.ablations:mixer_affine",
            "examples.ablations:mixer_linear_tokens",
        ),
    }
)
