"""The error of a run whose loss is no longer a number."""


class NotFinite(FloatingPointError):
    """The loss or the gradient of a step was not finite.

    Attributes:
        step: which, counted from 0.
    """

    def __init__(self, step: int, more: str = "") -> None:
        super().__init__(
            f"The training loss or its gradient is no longer finite at step {step}. The last "
            f"checkpoint is kept.{more} A smaller `optimizer.learning_rate` or "
            "`optimizer.clip_norm` may help."
        )
        self.step = step
