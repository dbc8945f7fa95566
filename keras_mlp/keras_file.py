"""Reading a `.keras` file that a user names."""

import pathlib
import zipfile

import keras

from keras_mlp.errors import first_line
from keras_mlp.models import VisionModel


def load_keras_file(file: pathlib.Path, name: str | None = None) -> keras.Model:
    """Returns the model of a `.keras` file, without its optimizer.

    Args:
        file: its path.
        name: what an error calls it, such as "`--source` model.keras"; None for its path.

    Raises:
        ValueError: it is damaged, or holds code, which Keras does not run.
    """
    try:
        return keras.models.load_model(file, compile=False, safe_mode=True)
    except Exception as error:  # damaged bytes raise whatever they happen to break
        # An error that says what to do in safe mode is about code in the file.
        damaged = "" if "safe_mode" in str(error) else "; it may be damaged"
        raise ValueError(
            f"{name or file} cannot be loaded{damaged}: {_fault_of(file, error)}"
        ) from error


def load_vision_model(file: pathlib.Path, name: str | None = None) -> VisionModel:
    """As `load_keras_file`; raises ValueError too if the file holds another kind of model."""
    model = load_keras_file(file, name)
    if not isinstance(model, VisionModel):
        kind = type(model).__name__
        raise ValueError(f"{name or file} holds a {kind}, not a model of keras_mlp.")
    return model


def _fault_of(file: pathlib.Path, error: Exception) -> str:
    """What is wrong, in one line. Keras says of a file that is cut off that it was not found."""
    if file.is_file() and not zipfile.is_zipfile(file):
        return "it is not a .keras archive, or it is cut off."
    return first_line(error)
