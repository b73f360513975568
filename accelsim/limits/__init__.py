"""What the passes of an engine may be: a file for each engine, for all levels and the host."""
