"""One model for all image sizes, on the embedded digits: small Mixers and gMLPs, three seeds.

python -m training.any_size --config training/configs/any_size_digits.py --workdir runs/any_size

The digits have 8 x 8 pixels, and larger ones are interpolated: this shows whether a model holds at
other sizes, not what more pixels are worth. The models are small enough for minutes on one core.
Nothing was tuned. docs/any_size.md has the results.
"""

from training.config import AnySize, Augment, Data, Model, Optimizer, Runtime

CONFIG = AnySize(
    architectures=("MLPMixer", "GMLP"),
    repeats=3,
    epochs=60,
    sizes=(4, 6, 8, 10, 12, 14, 16, (8, 16)),
    separate_sizes=(6, 12, 16, (8, 16)),
    model=Model(
        variant="pico/2",
        arguments={
            "image_shape": (8, 8, 1),
            "num_layers": 3,
            "hidden_dim": 32,
            "channel_mlp_dim": 128,
        },
    ),
    data=Data(name="digits", validation_percent=0, batch_size=64, image_sizes=(6, 8, 10, 12, 16)),
    augment=Augment(share=0.5, shift=1),
    optimizer=Optimizer(
        learning_rate=3e-3, warmup_epochs=3, weight_decay=0.05, label_smoothing=0.1
    ),
    runtime=Runtime(epochs_per_checkpoint=60, export=False),
)
