"""Operators: one file each, listed here."""

from accelsim.ops.activation import Activation
from accelsim.ops.adaptive_pool import AdaptivePool
from accelsim.ops.add import Add
from accelsim.ops.batch_norm import BatchNorm
from accelsim.ops.channel_shuffle import ChannelShuffle
from accelsim.ops.concat import Concat
from accelsim.ops.conv2d import Conv2d
from accelsim.ops.conv_transpose2d import ConvTranspose2d
from accelsim.ops.crop import Crop
from accelsim.ops.ddc_context import DdcContext
from accelsim.ops.depthwise import Depthwise
from accelsim.ops.dynamic_depthwise import DynamicDepthwise
from accelsim.ops.global_pool import GlobalPool
from accelsim.ops.global_response_norm import GlobalResponseNorm
from accelsim.ops.layer_norm import LayerNorm
from accelsim.ops.linear import Linear
from accelsim.ops.matmul import Matmul
from accelsim.ops.modulate import Modulate
from accelsim.ops.multiply import Multiply
from accelsim.ops.pad_channels import PadChannels
from accelsim.ops.papers.fuse_pair import FusePair
from accelsim.ops.papers.inception_depthwise import InceptionDepthwise
from accelsim.ops.papers.mix_conv import MixConv
from accelsim.ops.papers.parallel_depthwise import ParallelDepthwise
from accelsim.ops.papers.xsep_conv import XSepConv
from accelsim.ops.pixel_shuffle import PixelShuffle
from accelsim.ops.pointwise import Pointwise
from accelsim.ops.pool import Pool
from accelsim.ops.position_embedding import PositionEmbedding
from accelsim.ops.region_conv import RegionConv
from accelsim.ops.reshape import Reshape
from accelsim.ops.resize import Resize
from accelsim.ops.scale import Scale
from accelsim.ops.slice import Slice
from accelsim.ops.softmax import Softmax
from accelsim.ops.squeeze_excite import SqueezeExcite
from accelsim.ops.ssh_context import SshContext
from accelsim.ops.subtract import Subtract
from accelsim.ops.tokens import Tokens

# What a layer of a network can be.
OPS = (
    Conv2d,
    ConvTranspose2d,
    Depthwise,
    DynamicDepthwise,
    Pointwise,
    Linear,
    Matmul,
    RegionConv,
    Pool,
    GlobalPool,
    AdaptivePool,
    Add,
    Subtract,
    Multiply,
    Modulate,
    Concat,
    PadChannels,
    Slice,
    ChannelShuffle,
    PixelShuffle,
    Resize,
    Reshape,
    Crop,
    Tokens,
    PositionEmbedding,
    Scale,
    BatchNorm,
    LayerNorm,
    GlobalResponseNorm,
    Softmax,
    Activation,
)

# What stands for one or several layers: expand(name, inputs, shape) gives them, the last of which
# has the name itself and is the result.
MACROS = (
    FusePair,
    XSepConv,
    MixConv,
    InceptionDepthwise,
    ParallelDepthwise,
    SqueezeExcite,
    SshContext,
    DdcContext,
)

__all__ = [
    "MACROS",
    "OPS",
    "Activation",
    "AdaptivePool",
    "Add",
    "BatchNorm",
    "ChannelShuffle",
    "Concat",
    "Conv2d",
    "ConvTranspose2d",
    "Crop",
    "DdcContext",
    "Depthwise",
    "DynamicDepthwise",
    "FusePair",
    "GlobalPool",
    "GlobalResponseNorm",
    "InceptionDepthwise",
    "LayerNorm",
    "Linear",
    "Matmul",
    "MixConv",
    "Modulate",
    "Multiply",
    "PadChannels",
    "ParallelDepthwise",
    "PixelShuffle",
    "Pointwise",
    "Pool",
    "PositionEmbedding",
    "RegionConv",
    "Reshape",
    "Resize",
    "Scale",
    "Slice",
    "Softmax",
    "SqueezeExcite",
    "SshContext",
    "Subtract",
    "Tokens",
    "XSepConv",
]
