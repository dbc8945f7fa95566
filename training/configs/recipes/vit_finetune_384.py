"""ViT Ti/16, pre-trained by AugReg, fine-tuned on ImageNet-1k at 384 x 384 pixels: 78.22%.

python -m training.train --config training/configs/recipes/vit_finetune_384.py \
    --workdir runs/vit_384 --set data.data_dir=RECORDS

B/16 (85.49%): `--set model.variant=B/16 --set model.preset=vit_base_patch16_224.augreg_in21k`;
S/16 (83.73%) likewise. The rate is 0.03 for these, 0.01 for S/32, B/32 and L/16.

Values: vision_transformer, configs/common.py and augreg.py, and the names of the released files
(steps_20k-lr_0.03-res_384): the same as for Mixer. Evaluation uses the whole picture, as in their
code.
Differences: those of mixer_finetune_224.py; position embeddings are interpolated bicubically (the
authors: bilinearly, from corner to corner).
"""

import dataclasses

from training.config import Model
from training.configs.recipes.mixer_finetune_224 import CONFIG as MIXER

CONFIG = dataclasses.replace(
    MIXER,
    model=Model(
        architecture="ViT",
        variant="Ti/16",
        arguments={"image_shape": (384, 384, 3)},
        preset="vit_tiny_patch16_224.augreg_in21k",
    ),
    data=dataclasses.replace(MIXER.data, crop=0.0),
)
