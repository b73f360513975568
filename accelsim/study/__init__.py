"""Questions that take several simulations to answer: a file for each, and no output of its own."""
