"""What can go wrong, as one tree.

AccelsimError                a user's mistake: one sentence, exit status 2
|- ShapeError                shapes that do not fit (kernel larger than padded input, ...)
|- UnsupportedError          a layer that the chosen hardware or timing model cannot run
|- HardwareError             an impossible size or option of an engine
|- NetworkError              an unknown network, variant or layer
|- SelectionError            a column or condition that a table of designs does not have
|- FileError                 an unreadable or wrong file; names file, line and key
`- MissingToolError          an extra or a simulator that is not installed

AccelsimWarning              what a user may not expect, while the answer is right
"""

import warnings

INTERRUPTED = 130  # the exit status after Ctrl-C, as shells count it


class AccelsimError(Exception):
    """A user's mistake, said in one sentence that names the value and what is allowed."""


class ShapeError(AccelsimError):
    """Shapes that do not fit together."""


class UnsupportedError(AccelsimError):
    """Work that the chosen engine, dataflow or timing model cannot do."""


class HardwareError(AccelsimError):
    """A size or option that no hardware can have."""


class NetworkError(AccelsimError):
    """A network, variant or layer that does not exist."""


class SelectionError(AccelsimError):
    """A column, objective or condition that a table of designs does not have."""


class FileError(AccelsimError):
    """A file that cannot be read or says something wrong."""


class MissingToolError(AccelsimError):
    """An optional package or simulator that is not installed."""


class AccelsimWarning(UserWarning):
    """What a user may not expect, said in one sentence; the answer is right."""


def warn(sentence: str) -> None:
    """Issue an AccelsimWarning; the command line prints it on standard error."""
    warnings.warn(sentence, AccelsimWarning, stacklevel=3)
