"""MnasNet-B1 (Tan et al., arXiv 1807.11626) as in torchvision's mnasnet1_0."""

from accelsim.ir import Network
from accelsim.networks.builder import Bottleneck, Builder, Size, inverted_residual
from accelsim.networks.variants import Rules, apply

# t (expansion), c (out), n (repeats), s (stride of the first), k (kernel)
B1 = (
    (3, 24, 3, 2, 3),
    (3, 40, 3, 2, 5),
    (6, 80, 3, 2, 5),
    (6, 96, 2, 1, 3),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)
RULES = Rules(half=tuple(f"b{n}.dw" for n in range(2, 11)))


def mnasnet_b1(variant: str = "baseline", input: Size = (224, 224)) -> Network:
    """MnasNet-B1, width 1; b1 is its separable convolution."""
    b = Builder("mnasnet_b1", input)
    b.conv("stem", 32, 3, 2, "relu")
    b.depthwise("b1.dw", 3, 1, "relu")
    b.pointwise("b1.project", 16)
    strides = [(t, c, s if i == 0 else 1, k) for t, c, n, s, k in B1 for i in range(n)]
    for n, (t, c, stride, kernel) in enumerate(strides, 2):
        inverted_residual(b, f"b{n}", Bottleneck(kernel, t * b.channels, c, stride, "relu"))
    b.pointwise("head", 1280, "relu")
    b.classifier()
    return apply(b.network(), variant, RULES)
