"""ResMLP-S12 on ImageNet-1k in 400 epochs, without distillation: 76.6%.

python -m training.train --config training/configs/recipes/resmlp.py --workdir runs/resmlp \
    --set data.data_dir=RECORDS

S24 (79.4%) uses the same values; its drop path rate is not published (0.1 when the authors
fine-tuned it, deit#117).

Values: arXiv:2105.03404 (LAMB, 5e-3, decay 0.2, 400 epochs), the authors in deit#106 (batch 2048,
drop path 0.05 in every block, no float16) and README_resmlp.md (an evaluation crop of 0.9); the
rest is deit.py's. The sources do not say whether 5e-3 was scaled with the batch again, as DeiT's
script does; here it is not. Clipping at 1 is built into apex' LAMB, which the authors point to in
deit#112 (recalled).
Differences: see deit.py; initial weights are the authors'.
"""

import dataclasses

from training.config import Model, Runtime
from training.configs.recipes.deit import CONFIG as DEIT

CONFIG = dataclasses.replace(
    DEIT,
    epochs=400,
    model=Model(architecture="ResMLP", variant="S12", arguments={"drop_path_rate": 0.05}),
    data=dataclasses.replace(DEIT.data, batch_size=2048, crop=0.9),
    optimizer=dataclasses.replace(
        DEIT.optimizer, name="lamb", learning_rate=5e-3, weight_decay=0.2, clip_norm=1.0
    ),
    runtime=Runtime(),
)
