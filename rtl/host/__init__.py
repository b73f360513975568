"""The host of a core: what it sends when, whatever simulates the core."""
