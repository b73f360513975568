"""The post-processing unit in hardware: what follows the sums of a layer, P values in every clock.

A word is P neighbouring pixels of one channel, so what belongs to a channel is common to its lanes
and comes with the word; what belongs to a layer is set before its first word.
"""
