"""What is known of one published file of weights."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Preset:
    """A row of the catalogue of published weights: only facts; None is "not published".

    Attributes:
        name: `<variant>.<tag>`, timm's where timm has the weights.
        architecture: key of `keras_mlp.ARCHITECTURES`.
        variant: key of that architecture's `variants`.
        naming: key of its `checkpoint_layouts`: how the file calls the weights.
        num_classes: of the classifier in the file.
        image_size: side of the square images that the weights are for, in pixels.
        pixel_mean, pixel_std: of the normalisation, on the [0, 1] scale; number or per channel.
        crop: side of the central crop over that of the resized image, in the published evaluation.
        interpolation: of that resizing.
        gelu_approximate: whether the weights were trained with the tanh approximation of GELU; None
            where the architecture has no such argument, and the exact one.
        arguments: further arguments of the constructor that differ from the variant's.
        url: of the file; None where it lies behind a page that only a person can pass.
        page: that page, or one that describes the weights.
        suffix: of the file, such as ".npz".
        sha256: hexadecimal digest of the file, or its first digits where only they are published.
        licence: of the weights as timm tags them, otherwise of the authors' repository.
        top1: published accuracy on the ImageNet-1k validation set, in percent.
        top1_by: who published it.
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
    arguments: dict = dataclasses.field(default_factory=dict)
    url: str | None = None
    page: str | None = None
    suffix: str = ".pth"
    sha256: str | None = None
    licence: str | None = None
    top1: float | None = None
    top1_by: str | None = None
    note: str | None = None

    def constructor_arguments(self):
        """What the model takes besides its variant, as a dict."""
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
