"""The models of compare_fashion_mnist.py, 28 x 28 pixels, at other image sizes.

python -m training.image_sizes --source runs/compare --workdir runs/image_sizes \
    --config training/configs/image_sizes.py

Fine-tuning takes two epochs over the first 300 training images of each class, the same for every
method. Nothing was tuned.
"""

from training.config import Data, ImageSizes, Optimizer

CONFIG = ImageSizes(
    sizes=((21, 21), (42, 42), (56, 56), (28, 56)),
    epochs=2,
    data=Data(
        name="fashion_mnist",
        examples_per_class=300,
        subset_seed=None,
        validation_percent=5,
        batch_size=64,
    ),
    optimizer=Optimizer(learning_rate=5e-4, warmup_epochs=0.2, weight_decay=0.05),
)
