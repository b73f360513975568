"""Schedules in the terms of high-level synthesis: loop nests, latency, reports, execution."""
