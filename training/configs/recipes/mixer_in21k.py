"""MLP-Mixer B/16 on ImageNet-21k, 300 epochs: 80.64% on ImageNet-1k after fine-tuning.

python -m training.train --config training/configs/recipes/mixer_in21k.py --workdir runs/mixer21k \
    --set data.data_dir=FOLDER

FOLDER holds train/CLASS/*.jpg and test/CLASS/*.jpg. The released weights have 21,843 classes; the
public download of 2011 has 21,841: `--set data.num_classes=21841`. L/16 (82.89%): `--set
model.variant=L/16 --set augment.magnitude=20 --set augment.mixup=0.5`.

Values: arXiv:2105.01601, table 4. The paper does not name the loss; the sigmoid loss with an
initial bias of -10 is from the authors' ViT recipes for these images (AugReg, big_vision's
vit_i21k.py). Which images were held out for Mixer is not published; here it is 1% of train, and
`test`.
Differences: see mixer_in1k.py.
"""

import dataclasses

from training.config import Data
from training.configs.recipes.mixer_in1k import CONFIG as IN1K

CONFIG = dataclasses.replace(
    IN1K,
    model=dataclasses.replace(IN1K.model, head_bias=-10.0),
    data=Data(
        name="image_folder",
        num_classes=21843,
        validation_percent=1,
        batch_size=4096,
        crop=0.875,
    ),
    augment=dataclasses.replace(IN1K.augment, magnitude=10, mixup=0.2),
)
