"""MLP-Mixer fine-tuned at 448 x 448 pixels by the paper's rule: L/16, from ImageNet-21k, 83.91%.

python -m training.train --config training/configs/recipes/mixer_finetune_448.py \
    --workdir runs/mixer_448 --set data.data_dir=RECORDS \
    --set model.variant=L/16 --set model.preset=mixer_l16_224.goog_in21k

Without the last line it is B/16, for which the paper gives no figure at this size.

Values: those of mixer_finetune_224.py. As in arXiv:2105.01601, appendix C, the token MLPs become
block-diagonal, with one copy of the weights for each quarter of the image. `--set
model.resize_method=interpolate` keeps their width and interpolates their weights instead.
Difference: the evaluation crop at 448 pixels, the central 448 of 512, is from memory.
"""

import dataclasses

from training.configs.recipes.mixer_finetune_224 import CONFIG as AT_224

CONFIG = dataclasses.replace(
    AT_224,
    model=dataclasses.replace(
        AT_224.model, arguments={"image_shape": (448, 448, 3)}, resize_method="block_diagonal"
    ),
)
