"""CIFAR-10, 32 x 32 pixels: what a Mixer of 0.5 M parameters learns within an hour on two cores.

python -m training.train --config training/configs/cifar10.py --workdir runs/cifar10
"""

from training.config import Augment, Config, Data, Model, Optimizer, Runtime

CONFIG = Config(
    epochs=14,
    model=Model(
        variant="nano/4",
        arguments={
            "num_layers": 6,
            "hidden_dim": 96,
            "token_mlp_dim": 48,
            "channel_mlp_dim": 384,
        },
    ),
    data=Data(name="cifar10", validation_percent=5, batch_size=64),
    augment=Augment(shift=2, flip=True),
    optimizer=Optimizer(learning_rate=1.5e-3, warmup_epochs=1, weight_decay=0.05),
    runtime=Runtime(steps_per_loop=50),
)
