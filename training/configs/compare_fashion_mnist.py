"""The seven architectures on Fashion-MNIST, 28 x 28 pixels, in eight epochs each.

python -m training.compare --config training/configs/compare_fashion_mnist.py --workdir runs/compare

The recipe is that of fashion_mnist.py without mirroring and with patches of 7 pixels, 16 tokens
instead of 49: both let a model learn more within a small budget. They were chosen for ViT, the
slowest to learn, on the 5% of train that are held out (three epochs: 89.1%).
"""

import dataclasses

from training.config import Augment, Comparison
from training.configs.fashion_mnist import CONFIG as FASHION_MNIST

CONFIG = Comparison(
    **{
        **vars(FASHION_MNIST),
        "epochs": 8,
        "augment": Augment(),
        "model": dataclasses.replace(
            FASHION_MNIST.model, arguments={"image_shape": (28, 28, 1), "patch_size": 7}
        ),
    }
)
