"""DeiT-S, ViT S/16 on ImageNet-1k in 300 epochs: 79.86%; the base of other recipes.

python -m training.train --config training/configs/recipes/deit.py --workdir runs/deit \
    --set data.data_dir=RECORDS

Ti/16 (72.19%) and B/16 (81.98%) use the same values: `--set model.variant=B/16`.

Values: facebookresearch/deit, main.py. Its rate of 5e-4 is for 512 images, hence 1e-3 for 1024. Its
ten cool-down epochs would come after epoch 300, where it ends. timm omits colour jitter when
RandAugment is on. DeiT also keeps averaged weights (0.99996), but does not evaluate them.

Differences of this page and of those that derive from it:
- RandAugment: timm's "rand-m9-mstd0.5-inc1" has 15 operations of its own, all of which grow
  stronger with the magnitude, and applies each of the two with probability 0.5. This page uses the
  model garden's 16, some of which (Posterize, Solarize, colours) grow weaker with the magnitude,
  and applies them 16 times in 17.
- MixUp and CutMix draw weights and partners for each image, not for each batch.
- The noise of erased rectangles is wider: mean and deviation are 127.5, not the pixels' own.
- On one device, copies of an image (`repeats`) may be mixed with each other; in DeiT's code every
  device has different images.
- The learning rate changes with every step, not with every epoch, and the cosine starts after the
  warm-up.
- bfloat16 instead of float16, which would need a loss scale.
- Initial weights are those of Google's ViT: Glorot, and 0 in the classifier, not N(0, 0.02).
"""

from training.config import Augment, Config, Data, Model, Optimizer, Runtime

CONFIG = Config(
    epochs=300,
    model=Model(
        architecture="ViT",
        variant="S/16",
        arguments={
            "drop_path_rate": 0.1,
            "pixel_mean": (0.485, 0.456, 0.406),
            "pixel_std": (0.229, 0.224, 0.225),
        },
    ),
    data=Data(
        name="imagenet_tfrecord",
        test_split="validation",
        num_classes=1000,
        validation_percent=0,
        batch_size=1024,
        crop=0.875,
        interpolation="bicubic",
    ),
    augment=Augment(
        crop=0.08,
        flip=True,
        policy="randaugment",
        magnitude=9,
        magnitude_std=0.5,
        erase=0.25,
        mixup=0.8,
        cutmix=1.0,
        repeats=3,
    ),
    optimizer=Optimizer(
        name="adamw",
        learning_rate=1e-3,
        warmup_epochs=5,
        warmup_from=1e-6,
        final_learning_rate=1e-5,
        weight_decay=0.05,
        epsilon=1e-8,
        clip_norm=0.0,
        label_smoothing=0.1,
    ),
    runtime=Runtime(dtype="mixed_bfloat16"),
)
