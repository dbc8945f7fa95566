"""MLP-Mixer S/32 on a very large data set such as JFT-300M: 68.70% on ImageNet-1k, fine-tuned.

python -m training.train --config training/configs/recipes/mixer_jft.py --workdir runs/mixer_jft \
    --set data.data_dir=FOLDER

JFT-300M (about 300 million pictures of about 18,000 classes, several per picture) belongs to
Google: FOLDER holds your pictures, as train/CLASS/*.jpg and test/CLASS/*.jpg, one class per
picture. The number of steps, about 366,000 in the paper, is `epochs` times pictures over 4096.
The paper's other variants, fine-tuned on ImageNet-1k at 224 pixels:

| variant | epochs | `optimizer.learning_rate` | top-1 |
|---|---:|---|---:|
| S/16 | 5 | as here | 73.83% |
| B/32 | 7 | as here | 75.53% |
| B/16 | 7 | as here | 80.00% |
| L/32 | 7 | 1e-3 | 80.67% |
| L/16 | 7 | 1e-3 | 84.05% |
| L/16 | 14 | 1e-3 | 84.82% |
| H/14 | 14 | 1e-3 | 86.32% |

Values: arXiv:2105.01601, table 4, which lists no RandAugment, MixUp or drop path for this data set.
Not in the paper: the loss and the initial bias for it (as for ImageNet-21k); random crops, mirrored
(as elsewhere). Differences: see mixer_in1k.py.
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
