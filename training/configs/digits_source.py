"""Digits 0 to 4 only: the first half of the transfer demonstration (see digits_transfer.py).

python -m training.train --config training/configs/digits_source.py --workdir runs/digits_source
"""

import dataclasses

from training.config import Data
from training.configs.digits import CONFIG as DIGITS

CONFIG = dataclasses.replace(
    DIGITS,
    epochs=40,
    data=Data(name="digits", classes=(0, 1, 2, 3, 4), validation_percent=0, batch_size=64),
)
