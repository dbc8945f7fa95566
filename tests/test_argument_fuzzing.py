"""Any combination of arguments builds a model that runs and survives its config, or is refused.

The examples are the same in every run; `make test-all` has more of them than `make test`. To draw
others, or more:

    FUZZ_EXAMPLES=500 python -m pytest tests/test_argument_fuzzing.py
"""

import contextlib
import fractions
import inspect
import json
import os
from unittest import mock

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keras_mlp import ARCHITECTURES
from tests.contract import predict, reloaded, some_pixels, with_random_weights
from tests.test_contract import ROWS

FEW = 8
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", 40))
PYRAMIDS = {"RepMLPNet", "VisionPermutator"}  # several of their arguments have a value per stage


def fuzzed(max_examples):
    return settings(
        max_examples=max_examples,
        deadline=None,
        derandomize="FUZZ_EXAMPLES" not in os.environ,
        database=None,
        print_blob=False,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


# Any argument may get any of these. Counts are small or too large for any model, never in between:
# such counts would be allowed, but slow.
WILD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from((2**31, 10**30, -(10**5000))),
    st.sampled_from((-1.5, -0.0, 0.0, 0.5, 1.0, 2.0, 1e-40, 1e-300, 1e38, 1e300)),
    st.sampled_from((float("nan"), float("inf"), -float("inf"), 1j)),
    st.sampled_from((fractions.Fraction(1, 2), np.int64(2), np.float32(0.5), np.bool_(True))),
    st.sampled_from(("", "no", "8", "avg", "float32", "banana", "a/b", "a\nb", b"8")),
    st.lists(st.integers(-1, 4), max_size=4),
    st.tuples(st.integers(-1, 4), st.sampled_from((1, 2.0, None, True, "2", (1, 2)))),
    st.sampled_from(((), (8, 8), (8, 8, 3, 1), (16, 16, True), ((2, 2),), (0.5, 0.5, 0.5))),
    st.builds(lambda shape: np.full(shape, 0.5), st.sampled_from(((), (3,), (9, 9), (60, 60)))),
    st.sampled_from(({}, {"class_name": "DTypePolicy"}, {1}, int, len, object(), range(2))),
)

COUNT = st.one_of(st.sampled_from((1, 2, 3, 4, 8, 12)), st.just(np.int64(6)))
RATE = st.sampled_from((0, 0.0, 0.1, 0.999, np.float32(0.5)))
POSITIVE = st.sampled_from((1e-6, 0.1, 1, 2.5, np.float64(1e-3)))
FLAG = st.sampled_from((True, False, np.bool_(True)))
SIDE = st.sampled_from((4, 8, 12, 16, 24))
POLICY = ("float32", "mixed_bfloat16", "mixed_float16", "bfloat16", "float64")

# Plausible values, by the name of the argument.
PLAUSIBLE = {
    "image_shape": st.one_of(
        st.tuples(SIDE, SIDE, st.sampled_from((1, 3, 4))),
        st.builds(lambda side: [side, np.int32(side), 3], SIDE),
    ),
    "patch_size": st.sampled_from((1, 2, 3, 4, 8, (2, 4), [4, 4], (4, 1), np.int64(2))),
    "num_layers": st.sampled_from((1, 2, np.int64(1))),
    "hidden_dim": COUNT,
    "token_mlp_dim": st.none() | COUNT,
    "channel_mlp_dim": COUNT,
    "attention_dim": st.none() | COUNT,
    "num_heads": COUNT,
    "position_grid": st.sampled_from((None, 1, 5, (3, 5), [2, np.int64(2)], (40, 30))),
    "representation_size": st.none() | COUNT,
    "reg_tokens": st.sampled_from((0, 1, 4, np.int64(2))),
    "num_classes": st.one_of(COUNT, st.just(20_000)),
    "partition_size": st.none() | st.lists(st.sampled_from((1, 2, 4, (2, 3))), max_size=3),
    "num_sharesets": st.lists(COUNT, max_size=3),
    "kernel_sizes": st.sampled_from(((), (1, 3), (3, 1), [5], 3, (1, 2), (3, 3), (31,))),
    "reduction": COUNT,
    "mlp_ratio": st.one_of(COUNT, POSITIVE, st.lists(POSITIVE, min_size=1, max_size=3)),
    "segments": st.none() | st.lists(COUNT, max_size=3),
    "downsample": st.lists(st.booleans(), max_size=3),
    "skip_lam": st.sampled_from((0.5, 1, 2.0, np.float32(1.5))),
    "dropout_rate": RATE,
    "drop_path_rate": RATE,
    "layer_norm_epsilon": POSITIVE,
    "layer_scale_init_value": st.none() | POSITIVE,
    "pooling": st.sampled_from(("avg", "token", None)),
    "classifier_activation": st.sampled_from((None, "softmax", "sigmoid")),
    "pixel_mean": st.sampled_from((0, 0.5, (0.4, 0.5, 0.6), [0.4] * 4, np.full(3, 0.5), 127.5)),
    "pixel_std": st.sampled_from((1, 0.5, (0.2, 0.2, 0.3), [0.3], np.full(4, 0.5), 58.0)),
    "name": st.sampled_from((None, "toy", "a b", "é", "block_0", "pixels")),
    "dtype": st.one_of(
        st.none(), st.sampled_from(POLICY), st.builds(keras.DTypePolicy, st.sampled_from(POLICY))
    ),
    **dict.fromkeys(
        (
            "class_token",
            "norm_after_pooling",
            "gelu_approximate",
            "weighted",
            "qkv_bias",
            "no_embed_class",
            "distillation_token",
            "pre_norm",
            "quick_gelu",
            "official_reassembly",
            "deployed",
            "remat",
            "include_top",
            "include_preprocessing",
        ),
        FLAG,
    ),
}


for row in ROWS.values():
    PLAUSIBLE |= {name: st.sampled_from(values) for name, values in row.plausible.items()}


def names_of(architecture):
    parameters = inspect.signature(ARCHITECTURES[architecture].__init__).parameters
    return [name for name in parameters if name != "self"]


def test_every_argument_has_plausible_values():
    assert {name for each in ARCHITECTURES for name in names_of(each)} <= PLAUSIBLE.keys()


@st.composite
def arguments_of(draw, architecture, wild=True):
    """Arguments of a toy model, some of them changed."""
    arguments = dict(ROWS[architecture].toy)
    if architecture in PYRAMIDS and draw(st.booleans()):
        arguments |= draw(stages_of(architecture))
    changed = draw(st.lists(st.sampled_from(names_of(architecture)), unique=True, max_size=5))
    for name in changed:
        is_wild = wild and draw(st.integers(0, 3)) == 0
        strategy = WILD if is_wild else PLAUSIBLE[name]
        if (
            not is_wild
            and isinstance(arguments.get(name), tuple)
            and name in ("num_layers", "hidden_dim")
        ):
            strategy = st.lists(PLAUSIBLE[name], min_size=1, max_size=3).map(tuple)
        arguments[name] = draw(strategy)
    return arguments


@st.composite
def stages_of(draw, architecture):
    """Arguments of one to three stages that fit together."""
    stages = draw(st.integers(1, 3))

    def per_stage(values, count=stages):
        return tuple(draw(st.lists(st.sampled_from(values), min_size=count, max_size=count)))

    common = {"num_layers": per_stage((1, 2)), "hidden_dim": per_stage((8, 16))}
    if architecture == "RepMLPNet":
        return {**common, "num_sharesets": per_stage((1, 2, 8))}
    return {**common, "downsample": per_stage((True, False), stages - 1)}


@contextlib.contextmanager
def weights_made():
    """A list that gets an entry whenever a layer adds a weight."""
    made, add_weight = [], keras.layers.Layer.add_weight

    def counted(layer, *args, **kwargs):
        made.append(layer)
        return add_weight(layer, *args, **kwargs)

    with mock.patch.object(keras.layers.Layer, "add_weight", counted):
        yield made


def built(architecture, arguments):
    """The model, or None if the arguments are refused clearly and before any work."""
    with weights_made() as made:
        try:
            model = ARCHITECTURES[architecture](**arguments)
        except ValueError as error:
            message = str(error)
            named = [name for name in names_of(architecture) if f"`{name}`" in message]
            assert named and "\n" not in message and len(message) < 1000, message
            assert not made, f"refused after weights were made: {message}"
            return None
    assert made
    return model


def documented_shape(model):
    """The documented shape of the outputs for a batch of 2, from the model's arguments."""
    if model.include_top:
        return (2, model.num_classes)
    channels = model.hidden_dim[-1] if isinstance(model.hidden_dim, tuple) else model.hidden_dim
    if model.pooling:
        return (2, getattr(model, "representation_size", None) or channels)
    patch = model.patch_size if isinstance(model.patch_size, tuple) else (model.patch_size,) * 2
    halvings = {
        "RepMLPNet": lambda: len(model.num_layers) - 1,
        "VisionPermutator": lambda: sum(model.downsample),
    }.get(type(model).__name__, lambda: 0)()
    height, width = (
        side // (each * 2**halvings) for side, each in zip(model.image_shape, patch, strict=False)
    )
    return (2, height, width, channels)


def is_moderate(model):
    """Whether no number is so small or so large that the outputs may overflow."""
    names = ("skip_lam", "layer_scale_init_value", "layer_norm_epsilon")
    numbers = (getattr(model, name, None) for name in names)
    return all(number is None or 1e-8 < number < 1e3 for number in numbers)


def check_runs(model):
    outputs = predict(model, some_pixels(model))
    assert outputs.shape == documented_shape(model)
    assert outputs.dtype == ("float32" if model.include_top else model.compute_dtype)
    assert np.isfinite(outputs.astype("float32")).all() or not is_moderate(model)


def check_config(model):
    config = model.get_config()
    copy = type(model).from_config(json.loads(json.dumps(config)))
    assert copy.get_config() == config
    assert [each.shape for each in copy.weights] == [each.shape for each in model.weights]


def check_example(architecture, data):
    model = built(architecture, data.draw(arguments_of(architecture), "arguments"))
    if model:
        check_runs(model)
        check_config(model)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@fuzzed(FEW)
@given(data=st.data())
def test_builds_and_runs_or_is_refused(architecture, data):
    check_example(architecture, data)


@pytest.mark.sweep
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@fuzzed(EXAMPLES)
@given(data=st.data())
def test_of_many_each_builds_and_runs_or_is_refused(architecture, data):
    check_example(architecture, data)


def check_file(architecture, data):
    model = built(architecture, data.draw(arguments_of(architecture, wild=False), "arguments"))
    if model:
        copy, images = reloaded(with_random_weights(model)), some_pixels(model)
        assert copy.get_config() == model.get_config()
        np.testing.assert_array_equal(predict(copy, images), predict(model, images))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@fuzzed(1)
@given(data=st.data())
def test_a_file_holds_what_is_built(architecture, data):
    check_file(architecture, data)


@pytest.mark.sweep
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@fuzzed(max(EXAMPLES // 8, 1))
@given(data=st.data())
def test_each_of_several_files_holds_what_is_built(architecture, data):
    check_file(architecture, data)


NONSENSE = {
    "image_shape": ((16, 24), (16, 24, 3.0), "image", None, np.zeros(3)),
    "patch_size": (0, 2.0, "4", (4, 4, 4), (4, True), None),
    "num_layers": (True, 0, -1, 1.0, "2", None, 2**31),
    "num_classes": (0, 2.5, "10", None, True),
    "include_top": ("no", 0, 1, None, "False", [True]),
    "include_preprocessing": ("no", 1, None),
    "pooling": ("max", True, np.array(["avg"]), ["avg"], 0),
    "pixel_mean": (127.5, -0.1, "0.5", None, (0.5,), float("nan"), True, np.full((3, 3), 0.5)),
    "pixel_std": (0, 0.0, -1, (0.2, 0.2, 0.0), float("inf"), 58.0, None, [[0.5] * 3]),
    "name": ("a/b", "", 3, True, ["toy"]),
    "dtype": ("banana", "int8", "uint8", "int8_from_float32", 3, "", {}, ["float32"]),
}


def nonsense_rates(architecture):
    rates = {"dropout_rate", "drop_path_rate"} & set(names_of(architecture))
    return dict.fromkeys(sorted(rates), (1, -0.1, float("nan"), "0.1", None, True))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_nonsense_is_refused(architecture):
    for name, values in {**NONSENSE, **nonsense_rates(architecture)}.items():
        for value in values:
            arguments = {**ROWS[architecture].toy, name: value}
            with pytest.raises(ValueError, match=rf"\A[^\n]*`{name}`[^\n]*\Z"):
                ARCHITECTURES[architecture](**arguments)
