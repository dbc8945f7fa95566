"""A file with random numbers under the published names loads completely, for every catalogue row.

Large lists of names and shapes are outside the checkout; these tests are skipped without them. Each
list in `lists/` names its row. The names in the files of Vision Permutator, RepMLPNet and FF-only,
and of Google's Mixers from ImageNet-21k and with SAM, are known only from the authors' code: none
of these files could be read.
"""

import importlib.util
import json
import pathlib
import tempfile

import numpy as np
import pytest
import safetensors.numpy

from keras_mlp import ARCHITECTURES, presets
from tests.weights.torch_writer import write_torch

PARITY = pathlib.Path(__file__).parents[2].parent / "shared" / "parity"

pytestmark = pytest.mark.skipif(
    not PARITY.is_dir(), reason="the lists of published tensors are not here"
)

# Changes that turn one list into another: part of a tensor's name, the old size, and the new size.
# The empty string is part of all names.
SMALL_MIXER = (("", 768, 512), ("", 384, 256), ("", 3072, 2048))
LARGE_MIXER = (("", 768, 1024), ("", 384, 512), ("", 3072, 4096))
LARGE_VIT = (("", 768, 1024), ("", 3072, 4096), ("", 12, 16))
HUGE_VIT = (("", 1024, 1280), ("", 4096, 5120), ("", 64, 80))


def mixer_patch(new):
    """Google's Mixer with patches of `new` instead of 16 pixels: its stem and its token MLPs."""
    return ("stem/kernel", 16, new), ("token_mixing", 14**2, (224 // new) ** 2)


def vit_patch(stem, new):
    """A ViT with patches of `new` instead of 16 pixels: its stem and its positions."""
    return (stem, 16, new), ("pos_embed", 1 + 14**2, 1 + (224 // new) ** 2)


def google_patch(new):
    return vit_patch("embedding/kernel", new)


def timm_patch(new):
    return vit_patch("patch_embed", new)


# From architecture, variant and naming to the list, the changes, and the number of blocks if it
# differs. Lists are for 224 pixels (RepMLPNet's for the variant's size) and 1000 classes.
LISTS = {
    ("MLPMixer", "B/16", "timm"): ("timm/mixer_b16_224", (), None),
    ("MLPMixer", "L/16", "timm"): ("timm/mixer_l16_224", (), None),
    ("MLPMixer", "B/16", "google"): ("flax/Mixer-B_16 (1000 classes)", (), None),
    ("MLPMixer", "B/32", "google"): ("flax/Mixer-B_32 (1000 classes)", (), None),
    ("MLPMixer", "L/16", "google"): ("flax/Mixer-L_16 (1000 classes)", (), None),
    ("MLPMixer", "S/16", "google"): ("flax/Mixer-B_16 (1000 classes)", SMALL_MIXER, 8),
    ("MLPMixer", "S/32", "google"): ("flax/Mixer-B_32 (1000 classes)", SMALL_MIXER, 8),
    ("ResMLP", "S12", "deit"): ("official/resmlp_12", (), None),
    ("ResMLP", "S24", "deit"): ("official/resmlp_24", (), None),
    ("ResMLP", "S36", "deit"): ("official/resmlp_36", (), None),
    ("ResMLP", "B24/8", "deit"): ("official/resmlpB_24", (), None),
    ("GMLP", "S/16", "timm"): ("timm/gmlp_s16_224", (), None),
    ("VisionPermutator", "S/7", "official"): ("official/vip_s7", (), None),
    ("VisionPermutator", "M/7", "official"): ("official/vip_m7", (), None),
    ("VisionPermutator", "L/7", "official"): ("official/vip_l7", (), None),
    **{
        ("RepMLPNet", variant, "official"): (f"official/RepMLPNet-{variant} train", (), None)
        for variant in ("T224", "B224", "T256", "B256", "D256", "L256")
    },
    ("FFOnly", "linear_tiny", "official"): ("official/linear_tiny", (), None),
    ("FFOnly", "linear_base", "official"): ("official/linear_base", (), None),
    ("ViT", "Ti/16", "google"): ("flax/ViT-Ti_16 224 (1000 classes)", (), None),
    ("ViT", "S/16", "google"): ("flax/ViT-S_16 224 (1000 classes)", (), None),
    ("ViT", "S/32", "google"): ("flax/ViT-S_16 224 (1000 classes)", google_patch(32), None),
    ("ViT", "B/32", "google"): ("flax/ViT-B_32 224 (1000 classes)", (), None),
    ("ViT", "B/16", "google"): ("flax/ViT-B_16 224 (1000 classes)", (), None),
    ("ViT", "B/8", "google"): ("flax/ViT-B_16 224 (1000 classes)", google_patch(8), None),
    ("ViT", "L/16", "google"): ("flax/ViT-L_16 224 (1000 classes)", (), None),
    ("ViT", "L/32", "google"): ("flax/ViT-L_16 224 (1000 classes)", google_patch(32), None),
    ("ViT", "H/14", "google"): (
        "flax/ViT-L_16 224 (1000 classes)",
        (*google_patch(14), *HUGE_VIT),
        32,
    ),
    ("ViT", "Ti/16", "timm"): ("timm/vit_tiny_patch16_224", (), None),
    ("ViT", "S/16", "timm"): ("timm/vit_small_patch16_224", (), None),
    ("ViT", "B/16", "timm"): ("timm/vit_base_patch16_224", (), None),
    ("ViT", "B/8", "timm"): ("timm/vit_base_patch16_224", timm_patch(8), None),
    ("ViT", "L/32", "timm"): ("timm/vit_large_patch16_224", timm_patch(32), None),
}

# Lists that must result from changes of another list: which list, and the changes.
DERIVED = {
    "timm/mixer_b16_224 (21843 classes)": ("timm/mixer_b16_224", (("head", 1000, 21843),), None),
    "timm/mixer_b16_224 (11221 classes, miil)": (
        "timm/mixer_b16_224",
        (("head", 1000, 11221),),
        None,
    ),
    "timm/vit_base_patch16_384": (
        "timm/vit_base_patch16_224",
        (("pos_embed", 1 + 14**2, 1 + 24**2),),
        None,
    ),
    "flax/ViT-B_16 384 (1000 classes)": (
        "flax/ViT-B_16 224 (1000 classes)",
        (("pos_embed", 1 + 14**2, 1 + 24**2),),
        None,
    ),
    "flax/ViT-B_32 224 (1000 classes)": (
        "flax/ViT-B_16 224 (1000 classes)",
        google_patch(32),
        None,
    ),
    "flax/ViT-L_16 224 (1000 classes)": ("flax/ViT-B_16 224 (1000 classes)", LARGE_VIT, 24),
    "flax/Mixer-B_32 (1000 classes)": ("flax/Mixer-B_16 (1000 classes)", mixer_patch(32), None),
    "flax/Mixer-L_16 (1000 classes)": ("flax/Mixer-B_16 (1000 classes)", LARGE_MIXER, 24),
    "timm/vit_base_patch32_224": ("timm/vit_base_patch16_224", timm_patch(32), None),
    "timm/vit_small_patch32_224": ("timm/vit_small_patch16_224", timm_patch(32), None),
}

NO_TIMM_WEIGHTS = "timm has published no weights of this size"
AUTHORS_FILES = "the catalogue has the authors' files, in their naming"
UNRELEASED = "the authors never released it"
FOLDED = "files are published in the form that trains; save_checkpoint writes this one"
# Lists that no row needs: why, and how to read a file with these tensors.
WITHOUT_A_ROW = {
    "timm/mixer_s32_224": (NO_TIMM_WEIGHTS, "MLPMixer", "S/32", {}),
    "timm/mixer_s16_224": (NO_TIMM_WEIGHTS, "MLPMixer", "S/16", {}),
    "timm/mixer_b32_224": (NO_TIMM_WEIGHTS, "MLPMixer", "B/32", {}),
    "timm/mixer_l32_224": (NO_TIMM_WEIGHTS, "MLPMixer", "L/32", {}),
    "timm/resmlp_12_224": (AUTHORS_FILES, "ResMLP", "S12", {}),
    "timm/resmlp_24_224": (AUTHORS_FILES, "ResMLP", "S24", {}),
    "timm/resmlp_36_224": (AUTHORS_FILES, "ResMLP", "S36", {}),
    "timm/resmlp_big_24_224": (AUTHORS_FILES, "ResMLP", "B24/8", {}),
    "timm/gmlp_ti16_224": (NO_TIMM_WEIGHTS, "GMLP", "Ti/16", {}),
    "timm/gmlp_b16_224": (NO_TIMM_WEIGHTS, "GMLP", "B/16", {}),
    "timm/vit_small_patch32_224": (AUTHORS_FILES, "ViT", "S/32", {}),
    "timm/vit_base_patch32_224": (AUTHORS_FILES, "ViT", "B/32", {}),
    "timm/vit_huge_patch14_224": (AUTHORS_FILES, "ViT", "H/14", {}),
    "official/vip_s14": (UNRELEASED, "VisionPermutator", "S/14", {}),
    "official/linear_large": (UNRELEASED, "FFOnly", "linear_large", {}),
    **{
        f"official/RepMLPNet-{variant} deploy": (FOLDED, "RepMLPNet", variant, {"deployed": True})
        for variant in ("T224", "B224", "T256", "B256", "D256", "L256")
    },
}


def recipe():
    spec = importlib.util.spec_from_file_location("recipe", PARITY / "recipe.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# The lists in this folder, and their rows.
OWN_LISTS = {
    name: content
    for path in sorted((pathlib.Path(__file__).parent / "lists").glob("*.json"))
    for name, content in json.loads(path.read_text()).items()
}
LISTS |= {tuple(content["row"]): (name, (), None) for name, content in OWN_LISTS.items()}


def manifests():
    """From the list's name to its entries (name, shape, number of blocks) and their total."""
    return json.loads((PARITY / "state_dict_manifests.json").read_text()) | OWN_LISTS


def changed(entries, changes, blocks=None):
    """A list with other sizes; a change that changes nothing is an error."""
    shapes = [list(shape) for _, shape, _ in entries]
    for part, old, new in changes:
        hits = [i for i, (name, _, _) in enumerate(entries) if part in name and old in shapes[i]]
        assert hits, f"no tensor called {part!r} has the size {old}"
        for i in hits:
            shapes[i] = [new if size == old else size for size in shapes[i]]
    repeats = [count if blocks is None or count == 1 else blocks for _, _, count in entries]
    return [[name, *rest] for (name, _, _), *rest in zip(entries, shapes, repeats, strict=True)]


def derived(name, changes, blocks):
    return changed(manifests()[name]["entries"], changes, blocks)


def entries_of(row):
    """The list of a row's file: its variant's, changed by the row's own arguments."""
    entries = derived(*LISTS[row.architecture, row.variant, row.naming])
    rules = {"patch_size", "representation_size", "distillation_token"}
    assert row.arguments.keys() <= rules, "no rule for the others"
    if "patch_size" in row.arguments:
        entries = changed(entries, mixer_patch(row.arguments["patch_size"]))
    if row.num_classes != 1000:
        entries = changed(entries, [("head", 1000, row.num_classes)])
    if row.architecture == "ViT" and row.image_size != 224:
        patch = int(row.variant.partition("/")[2])
        tokens = [1 + (side // patch) ** 2 for side in (224, row.image_size)]
        entries = changed(entries, [("pos_embed", *tokens)])
    if row.arguments.get("distillation_token"):  # a second token and a second classifier
        shapes = {name: shape for name, shape, _ in entries}
        tokens = shapes["pos_embed"][1]
        entries = changed(entries, [("pos_embed", tokens, tokens + 1)])
        entries.append(["dist_token", shapes["cls_token"], 1])
        entries += [[f"head_dist.{kind}", shapes[f"head.{kind}"], 1] for kind in ("weight", "bias")]
    width = row.arguments.get("representation_size")
    if width is not None:
        entries += [["pre_logits/kernel", [width, width], 1], ["pre_logits/bias", [width], 1]]
    return entries


def random_tensors(entries):
    """Random half-precision tensors with the names and shapes of a list, by name.

    All blocks share the array of a name, because drawing numbers takes longer than loading.
    """
    make_tensor, tensors = recipe().make_tensor, {}
    for pattern, shape, repeats in entries:
        tensor = make_tensor(pattern, shape, "bias" if shape else "zero_i", seed=0)
        half = tensor.astype("float16")
        tensors |= {pattern.format(i=i, j=i): half for i in range(repeats)}
    return tensors


def write(tensors, folder, suffix):
    """Writes tensors as a user's file with this suffix; returns its path."""
    path = pathlib.Path(folder, f"weights{suffix}")
    if suffix == ".npz":
        np.savez(path, **tensors)
    elif suffix in (".pth", ".tar"):
        write_torch(tensors, path)
    else:
        safetensors.numpy.save_file(tensors, path)
    return path


def assert_all_from_the_file(model):
    """Every number of every weight came from the file: none is an initial value."""
    for weight in model.weights:
        value = np.asarray(weight)
        if value.size < 200:
            assert value.any() and np.abs(value).max() < 0.6, weight.path
        else:
            assert 0.05 < value.std() < 0.15 and abs(value.mean()) < 0.05, weight.path


def groups():
    """The rows of the catalogue, grouped if they build the same weights from the same names."""
    of_no_shape = ("pixel_mean", "pixel_std", "gelu_approximate")
    found = {}
    for row in presets():
        arguments = row.constructor_arguments().items()
        sizes = sorted((name, value) for name, value in arguments if name not in of_no_shape)
        key = (row.architecture, row.variant, row.naming, str(sizes))
        found.setdefault(key, []).append(row)
    return list(found.values())


def test_every_row_has_a_list_and_every_list_a_row_or_a_reason():
    lists = manifests()
    assert {(row.architecture, row.variant, row.naming) for row in presets()} == LISTS.keys()
    used = {name for name, _, _ in LISTS.values()}
    assert not used & WITHOUT_A_ROW.keys()
    assert used | DERIVED.keys() | WITHOUT_A_ROW.keys() == lists.keys()


@pytest.mark.parametrize("name", DERIVED)
def test_changes_give_the_lists_that_are_there(name):
    assert derived(*DERIVED[name]) == manifests()[name]["entries"]


@pytest.mark.sweep
@pytest.mark.xdist_group("full size")
@pytest.mark.parametrize("rows", groups(), ids=lambda rows: rows[0].name)
def test_a_row_takes_its_file_whole(rows):
    row = rows[0]
    with tempfile.TemporaryDirectory() as folder:  # pytest would keep its own
        path = write(random_tensors(entries_of(row)), folder, row.suffix)
        model = ARCHITECTURES[row.architecture].from_preset(row.name, file=path)
    assert_all_from_the_file(model)
    assert model.output.shape == (None, row.num_classes)
    assert model.input.shape == (None, row.image_size, row.image_size, 3)


@pytest.mark.sweep
@pytest.mark.xdist_group("full size")
@pytest.mark.parametrize("name", WITHOUT_A_ROW)
def test_a_list_without_a_row_is_read_too(name):
    _, architecture, variant, arguments = WITHOUT_A_ROW[name]
    with tempfile.TemporaryDirectory() as folder:
        tensors = random_tensors(manifests()[name]["entries"])
        assert len(tensors) == manifests()[name]["n_tensors"]
        path = write(tensors, folder, ".safetensors")
        model = ARCHITECTURES[architecture].from_preset(path, variant=variant, **arguments)
    assert_all_from_the_file(model)
