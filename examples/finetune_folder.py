"""Fine-tunes a model for your own classes on a folder of images, one subfolder per class.

python -m examples.finetune_folder --images FOLDER --output tuned
    FOLDER/cat/1.jpg  FOLDER/cat/2.png  FOLDER/dog/1.jpg  ...

It prints the accuracy on held-out images. The output is a folder with `model.keras` and
`saved_model/`, a SavedModel for serving, both with the names of the classes. Without `--images` it
writes and uses a small folder of digits, 160 of them to train on. `training.finetune --folder` does
this in one command, with checkpoints and a report; this program shows the parts.
"""

import argparse
import pathlib
import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING

import keras

import keras_mlp
from examples.digit_images import write_digits

if TYPE_CHECKING:
    import tensorflow as tf

SOURCE = "saved_models/mixer_fashion_mnist/model.keras"


def read_images(
    folder: pathlib.Path, image_shape: tuple[int, int, int]
) -> tuple["tf.data.Dataset", "tf.data.Dataset"]:
    """Batches of (images, labels): four fifths of the images to train on, one fifth to test on."""
    height, width, channels = image_shape
    return keras.utils.image_dataset_from_directory(
        folder,
        color_mode={1: "grayscale", 3: "rgb", 4: "rgba"}[channels],
        image_size=(height, width),
        batch_size=20,
        seed=0,
        validation_split=0.2,
        subset="both",
        verbose=False,
    )


def finetune(
    source: keras_mlp.VisionModel, train: "tf.data.Dataset", test: "tf.data.Dataset", epochs: int
) -> tuple[keras_mlp.VisionModel, float]:
    """Trains the source with a new head for the classes of `train`; returns its accuracy too."""
    names = train.class_names
    model = keras_mlp.with_new_head(source, num_classes=len(names), class_names=names)
    # Layers near the images learn more slowly than the new head.
    optimizer = keras_mlp.layer_decay(
        model, lambda scale: keras.optimizers.AdamW(3e-3 * scale), decay=0.8
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, metrics=["accuracy"])
    # The dataset shuffles itself.
    fitted = model.fit(train, validation_data=test, epochs=epochs, shuffle=False, verbose=0)
    return model, fitted.history["val_accuracy"][-1]


def main(arguments: Sequence[str] | None = None) -> None:
    """Fine-tunes, prints the accuracy on held-out images, and writes the model."""
    parser = argparse.ArgumentParser(prog="python -m examples.finetune_folder")
    parser.add_argument("--images", type=pathlib.Path, help="folder with a subfolder per class")
    parser.add_argument("--source", default=SOURCE, help=f"model to start from ({SOURCE})")
    parser.add_argument("--output", type=pathlib.Path, help="folder to write the model in")
    parser.add_argument("--epochs", type=int, default=20)
    options = parser.parse_args(arguments)
    if not pathlib.Path(options.source).is_file():
        parser.error(f"`source` must be a .keras file, and there is no {options.source}.")
    source = keras.models.load_model(options.source, compile=False)
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.images or write_digits(pathlib.Path(scratch) / "digits")
        train, test = read_images(folder, source.image_shape)
        model, accuracy = finetune(source, train, test, options.epochs)
    print(f"{len(train.class_names)} classes: {accuracy:.1%} accuracy on held-out images")
    if options.output:
        options.output.mkdir(parents=True, exist_ok=True)
        model.save(options.output / "model.keras")
        path = options.output / "saved_model"
        keras_mlp.export_saved_model(model, path, overwrite=True)


if __name__ == "__main__":
    main()
