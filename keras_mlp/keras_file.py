"""Reading a `.keras` file that a user names."""

import pathlib
import zipfile

import keras

from keras_mlp.errors import first_line


def load_keras_file(file: pathlib.Path) -> keras.Model:
    """Returns the model of a `.keras` file, without its optimizer; ValueError if it is damaged."""
    try:
        return keras.models.load_model(file, compile=False)
    except Exception as error:  # damaged bytes raise whatever they happen to break
        raise ValueError(
            f"{file} cannot be loaded; it may be damaged: {fault_of(file, error)}"
        ) from error


def fault_of(file: pathlib.Path, error: Exception) -> str:
    """What is wrong with a `.keras` file that Keras did not load, in one line.

    Keras says of a file that is cut off that it was not found.
    """
    if file.is_file() and not zipfile.is_zipfile(file):
        return "it is not a .keras archive, or it is cut off."
    return first_line(error)
