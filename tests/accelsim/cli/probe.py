"""A small network of many operators, as a user writes it."""

PROBE = """
name = "probe"
input = [3, 17, 19]
[[layer]]
name = "stem"
op = "conv2d"
out_channels = 5
kernel = [3, 3]
stride = [2, 1]
padding = [1, 1, 0, 2]
dilation = [1, 2]
activation = "relu6"
[[layer]]
name = "mix"
op = "depthwise"
kernel = [3, 3]
[[layer]]
name = "sum"
op = "add"
inputs = ["stem", "mix"]
[[layer]]
name = "fc"
op = "linear"
out_features = 7
flatten = true
bias = true
"""
