"""Engines: what executes passes. Each has its limits, golden model, schedule and simulation."""
