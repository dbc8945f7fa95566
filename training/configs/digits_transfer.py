"""Digits 5 to 9 from ten images of each, starting from a model that never saw any of them.

python -m training.finetune --source runs/digits_source/features \
    --config training/configs/digits_transfer.py --workdir runs/digits_transfer

Expect on 180 test images, mean and range of seeds 0 to 2:

| | accuracy |
|---|---:|
| frozen | 42.0% (41.1 to 42.8) |
| fine-tuned | 79.4% (77.2 to 81.1) |
| from scratch | 68.9% (61.7 to 75.0) |

This takes 2.6 minutes on two shared cores (AMD EPYC, Zen 4; TensorFlow 2.20.0, Keras 3.15.1;
2026-11-20). The budget is short on purpose: after 60 epochs, fine-tuned (88.0%) and from scratch
(87.2%) are within each other's range. The ten images are the first of each class.
"""

from training.config import Augment, Data, FineTuneConfig, Optimizer

CONFIG = FineTuneConfig(
    epochs=20,
    repeats=3,
    data=Data(
        name="digits",
        classes=(5, 6, 7, 8, 9),
        examples_per_class=10,
        subset_seed=None,
        validation_percent=0,
        batch_size=25,
    ),
    augment=Augment(share=0.5, shift=1),
    optimizer=Optimizer(learning_rate=3e-3, warmup_epochs=2, weight_decay=0.05),
)
