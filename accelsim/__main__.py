"""The command line as a process, for `accelsim` and `python -m accelsim`.

An interrupt (Ctrl-C) ends it with status 130 and no traceback, also while modules are imported.
"""

import os

try:
    import signal
    import sys

    from accelsim.errors import INTERRUPTED
except KeyboardInterrupt:  # before it can be handled otherwise
    os._exit(130)

TYPE_CHECKING = False  # as type checkers know it, without the module, which takes a while
if TYPE_CHECKING:
    from typing import Any


def main() -> None:
    """Run the command line; the first interrupt lets it tidy up, a second one does not wait."""
    signal.signal(signal.SIGINT, _interrupt)
    sys.unraisablehook = _unraisable
    try:
        from accelsim.cli import main as run

        run()
    except KeyboardInterrupt:
        _end()
    except SystemExit as end:
        if end.code == INTERRUPTED:
            _end()
        raise


def _interrupt(*_: object) -> None:
    signal.signal(signal.SIGINT, _end)
    import warnings

    warnings.simplefilter("ignore")  # of what is left half made
    raise KeyboardInterrupt


def _unraisable(what: "Any") -> None:
    """End where an interrupt fell into a finaliser, which would print it and go on."""
    if issubclass(what.exc_type, KeyboardInterrupt):
        _end()
    sys.__unraisablehook__(what)


def _end(*_: object) -> None:
    """End at once: what would be told at exit is of no use to who has stopped the program."""
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
