"""Handwritten digits, 8 x 8 pixels: the embedded default.

python -m training.train --config training/configs/digits.py --workdir runs/digits

Chosen on 30% of train held out (`--set data.validation_percent=30`): drop path 0.1 against 0, whole
pixels of shift against fractions, rotation and zoom. The final run learns from all of train.
"""

from training.config import Augment, Config, Data, Model, Optimizer, Runtime

CONFIG = Config(
    epochs=80,
    model=Model(variant="pico/2", arguments={"image_shape": (8, 8, 1), "drop_path_rate": 0.1}),
    data=Data(name="digits", validation_percent=0, batch_size=64),
    augment=Augment(shift=1),
    optimizer=Optimizer(
        learning_rate=3e-3, warmup_epochs=3, weight_decay=0.05, label_smoothing=0.1
    ),
    runtime=Runtime(epochs_per_checkpoint=5),
)
