"""The examples in the docstrings of keras_mlp run and give what they show."""

import doctest
import importlib
import pkgutil

import keras
import numpy
import pytest

import keras_mlp

MODULES = ["keras_mlp"] + [
    module.name for module in pkgutil.walk_packages(keras_mlp.__path__, "keras_mlp.")
]


def examples_of(name):
    """A module's own docstrings that have examples."""
    module = importlib.import_module(name)
    public = {key: getattr(keras_mlp, key) for key in keras_mlp.__all__}
    modules = {"keras": keras, "keras_mlp": keras_mlp, "numpy": numpy}
    names = {**vars(keras_mlp.layers), **public, **modules, **vars(module)}
    finder = doctest.DocTestFinder(exclude_empty=True)
    return [test for test in finder.find(module, globs=names) if test.examples]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    runner = doctest.DocTestRunner()
    report = []
    for test in examples_of(name):
        runner.run(test, out=report.append)
    assert not runner.failures, "".join(report)


def test_there_are_examples():
    assert sum(len(examples_of(name)) for name in MODULES) >= 8


@pytest.mark.parametrize("module", [keras_mlp, keras_mlp.layers], ids=["keras_mlp", "layers"])
def test_every_public_name_is_described(module):
    bare = [name for name in module.__all__ if not getattr(module, name).__doc__]
    assert [name for name in bare if callable(getattr(module, name))] == []
