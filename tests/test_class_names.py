"""Names of the classes travel with the model: through files, copies and exports."""

import pytest

import keras_mlp
from tests.contract import reloaded, shallow, with_random_weights
from tests.test_contract import factory

NAMES = ("ant", "a bee", "große Katze", "dog", "eel", "fox", "gnu")


@pytest.fixture(scope="module")
def named():
    model = with_random_weights(shallow(factory("RepMLPNet"))(num_classes=7))
    model.class_names = list(NAMES)
    return model


@pytest.mark.parametrize(
    "copied",
    [
        reloaded,
        keras_mlp.deploy,
        lambda model: keras_mlp.with_image_shape(model, tuple(model.image_shape)),
        lambda model: keras_mlp.with_image_shape(
            model, (2 * model.image_shape[0], *model.image_shape[1:])
        ),
        lambda model: type(model).from_config({**model.get_config(), "dtype": "mixed_bfloat16"}),
    ],
    ids=["file", "deploy", "same shape", "another size", "another policy"],
)
def test_copies_with_the_same_classes_keep_them(named, copied):
    assert copied(named).class_names == NAMES


def test_merging_low_rank_factors_keeps_them():
    model = factory("MLPMixer")(num_classes=7)
    model.class_names = NAMES
    keras_mlp.enable_lora(model, 2)
    assert keras_mlp.merge_lora(model).class_names == NAMES


def test_a_new_head_has_the_names_that_it_is_given(named):
    assert keras_mlp.with_new_head(named, 7).class_names is None
    assert keras_mlp.with_new_head(named, 2, class_names=["a", "b"]).class_names == ("a", "b")
    with pytest.raises(ValueError, match=r"one name per logit of .*; got 3 names"):
        keras_mlp.with_new_head(named, 2, class_names=["a", "b", "c"])
    for wrong, shown in (("ab", "got 'ab'"), (iter("ab"), "got a str_.*iterator"), (3, "an? int")):
        with pytest.raises(ValueError, match=shown):
            keras_mlp.with_new_head(named, 2, class_names=wrong)


def test_a_view_has_those_of_its_base(named):
    assert named.at((32, 24, 3)).class_names == NAMES


def test_a_checkpoint_of_ours_brings_them_with_its_classifier(tmp_path):
    named = factory("MLPMixer")(num_classes=7)
    named.class_names = NAMES
    path = keras_mlp.save_checkpoint(named, tmp_path / "w.safetensors")
    config = {**named.get_config(), "class_names": None, "name": None}
    other = type(named).from_config(config)
    keras_mlp.load_checkpoint(other, path, include_head=False)
    assert other.class_names is None
    keras_mlp.load_checkpoint(other, path)
    assert other.class_names == NAMES
    keras_mlp.load_checkpoint(other, keras_mlp.save_checkpoint(nameless(named), path))
    assert other.class_names == NAMES  # a file without names says nothing of them


def nameless(model):
    return type(model).from_config({**model.get_config(), "class_names": None})


def test_saved_models_take_them_from_the_model(tmp_path):
    named = shallow(factory("MLPMixer"))(num_classes=7)
    named.class_names = NAMES
    keras_mlp.export_saved_model(named, tmp_path / "logits")
    keras_mlp.export_saved_model(named, tmp_path / "features", output="features")
    keras_mlp.export_at_sizes(named, tmp_path / "sizes", [tuple(named.image_shape)])
    (size,) = (tmp_path / "sizes").iterdir()
    for folder in (tmp_path / "logits", size):
        assert keras_mlp.saved_model_info(folder)["class_names"] == list(NAMES)
        assert (folder / "assets/labels.txt").read_text("utf-8").splitlines() == list(NAMES)
    assert keras_mlp.saved_model_info(tmp_path / "features")["class_names"] is None
    assert keras_mlp.load_saved_model(tmp_path / "logits").class_names == NAMES


def test_a_model_without_names_has_the_config_that_it_always_had():
    model = factory("MLPMixer")()
    assert model.class_names is None and "class_names" not in model.get_config()


def test_names_can_be_taken_away_and_do_not_follow_to_other_classes(named):
    copy = type(named).from_config(named.get_config())
    copy.class_names = None
    assert copy.class_names is None
    fewer = type(named).from_config({**named.get_config(), "num_classes": 3})
    assert fewer.class_names is None
    backbone = type(named).from_config({**named.get_config(), "include_top": False})
    assert backbone.class_names is None


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (NAMES[:3], "one name per logit of .*; got 3 names"),
        ("abcdefg", "got 'abcdefg'"),
        ((*NAMES[:6], "two\nlines"), r"strings of one line each, got 'two\\nlines'"),
        ((*NAMES[:6], ""), "strings of one line each, got ''"),
    ],
)
def test_names_that_do_not_fit_are_refused(named, names, message):
    with pytest.raises(ValueError, match=message):
        named.class_names = names
    assert named.class_names == NAMES


def test_a_backbone_has_no_classes_to_name():
    backbone = factory("MLPMixer")(include_top=False)
    with pytest.raises(ValueError, match="has none: it was built with `include_top=False`"):
        backbone.class_names = NAMES
