"""The kernel of a convolution over patches, for patches of another size (FlexiViT).

Let the matrix B resize an image patch, bilinear. The kernel w' for resized patches has to give what
w gave: <B x, w'> = <x, w> for every patch x. The best one in the least-squares sense is

    w' = (B^T)+ w        ((B^T)+ is the pseudo-inverse of the transpose)

which is exact for larger patches (PI-resize; Beyer et al., 2022, arXiv:2212.08013). B is a
Kronecker product of one matrix for each side, and so is the pseudo-inverse.
"""

import contextlib
import contextvars
import functools

import keras
import numpy as np
from keras import ops

from keras_mlp.layers.bias import add_bias
from keras_mlp.layers.replacement import replaced
from keras_mlp.layers.resampling import bilinear_matrix
from keras_mlp.layers.token_grid import along_grid
from keras_mlp.typing import Array, Tensor

_multiplies: contextvars.ContextVar[bool | None] = contextvars.ContextVar(
    "multiplies", default=None
)


def resize_patch_kernel(
    kernel: Tensor, patch_size: tuple[int, int], new_patch_size: tuple[int, int]
) -> Tensor:
    """Resizes the kernel of a patch embedding by the pseudo-inverse, as FlexiViT does.

    Args:
        kernel: (h, w, channels, D); a numpy array, or a variable or tensor inside a graph.
        patch_size: (h, w).
        new_patch_size: (h', w').

    Returns:
        (h', w', channels, D), of the same dtype.

    >>> resize_patch_kernel(numpy.ones((2, 2, 1, 1)), (2, 2), (4, 4)).sum().round(9).item()
    4.0
    """
    namespace = np if isinstance(kernel, np.ndarray) else ops
    rest = tuple(kernel.shape[2:])
    flat = namespace.reshape(kernel, (patch_size[0] * patch_size[1], -1))
    matrices = [side_matrix(*sides) for sides in zip(patch_size, new_patch_size, strict=True)]
    resized = along_grid(flat, 0, patch_size, matrices)
    return namespace.reshape(resized, (*new_patch_size, *rest))


@functools.lru_cache(maxsize=1024)
def side_matrix(size: int, new_size: int) -> Array | None:
    """(B^T)+ for one side, (new_size, size); None where the size stays."""
    return None if size == new_size else np.linalg.pinv(bilinear_matrix(size, new_size).T)


def patches_multiplied() -> contextlib.AbstractContextManager[None]:
    """Makes patch embeddings multiply matrices instead of convolving inside a `with` block.

    For a training step on CPUs, where the gradient of the product is faster than that of the
    convolution (`training.engine.tensorflow.step_forms`). Tokens are the same.
    """
    return replaced(_multiplies, True)


def is_convolution(patch_size: tuple[int, int] | None) -> bool:
    """Whether a patch embedding computes its own convolution, and not `project_patches`.

    Args:
        patch_size: that the embedding is called with; None for its own.
    """
    return patch_size is None and not _multiplies.get()


def project_patches(
    convolution: keras.layers.Conv2D, images: Tensor, patch_size: tuple[int, int] | None
) -> Tensor:
    """What a convolution whose stride is its size returns, for patches of any size.

    Args:
        convolution: a built layer, channels last.
        images: (B, H, W, channels).
        patch_size: (height, width) of the kernel, and the stride; None for the layer's own.

    Returns:
        A tensor (B, H / height, W / width, D).
    """
    kernel = convolution.kernel
    if patch_size is not None:
        kernel = resize_patch_kernel(kernel, tuple(convolution.kernel_size), patch_size)
    outputs = (_multiply if _multiplies.get() else _convolve)(images, kernel)
    if convolution.use_bias:
        # Embeddings are not told whether they train: the precise form is right for both.
        outputs = add_bias(outputs, convolution.bias, training=True)
    return outputs if convolution.activation is None else convolution.activation(outputs)


def _convolve(images: Tensor, kernel: Tensor) -> Tensor:
    strides = tuple(kernel.shape[:2])
    return ops.conv(images, kernel, strides=strides, padding="valid", data_format="channels_last")


def _multiply(images: Tensor, kernel: Tensor) -> Tensor:
    height, width, channels, outputs = kernel.shape
    rows, columns = images.shape[1] // height, images.shape[2] // width
    images = images[:, : rows * height, : columns * width]  # a convolution leaves the rest out too
    patches = ops.reshape(images, (-1, rows, height, columns, width * channels))
    patches = ops.reshape(ops.transpose(patches, (0, 1, 3, 2, 4)), (-1, height * width * channels))
    tokens = ops.matmul(patches, ops.reshape(kernel, (-1, outputs)))
    return ops.reshape(tokens, (-1, rows, columns, outputs))
