"""load_checkpoint places every tensor, or raises one error with all problems, changing nothing."""

import keras
import numpy as np
import pytest

from keras_mlp import MLPMixer, load_checkpoint
from tests.weights.torch_writer import write_training_state
from tests.weights.toy_checkpoint import SUFFIXES, checkpoint_of, refusal, toy_mixer, write


@pytest.fixture(scope="module")
def model():
    return toy_mixer()


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("source", ["google", "timm"])
def test_places_every_tensor(model, source, suffix, tmp_path):
    tensors = checkpoint_of(model, source)
    assert load_checkpoint(model, write(tensors, tmp_path / f"w{suffix}")) == source
    placed = {weight.path: np.asarray(weight) for weight in model.weights}
    if source == "timm":
        kernel = tensors["blocks.1.mlp_tokens.fc1.weight"].T
        stem = tensors["stem.proj.weight"].transpose(2, 3, 1, 0)
    else:
        kernel = tensors["MixerBlock_1/token_mixing/Dense_0/kernel"]
        stem = tensors["stem/kernel"]
    np.testing.assert_array_equal(placed["block_1/token_mlp/fc1/kernel"], kernel)
    np.testing.assert_array_equal(placed["stem/projection/kernel"], stem)
    total = sum(np.abs(tensor).sum(dtype="float64") for tensor in tensors.values())
    assert np.isclose(sum(np.abs(w).sum(dtype="float64") for w in placed.values()), total)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_lists_everything_that_is_wrong_in_one_error(model, suffix, tmp_path):
    tensors = checkpoint_of(model, "timm")
    del tensors["norm.bias"], tensors["blocks.1.norm1.weight"]
    tensors["aux.weight"] = tensors["zz"] = np.zeros(3, "float32")
    tensors["head.bias"] = np.zeros(7, "float32")
    tensors["stem.proj.bias"] = np.zeros(16, "bool")
    message = refusal(model, write(tensors, tmp_path / f"w{suffix}"))
    assert "timm naming" in message and "6 problems" in message
    for line in (
        "missing: norm.bias (for norm/beta)",
        "missing: blocks.1.norm1.weight (for block_1/norm1/gamma)",
        "unused: aux.weight",
        "unused: zz",
        "shape: head.bias gives (7,), head/bias takes (5,)",
        "kind: stem.proj.bias holds bool, stem/projection/bias takes floating point",
    ):
        assert f"\n  {line}" in message
    assert message.count("\n") == 6


@pytest.mark.parametrize("dtype", ["<U5", "complex64", "V4", "int32"])
def test_refuses_tensors_that_are_no_floating_point_numbers(model, dtype, tmp_path):
    tensors = checkpoint_of(model, "google")
    tensors["head/bias"] = np.zeros(5, dtype)
    assert "kind: head/bias holds" in refusal(model, write(tensors, tmp_path / "w.npz"))


@pytest.mark.parametrize("dtype", ["float16", "float64"])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_takes_other_floating_point_types(model, dtype, suffix, tmp_path):
    tensors = {k: v.astype(dtype) for k, v in checkpoint_of(model, "google", seed=3).items()}
    load_checkpoint(model, write(tensors, tmp_path / f"w{suffix}"))
    expected = tensors["head/kernel"].astype("float32")
    np.testing.assert_array_equal(model.get_layer("head").kernel, expected)


def test_takes_bfloat16(model, tmp_path):
    tensors = checkpoint_of(model, "google", seed=4)
    halves = {k: np.asarray(keras.ops.cast(v, "bfloat16")) for k, v in tensors.items()}
    load_checkpoint(model, write(halves, tmp_path / "w.safetensors"))
    np.testing.assert_array_equal(
        model.get_layer("head").kernel, halves["head/kernel"].astype("float32")
    )


@pytest.mark.parametrize("prefix", ["", "module._orig_mod."])
def test_loads_averaged_or_plain_weights(model, prefix, tmp_path):
    plain, averaged = (checkpoint_of(model, "timm", seed=seed) for seed in (5, 6))
    wrapped = {f"{prefix}{name}": tensor for name, tensor in averaged.items()}
    state = {"state_dict": plain, "state_dict_ema": wrapped}
    path = write_training_state(state, tmp_path / "w.pth")

    def loaded_bias():
        return np.asarray(model.get_layer("head").bias)

    load_checkpoint(model, path, ema=False)
    np.testing.assert_array_equal(loaded_bias(), plain["head.bias"])
    load_checkpoint(model, path, ema=True)
    np.testing.assert_array_equal(loaded_bias(), averaged["head.bias"])
    load_checkpoint(model, path, ema=False)
    with pytest.warns(UserWarning, match=r"w\.pth holds averaged \(EMA\) and plain weights"):
        load_checkpoint(model, path)
    np.testing.assert_array_equal(loaded_bias(), averaged["head.bias"])
    with pytest.raises(ValueError, match="`ema` must be True or False, got 'yes'"):
        load_checkpoint(model, path, ema="yes")


def test_refuses_an_unknown_naming(model, tmp_path):
    path = write({"layers.0.w": np.zeros(3), "layers.0.b": np.zeros(3)}, tmp_path / "w.npz")
    message = refusal(model, path)
    assert "not in a naming known for MLPMixer (google, google_legacy, timm)" in message
    assert "it holds layers.0.b, layers.0.w." in message


def test_refuses_an_empty_file_of_tensors(model, tmp_path):
    assert "it holds no tensors" in refusal(model, write({}, tmp_path / "w.npz"))


def test_refuses_a_model_that_is_not_ours(tmp_path):
    stranger = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)], name="stranger")
    path = write({"head/kernel": np.zeros((3, 2))}, tmp_path / "w.npz")
    assert "stranger is not a keras_mlp model" in refusal(stranger, path)


def test_refuses_a_model_with_weights_that_no_checkpoint_has(tmp_path):
    model = MLPMixer(image_shape=(8, 8, 3), patch_size=4, num_layers=1, hidden_dim=8)
    path = write(checkpoint_of(model, "timm"), tmp_path / "w.npz")
    model.get_layer("block_0").channel_mlp.fc1.enable_lora(2)
    message = refusal(model, path)
    assert "cannot load a checkpoint" in message
    assert "block_0/channel_mlp/fc1 has LoRA factors" in message
