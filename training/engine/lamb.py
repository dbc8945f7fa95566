"""LAMB (You et al., 2020, arXiv:1904.00962) with the weight decay as in the paper."""

from collections.abc import Sequence

import keras
from keras import ops

from keras_mlp.typing import Config, Tensor


class Lamb(keras.optimizers.Optimizer):
    """Adam's update, weight decay included, scaled to the norm of the weight that it changes.

    `keras.optimizers.Lamb` (3.15) applies the weight decay after the scaling, unlike the paper, and
    scales every weight. Here, as in timm and apex, weights without decay (biases, norms) are not
    scaled. The trainer does the paper's clipping of the global gradient norm.

    Args:
        learning_rate: a number or a schedule.
        weight_decay: the paper's lambda; see `exclude_from_weight_decay`.
        beta_1, beta_2, epsilon: as for Adam.
        name: name of the optimizer.
    """

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = 1e-3,
        *,
        weight_decay: float = 0.0,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-6,
        name: str = "lamb",
    ) -> None:
        super().__init__(learning_rate, name=name)
        self.decay = weight_decay  # Keras itself would apply a `weight_decay`
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.without_decay: tuple[str, ...] = ()

    def exclude_from_weight_decay(
        self,
        var_list: Sequence[keras.Variable] | None = None,
        var_names: Sequence[str] | None = None,
    ) -> None:
        if var_names is not None or self.built:
            raise ValueError("Pass `var_list`, not `var_names`, before `build`.")
        self.without_decay = tuple(variable.path for variable in var_list or ())

    def build(self, variables: Sequence[keras.Variable]) -> None:
        if self.built:
            return
        super().build(variables)
        self.decays = [variable.path not in self.without_decay for variable in variables]
        self.means, self.squares = self.add_optimizer_variables(variables, ["mean", "square"])

    def update_step(
        self, gradient: Tensor, variable: keras.Variable, learning_rate: Tensor
    ) -> None:
        index = self._get_variable_index(variable)
        mean, square = self.means[index], self.squares[index]
        self.assign(mean, self.beta_1 * mean + (1 - self.beta_1) * gradient)
        self.assign(square, self.beta_2 * square + (1 - self.beta_2) * ops.square(gradient))
        step = ops.cast(self.iterations + 1, variable.dtype)
        unbiased = mean / (1 - ops.power(self.beta_1, step))
        deviation = ops.sqrt(square / (1 - ops.power(self.beta_2, step)))
        update = unbiased / (deviation + self.epsilon)
        if self.decay and self.decays[index]:
            update += self.decay * variable
            update *= _trust(variable, update)
        self.assign_sub(variable, ops.cast(learning_rate, variable.dtype) * update)

    def get_config(self) -> Config:
        names = ("beta_1", "beta_2", "epsilon")
        own = {name: getattr(self, name) for name in names}
        return {
            "learning_rate": super().get_config()["learning_rate"],
            "weight_decay": self.decay,
            "name": self.name,
            **own,
        }


def _trust(variable: keras.Variable, update: Tensor) -> Tensor:
    """The norm of a weight divided by that of its update; 1 if either is 0."""
    weight_norm, update_norm = (ops.sqrt(ops.sum(ops.square(x))) for x in (variable, update))
    usable = ops.logical_and(weight_norm > 0, update_norm > 0)
    return ops.where(usable, weight_norm / ops.where(usable, update_norm, 1.0), 1.0)
