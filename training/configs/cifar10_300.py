"""CIFAR-10, 32 x 32 pixels: a RepMLPNet of 1.1 million parameters, for a GPU and the engine on JAX.

KERAS_BACKEND=jax python -m training.train --config training/configs/cifar10_300.py \
    --workdir runs/cifar10_300 --set data.data_dir=cifar10.npz

`python -m training.data.arrays cifar10 --output cifar10.npz` writes the file, on a machine with
TensorFlow. Three stages of 16 x 16, 8 x 8 and 4 x 4 pixels: patches of 2 pixels keep detail that
patches of 4 lose. The recipe follows earlier MLPs on this data set: an augmentation policy of
colour and geometric operations, CutMix, label smoothing, AdamW and a cosine schedule. Averaging the
weights is added.
"""

from training.config import Augment, Config, Data, Model, Optimizer, Runtime

CONFIG = Config(
    epochs=300,
    model=Model(
        architecture="RepMLPNet",
        variant="nano/4",
        arguments={
            "patch_size": 2,
            "num_layers": (3, 6, 2),
            "hidden_dim": (64, 96, 128),
            "num_sharesets": (4, 4, 16),
            "partition_size": (8, 8, 4),
            "official_reassembly": False,
        },
    ),
    data=Data(name="arrays", validation_percent=0, batch_size=512),
    augment=Augment(shift=4, flip=True, policy="autoaugment_reduced_cifar10", cutmix=1.0, mix=0.5),
    optimizer=Optimizer(
        learning_rate=4e-3,
        warmup_epochs=10,
        weight_decay=0.05,
        label_smoothing=0.1,
        ema=0.9995,
    ),
    runtime=Runtime(
        dtype="mixed_bfloat16", steps_per_loop=1000, epochs_per_checkpoint=10, export=False
    ),
)
