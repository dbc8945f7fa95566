"""Reading a `.keras` file that a user names."""

import pathlib

import keras

from keras_mlp.errors import first_line


def load_keras_file(file: pathlib.Path) -> keras.Model:
    """Returns the model of a `.keras` file, without its optimizer; ValueError if it is damaged."""
    try:
        return keras.models.load_model(file, compile=False)
    except Exception as error:  # damaged bytes raise whatever they happen to break
        raise ValueError(
            f"{file} cannot be loaded; it may be damaged: {first_line(error)}"
        ) from error
