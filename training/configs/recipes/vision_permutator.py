"""Vision Permutator S/7 on ImageNet-1k, 300 epochs and ten more at the final rate: 81.5%.

python -m training.train --config training/configs/recipes/vision_permutator.py --workdir runs/vip \
    --set data.data_dir=RECORDS

M/7 (82.7%) and L/7 (83.2%): `--set model.variant=M/7`; their larger drop path rates are not
published with the command. L/7 is evaluated with `--set data.crop=0.875`.

Values: the command in the authors' README (8 GPUs of 256 images) and the defaults of their main.py,
which evaluates averaged weights.
Differences: see deit.py (but initial weights are the authors', and no image is repeated); pictures
are resized bicubically, not by one of two methods at random; early in the run the average decays
faster.
"""

import dataclasses

from training.config import Model
from training.configs.recipes.deit import CONFIG as DEIT

CONFIG = dataclasses.replace(
    DEIT,
    epochs=310,
    model=Model(architecture="VisionPermutator", variant="S/7", arguments={"drop_path_rate": 0.1}),
    data=dataclasses.replace(DEIT.data, batch_size=2048, crop=0.9),
    augment=dataclasses.replace(DEIT.augment, repeats=1),
    optimizer=dataclasses.replace(
        DEIT.optimizer, learning_rate=2e-3, warmup_epochs=20, cooldown_epochs=10, ema=0.99996
    ),
)
