"""The model of accelsim.reuse under the name that scripts of sweeps know it by."""

from accelsim.reuse import Moved, moved

__all__ = ["Moved", "moved"]
