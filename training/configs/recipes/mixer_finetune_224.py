"""MLP-Mixer B/16, pre-trained on ImageNet-21k, fine-tuned on ImageNet-1k: 80.64% in the paper.

python -m training.train --config training/configs/recipes/mixer_finetune_224.py \
    --workdir runs/mixer_finetuned --set data.data_dir=RECORDS

L/16 (82.89%): `--set model.variant=L/16 --set model.preset=mixer_l16_224.goog_in21k`. For
CIFAR-10 (96.82% in Google's README): `--set data.name=cifar10 --set data.test_split=test --set
data.num_classes=10 --set data.validation_percent=2 --set data.crop=0 --set epochs=104`, about
10,000 steps.

Values: arXiv:2105.01601 (SGD with momentum, batch 512, clipping at 1, cosine after a warm-up, no
decay); vision_transformer, configs/common.py (rate 0.03 by default, warm-up of 500 steps, 20,000
steps on ImageNet, momentum in bfloat16) and input_pipeline.py (random crops, mirrored). The paper
takes the best rate of 0.003, 0.01, 0.03 and 0.06 on held-out images. The code splits a batch into 8
micro-batches; `optimizer.accumulate=8` does the same, and gives the same update.

Differences: 8 epochs are 19,818 steps. Pictures are resized with antialiasing.
"""

from training.config import Augment, Config, Data, Model, Optimizer

CONFIG = Config(
    epochs=8,
    model=Model(architecture="MLPMixer", variant="B/16", preset="mixer_b16_224.goog_in21k"),
    data=Data(
        name="imagenet_tfrecord",
        test_split="validation",
        num_classes=1000,
        validation_percent=1,
        batch_size=512,
        crop=0.875,
    ),
    augment=Augment(crop=0.05, flip=True),
    optimizer=Optimizer(
        name="sgd",
        learning_rate=0.03,
        warmup_steps=500,
        weight_decay=0.0,
        momentum=0.9,
        nesterov=False,
        momentum_dtype="bfloat16",
        clip_norm=1.0,
    ),
)
