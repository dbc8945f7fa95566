"""CIFAR-10, 32 x 32 pixels: RepMLPNet nano/4 within what an hour and a half on two cores gives."""

from training.config import Augment, Config, Data, Model, Optimizer, Runtime

CONFIG = Config(
    epochs=24,
    model=Model(architecture="RepMLPNet", variant="nano/4"),
    data=Data(name="cifar10", validation_percent=0, batch_size=64),
    augment=Augment(shift=4, flip=True),
    optimizer=Optimizer(
        learning_rate=2e-3, warmup_epochs=1, weight_decay=0.05, label_smoothing=0.1
    ),
    runtime=Runtime(steps_per_loop=50),
)
