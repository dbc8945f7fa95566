"""Inputs for functions of the library: calls that are right but for one or two arguments."""

import inspect

import keras
import numpy as np

import keras_mlp
from keras_mlp import ARCHITECTURES, analysis, layers
from keras_mlp.analysis import cost, cost_of_variant, resolution_curve, token_mixing_maps
from tests.contract import predict, reloaded, some_pixels
from tests.fuzzing.draw import call_shown, shown
from tests.fuzzing.inputs import Input
from tests.layers.test_round_trip import CASES

MIXERS = ("MLPMixer", "ResMLP", "GMLP", "FFOnly", "ViT", "RepMLPNet")
LAYERS = ("stem", "block_0", "block_1", "norm", "head", "block_9", "pool", "block_0/token_mixing")
SHAPES = ((16, 24, 3), (16, 16, 3), (24, 16, 1), (32, 48, 4), (8, 8, 3), (17, 24, 3), [16, 24, 3])


def finite(array, shape):
    """Asserts that outputs have a shape and hold numbers."""
    array = keras.ops.convert_to_numpy(keras.ops.cast(array, "float32"))
    assert array.shape == tuple(shape), f"shape {array.shape}, not {tuple(shape)}"
    assert np.isfinite(array).all(), "numbers that are not finite"


def runs(model):
    """Asserts that a model computes outputs of its own output shape."""
    finite(predict(model, some_pixels(model)), (2, *model.output_shape[1:]))


def marked(names):
    """The names as messages show them."""
    return [f"`{name}`" for name in names]


def function_input(draw, function, arguments, plausible, **judged):
    """A call of a function with some arguments changed; `judged` are fields of `Input`."""
    arguments, names = draw.changed(arguments, plausible)
    return Input(
        call=lambda: function(**arguments),
        shown=call_shown(function.__name__, arguments),
        **{"named": marked(names), **judged},
    )


def layer(draw, material, folder):
    name = draw.one(sorted(CASES))
    right, shape = CASES[name]
    kind = getattr(layers, name)
    ours = [each for each in inspect.signature(kind).parameters if each not in ("args", "kwargs")]
    if issubclass(kind, keras.layers.Dense):  # all but this is Keras' own
        ours = ["units"]
    if kind is layers.LayerNormalization:  # its arguments are Keras' own
        ours = []
    plausible = {each: [1, 2, 3, (2, 3), 0.5, True, "zeros", None] for each in ours if each}
    if not plausible:
        plausible = {"trainable": [True, False]}
    arguments, names = draw.changed(right, plausible)
    images = np.random.default_rng(0).random((2, *shape), "float32")

    def call():
        made = kind(**arguments)
        return made, made(images)

    def check(result):
        made, outputs = result
        finite(outputs, made.compute_output_shape(images.shape))
        assert type(made).from_config(made.get_config()).get_config() == made.get_config()

    # Keras says "initializer" of an array that has the shape of another weight.
    named = [*marked(names), "initializer"]
    return Input(call, call_shown(name, arguments), named, check)


def variant(draw, material, folder):
    architecture = draw.one(sorted(ARCHITECTURES))
    plausible = {
        "variant": ["pico/2", "pico/3", "nano", "Pico/2", "b/16"],
        "num_classes": [1, 3, 1000],
        "image_shape": [(8, 8, 3), (16, 16, 1), (9, 9, 3), (8, 12, 3)],
        "pooling": ["avg", None, "token", "max"],
        "include_top": [True, False],
        "classifier_activation": ["softmax", "sigmoid", None, "relu"],
        "dtype": ["float32", "mixed_bfloat16", "float64", "int32"],
    }
    if architecture == "RepMLPNet":  # "pico/2" has 8 x 8 pixels in all but this
        plausible["image_shape"] = [(8, 8, 3), (16, 16, 1), (9, 9, 3)]
    function = ARCHITECTURES[architecture].from_variant
    given = function_input(draw, function, {"variant": "pico/2"}, plausible, right=runs)
    given.named = [*given.named, "`patch_size`", "`image_shape`", "`pooling`", "`partition_size`"]
    given.shown = f"{architecture}.{given.shown}"
    return given


def images(draw, material, folder):
    model = material.toy(draw.one(sorted(ARCHITECTURES)))
    good = some_pixels(model)
    values = [
        *(good, good.astype("float32"), good.tolist(), good[:0], good[:1], good[0], good[..., :1]),
        *(good.astype("int64"), good.astype("float64"), good.astype("complex64"), good > 5),
        *(good[:, :4], good.astype("float32") * np.nan, good.astype(str), [good, good]),
        {"pixels": good},
    ]
    value = draw.one(values) if draw.chance(0.7) else draw.wild()
    method = draw.one(("__call__", "__call__", "predict"))
    settings = {} if method == "__call__" else {"verbose": 0}

    def check(outputs):
        outputs = keras.ops.convert_to_numpy(outputs)
        assert outputs.shape[1:] == model.output_shape[1:]
        given = keras.ops.convert_to_numpy(keras.tree.flatten(value)[0])
        assert np.isfinite(outputs).all() or not np.isfinite(given.astype("complex64")).all()

    return Input(
        lambda: getattr(model, method)(value, **settings),
        f"{model.name}.{method}({shown(value)})",
        ["image", "pixels", "shape", "nputs", "dtype", "x="],
        check,
        errors=(ValueError, TypeError),
        unchanged=[model, good],
    )


def image_shape(draw, material, folder):
    model = material.toy(draw.one((*MIXERS, "ConvMixer", "VisionPermutator")))
    plausible = {
        "model": material.models(),
        "image_shape": SHAPES,
        "method": ["interpolate", "block_diagonal", "reinitialize"],
        "position_method": ["bicubic", "zoom", "nearest"],
    }
    arguments = {"model": model, "image_shape": (16, 24, 3)}
    given = function_input(draw, keras_mlp.with_image_shape, arguments, plausible, right=runs)
    given.named = [*given.named, "`model`", "`image_shape`", "`method`"]
    given.unchanged = [model]
    return given


def new_head(draw, material, folder):
    model = material.toy(draw.one(sorted(ARCHITECTURES)))
    plausible = {"model": material.models(), "num_classes": [1, 2, 7, 2**31 - 1, 2**31]}
    plausible["num_classes"] = [1, 2, 7, 2**31, "3"]
    return function_input(
        draw,
        keras_mlp.with_new_head,
        {"model": model, "num_classes": 4},
        plausible,
        right=runs,
        unchanged=[model],
    )


def features(draw, material, folder):
    model = material.toy(draw.one(sorted(ARCHITECTURES)))
    names = [[name] for name in LAYERS] + [["stem", "stem"], ["stem", "block_0"], ("stem",), "stem"]

    def check(part):
        outputs = part(some_pixels(model), training=False)
        for name, output in outputs.items():
            finite(output, (2, *part.output[name].shape[1:]))
            assert np.ndim(output) >= 2

    return function_input(
        draw,
        model.features,
        {"names": ["stem"]},
        {"names": names, "grid": [True, False, 1]},
        right=check,
        unchanged=[model],
    )


def deployed(draw, material, folder):
    model = draw.wild() if draw.chance(0.4) else draw.one(material.models())

    def check(copy):
        pixels = some_pixels(copy)
        np.testing.assert_allclose(predict(copy, pixels), predict(model, pixels), atol=1e-3)

    is_model = isinstance(model, keras.Model)
    return Input(
        lambda: keras_mlp.deploy(model),
        f"deploy({shown(model)})",
        ["`model`"],
        check,
        unchanged=[model] if is_model and model.built else [],
    )


def lora(draw, material, folder):
    model = material.fresh(draw.one((*MIXERS, "ConvMixer", "VisionPermutator")))
    plausible = {
        "model": material.models()[:0],
        "rank": [1, 2, 4, 8, 100],
        "alpha": [1, 0.5, None, 16],
        "mixing": ["all", "tokens", "channels", "none"],
        "train_head": [True, False, 0],
    }
    before = predict(model, some_pixels(model))

    def check(paths):
        assert paths and all(isinstance(path, str) for path in paths)
        np.testing.assert_array_equal(predict(model, some_pixels(model)), before)
        merged = keras_mlp.merge_lora(model)
        np.testing.assert_allclose(predict(merged, some_pixels(model)), before, atol=1e-5)

    given = function_input(
        draw,
        keras_mlp.enable_lora,
        {"model": model, "rank": 2},
        plausible,
        right=lambda paths: check(paths),
        unchanged_if_refused=[model],
    )
    if "`model`" in given.named:
        given.right = lambda paths: None
    given.named = [*given.named, "`rank`", "`mixing`"]
    return given


def merged(draw, material, folder):
    model = draw.wild() if draw.chance(0.5) else draw.one(material.models())
    return Input(
        lambda: keras_mlp.merge_lora(model), f"merge_lora({shown(model)})", ["`model`"], runs
    )


def frozen(draw, material, folder):
    model = material.fresh(draw.one(MIXERS))
    given = function_input(
        draw,
        keras_mlp.freeze_through,
        {"model": model, "layer": "block_0"},
        {"model": [], "layer": LAYERS},
        unchanged_if_refused=[model],
        right=lambda result: runs(result) if result is model else None,
    )
    return given


def decay(draw, material, folder):
    model = material.toy(draw.one(MIXERS))
    plausible = {
        "model": material.models(),
        "make_optimizer": [lambda scale: keras.optimizers.SGD(0.1 * scale), keras.optimizers.Adam],
        "decay": [0.5, 1, 1.0, 0, 1.1, np.float32(0.5)],
    }
    arguments = {
        "model": model,
        "make_optimizer": lambda scale: keras.optimizers.SGD(0.1 * scale),
        "decay": 0.5,
    }

    def check(optimizer):
        assert isinstance(optimizer, keras.optimizers.MultiOptimizer)

    return function_input(
        draw, keras_mlp.layer_decay, arguments, plausible, right=check, unchanged=[model]
    )


def quantized(draw, material, folder):
    model = material.fresh(draw.one(sorted(ARCHITECTURES)))
    mode = draw.one(("int8", "int4", "float8", "int3", "gptq")) if draw.chance(0.6) else draw.wild()

    def call():
        model.quantize(mode)
        return model

    def check(model):
        runs(model)
        np.testing.assert_array_equal(
            predict(reloaded(model), some_pixels(model)), predict(model, some_pixels(model))
        )

    return Input(
        call,
        f"{model.name}.quantize({shown(mode)})",
        ["mode", "quantiz", "config"],
        check,
        errors=(ValueError, TypeError, NotImplementedError),
        unchanged_if_refused=[model],
    )


def costs(draw, material, folder):
    kind = draw.one(("cost", "cost_of_variant", "resolution_curve"))
    if kind == "cost":
        model = draw.wild() if draw.chance(0.5) else draw.one(material.models())
        return Input(
            lambda: cost(model), f"cost({shown(model)})", ["`model`"], lambda found: str(found)
        )
    plausible = {
        "architecture": ["MLPMixer", "ResMLP", ARCHITECTURES["ViT"], "Mixer", int],
        "variant": ["pico/2", "pico/4", "B/16", "X"],
    }
    function = cost_of_variant
    if kind == "resolution_curve":
        function = resolution_curve
        plausible["sides"] = [(8, 16), [8], ((8, 16),), (9,), 8, [], (8, 8)]
    else:
        plausible |= {"image_shape": SHAPES, "num_classes": [1, 10**9]}
    given = function_input(
        draw,
        function,
        {"architecture": "MLPMixer", "variant": "pico/2"},
        plausible,
        right=lambda found: str(found),
    )
    given.named = [*given.named, "`image_shape`"]
    return given


def maps(draw, material, folder):
    model = material.toy(draw.one(sorted(ARCHITECTURES)))
    plausible = {
        "model": material.models(),
        "block": [0, 1, "block_0", -1, 2, np.int64(0), "stem"],
        "path": paths(folder / "out", "maps.png"),
        "units": [1, 3, 1000, 0],
        "order": ["stored", "norm", "frequency"],
    }
    given = function_input(
        draw,
        token_mixing_maps,
        {"model": model, "block": 0},
        plausible,
        errors=(ValueError, OSError),
    )
    given.right = lambda found: finite(found, found.shape)
    given.named = [*given.named, "`model`"]
    given.output = folder / "out"
    return given


def catalogue(draw, material, folder):
    if draw.chance(0.3):
        value = draw.wild() if draw.chance(0.8) else "imagenet-1k"
        return Input(
            lambda: keras_mlp.class_names(value),
            f"class_names({shown(value)})",
            ["`dataset`"],
            lambda names: all(isinstance(name, str) for name in names),
        )
    return function_input(
        draw,
        keras_mlp.presets,
        {},
        {
            "architecture": [None, "GMLP", ARCHITECTURES["ViT"], "gmlp"],
            "variant": [None, "B/16", "S/16"],
            "pattern": ["*in21k", "[", "", "*"],
        },
        right=lambda rows: tuple(row.name for row in rows),
    )


def weightless(draw, material, folder):
    value = draw.wild()
    return Input(
        lambda: analysis.side_by_side([value]),
        f"side_by_side([{shown(value)}])",
        ["`costs`"],
    )


def paths(output, name):
    """Paths to write to, right and wrong."""
    return [
        *(output / name, str(output / name), output / f"日本 {name}", output / name.upper()),
        *(output / "no" / name, output, "", output / ("x" * 300 + name), output / "a\nb.txt"),
    ]


ENTRY_POINTS = {
    "layers": (layer, 110),
    "from_variant": (variant, 40),
    "model(images)": (images, 60),
    "with_image_shape": (image_shape, 40),
    "with_new_head": (new_head, 20),
    "features": (features, 30),
    "deploy": (deployed, 20),
    "enable_lora": (lora, 30),
    "merge_lora": (merged, 12),
    "freeze_through": (frozen, 16),
    "layer_decay": (decay, 20),
    "quantize": (quantized, 16),
    "analysis: costs": (costs, 40),
    "token_mixing_maps": (maps, 30),
    "presets, class_names": (catalogue, 20),
}
