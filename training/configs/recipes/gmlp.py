"""gMLP S/16 on ImageNet-1k in 300 epochs: 79.6% in the paper.

python -m training.train --config training/configs/recipes/gmlp.py --workdir runs/gmlp \
    --set data.data_dir=RECORDS

Ti/16 (72.3%) without drop path: `--set model.variant=Ti/16 --set
model.arguments.drop_path_rate=0`; B/16 (81.6%) with 0.2.

Values: arXiv:2105.08050, appendix, as recalled: all numbers of this page were written from memory.
Compare them with the paper before committing compute. No code for images was published. Cropping is
DeiT's, whose setup the paper says it follows; normalisation (mean and deviation 0.5) and initial
weights are timm's.
Differences: those of deit.py about MixUp and the learning rate.
"""

import dataclasses

from training.config import Model
from training.configs.recipes.deit import CONFIG as DEIT

CONFIG = dataclasses.replace(
    DEIT,
    model=Model(architecture="GMLP", variant="S/16", arguments={"drop_path_rate": 0.05}),
    data=dataclasses.replace(DEIT.data, batch_size=4096),
    augment=dataclasses.replace(DEIT.augment, policy="autoaugment_v0", erase=0.0, repeats=1),
    optimizer=dataclasses.replace(
        DEIT.optimizer,
        warmup_steps=10_000,
        warmup_from=0.0,
        final_learning_rate=0.0,
        epsilon=1e-6,
        clip_norm=1.0,
    ),
)
