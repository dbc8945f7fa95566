"""ResMLP-S12 on ImageNet-1k in 400 epochs, without distillation: 76.6%.

python -m training.train --config training/configs/recipes/resmlp.py --workdir runs/resmlp \
    --set data.data_dir=RECORDS

S24 (79.4%) likewise; how many of its branches were dropped is not published (0.1 when the authors
fine-tuned it, deit#117).

Values: arXiv:2105.03404 (LAMB, 5e-3, decay 0.2, 400 epochs) and the authors in deit#106 (batch
2048, drop path 0.05 in every block, no float16), README_resmlp.md (judged by 0.9 of a picture);
the rest is deit.py's. Whether 5e-3 was scaled with the batch once more, as DeiT's script does, is
not said; here it is not. Clipping at 1 is built into apex' LAMB, which the authors point to in
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
