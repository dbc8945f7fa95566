"""The names of tensors without prefixes."""

import numpy as np
import pytest

from keras_mlp.weights.plain_names import plain_names

TENSORS = {"stem.proj.bias": np.zeros(2), "model_norm.bias": np.ones(2)}


@pytest.mark.parametrize(
    "prefix",
    ["", "module.", "_orig_mod.", "model.", "module._orig_mod.", "_orig_mod.module.model."],
)
def test_removes_the_prefixes_of_wrappers(prefix):
    wrapped = {f"{prefix}{name}": tensor for name, tensor in TENSORS.items()}
    assert plain_names(wrapped) == TENSORS


@pytest.mark.parametrize("names", [["model.a", "b"], ["module.a", "model.b"], []])
def test_keeps_what_not_all_names_have(names):
    assert plain_names(dict.fromkeys(names, np.zeros(2))).keys() == set(names)


@pytest.mark.parametrize("shape", [(2, 3), (2, 0)])
def test_separates_stacked_blocks(shape):
    plain = plain_names({"img/Transformer/encoderblock/bias": np.zeros(shape)})
    assert plain.keys() == {f"img/Transformer/encoderblock_{i}/bias" for i in range(2)}


def test_an_axis_of_very_many_blocks_is_no_axis_of_blocks():
    tensors = {"img/Transformer/encoderblock/bias": np.zeros((10**9, 0))}
    assert plain_names(tensors).keys() == tensors.keys()
