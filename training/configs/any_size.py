"""One model for all image sizes, on Fashion-MNIST: Mixer and gMLP pico/4, three seeds.

python -m training.any_size --config training/configs/any_size.py --workdir runs/any_size

The flexible model sees as many images in total as each of the others. Test sizes lie between the
trained ones too, and beyond them. Nothing was tuned.
"""

from training.config import AnySize, Augment, Data, Model, Optimizer, Runtime

CONFIG = AnySize(
    architectures=("MLPMixer", "GMLP"),
    repeats=3,
    epochs=8,
    sizes=(16, 20, 24, 28, 32, 36, 44, 56, (28, 56)),
    separate_sizes=(20, 24, 36, 44, 56),
    model=Model(variant="pico/4", arguments={"image_shape": (28, 28, 1)}),
    data=Data(
        name="fashion_mnist",
        validation_percent=5,
        batch_size=128,
        image_sizes=(20, 24, 28, 36, 44, 56),
    ),
    augment=Augment(shift=2, flip=True),
    optimizer=Optimizer(
        learning_rate=2e-3, warmup_epochs=0.5, weight_decay=0.05, label_smoothing=0.1
    ),
    runtime=Runtime(steps_per_loop=50, export=False),
)
