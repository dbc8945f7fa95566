"""python -m keras_mlp.export: a trained model as a SavedModel."""

from collections.abc import Sequence

from keras_mlp.command_line import end_with_error, export_options
from keras_mlp.deploy import deploy
from keras_mlp.export.saved_model import export_saved_model
from keras_mlp.keras_file import load_keras_file


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes a SavedModel and prints where, or ends the program with an error.

    Args:
        arguments: command-line arguments; None for those of the process.
    """
    options = export_options(arguments)
    try:
        model = load_keras_file(options.file)
        path = export_saved_model(
            deploy(model) if options.deployed else model,
            options.output,
            output=options.returns,
            features=options.features,
            class_names=options.class_names,
            resize=options.resize,
            overwrite=options.overwrite,
        )
    except (ValueError, OSError, RuntimeError) as error:
        end_with_error(error)
    print(path)


if __name__ == "__main__":
    main()
