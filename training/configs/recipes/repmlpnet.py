"""RepMLPNet-T224 on ImageNet-1k in 100 epochs: 76.62%.

python -m training.train --config training/configs/recipes/repmlpnet.py --workdir runs/repmlpnet \
    --set data.data_dir=RECORDS

The authors' command is for B256 (81.03%): `--set model.variant=B256`; their README states no other
for T224. After training, `keras_mlp.deploy` folds the convolutions into the matrices.

Values: DingXiaoH/RepMLP: the README's command (8 GPUs of 32 images), config.py, data/build.py and
randaug.py, where "raug15" draws a magnitude from 0 to 14 every time.
Differences: those of deit.py about MixUp and the learning rate. RandAugment has the same
operations, but the authors' work on PIL images, where a Solarize threshold above 255 changes
nothing; they always apply one of the 16, with integer magnitudes. BatchNorm computes its statistics
over all devices; theirs over 32 images.
"""

import dataclasses

from training.config import Model, Runtime
from training.configs.recipes.deit import CONFIG as DEIT

CONFIG = dataclasses.replace(
    DEIT,
    epochs=100,
    model=Model(architecture="RepMLPNet", variant="T224"),
    data=dataclasses.replace(DEIT.data, batch_size=256, crop=1.0, interpolation="bilinear"),
    augment=dataclasses.replace(
        DEIT.augment,
        magnitude=14,
        magnitude_std=0.0,
        magnitude_uniform=True,
        erase=0.0,
        mixup=0.4,
        repeats=1,
    ),
    optimizer=dataclasses.replace(
        DEIT.optimizer,
        warmup_epochs=10,
        warmup_from=5e-7,
        final_learning_rate=0.0,
        weight_decay=0.1,
        clip_norm=5.0,
    ),
    runtime=Runtime(),
)
