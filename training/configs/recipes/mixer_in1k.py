"""MLP-Mixer B/16 on ImageNet-1k, 300 epochs, as in its paper: 76.44% there.

python -m training.train --config training/configs/recipes/mixer_in1k.py --workdir runs/mixer \
    --set data.data_dir=RECORDS

L/16 has the same values (`--set model.variant=L/16`; 71.76%: the data is too little for it).

Values: arXiv:2105.01601, table 4 and appendix. Not in the paper, from the authors' big_vision
(configs/mlp_mixer_i1k.py): the loss and the bias that it starts with, the parts of pictures that
are trained on, 1% held out. Their weight decay of 1e-4 is this one of 0.1 times the learning
rate.

Differences to Google's code, of this page and those that it is the base of:
- RandAugment is the model garden's, from the same source. It leaves the image as it is in one
  draw of 17; big_vision always takes one of the 16 operations.
- MixUp draws a weight for each image, not for each batch.
- Pictures are resized with antialiasing.
- What drop path keeps is divided by the probability of keeping it.
- Adam's first moment is in float32 (bfloat16 in some of their configs).
"""

from training.config import Augment, Config, Data, Model, Optimizer

CONFIG = Config(
    epochs=300,
    model=Model(
        architecture="MLPMixer",
        variant="B/16",
        arguments={"drop_path_rate": 0.1, "gelu_approximate": True},
        head_bias=-6.9,
    ),
    data=Data(
        name="imagenet_tfrecord",
        test_split="validation",
        num_classes=1000,
        validation_percent=1,
        batch_size=4096,
        crop=0.875,  # the shorter side to 256, of which the middle 224
    ),
    augment=Augment(crop=0.05, flip=True, policy="randaugment", magnitude=15, mixup=0.5),
    optimizer=Optimizer(
        name="adamw",
        learning_rate=1e-3,
        schedule="linear",
        warmup_steps=10_000,
        weight_decay=0.1,
        epsilon=1e-8,
        clip_norm=1.0,
        loss="sigmoid",
    ),
)
