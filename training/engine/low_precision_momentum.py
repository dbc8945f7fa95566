"""SGD with its momentum in bfloat16, which halves the optimizer's memory."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_mlp.typing import Config, Tensor


class LowPrecisionMomentum(keras.optimizers.Optimizer):
    """SGD with momentum, as used to fine-tune ViT and Mixer.

    The step is computed in float32; only the stored momentum is rounded. After
    `m = momentum * m + gradient` a weight changes by `-learning_rate * m`.

    Args:
        learning_rate: a number or a schedule.
        momentum: in [0, 1).
        name: name of the optimizer.
        **kwargs: as for `keras.optimizers.Optimizer`.
    """

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = 0.01,
        *,
        momentum: float = 0.9,
        name: str = "low_precision_momentum",
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, name=name, **kwargs)
        self.momentum = momentum

    def build(self, variables: Sequence[keras.Variable]) -> None:
        if self.built:
            return
        super().build(variables)
        self.momentums = [
            self.add_variable(
                shape=variable.shape,
                initializer="zeros",
                dtype="bfloat16",
                name=f"{variable.path.replace('/', '_')}_momentum",
            )
            for variable in variables
        ]

    def update_step(
        self, gradient: Tensor, variable: keras.Variable, learning_rate: Tensor
    ) -> None:
        stored = self.momentums[self._get_variable_index(variable)]
        momentum = self.momentum * ops.cast(stored, variable.dtype) + gradient
        self.assign(stored, ops.cast(momentum, "bfloat16"))
        self.assign_sub(variable, ops.cast(learning_rate, variable.dtype) * momentum)

    def get_config(self) -> Config:
        return {**super().get_config(), "momentum": self.momentum}
