"""A layer made of layers, whose files keep what was changed inside it."""

from typing import Any

import keras

from keras_mlp.layers.layer_changes import changes_of, freeze, make_changes
from keras_mlp.typing import Config


class Composite(keras.layers.Layer):
    """Base class of layers that make other layers.

    Keras stores a model as the configs of its layers. The config of a composite layer makes the
    layers inside it anew, and says nothing of those that are quantized or frozen or have LoRA
    factors: any Keras model with such a layer would load with other weights, or not at all. So this
    class adds these changes to what Keras builds the layer from. It also freezes what is inside a
    layer that was made with `trainable=False`.

    Example:

    >>> mlp = keras_mlp.layers.MLP(hidden_dim=8)
    >>> mlp.build((None, 4, 8))
    >>> mlp.fc1.trainable = False
    >>> same = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(mlp))
    >>> len(same.trainable_weights), len(same.weights)
    (2, 4)
    """

    def _post_build(self) -> None:
        super()._post_build()
        # `trainable=False` of the constructor, which `clone_model` passes on too, came before there
        # were layers inside to freeze.
        if not self.trainable:
            freeze(self)

    def get_build_config(self) -> Any:
        config = super().get_build_config()
        changes = {kind: change for kind, change in changes_of(self).items() if change}
        return {**config, "changes": changes} if config and changes else config

    def build_from_config(self, config: Config) -> None:
        super().build_from_config(config)
        make_changes(self, config.get("changes", {}))
        if not self.trainable:  # LoRA factors that were just added
            freeze(self)
