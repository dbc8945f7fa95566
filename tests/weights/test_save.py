"""save_checkpoint writes published names, which `load_checkpoint` reads back bit for bit."""

import json

import keras
import numpy as np
import pytest
import safetensors
import safetensors.numpy

import keras_mlp
from keras_mlp import ARCHITECTURES, MLPMixer, ViT, deploy, load_checkpoint, save_checkpoint
from tests.contract import predict, some_pixels, with_random_weights
from tests.full_disk import full_disk
from tests.models.test_mlp_mixer import mixer_like
from tests.models.test_vit import TIMM, vit_like
from tests.oracle import Oracle
from tests.test_contract import factory

GAP = {"class_token": False, "pooling": "avg"}
GOOGLES = ("google", "google_linen", "big_vision")
# Architecture, layout and arguments that change which weights there are.
WRITABLE = [
    ("MLPMixer", "google", {}),
    ("MLPMixer", "timm", {}),
    ("MLPMixer", "timm", {"num_classes": 3}),
    ("MLPMixer", "timm", {"include_top": False}),
    ("MLPMixer", "timm", {"dtype": "mixed_float16"}),
    ("MLPMixer", "timm", {"dtype": "mixed_bfloat16"}),
    ("MLPMixer", "timm", {"dtype": "bfloat16"}),
    ("MLPMixer", "timm", {"dtype": "float64"}),
    ("ResMLP", "deit", {}),
    ("ResMLP", "timm", {}),
    ("GMLP", "timm", {}),
    ("GMLP", "timm", {"attention_dim": 6}),
    ("ViT", "google", {}),
    ("ViT", "google", {"representation_size": 12}),
    ("ViT", "google_linen", {}),
    ("ViT", "big_vision", GAP),
    ("ViT", "timm", {}),
    ("ViT", "timm", {"num_classes": 3, "layer_scale_init_value": 0.1}),
    ("ViT", "timm", {**GAP, "norm_after_pooling": True}),
    ("FFOnly", "official", {}),
    ("VisionPermutator", "official", {}),
    ("RepMLPNet", "official", {}),
    ("RepMLPNet", "official", {"deployed": True}),
]
LAYOUTS = [
    (name, layout)
    for name, architecture in ARCHITECTURES.items()
    for layout in architecture.checkpoint_layouts
]
WRITABLE += [
    (name, layout, {})
    for name, layout in LAYOUTS
    if name not in {architecture for architecture, *_ in WRITABLE}
]


@pytest.mark.parametrize(("architecture", "layout", "arguments"), WRITABLE, ids=str)
def test_a_fresh_model_gets_every_bit_back(architecture, layout, arguments, tmp_path):
    suffix = ".npz" if layout in GOOGLES else ".safetensors"
    make = factory(architecture)
    model, path = with_random_weights(make(**arguments)), tmp_path / f"w{suffix}"
    assert save_checkpoint(model, str(path), layout) == path
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    fresh = make(**arguments)
    assert load_checkpoint(fresh, path) == layout
    for weight, other in zip(model.weights, fresh.weights, strict=True):
        assert weight.dtype == other.dtype
        np.testing.assert_array_equal(weight, other, err_msg=weight.path)
    images = some_pixels(model)
    np.testing.assert_array_equal(predict(fresh, images), predict(model, images))


def test_every_layout_is_tried_or_known_to_be_without_a_way_back():
    tried = {(architecture, layout) for architecture, layout, _ in WRITABLE}
    assert {*LAYOUTS} - tried == {("MLPMixer", "google_legacy")}


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("mixer_timm_rect", mixer_like),
        ("mixer_flax_base", mixer_like),
        ("vit_flax_base", vit_like),
        *((name, lambda oracle, a=arguments: vit_like(oracle, **a)) for name, arguments in TIMM),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),  # no address: it varies
)
def test_writes_the_names_shapes_and_numbers_of_the_reference(name, make, tmp_path):
    oracle = Oracle(name)
    model = make(oracle)
    layout = load_checkpoint(model, oracle.write_checkpoint(tmp_path, ".safetensors"))
    saved = safetensors.numpy.load_file(
        save_checkpoint(model, tmp_path / "mine.safetensors", layout)
    )
    assert saved.keys() == oracle.weights.keys()
    for tensor, array in oracle.weights.items():
        np.testing.assert_array_equal(saved[tensor], array, err_msg=tensor)
        assert saved[tensor].dtype == "float32"


def metadata_of(model, path, layout="timm"):
    with safetensors.safe_open(save_checkpoint(model, path, layout), "numpy") as file:
        return file.metadata()


def test_metadata_tell_how_to_build_the_model_here_and_in_timm(tmp_path, monkeypatch):
    narrow = {"num_layers": 1, "hidden_dim": 16, "token_mlp_dim": 8, "channel_mlp_dim": 16}
    monkeypatch.setitem(MLPMixer.variants, "S/32", {**MLPMixer.variants["S/32"], **narrow})
    model = MLPMixer.from_variant("S/32", num_classes=3, image_shape=(64, 96, 3), name="toy")
    metadata = metadata_of(model, tmp_path / "w.safetensors")
    assert metadata["format"] == "pt"
    assert metadata["keras_mlp"] == keras_mlp.__version__
    assert metadata["layout"] == "timm"
    rebuilt = ARCHITECTURES[metadata["architecture"]].from_config(json.loads(metadata["arguments"]))
    assert rebuilt.get_config() == model.get_config()
    assert json.loads(metadata["timm"]) == {
        "function": "timm.create_model",
        "arguments": {
            "model_name": "mixer_s32_224",
            "img_size": [64, 96],
            "in_chans": 3,
            "num_classes": 3,
            "global_pool": "avg",
        },
    }


@pytest.mark.parametrize(
    ("architecture", "arguments", "expected"),
    [
        ("MLPMixer", {}, {"mlp_ratio": [0.75, 2.0], "num_blocks": 2, "embed_dim": 16}),
        ("MLPMixer", {"gelu_approximate": True}, {"act_layer": "timm.layers.GELUTanh"}),
        (
            "MLPMixer",
            {"include_top": False, "pooling": None},
            {"num_classes": 0, "global_pool": ""},
        ),
        ("ResMLP", {}, {"block_layer": "timm.models.mlp_mixer.ResBlock", "mlp_ratio": 2.0}),
        ("GMLP", {}, {"mlp_layer": "timm.layers.GatedMlp"}),
        ("ViT", GAP, {"class_token": False, "global_pool": "avg", "fc_norm": False}),
        ("ViT", {"layer_scale_init_value": 0.1}, {"init_values": 0.1, "class_token": True}),
    ],
    ids=str,
)
def test_other_sizes_name_timms_class(architecture, arguments, expected, tmp_path):
    metadata = metadata_of(factory(architecture)(**arguments), tmp_path / "w.safetensors")
    call = json.loads(metadata["timm"])
    assert call["function"].startswith("timm.models.")
    assert expected.items() <= call["arguments"].items()


@pytest.mark.parametrize(("width", "channels"), [(29, 50), (13, 49), (1, 3), (384, 768)])
def test_the_ratio_survives_timms_rounding_down(width, channels, tmp_path):
    model = MLPMixer(
        image_shape=(4, 4, 3),
        patch_size=4,
        num_layers=1,
        hidden_dim=channels,
        token_mlp_dim=width,
        channel_mlp_dim=8,
    )
    call = json.loads(metadata_of(model, tmp_path / "w.safetensors")["timm"])
    ratios = call["arguments"]["mlp_ratio"]
    assert [int(ratio * channels) for ratio in ratios] == [width, 8]


@pytest.mark.parametrize(
    ("architecture", "arguments"),
    [
        ("MLPMixer", {"layer_norm_epsilon": 1e-5}),
        ("GMLP", {"attention_dim": 6}),
        ("ViT", {"representation_size": 12}),
        ("ViT", {"include_top": False, "pooling": None, "norm_after_pooling": True}),
    ],
    ids=str,
)
def test_a_network_that_timm_lacks_gets_no_call(architecture, arguments, tmp_path):
    metadata = metadata_of(factory(architecture)(**arguments), tmp_path / "w.safetensors")
    assert "timm" not in metadata and metadata["architecture"] == architecture


def test_another_layout_gets_no_call_of_timm(tmp_path):
    assert "timm" not in metadata_of(factory("ResMLP")(), tmp_path / "w.safetensors", "deit")


def refusal(model, folder, layout="timm", name="w.safetensors"):
    with pytest.raises(ValueError) as error:
        save_checkpoint(model, folder / name, layout)
    assert not list(folder.iterdir())
    return str(error.value)


@pytest.mark.parametrize(
    ("architecture", "arguments", "layout", "reason", "writable"),
    [
        ("MLPMixer", {}, "google_legacy", "has more than one form", "'google', 'timm'"),
        ("MLPMixer", {}, "tim", "Did you mean 'timm'?", "'google', 'timm'"),
        ("RepMLPNet", {}, "timm", "`layout` is 'timm'", "'official'"),
        ("ViT", {"layer_scale_init_value": 0.1}, "google", "has no published name", "'timm'"),
        (
            "ViT",
            {},
            "big_vision",
            "the class token of the model has a position other than 0",
            "'google', 'google_linen', 'timm'",
        ),
    ],
)
def test_a_layout_that_cannot_be_written_is_refused_and_the_others_named(
    architecture, arguments, layout, reason, writable, tmp_path
):
    model = with_random_weights(factory(architecture)(name="toy", **arguments))
    message = refusal(model, tmp_path, layout)
    assert reason in message
    assert message.endswith(f"Layouts that toy can be written in: {writable}.")


def test_big_vision_takes_a_class_token_without_a_position(tmp_path):
    model = with_random_weights(factory("ViT")())
    positions = model.get_layer("position_embedding").embeddings
    positions.assign(np.asarray(positions) * (np.arange(positions.shape[1]) > 0)[None, :, None])
    path = save_checkpoint(model, tmp_path / "w.npz", "big_vision")
    with np.load(path) as file:
        assert file["pos_embedding"].shape[1] == positions.shape[1] - 1
    fresh = factory("ViT")()
    assert load_checkpoint(fresh, path) == "big_vision"
    for weight, other in zip(model.weights, fresh.weights, strict=True):
        np.testing.assert_array_equal(weight, other)


def test_lora_factors_are_to_be_merged_first(tmp_path):
    model = factory("MLPMixer")()
    model.get_layer("block_0").channel_mlp.fc1.enable_lora(2)
    message = refusal(model, tmp_path)
    assert "LoRA factors in its layer block_0/channel_mlp/fc1" in message
    assert "`keras_mlp.merge_lora` first" in message


def test_a_quantized_model_is_refused(tmp_path):
    model = factory("MLPMixer")()
    model.quantize("int8")
    assert "is quantized, in its layer" in refusal(model, tmp_path)


def test_other_models_are_refused(tmp_path):
    stranger = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    assert "must be a keras_mlp model" in refusal(stranger, tmp_path)


@pytest.mark.parametrize("name", ["w.pth", "w", "w.h5"])
def test_other_suffixes_are_refused(name, tmp_path):
    message = refusal(factory("MLPMixer")(), tmp_path, name=name)
    assert "must end in .safetensors or .npz" in message


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    model = factory("MLPMixer")()
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        save_checkpoint(model, tmp_path / "absent" / "w.safetensors")
    (tmp_path / "w.safetensors").mkdir()
    with pytest.raises(IsADirectoryError, match="is a folder"):
        save_checkpoint(model, tmp_path / "w.safetensors")


def test_an_interrupted_save_leaves_what_was_there(tmp_path, monkeypatch):
    model, path = factory("MLPMixer")(), tmp_path / "w.safetensors"
    save_checkpoint(model, path)
    before = path.read_bytes()

    def stop(tensors, part, metadata):
        part.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(safetensors.numpy, "save_file", stop)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(model, path)
    assert path.read_bytes() == before and [each.name for each in tmp_path.iterdir()] == [path.name]


def test_a_deployed_model_is_saved_as_it_is(tmp_path):
    model = deploy(with_random_weights(factory("RepMLPNet")()))
    path = save_checkpoint(model, tmp_path / "w.safetensors", "official")
    fresh = factory("RepMLPNet")(deployed=True)
    load_checkpoint(fresh, path)
    images = some_pixels(model)
    np.testing.assert_array_equal(predict(fresh, images), predict(model, images))


def test_the_model_is_not_changed(tmp_path):
    model = with_random_weights(ViT.from_variant("pico/2"))
    before = [np.array(weight) for weight in model.get_weights()]
    save_checkpoint(model, tmp_path / "w.safetensors")
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(("suffix", "layout"), [("safetensors", "timm"), ("npz", "google")])
def test_a_full_disk_is_an_error_that_names_the_file(suffix, layout, tmp_path):
    path = tmp_path / f"w.{suffix}"
    save_checkpoint(factory("MLPMixer")(), path, layout)
    old = path.read_bytes()
    too_large = pytest.raises(OSError, match=f"^{path} cannot be written: .*File too large")
    with full_disk(), too_large as error:
        save_checkpoint(factory("MLPMixer")(), path, layout)
    assert "\n" not in str(error.value) and error.value.__cause__ is not None
    assert path.read_bytes() == old and list(tmp_path.iterdir()) == [path]


def test_the_file_has_the_mode_of_any_other(tmp_path):
    (tmp_path / "other").touch()
    path = save_checkpoint(factory("MLPMixer")(), tmp_path / "w.safetensors", "timm")
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode
