"""Fashion-MNIST, 28 x 28 pixels.

python -m training.train --config training/configs/fashion_mnist.py --workdir runs/fashion_mnist
"""

from training.config import Augment, Config, Data, Model, Optimizer, Runtime

CONFIG = Config(
    epochs=12,
    model=Model(variant="pico/4", arguments={"image_shape": (28, 28, 1)}),
    data=Data(name="fashion_mnist", validation_percent=5, batch_size=64),
    augment=Augment(flip=True),
    optimizer=Optimizer(learning_rate=2e-3, warmup_epochs=1, weight_decay=0.05),
    runtime=Runtime(steps_per_loop=50),
)
