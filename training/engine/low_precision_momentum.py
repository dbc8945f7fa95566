"""SGD whose momentum is stored in bfloat16: half of the optimizer's memory."""

import keras
from keras import ops


class LowPrecisionMomentum(keras.optimizers.Optimizer):
    """SGD with momentum, as the fine-tuning of ViT and Mixer does it.

    The step is computed in float32; only what is kept of it is rounded. After
    `m = momentum * m + gradient` a weight changes by `-learning_rate * m`.

    Args:
        learning_rate: number or schedule.
        momentum: in [0, 1).
        name: of the optimizer.
        **kwargs: as for `keras.optimizers.Optimizer`.
    """

    def __init__(
        self, learning_rate=0.01, *, momentum=0.9, name="low_precision_momentum", **kwargs
    ):
        super().__init__(learning_rate, name=name, **kwargs)
        self.momentum = momentum

    def build(self, variables):
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

    def update_step(self, gradient, variable, learning_rate):
        stored = self.momentums[self._get_variable_index(variable)]
        momentum = self.momentum * ops.cast(stored, variable.dtype) + gradient
        self.assign(stored, ops.cast(momentum, "bfloat16"))
        self.assign_sub(variable, ops.cast(learning_rate, variable.dtype) * momentum)

    def get_config(self):
        return {**super().get_config(), "momentum": self.momentum}
