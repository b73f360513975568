"""ShuffleNetV2 (Ma et al., arXiv 1807.11164) as in torchvision."""

from accelsim.ir import Network
from accelsim.networks.builder import Builder, Size
from accelsim.networks.variants import apply
from accelsim.ops import ChannelShuffle, Concat, Pointwise, Pool, Slice

REPEATS = (4, 8, 4)  # units of a stage; the first has stride 2


def shufflenet_v2_x0_5(variant: str = "baseline", input: Size = (224, 224)) -> Network:
    """ShuffleNetV2, width 0.5."""
    return apply(_shufflenet("shufflenet_v2_x0_5", input, (48, 96, 192)), variant)


def shufflenet_v2_x1_0(variant: str = "baseline", input: Size = (224, 224)) -> Network:
    """ShuffleNetV2, width 1."""
    return apply(_shufflenet("shufflenet_v2_x1_0", input, (116, 232, 464)), variant)


def _shufflenet(name: str, size: Size, widths: tuple[int, int, int]) -> Network:
    b = Builder(name, size)
    b.conv("stem", 24, 3, 2, "relu")
    b.add("maxpool", Pool("max", (3, 3), (2, 2), 1))
    stages = zip(widths, REPEATS, strict=True)
    units = [(out, 1 if i else 2) for out, count in stages for i in range(count)]
    for n, (out, stride) in enumerate(units, 1):
        _unit(b, f"b{n}", out, stride)
    b.pointwise("head", 1024, "relu")
    b.classifier()
    return b.network()


def _unit(b: Builder, unit: str, out: int, stride: int) -> None:
    """Half of the channels stay as they are, or are made of all of them where the map shrinks."""
    start, half = b.last, out // 2
    left, right = f"{unit}.left", f"{unit}.right"
    if stride == 1:
        b.add(left, Slice((0, half)), start)
        b.add(right, Slice((half, out)), start)
    else:
        b.depthwise(f"{unit}.left_dw", 3, stride, "none")
        b.pointwise(left, half, "relu")
        right = start
    b.add(f"{unit}.expand", Pointwise(half), right, norm=True, activation="relu")
    b.depthwise(f"{unit}.dw", 3, stride, "none")
    b.pointwise(f"{unit}.project", half, "relu")
    b.add(f"{unit}.concat", Concat(), left, b.last)
    b.add(f"{unit}.shuffle", ChannelShuffle(2))
