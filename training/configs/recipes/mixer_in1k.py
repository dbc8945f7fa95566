"""MLP-Mixer B/16 on ImageNet-1k, 300 epochs, as in its paper, which gives 76.44%.

python -m training.train --config training/configs/recipes/mixer_in1k.py --workdir runs/mixer \
    --set data.data_dir=RECORDS

L/16 uses the same values (`--set model.variant=L/16`; 71.76%, because the data set is too small
for it).

Values: arXiv:2105.01601, table 4 and appendix. The loss, the initial bias for it, the random crops
and the 1% held out are not in the paper, but in the authors' big_vision (configs/mlp_mixer_i1k.py).
Their weight decay of 1e-4 equals 0.1 here, which is multiplied by the learning rate.

Differences from Google's code, of this page and of those that derive from it:
- RandAugment is the model garden's, which has the same origin. It leaves the image unchanged in one
  draw of 17; big_vision always applies one of the 16 operations.
- MixUp draws a weight for each image, not for each batch.
- Pictures are resized with antialiasing.
- Drop path divides the kept branches by the probability of keeping them.
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
        crop=0.875,  # the shorter side to 256, then the central 224
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
