"""The error for files that are whole and still not read."""


class RefusedFileError(ValueError):
    """A file is refused for a reason other than damage, which the message gives."""
