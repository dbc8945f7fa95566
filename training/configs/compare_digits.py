"""The seven architectures on handwritten digits, 8 x 8 pixels, with the recipe of digits.py.

python -m training.compare --config training/configs/compare_digits.py --workdir runs/compare
"""

from training.config import Comparison
from training.configs.digits import CONFIG as DIGITS

CONFIG = Comparison(**vars(DIGITS))
