"""The version, which files of every kind record."""

__version__ = "0.1.0"
