"""What is known about one published file of weights."""

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class Preset:
    """A row of the catalogue of published weights. It states facts; None means "not published".

    Attributes:
        name: `<variant>.<tag>`, timm's where timm has the weights.
        architecture: key of `keras_mlp.ARCHITECTURES`.
        variant: key of that architecture's `variants`.
        naming: key of the architecture's `checkpoint_layouts`: the names in the file.
        num_classes: number of classes of the classifier in the file.
        image_size: side of the square images for which the weights were trained, in pixels.
        pixel_mean: mean of the normalisation on the [0, 1] scale, one number or one per channel.
        pixel_std: standard deviation of the normalisation, in the same form.
        crop: side of the central crop over that of the resized image, in the published evaluation.
        interpolation: how the published evaluation resizes.
        gelu_approximate: whether the weights were trained with the tanh approximation of GELU; None
            if the architecture lacks the argument and uses exact GELU.
        arguments: further arguments of the constructor that differ from the variant's.
        url: address of the file; None if only a person can download it from `page`.
        page: page to download the file from, or one that describes the weights.
        suffix: suffix of the file, such as ".npz".
        sha256: hexadecimal digest of the file, or its first digits if only they are published.
        licence: licence of the weights as timm states it, otherwise of the authors' repository.
        top1: published accuracy on the ImageNet-1k validation set, in percent.
        top1_by: who published the accuracy.
        note: what else a user must know.
    """

    name: str
    architecture: str
    variant: str
    naming: str
    num_classes: int
    image_size: int
    pixel_mean: float | tuple[float, ...]
    pixel_std: float | tuple[float, ...]
    crop: float | None
    interpolation: str | None
    gelu_approximate: bool | None = None
    arguments: dict[str, Any] = dataclasses.field(default_factory=dict)
    url: str | None = None
    page: str | None = None
    suffix: str = ".pth"
    sha256: str | None = None
    licence: str | None = None
    top1: float | None = None
    top1_by: str | None = None
    note: str | None = None

    def constructor_arguments(self) -> dict[str, Any]:
        """Returns the arguments of the model's constructor that the variant does not set."""
        arguments = {
            "num_classes": self.num_classes,
            "image_shape": (self.image_size, self.image_size, 3),
            "pixel_mean": self.pixel_mean,
            "pixel_std": self.pixel_std,
            **self.arguments,
        }
        if self.gelu_approximate is not None:
            arguments["gelu_approximate"] = self.gelu_approximate
        return arguments
