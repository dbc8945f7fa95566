"""Names in a config's `model` section, checked before anything is built."""

import inspect
import pathlib
import runpy

import pytest

import keras_mlp
from training.architecture_names import architecture_names
from training.compare import single_run
from training.config import Comparison, Config, Model
from training.models.arguments import check_model

CONFIGS = pathlib.Path(__file__).parents[2] / "training" / "configs"


def models_of_pages():
    for path in sorted(CONFIGS.rglob("[!_]*.py")):
        config = runpy.run_path(str(path))["CONFIG"]
        if isinstance(config, Comparison):
            names = config.architectures or keras_mlp.ARCHITECTURES
            yield from (single_run(config, name, 0).model for name in names)
        elif isinstance(config, Config):
            yield config.model


@pytest.mark.parametrize("name", keras_mlp.ARCHITECTURES)
def test_the_names_in_the_source_are_those_of_the_classes(name):
    architecture = keras_mlp.ARCHITECTURES[name]
    found = architecture_names()[name]
    assert list(architecture_names()) == list(keras_mlp.ARCHITECTURES)
    assert found.variants == tuple(architecture.variants)
    assert found.arguments == tuple(inspect.signature(architecture).parameters)


def test_every_page_names_a_model_that_exists():
    models = list(models_of_pages())
    assert len(models) > 20
    for model in models:
        check_model(model)


def test_a_preset_takes_arguments_of_its_own():
    arguments = {"file": "weights.npz", "verbose": False, "num_layers": 2}
    check_model(Model(arguments=arguments, preset="mixer_b16_224.goog_in21k"))
    with pytest.raises(ValueError, match="MLPMixer has no argument 'file'"):
        check_model(Model(arguments=arguments))


def test_a_preset_that_is_not_there_names_the_nearest(tmp_path):
    with pytest.raises(ValueError, match=r"names are mixer_b16_224\.goog_in21k, "):
        check_model(Model(preset="mixer_b16_224.goog_in21"))
    (tmp_path / "weights.npz").touch()
    check_model(Model(preset=str(tmp_path / "weights.npz")))


@pytest.mark.parametrize("name", ["foo", "self", "variant", "num_classes", "dtype"])
def test_what_no_constructor_takes_from_a_config_is_refused(name):
    with pytest.raises(ValueError, match=f"ViT has no argument '{name}'.*'num_heads'") as error:
        check_model(Model(architecture="ViT", arguments={name: 1}))
    assert "'num_classes'" not in str(error.value).split("Allowed: ")[1]
