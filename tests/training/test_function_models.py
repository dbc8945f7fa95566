"""Models that a page names by `module:function`, and images in another order."""

import sys
import types

import keras
import numpy as np
import pytest

from training.compare import single_run
from training.config import Comparison, Config, Data, Model, Runtime, check_config
from training.engine.points import count_steps, points_of_curve
from training.models.arguments import check_model
from training.models.from_config import build_model, model_image_shape
from training.models.permuted import PatchPermutation, permuted

SHAPE = (4, 6, 1)


@pytest.fixture(autouse=True)
def module(monkeypatch):
    found = types.ModuleType("own_models")

    def own(image_shape, num_classes, width=3):
        pixels = keras.Input(image_shape)
        x = keras.layers.Dense(width)(keras.layers.Flatten()(pixels))
        return keras.Model(pixels, keras.layers.Dense(num_classes, dtype="float32")(x))

    found.own = own
    found.half = lambda image_shape, num_classes: keras.Sequential(
        [keras.Input(image_shape), keras.layers.Flatten(), keras.layers.Dense(num_classes)]
    )
    found.other = lambda image_shape, num_classes: own(image_shape, num_classes + 1)
    found.nothing = lambda image_shape, num_classes: None
    found.bare = lambda image_shape: None
    monkeypatch.setitem(sys.modules, "own_models", found)


def section(name="own", **arguments):
    return Model(f"own_models:{name}", arguments={"image_shape": SHAPE, **arguments})


def test_a_function_s_model_is_built_with_its_arguments():
    check_model(section(width=5))
    assert model_image_shape(section(width=5)) == SHAPE
    model = build_model(section(width=5), 7, "float32")
    assert model.count_params() == 24 * 5 + 5 + 5 * 7 + 7


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Model("own_models:none"), "'own_models:none' cannot be imported"),
        (Model("no_module_here:own"), "cannot be imported: No module named"),
        (Model("own_models:bare"), "must be a function of `image_shape` and `num_classes`"),
        (section(widht=3), "no argument 'widht'. Did you mean 'width'"),
        (Model("own_models:own"), "`model.arguments.image_shape` must be set"),
        (Model("own_models:own", arguments={"image_shape": (4, 6)}), "`image_shape` must be"),
        (Model("own_models:own", arguments=section().arguments, preset="x"), "`model.preset`"),
        (Model("own_models:own", arguments=section().arguments, source="x"), "`model.source`"),
    ],
)
def test_a_wrong_function_is_named_before_any_work(model, message):
    with pytest.raises(ValueError, match=message):
        check_model(model)


@pytest.mark.parametrize(
    ("name", "dtype", "message"),
    [
        ("nothing", "float32", "must return a built Keras model, got None"),
        ("other", "float32", r"from \(None, 4, 6, 1\) to \(None, 7\), got one"),
        ("half", "mixed_bfloat16", "must return float32 logits, got bfloat16"),
    ],
)
def test_what_a_function_returns_is_checked(name, dtype, message):
    with pytest.raises(ValueError, match=message):
        build_model(section(name), 7, dtype)


def test_a_comparison_gives_a_function_the_arguments_that_it_takes():
    page = Comparison(
        model=Model(arguments={"image_shape": SHAPE, "patch_size": 2, "width": 4}),
        demands={"own_models:own": {"width": 9}},
    )
    run = single_run(page, "own_models:own", 1)
    assert run.model.arguments == {"image_shape": SHAPE, "width": 9}
    assert not run.runtime.export and page.runtime.export
    assert single_run(page, "MLPMixer", 1).runtime.export


def test_each_seed_draws_a_subset_of_its_own():
    page = Comparison(data=Data(examples_per_class=5, subset_seed=10))
    assert [single_run(page, "GMLP", seed).data.subset_seed for seed in (0, 3)] == [10, 13]
    first = Comparison(data=Data(examples_per_class=5, subset_seed=None))
    assert single_run(first, "GMLP", 3).data.subset_seed is None


@pytest.mark.parametrize("model", [section(), Model(permute_patches=2)])
def test_what_cannot_be_exported_is_refused_by_a_page(model):
    with pytest.raises(ValueError, match=r"`runtime\.export` must be False"):
        check_config(Config(model=model))
    check_config(Config(model=model, runtime=Runtime(export=False)))


def test_steps_replace_epochs():
    config = Config(epochs=3, runtime=Runtime(epochs_per_checkpoint=2))
    assert count_steps(config.epochs, 10.4, config.steps) == 31
    assert points_of_curve(config, 10.4, 0, 31) == [21, 31]
    config.steps = 55
    assert count_steps(config.epochs, 10.4, config.steps) == 55
    assert points_of_curve(config, 10.4, 21, 55) == [42, 55]


@pytest.mark.parametrize("patch", [1, 2])
def test_patches_keep_their_pixels_and_change_their_places(patch):
    images = np.arange(2 * 24, dtype="float32").reshape(2, *SHAPE)
    seen = keras.ops.convert_to_numpy(PatchPermutation(patch)(images))
    assert not np.array_equal(seen, images)

    def patches(image):
        rows = [
            image[y : y + patch, x : x + patch, 0]
            for y in range(0, 4, patch)
            for x in range(0, 6, patch)
        ]
        return [tuple(each.ravel()) for each in rows]

    for image, other in zip(images, seen, strict=True):
        assert sorted(patches(image)) == sorted(patches(other))
    # One order for all images.
    np.testing.assert_array_equal(seen[1] - seen[0], np.full(SHAPE, 24))


def test_a_permuted_model_is_the_model_on_permuted_images(tmp_path):
    model = build_model(section(), 3, "float32")
    images = np.random.default_rng(0).integers(0, 256, (2, *SHAPE)).astype("uint8")
    shuffled = permuted(model, 2)
    seen = PatchPermutation(2)(images.astype("float32"))
    expected = keras.ops.convert_to_numpy(model(seen))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(shuffled(images)), expected, rtol=1e-6)
    shuffled.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(keras.ops.convert_to_numpy(again(images)), expected, rtol=1e-6)
    with pytest.raises(ValueError, match=r"`model\.permute_patches`=5 must divide the image, 4 x"):
        permuted(model, 5)


def test_a_mixer_s_patches_have_no_order():
    """Permuted patches are other rows of the token MLPs: the same function, other weights."""
    model = build_model(Model(variant="pico/2", arguments={"image_shape": (4, 6, 1)}), 3, "float32")
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(size=w.shape) * 0.3 for w in model.get_weights()])
    images = rng.integers(0, 256, (3, *SHAPE)).astype("float32")
    expected = keras.ops.convert_to_numpy(model(images))
    layer = PatchPermutation(2)
    shuffled = layer(images)
    assert np.abs(keras.ops.convert_to_numpy(model(shuffled)) - expected).max() > 1e-3
    for block in model.blocks:
        mlp = block.token_mlp
        mlp.fc1.kernel.assign(keras.ops.convert_to_numpy(mlp.fc1.kernel)[layer.order])
        mlp.fc2.kernel.assign(keras.ops.convert_to_numpy(mlp.fc2.kernel)[:, layer.order])
        mlp.fc2.bias.assign(keras.ops.convert_to_numpy(mlp.fc2.bias)[layer.order])
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(model(shuffled)), expected, rtol=1e-4, atol=1e-4
    )
