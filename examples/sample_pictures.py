"""A small folder of pictures with classes, to try a program that wants one.

python -m examples.sample_pictures --output pictures
    pictures/flower/00.jpg  pictures/portrait/00.jpg  pictures/temple/00.jpg  ...

It cuts three photographs that scikit-learn and matplotlib ship into squares that do not overlap,
40 of each. A model has to tell what a square was cut from.
"""

import argparse
import pathlib
from collections.abc import Iterator, Sequence

import matplotlib
import sklearn.datasets
from PIL import Image

SIDE = 80  # of a square, in pixels
COUNT = 40  # squares of each photograph


def photographs() -> dict[str, Image.Image]:
    """The photographs, by the name of their class."""
    sample_data = pathlib.Path(matplotlib.get_data_path()) / "sample_data"
    with Image.open(sample_data / "grace_hopper.jpg") as file:
        portrait = file.convert("RGB")
    return {
        "flower": Image.fromarray(sklearn.datasets.load_sample_image("flower.jpg")),
        "portrait": portrait,
        "temple": Image.fromarray(sklearn.datasets.load_sample_image("china.jpg")),
    }


def squares(photograph: Image.Image) -> Iterator[Image.Image]:
    """The squares of a photograph, row by row."""
    width, height = photograph.size
    for top in range(0, height - SIDE + 1, SIDE):
        for left in range(0, width - SIDE + 1, SIDE):
            yield photograph.crop((left, top, left + SIDE, top + SIDE))


def write_pictures(folder: pathlib.Path) -> dict[str, int]:
    """Writes `folder/CLASS/*.jpg`; returns the number of pictures of each class."""
    counts = {}
    for name, photograph in photographs().items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        chosen = list(squares(photograph))[:COUNT]
        for number, square in enumerate(chosen):
            square.save(folder / name / f"{number:02}.jpg", quality=95)
        counts[name] = len(chosen)
    return counts


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes the folder and says how many pictures of each class it holds."""
    parser = argparse.ArgumentParser(prog="python -m examples.sample_pictures")
    parser.add_argument("--output", type=pathlib.Path, required=True, help="folder to write")
    options = parser.parse_args(arguments)
    counts = write_pictures(options.output)
    print(f"{options.output}: " + ", ".join(f"{count} {name}" for name, count in counts.items()))


if __name__ == "__main__":
    main()
