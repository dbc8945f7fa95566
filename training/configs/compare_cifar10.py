"""The architectures on CIFAR-10, 32 x 32 pixels, in four epochs each.

python -m training.compare --config training/configs/compare_cifar10.py --workdir runs/compare

The recipe is that of cifar10.py, with half an epoch of warm-up; nothing was tuned for it. Patches
have 4 pixels, which gives 64 tokens to mix. The seven families take 65 minutes on one core of a
machine whose other core is busy (Intel Xeon; TensorFlow 2.20.0, Keras 3.15.1; 2026-11-25). FF-only
and ViT ran in folders of their own, with `--set "architectures=('ViT',)"`, at the same time.
"""

import dataclasses

from training.config import Augment, Comparison
from training.configs.cifar10 import CONFIG as CIFAR10

CONFIG = Comparison(
    **{
        **vars(CIFAR10),
        "epochs": 4,
        "augment": Augment(shift=4, flip=True),
        "model": dataclasses.replace(
            CIFAR10.model, variant="pico/4", arguments={"image_shape": (32, 32, 3)}
        ),
        "optimizer": dataclasses.replace(CIFAR10.optimizer, warmup_epochs=0.5),
    }
)
