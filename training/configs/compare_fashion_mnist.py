"""The seven architectures on Fashion-MNIST, 28 x 28 pixels, in five epochs each.

python -m training.compare --config training/configs/compare_fashion_mnist.py --workdir runs/compare

The recipe is that of fashion_mnist.py, which was not tuned for any of them.
"""

from training.config import Comparison
from training.configs.fashion_mnist import CONFIG as FASHION_MNIST

CONFIG = Comparison(**{**vars(FASHION_MNIST), "epochs": 5})
