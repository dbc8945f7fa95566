"""The typed description of a run: pages of training/configs, changed by `--set key=value`."""

import copy
import dataclasses
import pathlib
import runpy
import typing
from collections.abc import Iterable
from typing import Annotated, Any, Literal, TypeVar

from training.architecture_names import check_architecture, check_names
from training.field_types import (
    Finite,
    NonNegative,
    NonNegativeInt,
    PositiveInt,
    Range,
    Share,
    check_value,
    shown,
)
from training.overrides import apply_override, leaves

ResizeMethod = Literal["interpolate", "block_diagonal", "reinitialize"]
Way = Literal["fine-tuned", "frozen", "from scratch"]
Seed = Annotated[int, Range(0, 2**31 - 2)]
LayerDecay = Annotated[float, Range(1e-6, 1)]


@dataclasses.dataclass
class Model:
    """Which model is trained.

    Attributes:
        architecture: a key of `keras_mlp.ARCHITECTURES`; or `module:function`, a function that
            returns any Keras model (see `training.models.function_models`).
        variant: one of its variants; not used for a function.
        arguments: constructor arguments that override the variant's. The data sets `num_classes`,
            and `runtime.dtype` sets `dtype`.
        preset: name of the published weights to start from, or path of a weights file; "" for
            random weights. Their image size may differ from the model's.
        resize_method: how weights of a preset are adapted to another image size: `method` of
            `keras_mlp.with_image_shape`.
        patch_sizes: patches that steps of the training are drawn from, besides `data.image_sizes`;
            one number means a square. Empty for the model's own. The kernel of the patch embedding
            is resized in every step (FlexiViT).
        head_bias: initial biases of a new classifier. About -log(classes) starts the sigmoid loss
            low.
        permute_patches: cut every image into squares of so many pixels a side and put them in one
            fixed random order, in training and evaluation alike, after augmentation; 1 permutes
            single pixels, 0 leaves images as they are. For measuring what a model owes to the order
            of pixels (see `training.permuted`).
        source: a trained model to start from, with a new classifier: a `.keras` file, the folder
            of a run, an artefact or a SavedModel of keras_mlp, or the name of published weights;
            "" for none. `architecture` and `variant` are then those of that model ("own size" for
            a size without a name), and `arguments` may be `image_shape`, `dropout_rate`,
            `drop_path_rate` and `remat`.
        start: what of the source trains: "fine-tuned", everything; "frozen", only the new
            classifier; "from scratch", everything, from new random weights.
    """

    architecture: str = "MLPMixer"
    variant: str = "nano/4"
    arguments: dict[str, Any] = dataclasses.field(default_factory=dict)
    preset: str = ""
    resize_method: ResizeMethod = "interpolate"
    patch_sizes: tuple[PositiveInt | tuple[PositiveInt, PositiveInt], ...] = ()
    head_bias: Finite = 0.0
    permute_patches: NonNegativeInt = 0
    source: str = ""
    start: Way = "fine-tuned"


@dataclasses.dataclass
class Data:
    """Which images to use, and how they are split and batched.

    Attributes:
        name: "digits" (embedded); "arrays", the `.npz` file `data_dir` that
            `training.data.arrays` writes; the name of a stock TFDS dataset of labelled images;
            "pictures", those in `data_dir/CLASS/`, split by a seed, or in `data_dir/train/CLASS/`;
            "image_folder", pictures in `data_dir/SPLIT/CLASS/` (JPEG, PNG, WebP, GIF or BMP); or
            "imagenet_tfrecord", the files `data_dir/SPLIT-*-of-*` that the TensorFlow Model Garden
            writes for ImageNet.
        data_dir: folder of the files; None for the default of TFDS.
        train_split, test_split: names of the splits.
        validation_split: name of the split for the learning curve and for tuning; "" to hold out
            `validation_percent` of the train split.
        split_seed: which pictures of each class of "pictures" are held out, for the splits that
            have no folder.
        validation_percent: percentage of the train split, its last examples, held out from
            training for the learning curve and for tuning.
        classes: labels to keep, renumbered from 0 in this order; empty keeps all.
        num_classes: number of classes that the data must have, so that a folder with classes
            missing is an error; 0 accepts any number.
        examples_per_class: keep only this many training examples of each class, or all of a class
            that has fewer; 0 keeps all.
        subset_seed: seed of that random draw. With one seed, a smaller subset is part of every
            larger one. None keeps the first examples of each class, as earlier versions did.
        batch_size: global batch size, summed over all replicas.
        cache: keep decoded images in memory, if all pictures have one size.
        crop: center crop used for evaluation (and for training without `augment.crop`), as a share
            of the shorter side, like timm's `crop_pct`. 0 resizes the whole picture, which
            stretches it if its aspect ratio differs from the model's.
        upright: turn and mirror pictures as their EXIF orientation asks, with which cameras and
            telephones say how they were held. False reads them as they are stored, like Keras'
            and torchvision's readers of folders; `export_saved_model` has the same argument.
        max_pixels: largest height times width of a picture, which is read from its header: one
            that is larger counts as damaged and is not decoded. The default is 256 MiB as RGB.
        interpolation: how pictures are resized to the model's size, always with antialiasing.
        shuffle_buffer: number of examples that the order of an epoch is drawn from; a smaller
            split is shuffled completely. The buffer holds encoded pictures: 100,000 of ImageNet
            take 11 GB.
        shard: what each host reads. "examples": all files, decoding only its own examples, so
            that runs do not depend on the number of hosts. "files": only its own files, so that
            the order of the examples depends on the number of hosts.
        max_corrupt: how many damaged pictures are skipped and reported before they are an error.
        image_sizes: sizes in pixels that steps of the training are drawn from, (height, width) or
            one number for a square; empty for the model's own, at which everything is evaluated.
            Images are loaded and augmented at the model's own size, and resized in the step. One
            set of weights is trained through all of them (`model.at`).
        equal_cost: train on fewer images of a batch at sizes with more tokens than the model's own,
            so that every step costs about the same; the rest of the batch is left out.
        service: address of a tf.data service that decodes and augments, such as
            "grpc://host:5000", which makes the order of the examples nondeterministic. "" uses
            this process.
    """

    name: str = "digits"
    data_dir: str | None = None
    train_split: str = "train"
    test_split: str = "test"
    validation_split: str = ""
    split_seed: Seed = 0
    validation_percent: Annotated[int, Range(0, 90)] = 10
    classes: tuple[NonNegativeInt, ...] = ()
    num_classes: NonNegativeInt = 0
    examples_per_class: NonNegativeInt = 0
    subset_seed: Seed | None = 0
    batch_size: PositiveInt = 128
    cache: bool = True
    crop: Share = 0.0
    upright: bool = False
    max_pixels: PositiveInt = 89_478_485
    interpolation: Literal["bilinear", "bicubic", "lanczos3"] = "bilinear"
    shuffle_buffer: PositiveInt = 100_000
    shard: Literal["examples", "files"] = "examples"
    max_corrupt: NonNegativeInt = 0
    image_sizes: tuple[PositiveInt | tuple[PositiveInt, PositiveInt], ...] = ()
    equal_cost: bool = False
    service: str = ""


@dataclasses.dataclass
class Augment:
    """Random changes to the training images.

    Attributes:
        share: probability that an image is moved at all (shift, translate, rotate, zoom).
        shift: largest shift up, down, left or right, in whole pixels; uncovered pixels are 0.
        translate: largest shift as a share of the image's side, not rounded to pixels.
        flip: mirror half of the images left to right.
        rotate: largest rotation in either direction, in degrees.
        zoom: largest relative change of scale in either direction.
        crop: smallest share of a picture's area that a random crop covers (the largest is 1),
            which is then resized to the model's size; 0 for no random crop.
        aspect: largest ratio of the random crop's longer to its shorter side.
        policy: "randaugment", "trivialaugment" (on JAX only), or an AutoAugment policy
            ("autoaugment_v0" is ImageNet's); None for none. Needs colour images.
        operations: number of RandAugment operations applied to an image in sequence.
        magnitude: magnitude of RandAugment. 10 is AutoAugment's largest; larger values extrapolate
            as in Google's recipes of ViT and Mixer, except that a Solarize threshold beyond 255
            wraps around to 0.
        magnitude_std: standard deviation of Gaussian noise added to the magnitude of every
            operation.
        magnitude_uniform: draw the magnitude of every operation uniformly from 0 to `magnitude`.
        cutout: side in pixels of a grey square around a random point; 0 for none.
        erase: probability that a random rectangle is replaced by noise (Random Erasing).
        erase_area: largest share of the image that this rectangle covers; the smallest is 0.02.
        mixup, cutmix: parameter of the symmetric Beta distribution that mixing weights are drawn
            from; 0 for none. With both, each batch gets one of the two.
        mix: probability that a batch is mixed at all.
        repeats: number of times that each image occurs in a batch, augmented differently each
            time. The steps per epoch stay the same, so an epoch sees only part of the images.
    """

    share: Share = 1.0
    shift: NonNegativeInt = 0
    translate: Annotated[float, Range(0, 0.9)] = 0.0
    flip: bool = False
    rotate: Annotated[float, Range(0, 180)] = 0.0
    zoom: Annotated[float, Range(0, 0.9)] = 0.0
    crop: Share = 0.0
    aspect: Annotated[float, Range(1, 100)] = 4 / 3
    policy: Literal[
        None,
        "randaugment",
        "trivialaugment",
        "autoaugment_v0",
        "autoaugment_reduced_imagenet",
        "autoaugment_reduced_cifar10",
        "autoaugment_svhn",
        "autoaugment_simple",
    ] = None
    operations: Annotated[int, Range(1, 100)] = 2
    magnitude: Annotated[float, Range(0, 20)] = 10.0
    magnitude_std: Annotated[float, Range(0, 10)] = 0.0
    magnitude_uniform: bool = False
    cutout: NonNegativeInt = 0
    erase: Share = 0.0
    erase_area: Annotated[float, Range(0.02, 1)] = 1 / 3
    mixup: Annotated[float, Range(0, 1000)] = 0.0
    cutmix: Annotated[float, Range(0, 1000)] = 0.0
    mix: Share = 1.0
    repeats: PositiveInt = 1


@dataclasses.dataclass
class Optimizer:
    """How weights are updated.

    Attributes:
        name: which optimizer.
        learning_rate: peak learning rate, at the end of the warm-up.
        schedule: shape of the decay after the warm-up.
        warmup_epochs: length of the linear warm-up; may be a fraction.
        warmup_steps: the same in steps; overrides `warmup_epochs` unless 0.
        warmup_from: learning rate at the start of the warm-up.
        final_learning_rate: learning rate at the end of the schedule.
        cooldown_epochs: how many of the last epochs stay at the final learning rate.
        weight_decay: decoupled weight decay, scaled by the learning rate, on kernels only.
        momentum: momentum of SGD.
        nesterov: use Nesterov momentum in SGD.
        momentum_dtype: dtype that SGD's momentum is stored in; "bfloat16" excludes `nesterov`.
        beta_2, epsilon: of AdamW and LAMB.
        layer_decay: factor of the learning rate from each block to the one before it, counted
            from the head down to the stem.
        clip_norm: largest global norm of the gradient, over all replicas; 0 for no clipping.
        label_smoothing: share of the label's weight that is spread over all classes.
        loss: "softmax", cross-entropy over the classes; or "sigmoid", binary cross-entropy summed
            over the classes.
        accumulate: number of parts that a batch is processed in, one after the other, to save
            memory. Their summed gradients give the same update as the whole batch, except that
            BatchNorm uses the statistics of a part.
        ema: decay of the exponential moving average of the weights that is evaluated and saved;
            early steps use (1 + step) / (10 + step) where that is less. 0 for none.
    """

    name: Literal["adamw", "sgd", "lamb"] = "adamw"
    learning_rate: NonNegative = 1e-3
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    warmup_epochs: NonNegative = 1.0
    warmup_steps: NonNegativeInt = 0
    warmup_from: NonNegative = 0.0
    final_learning_rate: NonNegative = 0.0
    cooldown_epochs: NonNegative = 0.0
    weight_decay: NonNegative = 0.05
    momentum: Share = 0.9
    nesterov: bool = True
    momentum_dtype: Literal["float32", "bfloat16"] = "float32"
    beta_2: Share = 0.999
    epsilon: Share = 1e-7
    layer_decay: LayerDecay = 1.0
    clip_norm: NonNegative = 1.0
    label_smoothing: Annotated[float, Range(0, 0.99)] = 0.0
    loss: Literal["softmax", "sigmoid"] = "softmax"
    accumulate: PositiveInt = 1
    ema: Annotated[float, Range(0, 1, below=True)] = 0.0


@dataclasses.dataclass
class Runtime:
    """How the run is executed.

    Attributes:
        strategy: "one_device"; "mirrored", all GPUs or all logical CPUs of this host;
            "multi_worker_mirrored", the same on several hosts, named by the environment variable
            TF_CONFIG or by those of Slurm; or "tpu".
        tpu: name or address of the TPU; "" for the one that the environment names, "local" on a
            TPU VM.
        virtual_cpus: number of logical devices to split the CPU into, to try "mirrored"; 0 leaves
            it whole.
        dtype: Keras dtype policy. "mixed_float16" adds a dynamic loss scale and skips steps whose
            gradients overflow.
        jit_compile: compile the training step with XLA; "one_device" only.
        compile_gelu: compile exact GELU, LayerNorm and their gradients, and nothing else, with XLA:
            faster on CPUs, and equal to float rounding. No effect on JAX, which compiles the whole
            step.
        seed: seed of the initial weights, data order, augmentation and dropout.
        steps_per_loop: number of steps between two reports of the loss to the host.
        epochs_per_checkpoint: number of epochs between two checkpoints, and between two points of
            the learning curve.
        profile: trace the steps of the second point of the curve into `profile/`, for TensorBoard
            or Perfetto; on JAX only.
        keep_checkpoints: how many checkpoints are kept.
        export: write SavedModels at the end, next to the `.keras` file.
    """

    strategy: Literal["one_device", "mirrored", "multi_worker_mirrored", "tpu"] = "one_device"
    tpu: str = ""
    virtual_cpus: Annotated[int, Range(0, 64)] = 0
    dtype: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    jit_compile: bool = False
    compile_gelu: bool = False
    seed: Seed = 0
    steps_per_loop: PositiveInt = 20
    epochs_per_checkpoint: PositiveInt = 1
    keep_checkpoints: PositiveInt = 2
    profile: bool = False
    export: bool = True


@dataclasses.dataclass
class _Training:
    """The sections that every kind of page has."""

    data: Data = dataclasses.field(default_factory=Data)
    augment: Augment = dataclasses.field(default_factory=Augment)
    optimizer: Optimizer = dataclasses.field(default_factory=Optimizer)
    runtime: Runtime = dataclasses.field(default_factory=Runtime)


# A dataclass has the fields of its last base first. Each kind of page therefore takes its own keys
# from a second base: they come before the shared sections, in files and on reports.
@dataclasses.dataclass
class _OneModel:
    epochs: PositiveInt = 1
    steps: NonNegativeInt = 0
    model: Model = dataclasses.field(default_factory=Model)


@dataclasses.dataclass
class Config(_Training, _OneModel):
    """One run: the value `CONFIG` of a page in training/configs.

    Attributes:
        epochs: length of the training; an epoch is one pass over the training images.
        steps: the same in steps; overrides `epochs` unless 0.
        model, data, augment, optimizer, runtime: see these classes.
    """


@dataclasses.dataclass
class Comparison(Config):
    """The same run for several architectures; its `model.architecture` is not used.

    Attributes:
        architectures: keys of `keras_mlp.ARCHITECTURES`, and `module:function` for other Keras
            models (see `training.models.function_models`); empty for all architectures. A function
            gets those of `model.arguments` that it takes.
        repeats: number of runs of each architecture, with seeds that count up from `runtime.seed`.
        demands: maps an architecture to further constructor arguments that its paper requires.
        seeds: the seeds themselves; empty for those of `repeats`.
        minutes: time for the training steps of each run, instead of `epochs` and `steps`; 0 for no
            such limit. The steps of each architecture are timed first, so that every run follows
            its whole schedule.
    """

    architectures: tuple[str, ...] = ()
    repeats: PositiveInt = 1
    demands: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    seeds: tuple[Seed, ...] = ()
    minutes: NonNegative = 0.0


@dataclasses.dataclass
class AnySize(Comparison):
    """One model for all image sizes, against resized ones and one for each size.

    Attributes:
        sizes: test sizes, (height, width) in pixels or one number for a square.
        separate_sizes: those at which a model of its own is trained.
        ways: which of the two models that are evaluated at every size are trained.
        data: `image_sizes` are those of the flexible model; the other models are trained without.
        architectures and the other keys: as for `Comparison`.
    """

    sizes: tuple[PositiveInt | tuple[PositiveInt, PositiveInt], ...] = ()
    separate_sizes: tuple[PositiveInt | tuple[PositiveInt, PositiveInt], ...] = ()
    ways: tuple[Literal["flexible", "resized"], ...] = ("flexible", "resized")


@dataclasses.dataclass
class _OtherSizes:
    architectures: tuple[str, ...] = ("MLPMixer", "ResMLP", "GMLP", "FFOnly")
    sizes: tuple[PositiveInt | tuple[PositiveInt, PositiveInt], ...] = ()
    methods: tuple[ResizeMethod, ...] = ("interpolate", "block_diagonal", "reinitialize")
    epochs: PositiveInt = 1


@dataclasses.dataclass
class ImageSizes(_Training, _OtherSizes):
    """Trained models at other image sizes, before and after a short fine-tuning on one budget.

    Attributes:
        architectures: keys of `keras_mlp.ARCHITECTURES` whose models the source must hold.
        sizes: (height, width) pairs in pixels; one number means a square.
        methods: methods of `keras_mlp.with_image_shape`. A method that an architecture or a size
            does not support is skipped there.
        epochs: length of the fine-tuning.
        data, augment, optimizer, runtime: see these classes.
    """


@dataclasses.dataclass
class Transfer:
    """How the fine-tuned way differs from training all layers alike; for `.keras` sources only.

    Attributes:
        freeze_through: name of the last frozen layer, counted from the input, such as "block_3";
            None to freeze nothing.
        layer_decay: factor of the learning rate from each block to the one before it, counted
            from the head down to the stem.
        lora_rank: rank of the LoRA factors (`keras_mlp.enable_lora`) that are trained together
            with the classifier while everything else is frozen; the saved model has them merged.
            0 for none.
    """

    freeze_through: str | None = None
    layer_decay: LayerDecay = 1.0
    lora_rank: NonNegativeInt = 0


@dataclasses.dataclass
class _ThreeWays:
    epochs: PositiveInt = 1
    repeats: PositiveInt = 3
    transfer: Transfer = dataclasses.field(default_factory=Transfer)


@dataclasses.dataclass
class FineTuneConfig(_Training, _ThreeWays):
    """A comparison of fine-tuning with its alternatives on one budget.

    Attributes:
        epochs: length of each training.
        repeats: number of runs of each way, with seeds that count up from `runtime.seed`.
        transfer, data, augment, optimizer, runtime: see these classes.
    """


_PAGES = pathlib.Path(__file__).parent / "configs"
Page = TypeVar("Page", bound=Config | ImageSizes | FineTuneConfig)


def load_config(
    path: str | pathlib.Path,
    overrides: Iterable[str] = (),
    kind: type[Page] = Config,  # type: ignore[assignment]
) -> Page:
    """Reads a page and applies `key=value` overrides, such as "data.batch_size=64".

    Args:
        path: Python file that defines `CONFIG`, or the name of a page of training/configs, such as
            "digits" or "recipes/mixer_in1k".
        overrides: strings; values are Python literals, or plain text for keys that accept text.
        kind: type of the page: `Config`, `Comparison`, `FineTuneConfig`, `ImageSizes` or `AnySize`.

    Returns:
        A checked config of that kind.

    Raises:
        ValueError: the file is not such a page, a key is unknown (the nearest are named), or a
            value has the wrong type or is out of range.
    """
    try:
        config = runpy.run_path(str(_page_file(path))).get("CONFIG")
    except OSError as error:
        raise ValueError(
            f"There is no config page at {path}: {error}. It may also be the name of one of ours: "
            f"{', '.join(page_names())}."
        ) from error
    except (Exception, SystemExit) as error:  # a page is a program
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(f"{path} is not a config page: it raises {reason}.") from error
    if type(config) is not kind:
        raise ValueError(f"{path} defines no `CONFIG` of type training.config.{kind.__name__}.")
    _check_sections(config, path)
    config = copy.deepcopy(config)  # pages share sections with those that they derive from
    for override in overrides:
        apply_override(config, override)
    return check_config(config)


def page_names() -> list[str]:
    """The names of the pages in training/configs: "digits", "recipes/mixer_in1k", ..."""
    pages = [page.relative_to(_PAGES).with_suffix("") for page in _PAGES.rglob("*.py")]
    return sorted(page.as_posix() for page in pages if page.name != "__init__")


def _page_file(path: str | pathlib.Path) -> pathlib.Path:
    """The file itself if there is one, else the page of that name."""
    path = pathlib.Path(path)
    # The commands in our pages name them by their paths in the checkout.
    name = path.as_posix().removeprefix("training/configs/").removesuffix(".py")
    return _PAGES / f"{name}.py" if not path.is_file() and name in page_names() else path


def _check_sections(config: Page, path: str | pathlib.Path) -> None:
    """Raises ValueError where a page sets a section to something else."""
    hints = typing.get_type_hints(type(config))
    for field in dataclasses.fields(config):
        kind, value = hints[field.name], getattr(config, field.name)
        if dataclasses.is_dataclass(kind) and type(value) is not kind:
            raise ValueError(
                f"{path}: `{field.name}` must be a training.config.{field.name.title()}, got "
                f"{shown(value)}."
            )


def check_config(config: Page) -> Page:
    """Returns `config`, or raises ValueError that names the first key with a wrong value."""
    for key, value, annotation in leaves(config):
        check_value(key, value, annotation)
    if config.runtime.jit_compile and config.runtime.strategy != "one_device":
        raise ValueError('`runtime.jit_compile` works with `runtime.strategy="one_device"` only.')
    if config.runtime.compile_gelu and config.runtime.jit_compile:
        raise ValueError(
            "`runtime.compile_gelu` and `runtime.jit_compile` must not both be True: the latter "
            "compiles the whole step, GELU included."
        )
    optimizer = config.optimizer
    if isinstance(config, FineTuneConfig) and optimizer.layer_decay != 1:
        raise ValueError("`optimizer.layer_decay` is `transfer.layer_decay` when fine-tuning.")
    if optimizer.name == "sgd" and optimizer.momentum_dtype == "bfloat16" and optimizer.nesterov:
        raise ValueError('`optimizer.momentum_dtype`="bfloat16" needs `optimizer.nesterov`=False.')
    if isinstance(config, Config):
        _check_arguments("model.arguments", config.model.arguments)
        if not isinstance(config, Comparison):
            _check_export(config)
    if isinstance(config, Comparison):
        for architecture, arguments in config.demands.items():
            _check_arguments(f"demands.{architecture}", arguments)
    if isinstance(config, Config):
        _check_names(config)
    return config


def _check_names(config: Config) -> None:
    """Refuses architectures, variants and arguments that keras_mlp does not have.

    What a function or a trained model takes is only known once they are loaded.
    """
    model = config.model
    if isinstance(config, Comparison):
        for key, names in (("architectures", config.architectures), ("demands", config.demands)):
            for name in names:
                if ":" not in name:
                    check_architecture(key, name)
                    arguments = {**model.arguments, **config.demands.get(name, {})}
                    check_names(name, model.variant, arguments)
    elif ":" not in model.architecture and not model.source:
        check_names(model.architecture, model.variant, model.arguments, model.preset)


def _check_export(config: Config) -> None:
    """Refuses models that `keras_mlp.export_saved_model` knows no features of."""
    if not config.runtime.export:
        return
    if ":" in config.model.architecture:
        raise ValueError(
            f"`runtime.export` must be False for `model.architecture`="
            f"{config.model.architecture!r}: only models of keras_mlp are exported."
        )
    if config.model.permute_patches:
        raise ValueError("`runtime.export` must be False with `model.permute_patches`.")


def _check_arguments(key: str, arguments: dict[str, Any]) -> None:
    """Refuses constructor arguments that other keys set."""
    if "num_classes" in arguments:
        raise ValueError(
            f"`{key}.num_classes` must not be set: the number of classes comes from the data "
            "(`data.classes` selects classes, `data.num_classes` is checked against them)."
        )
    if "dtype" in arguments:
        raise ValueError(f"`{key}.dtype` must not be set: use `runtime.dtype`.")
    if arguments.get("classifier_activation") is not None:
        raise ValueError(
            f"`{key}.classifier_activation` must not be set: losses and metrics here are computed "
            "from logits."
        )
