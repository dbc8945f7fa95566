"""One model for all image sizes, on CIFAR-10: the models of any_size.py, three seeds.

python -m training.any_size --config training/configs/any_size_cifar10.py \
    --workdir runs/any_size_cifar10 --jobs 2

Budgets, optimizer and model are those of Fashion-MNIST, but for the images. Nothing was tuned.
docs/any_size.md has the results.
"""

import dataclasses

from training.config import Augment
from training.configs.any_size import CONFIG as FASHION_MNIST

CONFIG = dataclasses.replace(
    FASHION_MNIST,
    sizes=(16, 24, 28, 32, 40, 48, 64, (32, 48)),
    separate_sizes=(24, 48),
    model=dataclasses.replace(
        FASHION_MNIST.model,
        arguments={**FASHION_MNIST.model.arguments, "image_shape": (32, 32, 3)},
    ),
    data=dataclasses.replace(
        FASHION_MNIST.data, name="cifar10", image_sizes=(20, 24, 32, 40, 48, (24, 40))
    ),
    augment=Augment(shift=4, flip=True),
)
