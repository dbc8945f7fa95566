"""LAMB (You et al., 2020, arXiv:1904.00962) with its weight decay where the paper has it."""

import keras
from keras import ops


class Lamb(keras.optimizers.Optimizer):
    """Adam's update, decay included, scaled to the length of the weight that it changes.

    `keras.optimizers.Lamb` (3.15) takes the decay off after the scaling, which is another function,
    and scales every weight. Here, as in timm and apex, what has no decay (biases, norms) is not
    scaled. The paper's other clip, of the global gradient norm, is the trainer's.

    Args:
        learning_rate: number or schedule.
        weight_decay: lambda of the paper; see `exclude_from_weight_decay`.
        beta_1, beta_2, epsilon: as for Adam.
        name: of the optimizer.
    """

    def __init__(
        self,
        learning_rate=1e-3,
        *,
        weight_decay=0.0,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-6,
        name="lamb",
    ):
        super().__init__(learning_rate, name=name)
        self.decay = weight_decay  # Keras would apply a `weight_decay` by itself
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.without_decay = ()

    def exclude_from_weight_decay(self, var_list=None, var_names=None):
        if var_names is not None or self.built:
            raise ValueError("Give `var_list`, not `var_names`, and before `build`.")
        self.without_decay = tuple(variable.path for variable in var_list or ())

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.decays = [variable.path not in self.without_decay for variable in variables]
        self.means, self.squares = self.add_optimizer_variables(variables, ["mean", "square"])

    def update_step(self, gradient, variable, learning_rate):
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

    def get_config(self):
        names = ("beta_1", "beta_2", "epsilon")
        own = {name: getattr(self, name) for name in names}
        return {
            "learning_rate": super().get_config()["learning_rate"],
            "weight_decay": self.decay,
            "name": self.name,
            **own,
        }


def _trust(variable, update):
    """The length of a weight over that of its update; 1 where one of them is 0."""
    weight_norm, update_norm = (ops.sqrt(ops.sum(ops.square(x))) for x in (variable, update))
    usable = ops.logical_and(weight_norm > 0, update_norm > 0)
    return ops.where(usable, weight_norm / ops.where(usable, update_norm, 1.0), 1.0)
