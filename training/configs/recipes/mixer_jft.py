"""MLP-Mixer S/32 on very many pictures, as on JFT-300M: 68.70% of ImageNet-1k after fine-tuning.

python -m training.train --config training/configs/recipes/mixer_jft.py --workdir runs/mixer_jft \
    --set data.data_dir=FOLDER

JFT-300M (about 300 million pictures of about 18,000 classes, several a picture) is Google's
alone: FOLDER holds yours, as train/CLASS/*.jpg and test/CLASS/*.jpg, one class a picture. The
number of steps, about 366,000 there, is `epochs` times pictures over 4096. Variants of the paper
(ImageNet-1k after fine-tuning at 224 pixels): S/16 as here (73.83%); B/32 and B/16 with 7 epochs
(75.53, 80.00%); L/32, L/16 with 7 or 14 and H/14 with 14 epochs and
`optimizer.learning_rate=1e-3` (80.67; 84.05, 84.82; 86.32%).

Values: arXiv:2105.01601, table 4, which has no RandAugment, MixUp and drop path here. Not in the
paper: the loss, and the bias that it starts with (as for ImageNet-21k); parts of pictures,
mirrored (as elsewhere). Differences: see mixer_in1k.py.
"""

import dataclasses

from training.config import Augment
from training.configs.recipes.mixer_in21k import CONFIG as IN21K

CONFIG = dataclasses.replace(
    IN21K,
    epochs=5,
    model=dataclasses.replace(IN21K.model, variant="S/32", arguments={"gelu_approximate": True}),
    data=dataclasses.replace(IN21K.data, num_classes=0),
    augment=Augment(crop=0.05, flip=True),
    optimizer=dataclasses.replace(IN21K.optimizer, learning_rate=3e-3, weight_decay=0.03),
)
