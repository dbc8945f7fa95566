"""A model that checks what it is given: images of its shape, pixels of its range, a loss."""

from typing import Any

import keras

from keras_mlp.models.given_images import check_shape, warn_about_range, with_known_shape
from keras_mlp.models.loss_checks import warn_about_losses
from keras_mlp.models.replicated_model import ReplicatedModel
from keras_mlp.typing import Tensor


@keras.saving.register_keras_serializable("keras_mlp")
class CarefulModel(ReplicatedModel):
    """Base class of `VisionModel` and `ModelView`: it reports mistakes that show in results only.

    - Images of another size, or of an unknown one, are refused, with the way out.
    - A warning says that the model normalises pixels and was given images in [0, 1], or normalised
      ones. It looks at arrays and tensors of floats, in a call and at the start of `fit`,
      `evaluate`, `predict` and their relatives for one batch. It costs nothing in a graph, and does
      not look into datasets and generators. Each model warns once.
    - A warning says that the loss expects probabilities and the model returns logits, or the
      reverse. Each `compile` leads to one warning.

    Raises:
        ValueError: in a call, `fit`, `evaluate` or `predict`: the images have another shape.
    """

    _range_known = False  # by a call, which may be one of millions
    _range_warned = False
    _checked_loss: int | None = None

    def __call__(self, inputs: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        self.check_images(inputs, again=False)
        return super().__call__(with_known_shape(self, inputs), *args, **kwargs)

    def fit(self, x: Any = None, *args: Any, **kwargs: Any) -> Any:
        self.check_images(x)
        return super().fit(x, *args, **kwargs)

    def evaluate(self, x: Any = None, *args: Any, **kwargs: Any) -> Any:
        self.check_images(x)
        return super().evaluate(x, *args, **kwargs)

    def predict(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        self.check_images(x)
        return super().predict(x, *args, **kwargs)

    def train_on_batch(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        self.check_images(x)
        return super().train_on_batch(x, *args, **kwargs)

    def test_on_batch(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        self.check_images(x)
        return super().test_on_batch(x, *args, **kwargs)

    def predict_on_batch(self, x: Any) -> Any:
        self.check_images(x)
        return super().predict_on_batch(x)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        # Where every kind of step ends, and the only method of those that keeps `compile` as Keras
        # needs it to load a compiled model.
        if self._checked_loss != id(self.loss):
            self._checked_loss = id(self.loss)  # not the loss, which Keras would wrap and track
            if self.include_top:
                warn_about_losses(self, self.loss)
        return super().compute_loss(x, y, y_pred, sample_weight, training)

    def check_images(self, images: Any, again: bool = True) -> None:
        """Refuses images of another shape, and warns of another range, as above.

        Args:
            images: what the model is given.
            again: whether to look at the range of pixels although it is known from other images.
        """
        check_shape(self, images)
        if (again or not self._range_known) and not self._range_warned:
            warned = warn_about_range(self, images)
            self._range_known = self._range_known or warned is not None
            self._range_warned = bool(warned)
