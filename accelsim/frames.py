"""polars, for rows of sweeps and frames of results: a third of all packages, so an extra."""

from accelsim.errors import MissingToolError

try:
    import polars
except ModuleNotFoundError:
    raise MissingToolError(
        "polars is missing; the extra sweep brings it: pip install '.[sweep]'"
    ) from None

__all__ = ["polars"]
