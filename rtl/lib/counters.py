"""Widths of what all cores count."""

COUNTER_BITS = 48  # clocks of a sequence
TOTAL_BITS = 32  # passes that a core has read, started and retired
