"""The architectures on CIFAR-10, nano/4, 60 epochs, one recipe, for a GPU and the engine on JAX.

KERAS_BACKEND=jax python -m training.compare --config training/configs/compare_cifar10_60.py \
    --workdir runs/compare_60 --seeds 0 1 2 --set data.data_dir=cifar10.npz

`python -m training.data.arrays cifar10 --output cifar10.npz` writes the file, on a machine with
TensorFlow.
"""

from training.config import Augment, Comparison, Data, Model, Optimizer, Runtime

CONFIG = Comparison(
    epochs=60,
    model=Model(variant="nano/4"),
    data=Data(name="arrays", validation_percent=0, batch_size=512),
    augment=Augment(shift=4, flip=True, policy="autoaugment_reduced_cifar10"),
    optimizer=Optimizer(
        learning_rate=2e-3, warmup_epochs=5, weight_decay=0.05, label_smoothing=0.1, ema=0.999
    ),
    runtime=Runtime(
        dtype="mixed_bfloat16", steps_per_loop=1000, epochs_per_checkpoint=10, export=False
    ),
)
