"""PI-resize of patch kernels (FlexiViT), against formulas that do not use ours."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_mlp.layers import ConvNormReLU, PatchEmbedding
from keras_mlp.layers.patch_convolution import PatchConvolution
from keras_mlp.layers.patch_kernel import patches_multiplied, resize_patch_kernel

SIZES = [((4, 4), (8, 8)), ((4, 4), (6, 5)), ((3, 4), (7, 4)), ((8, 8), (4, 4)), ((6, 4), (4, 9))]
# Where one side grows and the other shrinks, rounding would count as a small singular value.
SINGULAR = 1e-6


def kernel_of(patch_size, channels=3, width=5):
    return np.random.default_rng(0).normal(size=(*patch_size, channels, width))


def enlargement(patch_size, new_size):
    """B of FlexiViT's published code: TensorFlow's resize of every unit patch, (new, old)."""
    units = np.eye(patch_size[0] * patch_size[1]).reshape(-1, *patch_size, 1)
    resized = tf.image.resize(units.astype("float32"), new_size, method="bilinear")
    return np.asarray(resized, "float64").reshape(len(units), -1).T


@pytest.mark.parametrize(("patch_size", "new_size"), SIZES)
def test_equals_the_published_method(patch_size, new_size):
    kernel = kernel_of(patch_size)
    matrix = np.linalg.pinv(enlargement(patch_size, new_size).T, rcond=SINGULAR)
    expected = np.einsum("np,pcd->ncd", matrix, kernel.reshape(-1, *kernel.shape[2:]))
    found = resize_patch_kernel(kernel, patch_size, new_size)
    np.testing.assert_allclose(found.reshape(expected.shape), expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize(("patch_size", "new_size"), SIZES)
def test_is_the_best_fit_for_every_patch(patch_size, new_size):
    """<B x, w'> = <x, w>: exactly for larger patches, else with the least mean squared error."""
    kernel = kernel_of(patch_size).reshape(-1, 15)
    found = resize_patch_kernel(kernel_of(patch_size), patch_size, new_size).reshape(-1, 15)
    resize = enlargement(patch_size, new_size)
    error = resize.T @ found - kernel  # of the answers to unit patches
    if new_size[0] >= patch_size[0] and new_size[1] >= patch_size[1]:
        np.testing.assert_allclose(error, 0, atol=2e-5)
    best = np.linalg.lstsq(resize.T, kernel, rcond=SINGULAR)[0]
    np.testing.assert_allclose(found, best, rtol=0, atol=2e-5)


def test_the_graph_computes_what_numpy_computes():
    kernel = kernel_of((4, 4)).astype("float32")
    in_graph = resize_patch_kernel(keras.Variable(kernel), (4, 4), (6, 5))
    np.testing.assert_allclose(
        in_graph, resize_patch_kernel(kernel, (4, 4), (6, 5)), rtol=0, atol=1e-6
    )


def each_layer():
    layers = (
        PatchEmbedding(4, 6, bias_initializer="ones"),
        PatchEmbedding(4, 6, flatten=False, dtype="mixed_bfloat16"),
        ConvNormReLU(6, 4),
        PatchConvolution(6, (4, 4), strides=(4, 4), activation="gelu", bias_initializer="ones"),
    )
    return pytest.mark.parametrize("layer", layers, ids=lambda layer: layer.name)


@each_layer()
def test_a_layer_with_resized_patches_is_one_with_that_kernel(layer):
    images = np.random.default_rng(1).normal(size=(2, 12, 20, 3)).astype("float32")
    layer(images[:, :, :16])
    found = layer(images, patch_size=(6, 5))
    symbolic = layer(keras.Input((12, 20, 3)), patch_size=(6, 5))
    assert tuple(found.shape) == (2, *symbolic.shape[1:]) and found.dtype.name == symbolic.dtype
    weights = layer.get_weights()
    weights[0] = resize_patch_kernel(weights[0], (4, 4), (6, 5))
    config = layer.get_config()
    if isinstance(layer, PatchConvolution):
        config.update(kernel_size=(6, 5), strides=(6, 5))
    else:
        config["patch_size"] = (6, 5)
    plain = type(layer).from_config(config)
    plain(images)
    plain.set_weights(weights)
    tolerance = 1e-5 if found.dtype == "float32" else 0.1
    np.testing.assert_allclose(
        np.asarray(found, "float32"), np.asarray(plain(images), "float32"), atol=tolerance
    )


@each_layer()
@pytest.mark.parametrize("arguments", [{}, {"patch_size": (6, 5)}], ids=str)
def test_a_product_computes_what_the_convolution_computes(layer, arguments):
    images = tf.constant(np.random.default_rng(1).normal(size=(2, 12, 21, 3)), "float32")
    layer(images[:, :, :20])

    def outputs_and_gradients():
        @tf.function(autograph=False)
        def run():
            with tf.GradientTape() as tape:
                outputs = tf.cast(layer(images[:, :, :columns], **arguments), tf.float32)
                loss = tf.reduce_sum(tf.sin(outputs))
            return [outputs, *tape.gradient(loss, [v.value for v in layer.trainable_variables])]

        graph = run.get_concrete_function().graph
        return run(), {operation.type for operation in graph.get_operations()}

    # A convolution leaves out what no patch covers; an embedding refuses it.
    columns = 20 if isinstance(layer, PatchEmbedding) else 21
    expected, kinds = outputs_and_gradients()
    assert "Conv2D" in kinds
    with patches_multiplied():
        found, kinds = outputs_and_gradients()
    assert "Conv2D" not in kinds
    rtol, atol = (0, 2e-5) if layer.compute_dtype == "float32" else (0.02, 0.1)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=rtol, atol=atol)
