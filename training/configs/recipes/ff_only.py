"""FF-only, linear_tiny, on ImageNet-1k in 300 epochs: 61.4%.

python -m training.train --config training/configs/recipes/ff_only.py --workdir runs/ff_only \
    --set data.data_dir=RECORDS

linear_base (74.9%) and linear_large (71.4%): `--set model.variant=linear_base`.

Values: the command in the README of lukemelas/do-you-even-need-attention: DeiT's script with its
defaults, 8 GPUs of 128 images and dropout 0.1.
Differences: see deit.py; initial weights are the authors'.
"""

import dataclasses

from training.config import Model
from training.configs.recipes.deit import CONFIG as DEIT

CONFIG = dataclasses.replace(
    DEIT,
    model=Model(
        architecture="FFOnly",
        variant="linear_tiny",
        arguments={"dropout_rate": 0.1, "drop_path_rate": 0.1},
    ),
)
