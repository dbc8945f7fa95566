"""Pages and overrides: what is wrong is named, with the nearest right thing."""

import pathlib
import runpy

import pytest

from training.config import (
    Comparison,
    Config,
    FineTuneConfig,
    ImageSizes,
    check_config,
    load_config,
)

CONFIGS = pathlib.Path(__file__).parents[2] / "training" / "configs"
PAGES = sorted(path for path in CONFIGS.glob("*.py") if path.name != "__init__.py")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_every_page_loads(path):
    kind = type(runpy.run_path(str(path))["CONFIG"])
    assert kind in (Config, Comparison, FineTuneConfig, ImageSizes)
    assert isinstance(load_config(path, kind=kind), kind)


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("epochs=3", ("epochs",), 3),
        ("data.batch_size=32", ("data", "batch_size"), 32),
        ("data.name=mnist", ("data", "name"), "mnist"),
        ("data.data_dir=/somewhere", ("data", "data_dir"), "/somewhere"),
        ("data.data_dir=None", ("data", "data_dir"), None),
        ("data.classes=(3, 5)", ("data", "classes"), (3, 5)),
        ("data.classes=[3, 5]", ("data", "classes"), (3, 5)),
        ("optimizer.learning_rate=1", ("optimizer", "learning_rate"), 1),
        ("augment.flip=True", ("augment", "flip"), True),
    ],
)
def test_set_changes_one_value(override, key, value):
    found = load_config(CONFIGS / "digits.py", [override])
    for part in key:
        found = getattr(found, part)
    assert found == value


def test_set_adds_a_model_argument():
    config = load_config(CONFIGS / "digits.py", ["model.arguments.drop_path_rate=0.25"])
    assert config.model.arguments["drop_path_rate"] == 0.25


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.batchsize=3", "Did you mean 'data.batch_size'"),
        ("optimiser.learning_rate=3", "Did you mean 'optimizer.learning_rate'"),
        ("epochs", "key=value"),
        ("data=3", "is a section"),
        ("epochs.more=3", "no key of a config"),
        ("epochs=0", r"`epochs` must be in \[1"),
        ("epochs=many", "`epochs` must be a whole number, got 'many'"),
        ("epochs=2.5", "`epochs` must be a whole number, got 2.5"),
        ("augment.flip=1", "`augment.flip` must be True or False, got 1"),
        ("optimizer.learning_rate=-1.0", "`optimizer.learning_rate`"),
        ("optimizer.learning_rate=nan", "`optimizer.learning_rate`"),
        ("optimizer.name=adam", "Did you mean 'adamw'"),
        ("runtime.strategy=miror", "Did you mean 'mirrored'"),
        ("runtime.dtype=float16", "Allowed: 'float32', 'mixed_bfloat16'"),
        ("data.validation_percent=91", "`data.validation_percent`"),
    ],
)
def test_a_wrong_override_is_one_clear_error(override, message):
    with pytest.raises(ValueError, match=message) as error:
        load_config(CONFIGS / "digits.py", [override])
    assert "\n" not in str(error.value)


def test_a_page_without_config_is_refused(tmp_path):
    page = tmp_path / "page.py"
    page.write_text("CONFIG = {}\n")
    with pytest.raises(ValueError, match="defines no `CONFIG`"):
        load_config(page)
    with pytest.raises(ValueError, match="no config page"):
        load_config(tmp_path / "absent.py")
    with pytest.raises(ValueError, match="FineTuneConfig"):
        load_config(CONFIGS / "digits.py", kind=FineTuneConfig)


def test_xla_is_refused_on_several_devices(change):
    with pytest.raises(ValueError, match="jit_compile"):
        check_config(change(runtime={"strategy": "mirrored", "jit_compile": True}))
