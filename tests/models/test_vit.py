"""ViT against the reference implementations, and its own features."""

import keras
import numpy as np
import pytest

from keras_mlp import ViT, ViTBlock, load_checkpoint, save_checkpoint, with_image_shape
from keras_mlp.analysis.weightless import weightless
from tests.contract import predict, some_pixels, with_random_weights
from tests.oracle import Oracle
from tests.test_contract import factory

tiny = factory("ViT")


def vit_like(oracle, **overrides):
    kwargs = oracle.config["kwargs"]
    encoder, width = kwargs.get("transformer", {}), kwargs.get("embed_dim")
    arguments = {
        "image_shape": oracle.x.shape[1:],
        "patch_size": kwargs.get("patch_size", kwargs.get("patches")),
        "num_layers": kwargs.get("depth", encoder.get("num_layers")),
        "hidden_dim": kwargs.get("embed_dim", kwargs.get("hidden_size")),
        "num_heads": kwargs.get("num_heads", encoder.get("num_heads")),
        "channel_mlp_dim": encoder.get("mlp_dim") or kwargs.get("mlp_ratio", 4) * width,
        "num_classes": kwargs["num_classes"],
        "include_preprocessing": False,
    }
    return ViT(**{**arguments, **overrides})


def check_logits_and_features(model, oracle, key="y"):
    oracle.check(model(oracle.x), key)
    features = keras.Model(model.input, model.get_layer("head").input)
    # `vit_flax_base` has features only for the GELU of "y".
    if key == "y":
        oracle.check(features(oracle.x), "features")


TIMM = [
    ("vit_timm_cls", {}),
    ("vit_timm_epsprobe", {}),
    (
        "vit_timm_gap_rect",
        {"class_token": False, "pooling": "avg", "norm_after_pooling": True},
    ),
    ("vit_timm_no_qkv_bias", {"qkv_bias": False}),
    ("vit_timm_registers", {"reg_tokens": 3}),
    ("vit_timm_clip", {"pre_norm": True, "quick_gelu": True, "layer_norm_epsilon": 1e-5}),
    ("vit_timm_distilled", {"distillation_token": True}),
    ("vit_timm_deit3", {"no_embed_class": True, "layer_scale_init_value": 1e-6}),
    (
        "vit_timm_registers_gap",
        {
            "class_token": False,
            "pooling": "avg",
            "norm_after_pooling": True,
            "reg_tokens": 2,
            "no_embed_class": True,
            "qkv_bias": False,
        },
    ),
]


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
@pytest.mark.parametrize(("name", "arguments"), TIMM)
def test_equals_timm(name, arguments, suffix, tmp_path):
    oracle = Oracle(name)
    model = vit_like(oracle, **arguments)
    assert load_checkpoint(model, oracle.write_checkpoint(tmp_path, suffix)) == "timm"
    check_logits_and_features(model, oracle)


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
@pytest.mark.parametrize(("approximate", "key"), [(True, "y"), (False, "y_erf")])
def test_equals_googles_jax_code(approximate, key, suffix, tmp_path):
    oracle = Oracle("vit_flax_base")
    model = vit_like(oracle, gelu_approximate=approximate)
    assert load_checkpoint(model, oracle.write_checkpoint(tmp_path, suffix)) == "google"
    check_logits_and_features(model, oracle, key)


NEWER = {
    "MultiHeadDotProductAttention_1": "MultiHeadDotProductAttention_0",
    "LayerNorm_2": "LayerNorm_1",
    "MlpBlock_3": "MlpBlock_0",
}


def renamed(oracle, names):
    """Puts the weights under other names, as another release of Google's code would."""
    for old, new in names.items():
        oracle.weights = {k.replace(old, new): v for k, v in oracle.weights.items()}


def test_reads_the_newer_numbering(tmp_path):
    oracle = Oracle("vit_flax_base")
    renamed(oracle, NEWER)
    model = vit_like(oracle, gelu_approximate=True)
    assert load_checkpoint(model, oracle.write_checkpoint(tmp_path, ".npz")) == "google_linen"
    check_logits_and_features(model, oracle)


@pytest.mark.parametrize("class_position", [True, False])
def test_reads_big_visions_naming(class_position, tmp_path):
    oracle = Oracle("vit_flax_base")
    renamed(oracle, {**NEWER, "Transformer/posembed_input/pos_embedding": "pos_embedding"})
    if not class_position:
        # Position embeddings are added before the class token is prepended: it has its own.
        table = oracle.weights["pos_embedding"]
        oracle.weights["cls"] = oracle.weights["cls"] + table[:, :1]
        oracle.weights["pos_embedding"] = table[:, 1:]
    model = vit_like(oracle, gelu_approximate=True)
    assert load_checkpoint(model, oracle.write_checkpoint(tmp_path, ".npz")) == "big_vision"
    check_logits_and_features(model, oracle)


def test_big_visions_positions_without_a_class_token_stay_as_they_are(tmp_path):
    oracle = Oracle("vit_flax_base")
    renamed(oracle, {**NEWER, "Transformer/posembed_input/pos_embedding": "pos_embedding"})
    del oracle.weights["cls"]
    oracle.weights["pos_embedding"] = table = oracle.weights["pos_embedding"][:, 1:]
    model = vit_like(oracle, class_token=False, pooling="avg")
    load_checkpoint(model, oracle.write_checkpoint(tmp_path, ".npz"))
    np.testing.assert_array_equal(model.get_layer("position_embedding").embeddings, table)


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("vit_timm_cls", ("pre_logits.fc.weight", "pre_logits.fc.bias")),
        ("vit_flax_base", ("pre_logits/kernel", "pre_logits/bias")),
    ],
)
def test_has_the_tanh_layer_of_the_original_pretraining(name, names, tmp_path):
    oracle = Oracle(name)
    plain = vit_like(oracle)
    load_checkpoint(plain, oracle.write_checkpoint(tmp_path, ".npz"))
    pooled = predict(keras.Model(plain.input, plain.get_layer("pool").output), oracle.x)
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(48, 48)).astype("float32")
    bias = rng.normal(size=48).astype("float32")
    oracle.weights |= {names[0]: kernel.T if "timm" in name else kernel, names[1]: bias}
    model = vit_like(oracle, representation_size=48)
    load_checkpoint(model, oracle.write_checkpoint(tmp_path, ".npz"))
    head_kernel, head_bias = model.get_layer("head").get_weights()
    expected = np.tanh(pooled @ kernel + bias) @ head_kernel + head_bias
    np.testing.assert_allclose(predict(model, oracle.x), expected, rtol=0, atol=2e-5)


def test_reads_timms_layer_scale(tmp_path):
    oracle = Oracle("vit_timm_cls")
    rng = np.random.default_rng(0)
    for i in range(2):
        for branch, (kernel, bias) in {
            "ls1": (f"blocks.{i}.attn.proj.weight", f"blocks.{i}.attn.proj.bias"),
            "ls2": (f"blocks.{i}.mlp.fc2.weight", f"blocks.{i}.mlp.fc2.bias"),
        }.items():
            # Divided out of the last linear layer of the branch: the function stays the same.
            gamma = rng.uniform(0.5, 2.0, 48).astype("float32")
            oracle.weights[f"blocks.{i}.{branch}.gamma"] = gamma
            oracle.weights[kernel] = oracle.weights[kernel] / gamma[:, None]
            oracle.weights[bias] = oracle.weights[bias] / gamma
    model = vit_like(oracle, layer_scale_init_value=0.1)
    assert float(model.get_layer("block_0").layer_scale1.gamma[0]) == pytest.approx(0.1)
    assert load_checkpoint(model, oracle.write_checkpoint(tmp_path, ".npz")) == "timm"
    check_logits_and_features(model, oracle)


def test_lists_queries_keys_and_values_that_do_not_fit(tmp_path):
    oracle = Oracle("vit_timm_cls")
    oracle.weights["blocks.0.attn.qkv.weight"] = np.zeros((143, 48), "float32")
    oracle.weights["blocks.1.attn.qkv.bias"] = np.zeros(96, "float32")
    with pytest.raises(ValueError, match="6 problems") as error:
        load_checkpoint(vit_like(oracle), oracle.write_checkpoint(tmp_path, ".npz"))
    message = str(error.value)
    assert "blocks.0.attn.qkv.weight (143, 48) cannot become block_0/attention/value" in message
    assert "blocks.1.attn.qkv.bias gives (32,), block_1/attention/key/bias takes (48,)" in message


def test_initial_weights_are_the_official_ones():
    model = ViT(image_shape=(64, 64, 3), patch_size=4, num_layers=1, hidden_dim=192, num_heads=3)
    weights = {weight.path: np.asarray(weight) for weight in model.weights}
    assert not weights["head/kernel"].any() and not weights["class_token/token"].any()
    for path in ("query/kernel", "key/kernel", "value/kernel", "projection/kernel"):
        kernel, limit = weights[f"block_0/attention/{path}"], (6 / (192 + 192)) ** 0.5
        assert 0.99 * limit < np.abs(kernel).max() <= limit, path  # not a fused kernel's
        np.testing.assert_allclose(kernel.std(), limit / 3**0.5, rtol=0.02)
    limit = (6 / (192 + 3072)) ** 0.5
    assert 0.99 * limit < np.abs(weights["block_0/channel_mlp/fc1/kernel"]).max() <= limit
    assert 0 < np.abs(weights["block_0/channel_mlp/fc1/bias"]).max() < 1e-5
    np.testing.assert_allclose(weights["position_embedding/embeddings"].std(), 0.02, rtol=0.02)
    np.testing.assert_allclose(weights["stem/projection/kernel"].std(), 48**-0.5, rtol=0.03)
    for path in ("stem/projection", "block_0/attention/query", "block_0/attention/projection"):
        assert not weights[f"{path}/bias"].any()


@pytest.mark.parametrize(
    ("variant", "parameters"),
    [
        ("Ti/16", 5_790_376),
        ("S/16", 22_196_584),
        ("S/32", 22_915_432),
        ("B/16", 86_859_496),
        ("B/32", 88_297_192),
        ("L/16", 304_715_752),
        ("L/32", 306_632_680),
    ],
)
def test_parameter_count_at_384_pixels(variant, parameters):
    model = weightless(ViT.from_variant, variant, image_shape=(384, 384, 3))
    assert model.count_params() == parameters


@pytest.mark.parametrize(
    ("variant", "parameters"), [("Ti/16", 5_910_800), ("S/16", 22_436_432), ("B/16", 87_338_192)]
)
def test_parameter_count_of_the_distilled_models(variant, parameters):
    model = weightless(ViT.from_variant, variant, distillation_token=True)
    assert model.count_params() == parameters


def test_another_number_of_classes_leaves_out_both_distilled_classifiers(tmp_path):
    oracle = Oracle("vit_timm_distilled")
    path = oracle.write_checkpoint(tmp_path, ".safetensors")
    sizes = {"image_shape": (16, 24, 3), "patch_size": 8, "num_layers": 2, "hidden_dim": 24}
    model = ViT.from_preset(
        str(path),
        **sizes,
        variant="pico/2",
        num_heads=3,
        channel_mlp_dim=48,
        num_classes=4,
        distillation_token=True,
    )
    assert not np.asarray(model.get_layer("head").distillation_kernel).any()
    token = model.get_layer("distillation_token").token
    np.testing.assert_array_equal(token, oracle.weights["dist_token"])
    assert model.get_layer("head").input.shape == (None, 48)


@pytest.mark.parametrize("class_token", [True, False])
@pytest.mark.parametrize("norm_after_pooling", [True, False])
def test_the_mean_leaves_out_the_class_token(norm_after_pooling, class_token):
    model = with_random_weights(
        tiny(class_token=class_token, norm_after_pooling=norm_after_pooling, pooling="avg")
    )
    x = predict(keras.Model(model.input, model.get_layer("block_1").output), some_pixels(model))
    assert x.shape == (2, 24 + class_token, 16)
    layer = model.get_layer("fc_norm" if norm_after_pooling else "norm")
    if norm_after_pooling:
        pooled = np.asarray(layer(x[:, int(class_token) :].mean(axis=1)))
    else:
        pooled = np.asarray(layer(x))[:, int(class_token) :].mean(axis=1)
    logits = np.asarray(model.get_layer("head")(pooled))
    np.testing.assert_allclose(logits, predict(model, some_pixels(model)), rtol=0, atol=1e-5)


def test_features_without_the_classifier_are_its_input():
    arguments = {"pooling": "avg", "norm_after_pooling": True, "representation_size": 12}
    model = with_random_weights(tiny(**arguments))
    bare = tiny(include_top=False, **arguments)
    bare.set_weights(model.get_weights()[:-2])
    features = keras.Model(model.input, model.get_layer("head").input)
    images = some_pixels(model)
    assert predict(bare, images).shape == (2, 12)
    np.testing.assert_array_equal(predict(bare, images), predict(features, images))


def test_the_class_token_has_a_position():
    model = with_random_weights(tiny())
    table = model.get_layer("position_embedding").embeddings
    assert tuple(table.shape) == (1, 1 + 24, 16)
    before = predict(model, some_pixels(model))
    shift = np.zeros(table.shape, "float32")
    shift[:, 0, 0] = 1.0
    table.assign(np.asarray(table) + shift)
    assert np.abs(predict(model, some_pixels(model)) - before).max() > 1e-3


def test_without_positions_the_order_of_tokens_is_invisible():
    # Unlike in the other architectures, only the position embeddings depend on the order.
    block = ViTBlock(num_heads=2, channel_mlp_dim=32)
    x = np.random.default_rng(0).normal(size=(2, 6, 16)).astype("float32")
    order = np.random.default_rng(1).permutation(6)
    np.testing.assert_allclose(
        block(x[:, order]), np.asarray(block(x))[:, order], rtol=0, atol=1e-5
    )


def test_a_block_is_two_residual_branches():
    x = np.random.default_rng(0).normal(size=(2, 6, 16)).astype("float32")
    block = ViTBlock(num_heads=2, channel_mlp_dim=32, layer_scale_init_value=0.5)
    block.build(x.shape)
    middle = x + 0.5 * np.asarray(block.attention(block.norm1(x)))
    expected = middle + 0.5 * np.asarray(block.channel_mlp(block.norm2(middle)))
    np.testing.assert_allclose(block(x), expected, rtol=0, atol=1e-5)
    assert np.abs(middle - x).max() > 0.05 and np.abs(expected - middle).max() > 0.05


@pytest.mark.parametrize("layer_scale_init_value", [None, 1e-5])
def test_a_block_is_rebuilt_from_its_config(layer_scale_init_value):
    block = ViTBlock(2, 32, layer_scale_init_value, 0.1, 0.2, True, 1e-5)
    copy = ViTBlock.from_config(block.get_config())
    assert copy.get_config() == block.get_config()
    assert copy.layer_scale_init_value == layer_scale_init_value and copy.gelu_approximate


def test_drop_path_grows_linearly_with_depth():
    model = tiny(drop_path_rate=0.2, num_layers=3)
    rates = [model.get_layer(f"block_{i}").drop_path_rate for i in range(3)]
    np.testing.assert_allclose(rates, [0.0, 0.1, 0.2])


def test_arguments_reach_every_layer():
    model = tiny(
        gelu_approximate=True,
        layer_norm_epsilon=1e-3,
        dropout_rate=0.25,
        layer_scale_init_value=0.1,
    )
    assert model.get_layer("norm").epsilon == 1e-3
    assert model.get_layer("dropout").rate == 0.25
    for i in range(2):
        block = model.get_layer(f"block_{i}")
        assert block.norm1.epsilon == block.norm2.epsilon == 1e-3
        assert block.attention.num_heads == 2 and block.attention.dropout.rate == 0.25
        assert block.layer_scale1.init_value == block.layer_scale2.init_value == 0.1
        assert block.channel_mlp.gelu_approximate and block.channel_mlp.dropout2.rate == 0.25


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_heads": 3}, "`num_heads`=3 does not divide `hidden_dim`=16"),
        ({"class_token": False}, "`pooling` is 'token'. Allowed: 'avg'."),
        ({"pooling": None}, "`pooling` is None. Allowed: 'token', 'avg'."),
        ({"layer_scale_init_value": 0}, "`layer_scale_init_value` must be a finite number above"),
        ({"layer_norm_epsilon": -1}, "`layer_norm_epsilon` must be a finite number above 0"),
    ],
    ids=str,
)
def test_refuses_bad_arguments(arguments, message):
    with pytest.raises(ValueError) as error:
        tiny(**arguments)
    assert message in str(error.value)


def test_reads_the_authors_names_of_deit_iii(tmp_path):
    oracle = Oracle("vit_timm_deit3")
    renamed(oracle, {".ls1.gamma": ".gamma_1", ".ls2.gamma": ".gamma_2"})
    model = vit_like(oracle, no_embed_class=True, layer_scale_init_value=1e-6)
    load_checkpoint(model, oracle.write_checkpoint(tmp_path, ".npz"))
    check_logits_and_features(model, oracle)


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("vit_timm_no_qkv_bias", ["needs `qkv_bias`=False"]),
        ("vit_timm_registers", ["needs `reg_tokens`=3"]),
        ("vit_timm_clip", ["needs `pre_norm`=True"]),
        ("vit_timm_distilled", ["needs `distillation_token`=True"]),
        ("vit_timm_deit3", ["needs `no_embed_class`=True", "`layer_scale_init_value` to be a n"]),
        ("vit_timm_gap_rect", ["needs `class_token`=False"]),
    ],
)
def test_a_file_of_another_kind_of_vit_says_which_arguments_it_needs(name, lines, tmp_path):
    oracle = Oracle(name)
    with pytest.raises(ValueError, match="nothing was loaded") as error:
        load_checkpoint(vit_like(oracle), oracle.write_checkpoint(tmp_path, ".npz"))
    for line in lines:
        assert line in str(error.value)


@pytest.mark.parametrize(
    "other",
    [
        {"pooling": "avg"},
        {"norm_after_pooling": True},
        {"representation_size": 8},
        {"class_token": False, "pooling": "avg"},
    ],
)
def test_a_distillation_token_needs_a_class_token_beside_it(other):
    with pytest.raises(ValueError, match="`distillation_token`=True needs `"):
        tiny(**{"distillation_token": True, **other})


KINDS = {
    "qkv": {"qkv_bias": False},
    "registers": {"reg_tokens": 2},
    "distilled": {"distillation_token": True},
    "clip": {"pre_norm": True, "quick_gelu": True},
    "deit3": {"no_embed_class": True, "layer_scale_init_value": 0.5},
    "all": {"qkv_bias": False, "reg_tokens": 1, "no_embed_class": True, "class_token": False},
}


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_vit_are_saved_resized_and_tapped(kind, tmp_path):
    pooling = {"pooling": "avg"} if "class_token" in KINDS[kind] else {}
    model = with_random_weights(tiny(**KINDS[kind], **pooling))
    path, shape = tmp_path / "w.safetensors", (24, 16, 3)
    save_checkpoint(model, path)
    copy = tiny(**KINDS[kind], **pooling)
    assert load_checkpoint(copy, path) == "timm"
    images = some_pixels(model)
    np.testing.assert_array_equal(predict(copy, images), predict(model, images))
    larger = with_image_shape(model, shape)
    assert larger.get_layer("position_embedding").embeddings.shape[1] == (
        24
        + (
            0
            if model.no_embed_class
            else model.class_token + model.distillation_token + model.reg_tokens
        )
    )
    maps = model.features(["block_1"])(images)["block_1"]
    assert maps.shape == (2, 4, 6, 16)
    feature_map = tiny(**KINDS[kind], include_top=False, pooling=None)
    assert predict(feature_map, images).shape == (2, 4, 6, 16)


@pytest.mark.parametrize("value", [-1, 1.0, True, "2", None])
def test_a_wrong_number_of_registers_is_refused(value):
    with pytest.raises(ValueError, match="`reg_tokens` must be 0 or a positive integer, got"):
        tiny(reg_tokens=value)
