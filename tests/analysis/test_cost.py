"""The cost of models, against published figures and against counts made independently."""

import functools
import math

import keras
import numpy as np
import pytest

from benchmarks.graph_products import graph_operations, graph_products
from keras_mlp import (
    ARCHITECTURES,
    GMLP,
    FFOnly,
    MLPMixer,
    RepMLPNet,
    VisionPermutator,
    ViT,
    deploy,
)
from keras_mlp import layers as our_layers
from keras_mlp.analysis import PARTS, cost, cost_of_variant
from keras_mlp.analysis.work import works
from tests.contract import shallow
from tests.test_contract import ROWS

# (millions of parameters, GMACs, MACs per parameter), measured on the reference implementations,
# attention's products included; None where the third is not known.
PUBLISHED = {
    "MLPMixer S/32": (19.10, 1.0024, 52),
    "MLPMixer S/16": (18.53, 3.7770, 204),
    "MLPMixer B/32": (60.29, 3.2377, 54),
    "MLPMixer B/16": (59.88, 12.6018, 210),
    "MLPMixer L/32": (206.94, 11.2533, 54),
    "MLPMixer L/16": (208.20, 44.5477, 214),
    "MLPMixer H/14": (432.35, 120.990, 280),
    "ResMLP S12": (15.35, 3.0097, 196),
    "ResMLP S24": (30.02, 5.9613, 199),
    "ResMLP S36": (44.69, 8.9128, 199),
    "ResMLP B24/16": (115.74, 23.0207, 199),
    "ResMLP B24/8": (129.14, 100.2307, 776),
    "GMLP Ti/16": (5.87, 1.3290, 227),
    "GMLP S/16": (19.42, 4.3921, 226),
    "GMLP B/16": (73.08, 15.7205, 215),
    "VisionPermutator S/14": (29.89, 6.8556, 229),
    "VisionPermutator S/7": (25.11, 6.9018, 275),
    "VisionPermutator M/7": (55.27, 16.2843, 295),
    "VisionPermutator L/7": (87.78, 24.3403, 277),
    "RepMLPNet T224": (38.29, 2.8080, None),
    "RepMLPNet B224": (68.24, 6.6757, None),
    "RepMLPNet T256": (58.69, 4.2581, None),
    "RepMLPNet B256": (96.45, 9.6402, None),
    "RepMLPNet D256": (86.89, 8.6362, None),
    "RepMLPNet L256": (117.64, 11.6095, None),
    "RepMLPNet T224 deployed": (38.33, 2.7985, 73),
    "RepMLPNet B224 deployed": (68.33, 6.6569, 97),
    "RepMLPNet T256 deployed": (58.74, 4.2456, 72),
    "RepMLPNet B256 deployed": (96.57, 9.6156, 100),
    "RepMLPNet D256 deployed": (86.99, 8.6108, 99),
    "RepMLPNet L256 deployed": (117.82, 11.5790, 98),
    "FFOnly linear_tiny": (7.68, 1.4416, 188),
    "FFOnly linear_base": (61.94, 14.1324, 228),
    "FFOnly linear_large": (206.36, 10.7130, 52),
    "ViT Ti/16": (5.72, 1.0749 + 0.1788, 219),
    "ViT S/32": (22.88, 1.1199 + 0.0230, None),
    "ViT S/16": (22.05, 4.2412 + 0.3577, 209),
    "ViT B/32": (88.22, 4.3631 + 0.0461, 50),
    "ViT B/16": (86.57, 16.8485 + 0.7153, 203),
    "ViT B/8": (86.58, 66.7901 + 11.3583, None),
    "ViT L/32": (306.54, 15.2547 + 0.1229, None),
    "ViT L/16": (304.33, 59.6472 + 1.9075, 202),
    "ViT H/14": (632.05, 161.884 + 5.4107, None),
}


@functools.cache
def published(name):
    architecture, variant, *form = name.split()
    return cost_of_variant(architecture, variant, **dict.fromkeys(form, True))


def test_every_published_size_has_its_figures():
    sizes = {
        f"{name} {variant}"
        for name, architecture in ARCHITECTURES.items()
        for variant in architecture.variants
        if name in {each.split()[0] for each in PUBLISHED}
        and not variant.startswith(("nano", "pico"))  # ours
    }
    assert {name.removesuffix(" deployed") for name in PUBLISHED} == sizes


def names():
    """All of them; beyond the first one of each architecture and form as a sweep."""
    seen = set()
    for name in PUBLISHED:
        architecture, _, *form = name.split()
        again = (architecture, *form) in seen
        seen.add((architecture, *form))
        yield pytest.param(name, marks=pytest.mark.sweep if again else [])


@pytest.mark.parametrize("name", list(names()))
def test_published_figures(name):
    millions, gmacs, per_parameter = PUBLISHED[name]
    counted = published(name)
    assert counted.name == name
    assert abs(counted.parameters / 1e6 - millions) < 0.0051
    # Figures of 100 and more are published to 0.001; those of ViT are sums of two rounded ones.
    assert abs(counted.macs / 1e9 - gmacs) < (0.00056 if gmacs >= 100 else 0.00011)
    assert per_parameter is None or round(counted.macs_per_parameter) == per_parameter
    architecture, variant, *form = name.split()
    assert form or counted.parameters == ROWS[architecture].parameters[variant]


def test_attention_is_published_apart():
    for variant, gmacs in {"Ti/16": 0.1788, "B/8": 11.3583, "H/14": 5.4107}.items():
        mixing = published(f"ViT {variant}").parts["token_mixing"]
        assert round(mixing.macs / 1e9, 4) == gmacs and mixing.parameters == 0


def test_larger_images_and_other_heads():
    large = cost_of_variant(ViT, "B/16", image_shape=(384, 384, 3))
    assert large.parameters == 86_859_496
    assert round(large.parts["token_mixing"].macs / 1e9, 3) == 6.137
    assert round((large.macs - large.parts["token_mixing"].macs) / 1e9, 3) == 49.348
    high = {"image_shape": (448, 448, 3), "token_mlp_dim": 4 * 384}
    mixer = cost_of_variant(MLPMixer, "B/16", **high)
    assert mixer.parameters == 86_996_392 and round(mixer.macs / 1e9, 2) == 67.05
    assert cost_of_variant("MLPMixer", "L/16", num_classes=21843).parameters == 229_560_243


TOYS = {
    **{name: (ARCHITECTURES[name], row.toy) for name, row in ROWS.items()},
    # Interpolating position embeddings takes products of weights only.
    "FFOnly": (FFOnly, {**ROWS["FFOnly"].toy, "position_grid": None}),
    "aMLP": (GMLP, {**ROWS["GMLP"].toy, "attention_dim": 6}),
    "ViT average": (ViT, {**ROWS["ViT"].toy, "class_token": False, "pooling": "avg"}),
    "ViT representation": (
        ViT,
        {**ROWS["ViT"].toy, "representation_size": 7, "layer_scale_init_value": 0.1},
    ),
    "ViT distilled": (ViT, {**ROWS["ViT"].toy, "distillation_token": True}),
    "ViP summed": (
        VisionPermutator,
        {**ROWS["VisionPermutator"].toy, "weighted": False, "qkv_bias": True},
    ),
    "ViP widened": (
        VisionPermutator,
        {
            **ROWS["VisionPermutator"].toy,
            "num_layers": (1, 1, 1),
            "hidden_dim": (8, 16, 32),
            "downsample": (False, True),
        },
    ),
    "RepMLPNet partitions": (
        RepMLPNet,
        {**ROWS["RepMLPNet"].toy, "partition_size": ((2, 3), (1, 3))},
    ),
    "RepMLPNet deployed": (RepMLPNet, {**ROWS["RepMLPNet"].toy, "deployed": True}),
    "without top": (MLPMixer, {**ROWS["MLPMixer"].toy, "include_top": False, "pooling": None}),
    "without preprocessing": (ViT, {**ROWS["ViT"].toy, "include_preprocessing": False}),
}


@pytest.fixture(scope="module", params=TOYS)
def toy(request):
    architecture, arguments = TOYS[request.param]
    return shallow(functools.partial(architecture, **arguments))()


@pytest.fixture(scope="module")
def products(toy):
    return graph_products(toy)


@pytest.fixture(scope="module")
def recorded(toy):
    """What `_recording` records of one image."""
    recorded = []
    with _recording(_with_weights(toy), recorded):
        toy(np.zeros((1, *toy.image_shape), "float32"))
    return recorded


def test_macs_are_those_of_the_graph(toy, products):
    counted = cost(toy)
    assert counted.macs == sum(product.macs for product in products)
    # The two products of attention are the only ones without a kernel.
    between = sum(product.macs for product in products if not product.has_kernel)
    assert (between > 0) == isinstance(toy, ViT) or getattr(toy, "attention_dim", None)
    if isinstance(toy, ViT):
        assert counted.parts["token_mixing"].macs == between


def test_parameters_add_up(toy):
    counted = cost(toy)
    assert counted.parameters + counted.batch_norm_statistics == toy.count_params()
    trainable = sum(math.prod(weight.shape) for weight in toy.trainable_weights)
    assert counted.parameters == counted.trainable_parameters == trainable
    toy.layers[-1].trainable = False
    frozen = sum(math.prod(weight.shape) for weight in toy.layers[-1].weights)
    try:
        assert cost(toy).trainable_parameters == trainable - frozen
        assert cost(toy).parameters == trainable
    finally:
        toy.layers[-1].trainable = True


def test_kernels_outside_the_four_parts_are_known(toy):
    """A layer without a rule would silently count as "other"."""
    parts = type(toy).token_mixing.parts
    kernels = [weight for weight in toy.weights if weight.path.endswith("kernel")]
    for kernel in kernels:
        layer, *inside, _ = kernel.path.split("/")
        is_inside = layer in {block.name for block in toy.blocks}
        assert not is_inside or set(inside) & parts.keys(), f"no part is stated for {kernel.path}"
    names = {"downsample_0", "downsample_1", *(name for name in parts if parts[name] == "other")}
    other = [weight for weight in kernels if names & set(weight.path.split("/"))]
    counted = cost(toy)
    assert (counted.parts["other"].macs > 0) == bool(other)
    rest = sum(counted.parts[part].macs for part in PARTS if part != "other")
    assert counted.macs - rest == counted.parts["other"].macs
    positions = sum(math.prod(kernel.shape) for kernel in other)
    assert counted.parts["other"].macs >= positions


def test_every_architecture_says_what_mixes_tokens_and_channels():
    for name, row in ROWS.items():
        parts = cost(ARCHITECTURES[name](**row.toy)).parts
        assert parts["token_mixing"].macs > 0 and parts["channel_mixing"].macs > 0, name


def test_activation_functions_are_those_of_the_graph(toy):
    """An activation function that a layer calls itself would be missing from training memory."""
    assert sum(work.activations for work in works(toy)) == graph_activations(toy)


def test_activations_are_those_of_a_real_call(toy, recorded):
    """Sizes of the arrays that one image produces, and of the intermediate results in the graph."""
    kept = 0
    for layer, _, output in recorded:
        activation = getattr(layer, "activation", None)
        kept += output * (1 if activation in (None, keras.activations.linear) else 2)
    kept += sum(_between(layer) for layer in _all_layers(toy))
    assert cost(toy).training_bytes == 4 * kept


def test_inference_needs_what_the_largest_product_holds(toy, products, recorded):
    largest = 0
    for layer, inputs, output in recorded:
        if hasattr(layer, "kernel"):
            largest = max(largest, inputs + output + _waiting(toy, layer))
    for product in products:
        if not product.has_kernel:
            # Queries and keys, as wide as the values kept for later, then the attention map.
            first, second, output = product.sizes
            waiting = first + max(_waiting(toy, each) for each in _all_layers(toy))
            if output >= max(first, second):
                largest = max(largest, first + second + output + waiting)
    assert cost(toy).inference_bytes == 4 * largest


def _all_layers(layer):
    return layer._flatten_layers(include_self=False)


def _with_weights(model):
    leaves = [layer for layer in _all_layers(model) if not list(_all_layers(layer))]
    return [
        each for each in leaves if each.weights or isinstance(each, our_layers.PixelNormalization)
    ]


class _recording:
    """Records (layer, numbers in, numbers out) for every call of some layers."""

    def __init__(self, layers, recorded):
        self.layers, self.recorded = layers, recorded

    def __enter__(self):
        for layer in self.layers:
            call = layer.call

            def noted(inputs, *args, _layer=layer, _call=call, **kwargs):
                outputs = _call(inputs, *args, **kwargs)
                self.recorded.append((_layer, math.prod(inputs.shape), math.prod(outputs.shape)))
                return outputs

            layer.call = noted

    def __exit__(self, *_):
        for layer in self.layers:
            del layer.call


def _waiting(model, layer):
    """Numbers in the input of the block that a layer is in."""
    for block in model.layers:
        inside = any(each is layer for each in _all_layers(block))
        if inside and block.name.startswith(("block_", "stage_")):
            return math.prod(block.input.shape[1:])
    return 0


def _between(layer):
    """Intermediate results of a layer that no sublayer returns, from the papers' formulas."""
    shape = (layer.get_build_config() or {}).get("input_shape")
    if isinstance(layer, our_layers.SelfAttention):
        tokens, channels = shape[1:]
        return layer.num_heads * tokens**2 + tokens * channels
    if isinstance(layer, our_layers.TinyAttention):
        return shape[1] ** 2 + shape[1] * layer.attention_dim
    if isinstance(layer, our_layers.SpatialGatingUnit):
        return shape[1] * shape[2] // 2
    if isinstance(layer, our_layers.PermuteMLP):
        return math.prod(shape[1:]) + 3 * shape[-1] * layer.weighted
    if isinstance(layer, our_layers.RepMLPBlock):
        return math.prod(shape[1:])
    if isinstance(layer, our_layers.FFNBlock):
        return math.prod(shape[1:-1]) * layer.fc1.units
    if isinstance(layer, our_layers.ConvNormReLU):
        return math.prod(layer.compute_output_shape(shape)[1:])
    return 0


def test_activations_of_a_mixer_by_hand():
    tokens, channels, token_dim, channel_dim = 6 * 4, 16, 12, 32
    block = 4 * tokens * channels + 2 * channels * token_dim + 2 * tokens * channel_dim
    image, stem, norm, head = 16 * 24 * 3, tokens * channels, tokens * channels, 5
    counted = cost(MLPMixer(**ROWS["MLPMixer"].toy))
    assert counted.training_bytes == 4 * (image + stem + 2 * block + norm + head)
    # The hidden layer of a channel MLP, its input, and the block's input beside them.
    assert counted.inference_bytes == 4 * (2 * tokens * channels + tokens * channel_dim)


def test_half_precision_halves_activations_but_not_the_logits():
    full = cost(MLPMixer(**ROWS["MLPMixer"].toy))
    half = cost(MLPMixer(**ROWS["MLPMixer"].toy, dtype="mixed_bfloat16"))
    logits = 4 * 5
    assert half.training_bytes - logits == (full.training_bytes - logits) / 2
    assert half.inference_bytes == full.inference_bytes / 2
    assert half.table() == full.table()


def test_deploying_a_model_is_counted():
    model = RepMLPNet(**ROWS["RepMLPNet"].toy)
    before, after = cost(model), cost(deploy(model))
    assert before.macs - after.macs == (4 * 6 * 8 + 2 * 2 * 3 * 16) * (3**2 + 5**2)
    assert after.parts["token_mixing"].macs < before.parts["token_mixing"].macs
    assert after.training_bytes < before.training_bytes
    variant = cost_of_variant("RepMLPNet", "pico/2", deployed=True)
    assert variant.name == "RepMLPNet pico/2 deployed"


def test_the_text_holds_the_table():
    counted = cost(MLPMixer.from_variant("pico/2", name="toy"))
    text = str(counted)
    assert text.startswith("toy, 8 x 8 pixels, 16 tokens\n")
    for name, parameters, macs in counted.table():
        assert any(
            name in line and f"{parameters:,}" in line and f"{macs:,}" in line
            for line in text.splitlines()
        ), name
    assert [name for name, _, _ in counted.table()] == [*PARTS, "total"]
    assert counted.table()[-1][1:] == (counted.parameters, counted.macs)


def test_counting_leaves_the_model_alone():
    model = MLPMixer(**ROWS["MLPMixer"].toy)
    before = model.get_weights()
    cost(model)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert cost(model) == cost(model)


@pytest.mark.parametrize("value", ["MLPMixer", None, MLPMixer, keras.Sequential()])
def test_refuses_what_is_no_model_of_ours(value):
    with pytest.raises(ValueError, match="`model` must be a keras_mlp model such as MLPMixer, got"):
        cost(value)


def test_refuses_unknown_names():
    with pytest.raises(ValueError, match=r"`architecture` is 'MLPMix'\. Did you mean 'MLPMixer'"):
        cost_of_variant("MLPMix", "S/16")
    with pytest.raises(ValueError, match="`architecture` is <class 'int'>"):
        cost_of_variant(int, "S/16")
    with pytest.raises(ValueError, match=r"`variant` is 'S16'\. Did you mean 'S/16'"):
        cost_of_variant("MLPMixer", "S16")
    with pytest.raises(ValueError, match="not divisible by `patch_size`"):
        cost_of_variant("MLPMixer", "S/16", image_shape=(225, 224, 3))


def graph_activations(model):
    """How many numbers the activation functions of a model's graph return."""
    kinds = ("Erf", "Erfc", "Tanh", "Relu", "Sigmoid", "Softmax", "Elu", "Softplus", "Exp")
    outputs = [each.outputs[0] for each in graph_operations(model) if each.type in kinds]
    return sum(math.prod(output.shape) for output in outputs)
