"""The version, on its own so that results can name it without loading the whole package."""

__version__ = "0.1.0"
