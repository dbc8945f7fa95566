"""Digits 5 to 9 from ten images of each, starting from a model that never saw any of them.

python -m training.finetune --source runs/digits_source/features \
    --config training/configs/digits_transfer.py --workdir runs/digits_transfer
"""

from training.config import Augment, Data, FineTuneConfig, Optimizer

CONFIG = FineTuneConfig(
    epochs=60,
    repeats=3,
    data=Data(
        name="digits",
        classes=(5, 6, 7, 8, 9),
        examples_per_class=10,
        validation_percent=0,
        batch_size=25,
    ),
    augment=Augment(shift=1),
    optimizer=Optimizer(learning_rate=1e-3, warmup_epochs=3, weight_decay=0.05),
)
