"""EfficientNet-B0 (Tan and Le, arXiv 1905.11946) as in torchvision."""

from accelsim.ir import Network
from accelsim.networks.builder import Bottleneck, Builder, Size, inverted_residual
from accelsim.networks.variants import apply
from accelsim.ops import SqueezeExcite

# t (expansion), k (kernel), s (stride of the first), c (out), n (repeats)
B0 = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)


def efficientnet_b0(variant: str = "baseline", input: Size = (224, 224)) -> Network:
    """EfficientNet-B0; its squeeze-excite reduces to a quarter of the block's input."""
    b = Builder("efficientnet_b0", input)
    b.conv("stem", 32, 3, 2, "silu")
    strides = [(t, k, s if i == 0 else 1, c) for t, k, s, c, n in B0 for i in range(n)]
    for n, (t, kernel, stride, c) in enumerate(strides, 1):
        squeeze = SqueezeExcite(b.channels // 4, "silu", "sigmoid")
        row = Bottleneck(kernel, t * b.channels, c, stride, "silu", squeeze)
        inverted_residual(b, f"b{n}", row)
    b.pointwise("head", 1280, "silu")
    b.classifier()
    return apply(b.network(), variant)
