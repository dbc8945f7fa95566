"""The forms in which a training step computes faster on a CPU than a model does by itself."""

import contextlib
import functools
from collections.abc import Iterator

from keras_mlp.layers.activations import gelu_computed_by
from keras_mlp.layers.backend import axes_kept
from keras_mlp.layers.bias import bfloat16_bias_added_by
from keras_mlp.layers.layer_normalization import layer_norm_computed_by
from keras_mlp.layers.patch_kernel import patches_multiplied
from training.engine.processor import processor_features
from training.engine.tensorflow.bias_gradient import bias_added
from training.engine.tensorflow.compiled_gelu import compiled_gelu
from training.engine.tensorflow.compiled_layer_norm import compiled_layer_norm


@contextlib.contextmanager
def step_forms(compiles_parts: bool) -> Iterator[None]:
    """Makes models compute in the forms of a training step inside a `with` block.

    Patches are multiplied by a matrix: a convolution's gradient is slower in bfloat16. On a
    processor with AMX dense layers keep the axes of their inputs. Flat inputs get oneDNN's
    product with a fused bias, which has no AMX for weights that change; its plain product has
    (docs/training.md has the gain).

    Args:
        compiles_parts: whether GELU, LayerNorm and their gradients are compiled with XLA. The
            products around them stay with oneDNN.
    """
    with contextlib.ExitStack() as forms:
        forms.enter_context(patches_multiplied())
        forms.enter_context(bfloat16_bias_added_by(bias_added))
        if _has_amx():
            forms.enter_context(axes_kept())
        if compiles_parts:
            forms.enter_context(gelu_computed_by(compiled_gelu))
            forms.enter_context(layer_norm_computed_by(lambda dtype: compiled_layer_norm))
        yield


@functools.cache
def _has_amx() -> bool:
    """Whether this processor has Intel's instructions for matrices of bfloat16."""
    return "amx_bf16" in processor_features()
