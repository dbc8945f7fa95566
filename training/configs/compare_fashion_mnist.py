"""The architectures on Fashion-MNIST, 28 x 28 pixels, in eight epochs each.

python -m training.compare --config training/configs/compare_fashion_mnist.py --workdir runs/compare

Patches of 7 pixels, which give 16 tokens instead of 49, and no mirroring let a model learn more on
a small budget. Both were chosen for ViT, the slowest to learn, on the 5% of train held out (three
epochs: 89.1%); the other values are first guesses.
"""

from training.config import Comparison, Data, Model, Optimizer, Runtime

CONFIG = Comparison(
    epochs=8,
    model=Model(variant="pico/4", arguments={"image_shape": (28, 28, 1), "patch_size": 7}),
    data=Data(name="fashion_mnist", validation_percent=5, batch_size=64),
    optimizer=Optimizer(learning_rate=2e-3, warmup_epochs=1, weight_decay=0.05),
    runtime=Runtime(steps_per_loop=50),
)
