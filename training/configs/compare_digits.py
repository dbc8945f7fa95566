"""The seven families on handwritten digits, 8 x 8 pixels, with the recipe of digits.py.

python -m training.compare --config training/configs/compare_digits.py --workdir runs/compare
"""

from training.config import Comparison
from training.configs.digits import CONFIG as DIGITS

# This recipe sets dropout and stochastic depth; ConvMixer, the comparison, has neither.
CONFIG = Comparison(
    **vars(DIGITS),
    architectures=(
        "MLPMixer",
        "ResMLP",
        "GMLP",
        "VisionPermutator",
        "RepMLPNet",
        "FFOnly",
        "ViT",
    ),
)
