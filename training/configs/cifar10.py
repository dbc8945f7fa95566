"""CIFAR-10, 32 x 32 pixels.

python -m training.train --config training/configs/cifar10.py --workdir runs/cifar10
"""

from training.config import Augment, Config, Data, Model, Optimizer, Runtime

CONFIG = Config(
    epochs=20,
    model=Model(variant="nano/4"),
    data=Data(name="cifar10", validation_percent=5, batch_size=128),
    augment=Augment(shift=4, flip=True),
    optimizer=Optimizer(learning_rate=2e-3, warmup_epochs=1, weight_decay=0.05),
    runtime=Runtime(jit_compile=True, steps_per_loop=20),
)
