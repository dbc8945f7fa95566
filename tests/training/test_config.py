"""Pages and overrides: errors name what is wrong and the nearest right choice."""

import dataclasses
import pathlib
import re
import runpy

import pytest

from training.config import (
    AnySize,
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
    assert kind in (AnySize, Comparison, Config, FineTuneConfig, ImageSizes)
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
        ("augment.policy=randaugment", ("augment", "policy"), "randaugment"),
        ("augment.policy=None", ("augment", "policy"), None),
        ("data.classes=7", ("data", "classes"), (7,)),
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
        ("epochs.more=3", "not a config key"),
        ("epochs=0", "`epochs` must be a positive integer, got 0"),
        ("epochs=many", "`epochs` must be a positive integer, got 'many'"),
        ("epochs=2.5", "`epochs` must be a positive integer, got 2.5"),
        ("augment.flip=1", "`augment.flip` must be True or False, got 1"),
        ("optimizer.learning_rate=-1.0", "`optimizer.learning_rate`"),
        ("optimizer.learning_rate=nan", "`optimizer.learning_rate`"),
        ("optimizer.name=adam", "Did you mean 'adamw'"),
        ("runtime.strategy=miror", "Did you mean 'mirrored'"),
        ("runtime.dtype=float16", "Allowed: 'float32', 'mixed_bfloat16'"),
        ("data.validation_percent=91", "`data.validation_percent` must be an integer from 0 to 90"),
        ("data.batch_size=2000000000000", "must be a positive integer of at most 1000000000000"),
        (
            "data.classes=(3, 'cat')",
            r"`data.classes\[1\]` must be a non-negative integer",
        ),
        ("runtime.seed=-1", "`runtime.seed` must be an integer from 0 to 2147483646, got -1"),
        ("optimizer.ema=1", r"`optimizer.ema` must be a number in \[0, 1\), got 1"),
        ("model.head_bias=nan", "`model.head_bias` must be a finite number"),
        ("model.arguments.skip_lam=1e999", r"`model.arguments.skip_lam` must be finite numbers, "),
        ("model.arguments.a=[1,{'b':{3:1}}]", r"`model.arguments.a` must be .* got \[1, \{'b'"),
        ("model.arguments=[]", r"`model.arguments` must be a dict, got \[\]"),
        ("model.arguments.num_classes=3", "`data.num_classes`"),
        ("model.arguments.classifier_activation='softmax'", "computed from logits"),
        ("model.arguments.dtype=float16", "use `runtime.dtype`"),
        ("model.arguments.num_layers.more=3", "not a config key"),
    ],
)
def test_a_wrong_override_is_one_clear_error(override, message):
    with pytest.raises(ValueError, match=message) as error:
        load_config(CONFIGS / "digits.py", [override])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("learning_rate", "optimizer.learning_rate"),
        ("lr", "optimizer.learning_rate"),
        ("optimizer.lr", "optimizer.learning_rate"),
        ("model.lr", "optimizer.learning_rate"),
        ("opt.weight_decay", "optimizer.weight_decay"),
        ("batch_size", "data.batch_size"),
        ("optimiser.name", "optimizer.name"),
        ("epoch", "epochs"),
    ],
)
def test_an_unknown_key_names_the_three_nearest(key, nearest):
    with pytest.raises(ValueError, match="is not a config key") as error:
        load_config(CONFIGS / "digits.py", [f"{key}=1"])
    named = re.findall(r"'([a-z_.]+)'", str(error.value))
    assert named[0] == nearest and len(set(named)) == 3


@pytest.mark.parametrize(
    ("page", "kind", "override", "message"),
    [
        ("image_sizes", ImageSizes, "methods=stretch", r"`methods\[0\]` is 'stretch'"),
        ("image_sizes", ImageSizes, "methods=interpol", "Did you mean 'interpolate'"),
        ("image_sizes", ImageSizes, "sizes=[[28, 0]]", r"`sizes\[0\]` must be .*got \(28, 0\)"),
        ("digits_transfer", FineTuneConfig, "transfer.lora=4", "'transfer.lora_rank'"),
        ("digits_transfer", FineTuneConfig, "transfer.layer_decay=0", "`transfer.layer_decay`"),
        ("compare_digits", Comparison, "demands.GMLP=4", "`demands.GMLP` must be a dict, got 4"),
        ("compare_digits", Comparison, "demands.GMLP={'dtype': 4}", "use `runtime.dtype`"),
    ],
)
def test_every_kind_of_page_is_checked(page, kind, override, message):
    with pytest.raises(ValueError, match=message):
        load_config(CONFIGS / f"{page}.py", [override], kind=kind)


def test_keys_keep_their_order_in_files():
    shared = ["data", "augment", "optimizer", "runtime"]
    orders = {
        Config: ["epochs", "steps", "model", *shared],
        Comparison: [
            *("epochs", "steps", "model", *shared),
            *("architectures", "repeats", "demands", "seeds", "minutes"),
        ],
        ImageSizes: ["architectures", "sizes", "methods", "epochs", *shared],
        FineTuneConfig: ["epochs", "repeats", "transfer", *shared],
    }
    for kind, order in orders.items():
        assert [field.name for field in dataclasses.fields(kind)] == order


def test_a_page_without_config_is_refused(tmp_path):
    page = tmp_path / "page.py"
    page.write_text("CONFIG = {}\n")
    with pytest.raises(ValueError, match="defines no `CONFIG`"):
        load_config(page)
    with pytest.raises(ValueError, match="no config page"):
        load_config(tmp_path / "absent.py")
    with pytest.raises(ValueError, match="FineTuneConfig"):
        load_config(CONFIGS / "digits.py", kind=FineTuneConfig)


def test_gelu_is_compiled_alone_or_with_the_whole_step(change):
    with pytest.raises(ValueError, match=r"compile_gelu.*jit_compile"):
        check_config(change(runtime={"compile_gelu": True, "jit_compile": True}))


def test_xla_is_refused_on_several_devices(change):
    with pytest.raises(ValueError, match="jit_compile"):
        check_config(change(runtime={"strategy": "mirrored", "jit_compile": True}))
