"""A model whose compiled functions compute with the variables that it has now."""

from typing import Any

import keras


class RetracedModel(keras.Model):
    """Base class of all models here: `fit`, `evaluate` and `predict` follow a change of variables.

    Keras compiles each of them once, and again after `compile` and after `quantize` of the same
    model. Models that share layers, such as a `VisionModel`, its views and those that `features`
    returns, would go on with the variables of before when another of them is quantized, or is given
    LoRA factors.
    """

    def make_train_function(self, force: bool = False) -> Any:
        return super().make_train_function(self._has_changed("train") or force)

    def make_test_function(self, force: bool = False) -> Any:
        return super().make_test_function(self._has_changed("test") or force)

    def make_predict_function(self, force: bool = False) -> Any:
        return super().make_predict_function(self._has_changed("predict") or force)

    def _has_changed(self, kind: str) -> bool:
        """Whether the variables are others than when this kind of function was last made."""
        name, now = f"_variables_of_{kind}", tuple(id(each) for each in self.variables)
        before = getattr(self, name, now)
        setattr(self, name, now)
        return before != now
