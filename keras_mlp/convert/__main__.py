"""python -m keras_mlp.convert: published files as models that are ready to use."""

from collections.abc import Sequence

from keras_mlp.command_line import convert_options, end_with_error
from keras_mlp.convert.conversion import Source, convert


def main(arguments: Sequence[str] | None = None) -> None:
    """Converts a file and prints where, or ends the program with an error.

    Args:
        arguments: command-line arguments; None for those of the process.
    """
    options = convert_options(arguments)
    source = Source(
        options.source, options.architecture, options.variant, options.file, options.argument
    )
    try:
        path = convert(
            source, options.output, reference=options.reference, overwrite=options.overwrite
        )
    except (ValueError, OSError, RuntimeError) as error:
        end_with_error(error)
    print(path)


if __name__ == "__main__":
    main()
