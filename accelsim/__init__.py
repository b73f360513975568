"""Simulates embedded neural-network accelerators and checks every cycle against their hardware."""

__version__ = "0.1.0"
