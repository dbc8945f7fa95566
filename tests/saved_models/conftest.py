"""Two runs that train in seconds, and the artefacts made from them."""

import shutil

import pytest

from saved_models.make import make
from tests.training.blank_pictures import blank_pictures
from training.config import Augment, Config, Data, Model, Optimizer, Runtime
from training.data.sources import find_dataset
from training.train import train

ARGUMENTS = {
    "MLPMixer": {"num_layers": 1, "hidden_dim": 16, "channel_mlp_dim": 32},
    "RepMLPNet": {"num_layers": (1,), "hidden_dim": (16,), "num_sharesets": (4,)},
}


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory):
    """A function from architecture and `data.image_sizes` to the workdir of a run, trained once."""
    data_dir = tmp_path_factory.mktemp("tfds")
    find_dataset("digits", str(data_dir))
    runs = tmp_path_factory.mktemp("runs")

    def run(architecture, image_sizes=()):
        folder = runs / architecture / ("sizes" if image_sizes else "plain")
        arguments = {"image_shape": (8, 8, 1), **ARGUMENTS[architecture]}
        config = Config(
            epochs=1,
            model=Model(architecture, "pico/2", arguments),
            data=Data(
                name="digits", data_dir=str(data_dir), batch_size=64, image_sizes=image_sizes
            ),
            augment=Augment(shift=1),
            optimizer=Optimizer(learning_rate=5e-3),
            runtime=Runtime(steps_per_loop=10, export=False),
        )
        with blank_pictures():
            train(config, folder)
        return folder

    return run


@pytest.fixture(scope="session")
def made(finished_run, tmp_path_factory):
    """The artefact of a Mixer, with a further image size. Tests must not change it."""
    output = tmp_path_factory.mktemp("made")
    return make(finished_run("MLPMixer"), output, sizes=[(12, 16)])


@pytest.fixture
def copy(made, tmp_path):
    """A copy that a test may damage."""
    return shutil.copytree(made, tmp_path / made.name)
