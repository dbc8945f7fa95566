"""Inputs for what changes a model or looks at it at another size: `at`, `recalibrate`, names."""

import keras
import numpy as np

import keras_mlp
from keras_mlp import ARCHITECTURES
from tests.contract import predict, some_pixels
from tests.fuzzing.calls import SHAPES, finite, function_input, runs
from tests.fuzzing.draw import call_shown, shown
from tests.fuzzing.inputs import Input

WITH_BATCH_NORM = ("RepMLPNet", "ConvMixer")


def view(draw, material, folder):
    """A view at another size, of a model or of a view; it has the variables of its base."""
    model = material.toy(draw.one(sorted(ARCHITECTURES)))
    start = model.at(model.image_shape) if draw.chance(0.2) else model
    plausible = {
        "image_shape": [*SHAPES, (32, 24, 3), model.image_shape],
        "patch_size": [None, 2, 4, (4, 4), (2, 4), [4, 2], model.patch_size],
    }
    arguments, names = draw.changed({"image_shape": model.image_shape}, plausible)

    def check(found):
        runs(found)
        own = {id(weight) for weight in model.weights}
        assert {id(weight) for weight in found.weights} == own

    return Input(
        lambda: start.at(**arguments),
        call_shown(f"{start.name}.at", arguments),
        [*(f"`{name}`" for name in names), "`image_shape`", "`patch_size`"],
        check,
        unchanged=[model],
    )


def recalibrate(draw, material, folder):
    name = draw.one((*WITH_BATCH_NORM, *WITH_BATCH_NORM, "MLPMixer"))
    model = material.fresh(name)
    images = some_pixels(model)
    odd = [
        *([], [images[:0]], [images[:, :4]], [images, images[..., :1]], [images.astype("float32")]),
        *([images, None], [images, "a"], images, iter(()), [images * np.nan], [[images]]),
        [images, keras.ops.convert_to_tensor(images)],
    ]
    plausible = {
        "model": [*material.models(), *[model] * 5],
        "batches": [*odd, [images], [images, images]],
    }
    trained = list(model.trainable_weights)
    before = [np.array(weight) for weight in trained]

    def check(result):
        assert result is None
        for weight, value in zip(trained, before, strict=True):
            np.testing.assert_array_equal(weight, value)
        finite(predict(model, images), (2, *model.output_shape[1:]))

    given = function_input(
        draw,
        keras_mlp.recalibrate,
        {"model": model, "batches": [images] * 2},
        plausible,
        right=check,
        unchanged_if_refused=[model],
    )
    given.named = [*given.named, "`model`", "image", "pixels", "dtype"]
    return given


def class_names(draw, material, folder):
    """Setting the names of a model's classes, which every file and export keeps."""
    model = material.fresh(draw.one(("MLPMixer", "ViT")))
    right = [f"c{number}" for number in range(model.num_classes)]
    values = [
        *(
            right,
            tuple(right),
            right[:-1],
            [*right, "more"],
            None,
            iter(right),
            dict.fromkeys(right),
        ),
        *([right[0]] * len(right), [*right[:-1], ""], [*right[:-1], 3], [*right[:-1], "a\nb"]),
        *(
            "".join(name[-1] for name in right),
            np.array(right),
            [*right[:-1], "\udcff"],
            set(right),
        ),
    ]
    value = draw.one(values) if draw.chance(0.7) else draw.wild()

    def call():
        model.class_names = value

    def check(result):
        names = model.class_names
        assert names is None or (
            len(names) == model.num_classes and all(isinstance(name, str) for name in names)
        )
        copy = type(model).from_config(model.get_config())
        assert copy.class_names == names

    return Input(
        call,
        f"{model.name}.class_names = {shown(value)}",
        ["`class_names`"],
        check,
        unchanged_if_refused=[model],
    )


ENTRY_POINTS = {
    "at": (view, 40),
    "recalibrate": (recalibrate, 24),
    "class_names": (class_names, 20),
}
