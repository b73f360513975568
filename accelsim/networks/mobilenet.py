"""MobileNetV1 (Howard et al., arXiv 1704.04861) and V2 (Sandler et al., arXiv 1801.04381)."""

from accelsim.ir import Network
from accelsim.networks.builder import Bottleneck, Builder, Size, inverted_residual
from accelsim.networks.variants import Rules, apply

# out, stride
V1 = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (1024, 2),
    (1024, 1),
)
V1_RULES = Rules(half=tuple(f"b{n}.dw" for n in range(1, 6)))

# t (expansion), c (out), n (repeats), s (stride of the first)
V2 = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
# FuSeConv's authors keep an expansion that is never executed in the t = 1 block: 32 x 32 weights
# and its batch norm.
V2_RULES = Rules(half=tuple(f"b{n}.dw" for n in range(2, 11)), unused=(("b1.dw", 1088),))


def mobilenet_v1(variant: str = "baseline", input: Size = (224, 224)) -> Network:
    """MobileNetV1, width 1."""
    b = Builder("mobilenet_v1", input)
    b.conv("stem", 32, 3, 2, "relu")
    for n, (out, stride) in enumerate(V1, 1):
        b.depthwise(f"b{n}.dw", 3, stride, "relu")
        b.pointwise(f"b{n}.project", out, "relu")
    b.classifier()
    return apply(b.network(), variant, V1_RULES)


def mobilenet_v2(variant: str = "baseline", input: Size = (224, 224)) -> Network:
    """MobileNetV2, width 1."""
    b = Builder("mobilenet_v2", input)
    b.conv("stem", 32, 3, 2, "relu6")
    strides = [(t, c, s if i == 0 else 1) for t, c, n, s in V2 for i in range(n)]
    for n, (t, c, stride) in enumerate(strides, 1):
        row = Bottleneck(3, t * b.channels, c, stride, "relu6")
        inverted_residual(b, f"b{n}", row)
    b.pointwise("head", 1280, "relu6")
    b.classifier()
    return apply(b.network(), variant, V2_RULES)
