"""The typed description of a run: pages of training/configs, changed by `--set key=value`."""

import ast
import copy
import dataclasses
import runpy
import typing

from keras_mlp.arguments import describe_choices


@dataclasses.dataclass
class Model:
    """Which model is trained.

    Attributes:
        architecture: a key of `keras_mlp.ARCHITECTURES`.
        variant: one of its variants.
        arguments: constructor arguments that differ from the variant's.
        preset: name of published weights to start from, or path of a file with such; "" for
            random weights. The image size may be another one.
        resize_method: how weights of a preset are made to fit another image size: `method` of
            `keras_mlp.with_image_shape`.
        head_bias: what the biases of a new classifier start at: about -log(classes) for the
            sigmoid loss, so that it starts low.
    """

    architecture: str = "MLPMixer"
    variant: str = "nano/4"
    arguments: dict = dataclasses.field(default_factory=dict)
    preset: str = ""
    resize_method: str = "interpolate"
    head_bias: float = 0.0


@dataclasses.dataclass
class Data:
    """Which images, and how they are cut into splits and batches.

    Attributes:
        name: "digits" (embedded); the name of a stock TFDS dataset of labelled images;
            "image_folder", pictures in `data_dir/SPLIT/CLASS/`; or "imagenet_tfrecord", the files
            `data_dir/SPLIT-*-of-*` that the TensorFlow model garden writes of ImageNet.
        data_dir: where the files are; None for TFDS' own default.
        train_split, test_split: names of the splits.
        validation_percent: share of the train split, its last examples, that is held out of
            training for the learning curve and for tuning.
        classes: labels to keep, renumbered from 0 in this order; empty keeps all.
        num_classes: how many classes there must be, so that a folder that lacks some is an error; 0
            for as many as there are.
        examples_per_class: keep only the first this many training examples of each class; 0 keeps
            all.
        batch_size: over all replicas.
        cache: keep decoded images in memory, where all pictures are of one size.
        crop: what a picture is judged by (and trained on, without `augment.crop`): the middle of
            it, this share of its shorter side, as `crop_pct` of timm; 0 for the whole picture,
            stretched where its aspect is another than the model's.
        interpolation: to the model's size, always antialiased: "bilinear", "bicubic" or "lanczos3".
        shuffle_buffer: examples that an epoch's order is drawn from; a smaller split is shuffled
            whole. Undecoded pictures wait there: 100,000 of ImageNet take 11 GB.
        shard: what a host reads. "examples": everything, of which it decodes its part, so that any
            number of hosts gives the same run; "files": its own part, so that the order depends on
            their number.
        max_corrupt: damaged pictures that are left out, and named, before they are an error.
        service: address of a tf.data service that decodes and augments, such as
            "grpc://host:5000"; the order is then not exact. "" for this process.
    """

    name: str = "digits"
    data_dir: str | None = None
    train_split: str = "train"
    test_split: str = "test"
    validation_percent: int = 10
    classes: tuple = ()
    num_classes: int = 0
    examples_per_class: int = 0
    batch_size: int = 128
    cache: bool = True
    crop: float = 0.0
    interpolation: str = "bilinear"
    shuffle_buffer: int = 100_000
    shard: str = "examples"
    max_corrupt: int = 0
    service: str = ""


@dataclasses.dataclass
class Augment:
    """Random changes of training images.

    Attributes:
        share: probability that an image is moved at all (shift, translate, rotate, zoom).
        shift: largest shift up, down, left or right, by whole pixels; uncovered pixels are 0.
        translate: the same by fractions of a pixel, as a share of the image's side.
        flip: mirror half of the images left to right.
        rotate: largest angle, either way, in degrees.
        zoom: largest relative change of size, each way.
        crop: smallest share of a picture's area that a random part of it has, which is then brought
            to the model's size; the largest is all of it. 0 for no random part.
        aspect: largest ratio of the sides of that part, either way.
        policy: "randaugment"; or "autoaugment_" and one of "v0" (ImageNet), "reduced_imagenet",
            "reduced_cifar10", "svhn", "simple"; None for none. For coloured images.
        operations: of RandAugment, one after the other.
        magnitude: of RandAugment, 0 to 20. 10 is the largest of AutoAugment; above it operations go
            on as in Google's recipes of ViT and Mixer: further, but a threshold of Solarize beyond
            255 begins again at 0.
        magnitude_std: standard deviation of a normal variable that is added to it each time.
        magnitude_uniform: draw it anew each time, uniformly from 0 to `magnitude`.
        cutout: side in pixels of a square around a random point that becomes grey; 0 for none.
        erase: probability that a random rectangle becomes noise (Random Erasing).
        erase_area: the largest share of the image that it takes; the smallest is 0.02.
        mixup, cutmix: parameter of the symmetric Beta distribution that the share of one image in
            the mixture with another is drawn from; 0 for none. With both, either one for each
            batch.
        mix: probability that a batch is mixed at all.
        repeats: how often each image comes in a batch, every time changed otherwise. An epoch has
            as many steps as without, and so sees a part of the images.
    """

    share: float = 1.0
    shift: int = 0
    translate: float = 0.0
    flip: bool = False
    rotate: float = 0.0
    zoom: float = 0.0
    crop: float = 0.0
    aspect: float = 4 / 3
    policy: str | None = None
    operations: int = 2
    magnitude: float = 10.0
    magnitude_std: float = 0.0
    magnitude_uniform: bool = False
    cutout: int = 0
    erase: float = 0.0
    erase_area: float = 1 / 3
    mixup: float = 0.0
    cutmix: float = 0.0
    mix: float = 1.0
    repeats: int = 1


@dataclasses.dataclass
class Optimizer:
    """How weights are updated.

    Attributes:
        name: "adamw", "sgd" or "lamb".
        learning_rate: at the end of the warm-up.
        schedule: how it goes on from there: "cosine", "linear" or "constant".
        warmup_epochs: of linear growth; fractions count.
        warmup_steps: the same in steps; takes precedence unless 0.
        warmup_from: learning rate at the start of the warm-up.
        final_learning_rate: at the end of the schedule.
        cooldown_epochs: of all epochs, the last ones, which stay at the final learning rate.
        weight_decay: decoupled, times the learning rate, on kernels only.
        momentum: of SGD.
        nesterov: whether SGD's momentum is Nesterov's.
        momentum_dtype: what SGD's momentum is kept in: "float32", or "bfloat16" (not Nesterov's).
        beta_2, epsilon: of AdamW and LAMB.
        layer_decay: factor in (0, 1] of the learning rate per block, from the head to the stem.
        clip_norm: largest global norm of the gradient over all replicas; 0 for none.
        label_smoothing: in [0, 1).
        loss: "softmax", cross-entropy over the classes; or "sigmoid", a binary one for each class,
            summed over the classes.
        accumulate: parts that a batch is cut into, one after the other in memory; their gradients
            are summed before the update, which is that of the whole batch (BatchNorm excepted: its
            statistics are those of a part).
        ema: decay of an exponential moving average of the weights, which is then what is judged
            and saved; early in the run it is (1 + step) / (10 + step) where that is less. 0 for
            none.
    """

    name: str = "adamw"
    learning_rate: float = 1e-3
    schedule: str = "cosine"
    warmup_epochs: float = 1.0
    warmup_steps: int = 0
    warmup_from: float = 0.0
    final_learning_rate: float = 0.0
    cooldown_epochs: float = 0.0
    weight_decay: float = 0.05
    momentum: float = 0.9
    nesterov: bool = True
    momentum_dtype: str = "float32"
    beta_2: float = 0.999
    epsilon: float = 1e-7
    layer_decay: float = 1.0
    clip_norm: float = 1.0
    label_smoothing: float = 0.0
    loss: str = "softmax"
    accumulate: int = 1
    ema: float = 0.0


@dataclasses.dataclass
class Runtime:
    """How the run is carried out.

    Attributes:
        strategy: "one_device"; "mirrored", every GPU, or every logical CPU;
            "multi_worker_mirrored", the same on several hosts, which the variable TF_CONFIG or
            those of Slurm name; or "tpu".
        tpu: name or address of the TPU; "" for the one that the environment names, "local" on a
            TPU VM.
        virtual_cpus: cut the CPU into this many logical devices, to try "mirrored"; 0 leaves it.
        dtype: Keras dtype policy: "float32", "mixed_bfloat16" or "mixed_float16" (with a loss scale
            that adapts itself; steps whose gradients overflow change nothing).
        jit_compile: compile the step with XLA; "one_device" only.
        seed: of initial weights, data order, augmentation and dropout.
        steps_per_loop: steps between two looks of the host at the loss.
        epochs_per_checkpoint: between two checkpoints, and two points of the learning curve.
        keep_checkpoints: how many are kept.
        export: write SavedModels in the end, beside the `.keras` file.
    """

    strategy: str = "one_device"
    tpu: str = ""
    virtual_cpus: int = 0
    dtype: str = "float32"
    jit_compile: bool = False
    seed: int = 0
    steps_per_loop: int = 20
    epochs_per_checkpoint: int = 1
    keep_checkpoints: int = 2
    export: bool = True


@dataclasses.dataclass
class Config:
    """One run: the value `CONFIG` of a page in training/configs."""

    epochs: int = 1
    model: Model = dataclasses.field(default_factory=Model)
    data: Data = dataclasses.field(default_factory=Data)
    augment: Augment = dataclasses.field(default_factory=Augment)
    optimizer: Optimizer = dataclasses.field(default_factory=Optimizer)
    runtime: Runtime = dataclasses.field(default_factory=Runtime)


@dataclasses.dataclass
class Comparison(Config):
    """The same run for several architectures; its `model.architecture` is not used.

    Attributes:
        architectures: keys of `keras_mlp.ARCHITECTURES`; empty for all of them.
        repeats: runs of each, with seeds that count up from `runtime.seed`.
        demands: from an architecture to constructor arguments of its own, for what its paper does
            not do without.
    """

    architectures: tuple = ()
    repeats: int = 1
    demands: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class ImageSizes:
    """Trained models at other image sizes, before and after a short fine-tuning on one budget.

    Attributes:
        architectures: keys of `keras_mlp.ARCHITECTURES` that are looked for in the source.
        sizes: pairs (height, width).
        methods: of `keras_mlp.with_image_shape`; one that an architecture or a size does not allow
            is left out there.
        epochs: of fine-tuning.
    """

    architectures: tuple = ("MLPMixer", "ResMLP", "GMLP", "FFOnly")
    sizes: tuple = ()
    methods: tuple = ("interpolate", "block_diagonal", "reinitialize")
    epochs: int = 1
    data: Data = dataclasses.field(default_factory=Data)
    augment: Augment = dataclasses.field(default_factory=Augment)
    optimizer: Optimizer = dataclasses.field(default_factory=Optimizer)
    runtime: Runtime = dataclasses.field(default_factory=Runtime)


@dataclasses.dataclass
class Transfer:
    """How the fine-tuned way departs from training everything alike; for `.keras` sources only.

    Attributes:
        freeze_through: name of the last layer, from the input, that stays as it is, such as
            "block_3"; None for none.
        layer_decay: factor in (0, 1] of the learning rate per block, from the head to the stem.
        lora_rank: rank of LoRA factors that learn, with the classifier, in place of everything
            (`keras_mlp.enable_lora`); they are merged in what is saved. 0 for none.
    """

    freeze_through: str | None = None
    layer_decay: float = 1.0
    lora_rank: int = 0


@dataclasses.dataclass
class FineTuneConfig:
    """One comparison of fine-tuning with its alternatives, on one budget.

    Attributes:
        epochs: for each of the three ways.
        repeats: how often, with seeds that count up from `runtime.seed`.
    """

    epochs: int = 1
    repeats: int = 3
    transfer: Transfer = dataclasses.field(default_factory=Transfer)
    data: Data = dataclasses.field(default_factory=Data)
    augment: Augment = dataclasses.field(default_factory=Augment)
    optimizer: Optimizer = dataclasses.field(default_factory=Optimizer)
    runtime: Runtime = dataclasses.field(default_factory=Runtime)


def load_config(path, overrides=(), kind=Config):
    """Reads a page and applies `key=value` overrides, such as "data.batch_size=64".

    Args:
        path: of a Python file that defines `CONFIG`.
        overrides: strings; values are Python literals, or text where text is expected.
        kind: what the page must describe: `Config`, `Comparison`, `FineTuneConfig` or
            `ImageSizes`.

    Returns:
        A checked config of that kind.

    Raises:
        ValueError: the file is no page, a key is unknown (the nearest is named), or a value is of
            the wrong type or out of range.
    """
    try:
        config = runpy.run_path(str(path)).get("CONFIG")
    except OSError as error:
        raise ValueError(f"There is no config page at {path}: {error}") from error
    if type(config) is not kind:
        raise ValueError(f"{path} defines no `CONFIG` of type training.config.{kind.__name__}.")
    config = copy.deepcopy(config)  # pages share sections with those that they derive from
    for override in overrides:
        key, separator, text = override.partition("=")
        if not separator:
            raise ValueError(f"`--set {override}` must be of the form key=value.")
        _assign(config, key.strip(), text.strip())
    return check_config(config)


def check_config(config):
    """Returns `config`, or raises ValueError that names the first key whose value is wrong."""
    for key, value, annotation in _leaves(config):
        if not _fits(value, annotation):
            raise ValueError(f"`{key}` must be {_describe(annotation)}, got {value!r}.")
        lowest, highest = _RANGES.get(key, (None, None))
        if lowest is not None and not lowest <= value <= highest:
            raise ValueError(f"`{key}` must be in [{lowest}, {highest}], got {value!r}.")
        if value not in _CHOICES.get(key, (value,)):
            raise ValueError(f"`{key}` is {value!r}. {describe_choices(value, _CHOICES[key])}")
    if config.runtime.jit_compile and config.runtime.strategy != "one_device":
        raise ValueError('`runtime.jit_compile` works with `runtime.strategy="one_device"` only.')
    optimizer = config.optimizer
    if hasattr(config, "transfer") and optimizer.layer_decay != 1:
        raise ValueError("`optimizer.layer_decay` is `transfer.layer_decay` when fine-tuning.")
    if optimizer.name == "sgd" and optimizer.momentum_dtype == "bfloat16" and optimizer.nesterov:
        raise ValueError('`optimizer.momentum_dtype`="bfloat16" needs `optimizer.nesterov`=False.')
    return config


_HUGE = 10**12
_RANGES = {
    "epochs": (1, _HUGE),
    "repeats": (1, _HUGE),
    "data.validation_percent": (0, 90),
    "data.num_classes": (0, _HUGE),
    "data.examples_per_class": (0, _HUGE),
    "data.batch_size": (1, _HUGE),
    "data.crop": (0, 1),
    "data.shuffle_buffer": (1, _HUGE),
    "data.max_corrupt": (0, _HUGE),
    "augment.shift": (0, _HUGE),
    "augment.share": (0, 1),
    "augment.translate": (0, 0.9),
    "augment.rotate": (0, 180),
    "augment.zoom": (0, 0.9),
    "augment.crop": (0, 1),
    "augment.aspect": (1, 100),
    "augment.operations": (1, 100),
    "augment.magnitude": (0, 20),
    "augment.magnitude_std": (0, 10),
    "augment.cutout": (0, _HUGE),
    "augment.erase": (0, 1),
    "augment.erase_area": (0.02, 1),
    "augment.mixup": (0, 1000),
    "augment.cutmix": (0, 1000),
    "augment.mix": (0, 1),
    "augment.repeats": (1, _HUGE),
    "optimizer.learning_rate": (0, _HUGE),
    "optimizer.warmup_epochs": (0, _HUGE),
    "optimizer.warmup_steps": (0, _HUGE),
    "optimizer.warmup_from": (0, _HUGE),
    "optimizer.final_learning_rate": (0, _HUGE),
    "optimizer.cooldown_epochs": (0, _HUGE),
    "optimizer.epsilon": (0, 1),
    "optimizer.layer_decay": (1e-6, 1),
    "optimizer.weight_decay": (0, _HUGE),
    "optimizer.momentum": (0, 1),
    "optimizer.beta_2": (0, 1),
    "optimizer.clip_norm": (0, _HUGE),
    "optimizer.label_smoothing": (0, 0.99),
    "optimizer.accumulate": (1, _HUGE),
    "optimizer.ema": (0, 1 - 1e-9),
    "transfer.layer_decay": (1e-6, 1),
    "transfer.lora_rank": (0, _HUGE),
    "runtime.virtual_cpus": (0, 64),
    "runtime.seed": (0, 2**31 - 2),
    "runtime.steps_per_loop": (1, _HUGE),
    "runtime.epochs_per_checkpoint": (1, _HUGE),
    "runtime.keep_checkpoints": (1, _HUGE),
}
_CHOICES = {
    "model.resize_method": ("interpolate", "block_diagonal", "reinitialize"),
    "data.interpolation": ("bilinear", "bicubic", "lanczos3"),
    "data.shard": ("examples", "files"),
    "augment.policy": (
        None,
        "randaugment",
        "autoaugment_v0",
        "autoaugment_reduced_imagenet",
        "autoaugment_reduced_cifar10",
        "autoaugment_svhn",
        "autoaugment_simple",
    ),
    "optimizer.name": ("adamw", "sgd", "lamb"),
    "optimizer.schedule": ("cosine", "linear", "constant"),
    "optimizer.momentum_dtype": ("float32", "bfloat16"),
    "optimizer.loss": ("softmax", "sigmoid"),
    "runtime.strategy": ("one_device", "mirrored", "multi_worker_mirrored", "tpu"),
    "runtime.dtype": ("float32", "mixed_bfloat16", "mixed_float16"),
}


def _leaves(section, prefix=""):
    """Every (key, value, annotation) of a config, sections opened."""
    hints = typing.get_type_hints(type(section))
    for field in dataclasses.fields(section):
        value = getattr(section, field.name)
        if dataclasses.is_dataclass(value):
            yield from _leaves(value, f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}", value, hints[field.name]


def _get(config, key):
    for part in key.split("."):
        config = getattr(config, part)
    return config


def _assign(config, key, text):
    """Sets one key from text; entries of a dict (`model.arguments.NAME`) may be new."""
    section, parts = config, key.split(".")
    for i, part in enumerate(parts[:-1]):
        if isinstance(section, dict) or part not in _names(section):
            raise _unknown(config, key)
        section = getattr(section, part)
        if isinstance(section, dict) and i < len(parts) - 2:
            raise _unknown(config, key)
    if isinstance(section, dict):
        section[parts[-1]] = _literal(text)
        return
    if not dataclasses.is_dataclass(section) or parts[-1] not in _names(section):
        raise _unknown(config, key)
    if dataclasses.is_dataclass(getattr(section, parts[-1])):
        raise ValueError(f"`{key}` is a section. Its keys: {', '.join(_names(_get(config, key)))}.")
    annotation = typing.get_type_hints(type(section))[parts[-1]]
    setattr(section, parts[-1], _convert(text, annotation))


def _names(section):
    return [field.name for field in dataclasses.fields(section)]


def _unknown(config, key):
    known = [name for name, _, _ in _leaves(config)]
    return ValueError(f"`{key}` is no key of a config. {describe_choices(key, known)}")


def _literal(text):
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _convert(text, annotation):
    """Text from the command line as a value; `check_config` judges whether it fits."""
    if annotation is str or (annotation == str | None and text != "None"):
        return text
    value = _literal(text)
    if annotation is tuple and isinstance(value, (int, list)):
        return tuple(value) if isinstance(value, list) else (value,)
    return value


def _fits(value, annotation):
    if annotation is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if annotation is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, annotation)


def _describe(annotation):
    names = {int: "a whole number", float: "a number", bool: "True or False", str: "text"}
    return names.get(annotation, getattr(annotation, "__name__", str(annotation)))
