"""GoogLeNet (Szegedy et al., arXiv 1409.4842) as in torchvision, without auxiliary classifiers.

Every convolution has a batch norm and no bias, pools round sizes up (ceil_mode), and the branch
that the paper has at 5x5 is 3x3, as in torchvision's weights.
"""

from accelsim.ir import Network
from accelsim.networks.builder import Builder, Size
from accelsim.networks.variants import apply
from accelsim.ops import Concat, Pool

# 1x1; 1x1, 3x3; 1x1, 3x3; 1x1 after the pool
ROWS = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
POOLS = {"4a": 3, "5a": 2}  # kernels of the pools before blocks, at stride 2


def googlenet(variant: str = "baseline", input: Size = (224, 224)) -> Network:
    """GoogLeNet, torchvision's."""
    b = Builder("googlenet", input)
    b.conv("stem", 64, 7, 2, "relu")
    _pool(b, "pool1", 3)
    b.conv("conv2", 64, 1, 1, "relu")
    b.conv("conv3", 192, 3, 1, "relu")
    _pool(b, "pool2", 3)
    for block, row in ROWS.items():
        if block in POOLS:
            _pool(b, f"pool{int(block[0]) - 1}", POOLS[block])
        _inception(b, f"b{block}", row)
    b.classifier()
    return apply(b.network(), variant)


def _pool(b: Builder, name: str, kernel: int) -> None:
    b.add(name, Pool("max", (kernel, kernel), (2, 2), ceil_mode=True))


def _inception(b: Builder, block: str, row: tuple[int, int, int, int, int, int]) -> None:
    """Four branches on one map, behind one another along the channels."""
    start = b.last
    single, reduce3, three, reduce5, five, projected = row
    b.conv(f"{block}.1x1", single, 1, 1, "relu", start)
    b.conv(f"{block}.3x3_reduce", reduce3, 1, 1, "relu", start)
    b.conv(f"{block}.3x3", three, 3, 1, "relu")
    b.conv(f"{block}.5x5_reduce", reduce5, 1, 1, "relu", start)
    b.conv(f"{block}.5x5", five, 3, 1, "relu")
    b.add(f"{block}.pool", Pool("max", (3, 3), (1, 1), 1, ceil_mode=True), start)
    b.conv(f"{block}.project", projected, 1, 1, "relu")
    ends = (f"{block}.{end}" for end in ("1x1", "3x3", "5x5", "project"))
    b.add(f"{block}.concat", Concat(), *ends)
