"""ViT B/16 on ImageNet-21k with AugReg's "medium1": 85.49% on ImageNet-1k after fine-tuning.

python -m training.train --config training/configs/recipes/vit_augreg_in21k.py \
    --workdir runs/vit21k --set data.data_dir=FOLDER

FOLDER as for mixer_in21k.py. Other sizes, with the authors' recommendations:

| variant | augmentation | `augment.magnitude` | `augment.mixup` | decay |
|---|---|---:|---:|---:|
| Ti/16 | none: `augment.policy=None` | | 0 | 0.03 |
| S/32 | none: `augment.policy=None` | | 0 | 0.1 |
| S/16 | light1 | 0 | 0 | 0.03 |
| B/32 | light1 | 0 | 0 | 0.1 |
| L/16 | strong1 | 20 | 0.5 | 0.1 |

light2 is (10, 0.2), medium2 (15, 0.5), strong2 (20, 0.8).

Values: arXiv:2106.10270; the name of the released file,
B_16-i21k-300ep-lr_0.001-aug_medium1-wd_0.1-do_0.0-sd_0.0; big_vision, configs/vit_i21k.py.
Differences: those of mixer_in1k.py, except for drop path. 1% is held out instead of 51,200 images.
"""

import dataclasses

from training.config import Model
from training.configs.recipes.mixer_in21k import CONFIG as MIXER

CONFIG = dataclasses.replace(
    MIXER,
    model=Model(
        architecture="ViT",
        variant="B/16",
        arguments={"gelu_approximate": True},
        head_bias=-10.0,
    ),
    augment=dataclasses.replace(MIXER.augment, magnitude=15),
    optimizer=dataclasses.replace(MIXER.optimizer, schedule="cosine"),
)
