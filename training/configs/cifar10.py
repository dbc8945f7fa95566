"""CIFAR-10, 32 x 32 pixels: what a Mixer of 0.5 M parameters learns within an hour on two cores.

python -m training.train --config training/configs/cifar10.py --workdir runs/cifar10

Expect 75.4% of the 10,000 test images (seed 0, the only one run), 490,954 parameters, 59 minutes on
two cores that other jobs shared (AMD EPYC, Zen 4; TensorFlow 2.20.0, Keras 3.15.1; 2026-11-20).
Nothing was tuned. Held-out accuracy (76.2%) was level at the end; longer schedules were not tried.
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
