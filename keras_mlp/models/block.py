"""What the blocks of all architectures share: two kinds of mixing with residual connections."""

import inspect
from typing import Any

import keras

from keras_mlp.arguments import check_bool
from keras_mlp.layers import StochasticDepth
from keras_mlp.layers.composite import Composite
from keras_mlp.layers.token_grid import Grids
from keras_mlp.models.constructor import Check, checked
from keras_mlp.models.rematerialization import rematerialized
from keras_mlp.typing import Config, Shape, Tensor


class Block(Composite):
    """Base class of the blocks, each of which mixes tokens and mixes channels.

    A subclass calls `super().__init__(locals())` first: its arguments are then checked, attributes
    of the same names, and part of `get_config`. It makes its layers in `build`, among them
    `drop_path1` and `drop_path2` by `new_drop_path`, and computes a branch in `token_mixing` and in
    `channel_mixing`. A block with other residual connections overrides `residuals` too.

    Args of every block, besides its own:
        dropout_rate: in [0, 1), inside the MLPs.
        drop_path_rate: in [0, 1), probability of dropping a residual branch of a sample.
        gelu_approximate: use the tanh approximation of GELU instead of the exact one.
        layer_norm_epsilon: of all LayerNorms.
        remat: in training, compute the block a second time in the backward pass instead of keeping
            its activations: less memory, more time, the same numbers.
        **kwargs: as for `keras.layers.Layer`.

    Call arguments:
        inputs: tokens (B, S, C), or a map (B, h, w, C).
        training: whether to drop branches and units.
        return_branches: also return the output of each branch, before stochastic depth.
        grids: for tokens of another grid than that of the weights, (grid of the weights, grid of
            the tokens), each (h, w): weights over tokens are then resized in the graph. None for a
            map, which shows its grid, and for tokens of the grid of the weights.

    Returns:
        The output, of the input's shape. With `return_branches`, a pair of it and a dict with
        "token_mixing" and "channel_mixing". If `is_additive`, input and branches add up to the
        output at inference.

    Raises:
        ValueError: an argument is out of range.
    """

    branches = ("token_mixing", "channel_mixing")
    # Whether both branches are as large as the input and are added to it.
    is_additive = True

    def __init__(self, values: dict[str, Any] | None = None, **checks: Check) -> None:
        values = dict(values or {})
        kwargs = dict(values.pop("kwargs", {}))
        remat = kwargs.pop("remat", False)
        super().__init__(**kwargs)
        self.remat = check_bool("remat", remat)
        arguments = checked(values, **checks)
        for name in arguments.given:
            setattr(self, name, getattr(arguments, name))

    def new_drop_path(self) -> StochasticDepth:
        """A layer that drops a residual branch of this block."""
        return StochasticDepth(self.drop_path_rate, dtype=self.dtype_policy)

    def token_mixing(self, x: Tensor, training: bool | None, grids: Grids | None = None) -> Tensor:
        """The branch that mixes tokens; a block of maps does not need `grids`."""
        raise NotImplementedError

    def channel_mixing(self, x: Tensor, training: bool | None) -> Tensor:
        """The branch that mixes channels."""
        raise NotImplementedError

    def residuals(
        self, x: Tensor, training: bool | None, grids: Grids | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The output, and the output of each branch."""
        tokens = self.token_mixing(x, training, **_of_view(grids))
        x = x + self.drop_path1(tokens, training=training)
        channels = self.channel_mixing(x, training)
        x = x + self.drop_path2(channels, training=training)
        return x, {"token_mixing": tokens, "channel_mixing": channels}

    def call(
        self,
        inputs: Tensor,
        training: bool | None = None,
        return_branches: bool = False,
        grids: Grids | None = None,
    ) -> Any:
        def run(x: Tensor) -> Any:
            # Anything returned is kept in memory: the branches only where they are asked for.
            outputs = self.residuals(x, training, **_of_view(grids))
            return outputs if return_branches else outputs[0]

        return rematerialized(self, run, inputs) if self.remat and training else run(inputs)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def branch_shape(self, name: str, input_shape: Shape) -> Shape:
        """The shape of a branch."""
        return input_shape

    def compute_output_spec(
        self,
        inputs: Tensor,
        training: bool | None = None,
        return_branches: bool = False,
        grids: Grids | None = None,
    ) -> Any:
        def spec(shape: Shape) -> keras.KerasTensor:
            return keras.KerasTensor(shape, dtype=self.compute_dtype)

        outputs = spec(self.compute_output_shape(inputs.shape))
        if not return_branches:
            return outputs
        shapes = {name: self.branch_shape(name, inputs.shape) for name in self.branches}
        return outputs, {name: spec(shape) for name, shape in shapes.items()}

    def get_config(self) -> Config:
        parameters = inspect.signature(type(self).__init__).parameters
        own = {name: getattr(self, name) for name in parameters if name not in ("self", "kwargs")}
        return {**super().get_config(), **own, "remat": self.remat}


def _of_view(grids: Grids | None) -> dict[str, Grids]:
    """The argument that only views pass on, so that other blocks need not take it."""
    return {} if grids is None else {"grids": grids}
