"""The embedded dataset: real handwritten digits that ship with scikit-learn, as a TFDS builder."""

from collections.abc import Iterator
from typing import Any

import tensorflow_datasets as tfds

from keras_mlp.typing import Array
from training.data.digit_arrays import digit_arrays


class Digits(tfds.core.GeneratorBasedBuilder):
    """Optical recognition of handwritten digits: 1,797 images of 8 x 8 pixels, 43 writers.

    The copy in scikit-learn is the test part of the UCI dataset (Alpaydin and Kaynak, 1998;
    doi:10.24432/C50P49), licence CC BY 4.0. It has no split of its own: here each class is split
    80/20 with a fixed seed, into 1,437 training and 360 test images. The writers are not recorded,
    so the same writer may be in both splits.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: dict[str, str] = {"1.0.0": "First version."}
    name = "digits"

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            description=self.__doc__,
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(8, 8, 1)),
                    "label": tfds.features.ClassLabel(num_classes=10),
                }
            ),
            supervised_keys=("image", "label"),
            homepage="https://archive.ics.uci.edu/dataset/80",
            license="CC BY 4.0",
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        del dl_manager  # nothing is downloaded
        return {
            split: self._generate_examples(*columns) for split, columns in digit_arrays().items()
        }

    def _generate_examples(
        self, rows: Array, images: Array, labels: Array
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        for row, image, label in zip(rows, images, labels, strict=True):
            yield int(row), {"image": image, "label": int(label)}
