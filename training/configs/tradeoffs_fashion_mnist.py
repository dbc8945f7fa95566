"""The architectures and other kinds of models on Fashion-MNIST, for the study in docs/tradeoffs.md.

python -m training.compare --config training/configs/tradeoffs_fashion_mnist.py \
    --workdir runs/tradeoffs --seeds 0 1 2 --jobs 2

The recipe is that of compare_fashion_mnist.py; nothing was tuned for any model. The ResNets are as
narrow as makes their parameters like those of the others. The programs training.scaling and
training.permuted take the same page.
"""

import dataclasses

from training.config import Comparison
from training.configs.compare_fashion_mnist import CONFIG as COMPARE

CONFIG = Comparison(
    **{
        **vars(COMPARE),
        "architectures": (
            "MLPMixer",
            "ResMLP",
            "GMLP",
            "VisionPermutator",
            "RepMLPNet",
            "FFOnly",
            "ConvMixer",
            "ViT",
            "examples.comparators:bit_resnet",
            "examples.comparators:nf_resnet",
            "examples.comparators:plain_mlp",
        ),
        "demands": {
            "examples.comparators:bit_resnet": {"widths": (16, 32, 64)},
            "examples.comparators:nf_resnet": {"widths": (16, 32, 64)},
        },
        "runtime": dataclasses.replace(COMPARE.runtime, export=False),
    }
)
