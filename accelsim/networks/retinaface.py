"""RetinaFace with MobileNetV1-0.25 (Deng et al., arXiv 1905.00641) as in Pytorch_Retinaface.

A backbone whose stages end at strides 8, 16 and 32, a feature pyramid of 64 channels, a context
module and three heads a level, two anchors a pixel. Variant ddc replaces the context modules by
depthwise dilated ones (arXiv 2104.14125).
"""

from dataclasses import replace

from accelsim.ir import Network
from accelsim.networks.builder import Builder, Size
from accelsim.networks.variants import apply, parse
from accelsim.ops import Add, DdcContext, Pointwise, Resize, SshContext

# out, stride; the last block of each level
BACKBONE = (
    (16, 1),
    (32, 2),
    (32, 1),
    (64, 2),
    (64, 1),
    (128, 2),
    *[(128, 1)] * 5,
    (256, 2),
    (256, 1),
)
LEVELS = ("b5.project", "b11.project", "b13.project")
WIDTH = 64  # of the pyramid
ANCHORS = 2
HEADS = (("class", 2), ("box", 4), ("landmark", 10))  # outputs an anchor


def retinaface_mnet025(variant: str = "baseline", input: Size = (640, 640)) -> Network:
    """RetinaFace, MobileNetV1 at width 0.25; its results are the nine heads."""
    ddc = parse(variant).name == "ddc"
    b = Builder("retinaface_mnet025", input)
    b.conv("stem", 8, 3, 2, "leaky_relu")
    for n, (out, stride) in enumerate(BACKBONE, 1):
        b.depthwise(f"b{n}.dw", 3, stride, "leaky_relu")
        b.pointwise(f"b{n}.project", out, "leaky_relu")
    _pyramid(b)
    for level in (1, 2, 3):
        b.last = f"fpn{level}.merge" if level < 3 else "fpn3.lateral"
        context = DdcContext(WIDTH, norm=True) if ddc else SshContext(WIDTH, norm=True)
        b.expand(f"context{level}", context)
        for head, outputs in HEADS:
            op = Pointwise(ANCHORS * outputs)
            b.add(f"head{level}.{head}", op, f"context{level}", bias=True)
    network = b.network()
    return replace(network, variant=variant) if ddc else apply(network, variant)


def _pyramid(b: Builder) -> None:
    """Each level and what comes from the coarser one, enlarged to its size."""
    for level, source in enumerate(LEVELS, 1):
        b.last = source
        b.pointwise(f"fpn{level}.lateral", WIDTH, "leaky_relu")
    for level in (2, 1):
        size = b.shape(f"fpn{level}.lateral")[1:]
        b.add(f"fpn{level}.up", Resize(size))
        b.add(f"fpn{level}.add", Add(), f"fpn{level}.lateral", b.last)
        b.conv(f"fpn{level}.merge", WIDTH, 3, 1, "leaky_relu")
