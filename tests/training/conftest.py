"""The embedded dataset, prepared once, a config small enough to train in seconds, and its runs."""

import dataclasses

import pytest

from tests.training.blank_pictures import blank_pictures
from training.config import Augment, Config, Data, Model, Optimizer, Runtime


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory):
    from training.data.sources import find_dataset

    folder = tmp_path_factory.mktemp("tfds")
    find_dataset("digits", str(folder))
    return str(folder)


@pytest.fixture
def config(data_dir):
    return Config(
        epochs=2,
        model=Model(
            variant="pico/2",
            arguments={
                "image_shape": (8, 8, 1),
                "num_layers": 1,
                "hidden_dim": 16,
                "channel_mlp_dim": 32,
            },
        ),
        data=Data(name="digits", data_dir=data_dir, batch_size=64),
        augment=Augment(shift=1),
        optimizer=Optimizer(learning_rate=5e-3, clip_norm=0.5),
        runtime=Runtime(steps_per_loop=5, export=False),
    )


@pytest.fixture
def change(config):
    """A function that returns the config with changed values in some sections."""

    def changed(epochs=None, **sections):
        new = {
            name: dataclasses.replace(getattr(config, name), **values)
            for name, values in sections.items()
        }
        return dataclasses.replace(config, epochs=epochs or config.epochs, **new)

    return changed


@pytest.fixture
def blank():
    """Pictures of the test's runs stay blank."""
    with blank_pictures():
        yield


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """A function from a name and a config to the folder of that run, on one device.

    It trains in this process when a name is asked for the first time.
    """
    from training.train import train

    folder, done = tmp_path_factory.mktemp("alone"), set()

    def folder_of(name, config):
        if name not in done:
            with blank_pictures():
                train(config, folder / name)
            done.add(name)
        return folder / name

    return folder_of
