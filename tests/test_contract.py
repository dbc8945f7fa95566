"""Every architecture keeps the contract: a new one adds a row here and a file of weight paths."""

import dataclasses
import fnmatch
import functools
import math
import pathlib

import pytest

from keras_mlp import ARCHITECTURES
from keras_mlp.analysis.weightless import weightless
from tests import contract

WEIGHT_PATHS = pathlib.Path(__file__).parent / "weight_paths"


@dataclasses.dataclass(frozen=True)
class Row:
    """What the tests need to know about an architecture.

    Attributes:
        toy: arguments of a model that builds in a fraction of a second.
        parameters: exact number of parameters of every variant.
        dense: number of dense layers in the toy's blocks that mix tokens, and of the others.
        int8_error: twice the largest error of five seeds; see `test_quantization.error`.
        exponent: exponent with which the cost of token mixing grows with the number of tokens.
        token_weights: suffixes of the paths of weights that depend on the token grid.
        drawn_anew: further weights that change when token mixing is reinitialized.
        copies: whether each sub-image can have its own copy of the token mixing.
        no_gradient: patterns of weights that cannot change any logit; a comment says why.
        plausible: values that a user may give to arguments that only this architecture has.
        square_only: whether the design takes square images only, and must refuse others.
    """

    toy: dict
    parameters: dict
    dense: tuple
    int8_error: float
    exponent: int
    token_weights: tuple
    drawn_anew: tuple = ()
    copies: bool = False
    no_gradient: tuple = ()
    plausible: dict = dataclasses.field(default_factory=dict)
    square_only: bool = False


TOKEN_MLP = ("token_mlp/fc1/kernel", "token_mlp/fc2/kernel", "token_mlp/fc2/bias")
TOKEN_LINEAR = ("token_linear/kernel", "token_linear/bias")


ROWS = {
    "MLPMixer": Row(
        toy={
            "image_shape": (16, 24, 3),
            "patch_size": 4,
            "num_layers": 2,
            "hidden_dim": 16,
            "token_mlp_dim": 12,
            "channel_mlp_dim": 32,
            "num_classes": 5,
        },
        parameters={
            "S/32": 19_104_624,
            "S/16": 18_528_264,
            "B/32": 60_293_428,
            "B/16": 59_880_472,
            "L/32": 206_939_264,
            "L/16": 208_196_168,
            "H/14": 432_350_952,
            # Ours, with 1,000 classes.
            "nano/4": 1_259_880,
            "pico/4": 306_638,
            "pico/2": 203_624,
        },
        dense=(4, 4),
        int8_error=0.025,
        exponent=1,
        token_weights=TOKEN_MLP,
        drawn_anew=("token_mlp/fc1/bias",),
        copies=True,
        # Shifts all channels of a token alike; every later LayerNorm removes the shift.
        no_gradient=("block_*/token_mlp/fc2/bias",),
    ),
    "ResMLP": Row(
        toy={
            "image_shape": (16, 24, 3),
            "patch_size": 4,
            "num_layers": 2,
            "hidden_dim": 16,
            "channel_mlp_dim": 32,
            "num_classes": 5,
        },
        parameters={
            "S12": 15_350_872,
            "S24": 30_020_680,
            "S36": 44_690_488,
            "B24/16": 115_736_776,
            "B24/8": 129_138_280,
            # Ours, with 1,000 classes.
            "nano/4": 1_228_648,
            "pico/4": 283_796,
            "pico/2": 200_936,
        },
        dense=(2, 4),
        int8_error=0.015,
        exponent=2,
        token_weights=TOKEN_LINEAR,
        copies=True,
    ),
    "VisionPermutator": Row(
        toy={
            "image_shape": (16, 16, 3),
            "patch_size": 4,
            "num_layers": (1, 2),
            "hidden_dim": (8, 16),
            "downsample": (True,),
            "mlp_ratio": 2,
            "num_classes": 5,
        },
        parameters={
            "S/14": 29_892_904,
            "S/7": 25_114_984,
            "M/7": 55_272_488,
            "L/7": 87_784_936,
            # Ours, with 1,000 classes.
            "nano/4": 1_211_768,
            "pico/4": 270_948,
            "pico/2": 203_480,
        },
        dense=(6, 18),
        int8_error=0.02,
        exponent=1,
        token_weights=("permute_mlp/height/kernel", "permute_mlp/width/kernel"),
        square_only=True,
    ),
    "RepMLPNet": Row(
        toy={
            "image_shape": (16, 24, 3),
            "patch_size": 4,
            "num_layers": (1, 2),
            "hidden_dim": (8, 16),
            "num_sharesets": (2, 4),
            # Not 1: a BatchNorm cancels the scale of that kernel, except for the epsilon, so its
            # gradient is nearly zero.
            "kernel_sizes": (3, 5),
            "mlp_ratio": 2,
            "num_classes": 5,
        },
        parameters={
            "T224": 38_293_608,
            "B224": 68_242_712,
            "T256": 58_687_848,
            "B256": 96_447_512,
            "D256": 86_887_648,
            "L256": 117_641_560,
            # Ours, with 1,000 classes.
            "nano/4": 1_247_848,
            "pico/4": 341_088,
            "pico/2": 239_672,
        },
        dense=(0, 12),
        int8_error=0.03,
        exponent=2,
        token_weights=("fc3/kernel",),
        copies=True,
        # Shift all pixels of a channel alike; in training the next BatchNorm removes the shift.
        no_gradient=("*/norm2/beta", "*/fc2_norm/beta"),
    ),
    "GMLP": Row(
        toy={
            "image_shape": (16, 24, 3),
            "patch_size": 4,
            "num_layers": 2,
            "hidden_dim": 16,
            "channel_mlp_dim": 32,
            "num_classes": 5,
        },
        parameters={
            "Ti/16": 5_867_328,
            "S/16": 19_422_656,
            "B/16": 73_075_392,
            # Ours, with 1,000 classes.
            "nano/4": 1_164_424,
            "pico/4": 242_696,
            "pico/2": 180_088,
        },
        dense=(2, 4),
        int8_error=0.02,
        exponent=2,
        token_weights=TOKEN_LINEAR,
        copies=True,
    ),
    "FFOnly": Row(
        toy={
            "image_shape": (16, 24, 3),
            "patch_size": 4,
            "num_layers": 2,
            "hidden_dim": 16,
            "channel_mlp_dim": 32,
            "token_mlp_dim": 12,
            "position_grid": (3, 5),
            "num_classes": 5,
        },
        parameters={
            "linear_tiny": 7_676_332,
            "linear_base": 61_943_020,
            "linear_large": 206_363_576,
            # Ours, with 1,000 classes.
            "nano/4": 1_307_537,
            "pico/4": 285_792,
            "pico/2": 209_700,
        },
        dense=(4, 4),
        int8_error=0.04,
        exponent=2,
        token_weights=(*TOKEN_MLP, "norm2/gamma", "norm2/beta"),
        drawn_anew=("token_mlp/fc1/bias",),
        # In the last block it shifts all channels of a token alike; the last LayerNorm undoes it.
        no_gradient=("block_1/token_mlp/fc2/bias",),
    ),
    "ViT": Row(
        toy={
            "image_shape": (16, 24, 3),
            "patch_size": 4,
            "num_layers": 2,
            "hidden_dim": 16,
            "num_heads": 2,
            "channel_mlp_dim": 32,
            "num_classes": 5,
        },
        parameters={
            "Ti/16": 5_717_416,
            "S/32": 22_878_952,
            "S/16": 22_050_664,
            "B/32": 88_224_232,
            "B/16": 86_567_656,
            "B/8": 86_576_872,
            "L/32": 306_535_400,
            "L/16": 304_326_632,
            "H/14": 632_045_800,
            # Ours, with 1,000 classes.
            "nano/4": 1_333_608,
            "pico/4": 321_448,
            "pico/2": 201_000,
        },
        dense=(8, 4),
        int8_error=0.08,
        exponent=2,
        token_weights=("position_embedding/embeddings",),
        # Adds the same number to all scores of a query, which cancels in the softmax.
        no_gradient=("block_*/attention/key/bias",),
    ),
    "ConvMixer": Row(
        toy={
            "image_shape": (16, 24, 3),
            "patch_size": 4,
            "num_layers": 2,
            "hidden_dim": 16,
            "kernel_size": 3,
            "num_classes": 5,
        },
        parameters={
            "256/8": 961_000,
            "768/32": 21_110_248,
            "1024/20": 24_383_464,
            "1536/20": 51_625_960,
            # Ours, with 1,000 classes.
            "nano/4": 1_372_136,
            "pico/4": 379_752,
            "pico/2": 259_048,
        },
        dense=(0, 0),
        int8_error=0.02,
        exponent=1,
        token_weights=(),
        plausible={"kernel_size": (1, 3, 5, 31), "activation": ("gelu", "relu")},
    ),
}


def factory(architecture):
    """A function from changes of the toy's arguments to a new model."""
    return functools.partial(ARCHITECTURES[architecture], **ROWS[architecture].toy)


def test_every_architecture_has_a_row():
    assert ROWS.keys() == ARCHITECTURES.keys()


@pytest.mark.parametrize("promise", contract.PROMISES, ids=lambda promise: promise.__name__)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_promise(architecture, promise):
    if promise is contract.takes_images_that_are_not_square and ROWS[architecture].square_only:
        promise = contract.refuses_images_that_are_not_square
    promise(factory(architecture))


@pytest.fixture(scope="module", params=ARCHITECTURES)
def models(request):
    """For all promises: no test may change them."""
    return contract.one_of_each_policy(factory(request.param))


@pytest.mark.parametrize("promise", contract.PROMISES_OF_MODELS, ids=lambda each: each.__name__)
def test_promise_of_models(models, promise):
    promise(models)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_weight_gets_a_gradient(architecture):
    silent = contract.weights_without_gradient(factory(architecture))
    patterns = ROWS[architecture].no_gradient
    paths = weight_paths(architecture)
    assert silent == [p for p in paths if any(fnmatch.fnmatch(p, each) for each in patterns)]


def test_weight_paths_are_frozen(models):
    # Users' checkpoints and layer-wise settings refer to these paths; changing one breaks them.
    model = models["float32"]
    assert [weight.path for weight in model.weights] == weight_paths(type(model).__name__)


def weight_paths(architecture):
    """Those that are stored."""
    return (WEIGHT_PATHS / f"{architecture}.txt").read_text().split()


def test_every_variant_has_a_parameter_count():
    counted = {name: set(row.parameters) for name, row in ROWS.items()}
    assert counted == {name: set(model.variants) for name, model in ARCHITECTURES.items()}


def sizes():
    """Every architecture and variant; all but the first one and ours are a sweep."""
    for name, model in ARCHITECTURES.items():
        for number, variant in enumerate(model.variants):
            first = number == 0 or variant.startswith(("nano", "pico"))
            yield pytest.param(name, variant, marks=[] if first else pytest.mark.sweep)


@pytest.mark.parametrize(("architecture", "variant"), list(sizes()))
def test_parameter_count(architecture, variant):
    model = weightless(ARCHITECTURES[architecture].from_variant, variant)
    # Papers do not count the moving statistics of BatchNorm.
    count = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    assert count == ROWS[architecture].parameters[variant]
