"""Single-Path NAS for Pixel 1 (Stamoulis et al., arXiv 1904.02877) as in timm."""

from accelsim.ir import Network
from accelsim.networks.builder import Bottleneck, Builder, Size, inverted_residual
from accelsim.networks.variants import apply

# n (repeats), k (kernel), s (stride of the first), t (expansion), c (out)
ROWS = (
    (1, 3, 1, 1, 16),
    (3, 3, 2, 3, 24),
    (1, 5, 2, 6, 40),
    (3, 3, 1, 3, 40),
    (1, 5, 2, 6, 80),
    (3, 3, 1, 3, 80),
    (1, 5, 1, 6, 96),
    (3, 5, 1, 3, 96),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


def single_path_nas(variant: str = "baseline", input: Size = (224, 224)) -> Network:
    """Single-Path NAS: the depthwise convolutions that its super-kernels became."""
    b = Builder("single_path_nas", input)
    b.conv("stem", 32, 3, 2, "relu")
    strides = [(k, s if i == 0 else 1, t, c) for n, k, s, t, c in ROWS for i in range(n)]
    for n, (kernel, stride, t, c) in enumerate(strides, 1):
        inverted_residual(b, f"b{n}", Bottleneck(kernel, t * b.channels, c, stride, "relu"))
    b.pointwise("head", 1280, "relu")
    b.classifier()
    return apply(b.network(), variant)
