"""Every published size, with random numbers in a published naming, goes into its model whole.

The names and shapes come from files that lie beside a checkout, not in it: they are large. Where
they are absent these tests are skipped.
"""

import importlib.util
import json
import pathlib
import tempfile

import numpy as np
import pytest
import safetensors.numpy

from keras_mlp import ARCHITECTURES, load_checkpoint

PARITY = pathlib.Path(__file__).parents[2].parent / "shared" / "parity"

pytestmark = pytest.mark.skipif(
    not PARITY.is_dir(), reason="the lists of published tensors are not here"
)

# From the list's name to the naming, the architecture, the variant and what differs from it.
PUBLISHED = {
    "timm/mixer_s32_224": ("timm", "MLPMixer", "S/32", {}),
    "timm/mixer_s16_224": ("timm", "MLPMixer", "S/16", {}),
    "timm/mixer_b32_224": ("timm", "MLPMixer", "B/32", {}),
    "timm/mixer_b16_224": ("timm", "MLPMixer", "B/16", {}),
    "timm/mixer_l32_224": ("timm", "MLPMixer", "L/32", {}),
    "timm/mixer_l16_224": ("timm", "MLPMixer", "L/16", {}),
    "timm/mixer_b16_224 (21843 classes)": ("timm", "MLPMixer", "B/16", {"num_classes": 21843}),
    "timm/mixer_b16_224 (11221 classes, miil)": (
        "timm",
        "MLPMixer",
        "B/16",
        {"num_classes": 11221},
    ),
    "flax/Mixer-B_16 (1000 classes)": ("google", "MLPMixer", "B/16", {}),
    "flax/Mixer-B_32 (1000 classes)": ("google", "MLPMixer", "B/32", {}),
    "flax/Mixer-L_16 (1000 classes)": ("google", "MLPMixer", "L/16", {}),
    "official/resmlp_12": ("deit", "ResMLP", "S12", {}),
    "official/resmlp_24": ("deit", "ResMLP", "S24", {}),
    "official/resmlp_36": ("deit", "ResMLP", "S36", {}),
    "official/resmlpB_24": ("deit", "ResMLP", "B24/8", {}),
    "timm/resmlp_12_224": ("timm", "ResMLP", "S12", {}),
    "timm/resmlp_24_224": ("timm", "ResMLP", "S24", {}),
    "timm/resmlp_36_224": ("timm", "ResMLP", "S36", {}),
    "timm/resmlp_big_24_224": ("timm", "ResMLP", "B24/8", {}),
    "timm/gmlp_ti16_224": ("timm", "GMLP", "Ti/16", {}),
    "timm/gmlp_s16_224": ("timm", "GMLP", "S/16", {}),
    "timm/gmlp_b16_224": ("timm", "GMLP", "B/16", {}),
    "timm/vit_tiny_patch16_224": ("timm", "ViT", "Ti/16", {}),
    "timm/vit_small_patch16_224": ("timm", "ViT", "S/16", {}),
    "timm/vit_small_patch32_224": ("timm", "ViT", "S/32", {}),
    "timm/vit_base_patch32_224": ("timm", "ViT", "B/32", {}),
    "timm/vit_base_patch16_224": ("timm", "ViT", "B/16", {}),
    "timm/vit_base_patch16_384": ("timm", "ViT", "B/16", {"image_shape": (384, 384, 3)}),
    "timm/vit_large_patch16_224": ("timm", "ViT", "L/16", {}),
    "timm/vit_huge_patch14_224": ("timm", "ViT", "H/14", {}),
    "flax/ViT-Ti_16 224 (1000 classes)": ("google", "ViT", "Ti/16", {}),
    "flax/ViT-S_16 224 (1000 classes)": ("google", "ViT", "S/16", {}),
    "flax/ViT-B_32 224 (1000 classes)": ("google", "ViT", "B/32", {}),
    "flax/ViT-B_16 224 (1000 classes)": ("google", "ViT", "B/16", {}),
    "flax/ViT-B_16 384 (1000 classes)": ("google", "ViT", "B/16", {"image_shape": (384, 384, 3)}),
    "flax/ViT-L_16 224 (1000 classes)": ("google", "ViT", "L/16", {}),
    "official/vip_s14": ("official", "VisionPermutator", "S/14", {}),
    "official/vip_s7": ("official", "VisionPermutator", "S/7", {}),
    "official/vip_m7": ("official", "VisionPermutator", "M/7", {}),
    "official/vip_l7": ("official", "VisionPermutator", "L/7", {}),
    **{
        f"official/RepMLPNet-{variant} {form}": ("official", "RepMLPNet", variant, arguments)
        for variant in ("T224", "B224", "T256", "B256", "D256", "L256")
        for form, arguments in (("train", {}), ("deploy", {"deployed": True}))
    },
    "official/linear_tiny": ("official", "FFOnly", "linear_tiny", {}),
    "official/linear_base": ("official", "FFOnly", "linear_base", {}),
    "official/linear_large": ("official", "FFOnly", "linear_large", {}),
}


def recipe():
    spec = importlib.util.spec_from_file_location("recipe", PARITY / "recipe.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def manifests():
    """From the list's name to its entries (name, shape, number of blocks) and their total."""
    return json.loads((PARITY / "state_dict_manifests.json").read_text())


def test_every_list_has_a_row():
    assert PUBLISHED.keys() == manifests().keys()


def random_checkpoint(name):
    """Random half-precision tensors with the names and shapes of one published file."""
    listed = manifests()[name]
    entries = [
        [pattern.format(i=i, j=i), shape, "bias" if shape else "zero_i"]
        for pattern, shape, repeats in listed["entries"]
        for i in range(repeats)
    ]
    tensors = recipe().make_weights(entries, seed=0)
    assert len(tensors) == listed["n_tensors"]
    return {key: value.astype("float16") for key, value in tensors.items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_loads_whole(name):
    source, architecture, variant, overrides = PUBLISHED[name]
    model = ARCHITECTURES[architecture].from_variant(variant, **overrides)
    with tempfile.TemporaryDirectory() as folder:  # not pytest's, which it keeps
        path = pathlib.Path(folder, "weights.safetensors")
        safetensors.numpy.save_file(random_checkpoint(name), path)
        assert load_checkpoint(model, path) == source
    # Neither the first values nor zeros: every number of every weight came from the file.
    for weight in model.weights:
        value = np.asarray(weight)
        if value.size < 200:
            assert value.any() and np.abs(value).max() < 0.6, weight.path
        else:
            assert 0.05 < value.std() < 0.15 and abs(value.mean()) < 0.05, weight.path
