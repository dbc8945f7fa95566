"""Every architecture keeps the contract: a new one adds a row here and a file of weight paths."""

import dataclasses
import fnmatch
import pathlib

import keras
import pytest

from keras_mlp import ARCHITECTURES
from tests import contract

WEIGHT_PATHS = pathlib.Path(__file__).parent / "weight_paths"


@dataclasses.dataclass(frozen=True)
class Row:
    """What the tests must know of one architecture.

    Attributes:
        toy: arguments of a model that is built in a fraction of a second.
        parameters: exact number of parameters of every variant.
        no_gradient: patterns of weights that cannot move any logit, and why in a comment.
    """

    toy: dict
    parameters: dict
    no_gradient: tuple = ()


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
        # Shifts all channels of a token alike, which every LayerNorm after it takes out again.
        no_gradient=("block_*/token_mlp/fc2/bias",),
    ),
}


def factory(architecture):
    def make(**overrides):
        return ARCHITECTURES[architecture](**{**ROWS[architecture].toy, **overrides})

    return make


def test_every_architecture_has_a_row():
    assert ROWS.keys() == ARCHITECTURES.keys()


@pytest.mark.parametrize("promise", contract.PROMISES, ids=lambda promise: promise.__name__)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_promise(architecture, promise):
    promise(factory(architecture))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_weight_gets_a_gradient(architecture):
    silent = contract.weights_without_gradient(factory(architecture))
    paths = [weight.path for weight in factory(architecture)().weights]
    patterns = ROWS[architecture].no_gradient
    assert silent == [p for p in paths if any(fnmatch.fnmatch(p, each) for each in patterns)]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_weight_paths_are_frozen(architecture):
    # Users' checkpoints and layer-wise settings refer to these paths: changing one breaks them.
    stored = (WEIGHT_PATHS / f"{architecture}.txt").read_text().split()
    assert [weight.path for weight in factory(architecture)().weights] == stored


def test_every_variant_has_a_parameter_count():
    counted = {name: set(row.parameters) for name, row in ROWS.items()}
    assert counted == {name: set(model.variants) for name, model in ARCHITECTURES.items()}


@pytest.mark.parametrize(
    ("architecture", "variant"),
    [(name, variant) for name, model in ARCHITECTURES.items() for variant in model.variants],
)
def test_parameter_count(architecture, variant):
    # Variables that never get a value: the largest models have hundreds of millions of numbers.
    with keras.StatelessScope(initialize_variables=False):
        count = ARCHITECTURES[architecture].from_variant(variant).count_params()
    keras.utils.clear_session()  # forgets them, or the next scope would give them values
    assert count == ROWS[architecture].parameters[variant]
