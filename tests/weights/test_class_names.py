"""The names of ImageNet's classes."""

import pytest

import keras_mlp
from keras_mlp.weights.class_names import _MARKS, names_of


@pytest.mark.parametrize(
    ("dataset", "count", "known"),
    [
        # Well-known positions: those of ImageNet-1k appear in every tutorial.
        ("imagenet-1k", 1000, {0: "tench", 1: "goldfish", 281: "tabby", 999: "toilet tissue"}),
        ("imagenet-21k", 21843, {0: "organism", 1: "benthos"}),
        ("imagenet-21k-p", 11221, {}),
    ],
)
def test_names_are_in_the_order_of_the_logits(dataset, count, known):
    names = keras_mlp.class_names(dataset)
    assert len(names) == count and all(names)
    for index, word in known.items():
        assert names[index].split(", ")[0].split()[0] == word.split()[0], names[index]


def test_every_preset_with_a_classifier_has_names():
    counts = {len(keras_mlp.class_names(dataset)) for dataset in _MARKS}
    assert {row.num_classes for row in keras_mlp.presets()} <= counts


def test_a_number_of_classes_says_whose_names_they_are():
    assert names_of(1000) == keras_mlp.class_names("imagenet-1k")
    assert names_of(11221) == keras_mlp.class_names("imagenet-21k-p")
    assert names_of(10) is None


def test_an_unknown_dataset_is_refused():
    with pytest.raises(ValueError, match=r"`dataset` is 'imagenet'.*'imagenet-1k'"):
        keras_mlp.class_names("imagenet")
