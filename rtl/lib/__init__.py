"""Parts that the cores of several engines share."""
