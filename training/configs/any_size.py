"""One model for all image sizes, on Fashion-MNIST: small Mixers and gMLPs, three seeds.

python -m training.any_size --config training/configs/any_size.py --workdir runs/any_size --jobs 2

The flexible model sees as many images in total as each of the others. Test sizes lie between the
trained ones too, and beyond them. Nothing was tuned. docs/any_size.md has the results.
"""

from training.config import AnySize, Augment, Data, Model, Optimizer, Runtime

CONFIG = AnySize(
    architectures=("MLPMixer", "GMLP"),
    repeats=3,
    epochs=4,
    sizes=(16, 20, 24, 28, 32, 36, 44, 56, (28, 56)),
    separate_sizes=(20, 36, (28, 56), 56),
    model=Model(
        variant="pico/4",
        arguments={
            "image_shape": (28, 28, 1),
            "num_layers": 4,
            "hidden_dim": 48,
            "channel_mlp_dim": 192,
        },
    ),
    data=Data(
        name="fashion_mnist",
        validation_percent=0,
        batch_size=128,
        image_sizes=(20, 24, 28, 36, 44, 56, (20, 40)),
    ),
    augment=Augment(shift=2, flip=True),
    optimizer=Optimizer(
        learning_rate=3e-3, warmup_epochs=0.5, weight_decay=0.05, label_smoothing=0.1
    ),
    runtime=Runtime(
        dtype="mixed_bfloat16",
        compile_gelu=True,
        steps_per_loop=50,
        epochs_per_checkpoint=4,
        export=False,
    ),
)
