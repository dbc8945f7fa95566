"""What the blocks of all architectures share: the residual frame around two kinds of mixing."""

import keras

from keras_mlp.arguments import check_bool, check_rate
from keras_mlp.layers import StochasticDepth
from keras_mlp.models.rematerialization import rematerialized


class Block(keras.layers.Layer):
    """Base of the blocks: two residual branches, one that mixes tokens and one that mixes channels.

    A subclass makes its layers in `build`, among them `drop_path1` and `drop_path2` by
    `new_drop_path`, and computes a branch in `token_mixing` and `channel_mixing`. A block of
    another shape overrides `residuals` instead.

    Args:
        drop_path_rate: in [0, 1), of dropping either residual branch of a sample.
        remat: in training, compute the inside of the block a second time in the backward pass
            instead of keeping it. That changes memory and time, and no number.
        **kwargs: as for `keras.layers.Layer`.

    Call arguments:
        inputs: tokens (B, S, C), or a map (B, h, w, C).
        training: whether to drop branches and units.
        return_branches: also return what each branch adds, before it is dropped.

    Returns:
        The output, as large as the input. With `return_branches` the pair of it and a dict of
        "token_mixing" and "channel_mixing"; at inference input and both add up to the output.

    Raises:
        ValueError: an argument is out of range.
    """

    # In the order in which they are added.
    branches = ("token_mixing", "channel_mixing")

    def __init__(self, drop_path_rate=0.0, remat=False, **kwargs):
        super().__init__(**kwargs)
        self.drop_path_rate = check_rate("drop_path_rate", drop_path_rate)
        self.remat = check_bool("remat", remat)

    def new_drop_path(self):
        """A layer that drops a branch of this block."""
        return StochasticDepth(self.drop_path_rate, dtype=self.dtype_policy)

    def token_mixing(self, x, training):
        """The branch that mixes tokens, as large as `x`."""
        raise NotImplementedError

    def channel_mixing(self, x, training):
        """The branch that mixes channels, as large as `x`."""
        raise NotImplementedError

    def residuals(self, x, training):
        """The output, and a dict from the name of a branch to what it adds."""
        added = {}
        for name, drop_path in zip(self.branches, (self.drop_path1, self.drop_path2), strict=True):
            added[name] = getattr(self, name)(x, training)
            x = x + drop_path(added[name], training=training)
        return x, added

    def branch_shape(self, name, input_shape):
        """The shape of a branch."""
        return input_shape

    def call(self, inputs, training=None, return_branches=False):
        def run(x):
            # Without the branches where they are not asked for: a returned value is a kept one.
            outputs = self.residuals(x, training)
            return outputs if return_branches else outputs[0]

        return rematerialized(self, run, inputs) if self.remat and training else run(inputs)

    def compute_output_shape(self, input_shape):
        return input_shape

    def compute_output_spec(self, inputs, training=None, return_branches=False):
        def spec(shape):
            return keras.KerasTensor(shape, dtype=self.compute_dtype)

        outputs = spec(self.compute_output_shape(inputs.shape))
        if not return_branches:
            return outputs
        shapes = {name: self.branch_shape(name, inputs.shape) for name in self.branches}
        return outputs, {name: spec(shape) for name, shape in shapes.items()}

    def get_config(self):
        return {
            **super().get_config(),
            "drop_path_rate": self.drop_path_rate,
            "remat": self.remat,
        }
