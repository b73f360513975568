"""Expected values: parameter counts of torchvision and timm, the FuSeConv paper, the tables.

Networks of large kernels have a file of their own, test_large_kernels.
"""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

import accelsim as ax
from accelsim import networks
from accelsim.errors import NetworkError
from accelsim.graph.evaluate import walk
from accelsim.ir import INPUT, Layer, Network
from accelsim.networks import fuse
from accelsim.networks.builder import Builder, make_divisible
from accelsim.networks.variants import apply, parse
from accelsim.ops import (
    Add,
    Concat,
    Conv2d,
    Depthwise,
    GlobalPool,
    Linear,
    MixConv,
    Multiply,
    Pointwise,
    Scale,
)
from accelsim.quantised import with_values
from tests.naive import operators as naive

ARRAY = ax.Hardware(ax.SystolicArray(32, 32))
NAMES = [definition.__name__ for definition in networks.NETWORKS]
LARGE_KERNELS = ("convnext", "inception_next", "replknet", "slak")
# Of these a doubled depthwise layer would meet a map that stays: in a concatenation or a sum.
MEETING = ("ghostnet", "mobileone_s0")
# Whose maps all but the pairs stay: not where a layer norm or a large kernel's branches follow.
WITH_DEPTHWISE = [
    name
    for name in NAMES
    if not name.startswith(LARGE_KERNELS)
    and name not in MEETING
    and any(isinstance(layer.op, Depthwise) for layer in networks.get(name).layers)
]

# torchvision's documented num_params; MobileNetV1 and the authors' MobileNetV3 from FuSeConv;
# MixNet, Single-Path NAS, GhostNet (ghostnet_100), MobileNetV4 (mobilenetv4_conv_small), RepVGG and
# MobileOne (both trained, then folded by timm) as counted in timm; RetinaFace
# as counted in Pytorch_Retinaface; BERT's encoder as 12 of PyTorch's TransformerEncoderLayer;
# U-Net's of its layers built in PyTorch; those of CIFAR-10 of layers built in PyTorch too, after
# base_model/cfqk.py of ACNet, src/model.py of LearnableHeterogeneousConvolution, and option A.
PARAMS = [
    ("mobilenet_v1", 4_231_976),
    ("mobilenet_v2", 3_504_872),
    ("mnasnet_b1", 4_383_312),
    ("mobilenet_v3_small", 2_542_856),
    ("mobilenet_v3_large", 5_483_032),
    ("mobilenet_v3_large_fuseconv", 5_476_416),
    ("resnet18", 11_689_512),
    ("resnet50", 25_557_032),
    ("resnet101", 44_549_160),
    ("shufflenet_v2_x0_5", 1_366_792),
    ("shufflenet_v2_x1_0", 2_278_604),
    ("efficientnet_b0", 5_288_548),
    ("mixnet_s", 4_134_606),
    ("mixnet_m", 5_014_382),
    ("mixnet_l", 7_329_252),
    ("single_path_nas", 4_421_616),
    ("retinaface_mnet025", 426_608),
    ("googlenet", 6_624_904),
    ("repvgg_a0", 9_108_968),
    ("repvgg_a0_deploy", 8_309_384),
    ("mobileone_s0", 5_293_272),
    ("mobileone_s0_deploy", 2_078_504),
    ("ghostnet", 5_182_508),
    ("mobilenet_v4_conv_small", 3_774_024),
    ("bert_base", 85_054_464),
    ("vit_b_16", 86_567_656),
    ("unet", 31_037_698),
    ("cifar_quick", 117_034),
    ("vgg16_cifar", 14_719_818),
    ("resnet20", 269_722),
]

# Multiply-accumulates of convolutions and fully connected layers, products of two maps included: by
# PyTorch's FlopCounterMode on torchvision's, timm's and PyTorch's own modules, and on those of
# CIFAR-10.
MACS = [
    ("mobilenet_v2", (224, 224), 300_774_272),
    ("mnasnet_b1", (224, 224), 314_415_872),
    ("mobilenet_v3_small", (224, 224), 56_510_400),
    ("mobilenet_v3_small", (96, 160), 18_737_216),
    ("mobilenet_v3_large", (224, 224), 216_589_760),
    ("resnet18", (224, 224), 1_814_073_344),
    ("resnet50", (224, 224), 4_089_184_256),
    ("efficientnet_b0", (224, 224), 385_814_752),
    ("mixnet_s", (224, 224), 239_173_360),
    ("mixnet_m", (224, 224), 339_172_672),
    ("mixnet_l", (224, 224), 555_251_792),
    ("mixnet_l", (96, 160), 172_342_704),
    ("single_path_nas", (224, 224), 333_467_072),
    ("cifar_quick", (32, 32), 10_763_904),
    ("vgg16_cifar", (32, 32), 313_201_664),
    ("vgg16_cifar", (96, 160), 4_697_953_280),
    ("resnet20", (32, 32), 40_551_040),
    ("resnet20", (96, 160), 608_256_640),
    ("googlenet", (224, 224), 1_498_376_192),
    ("googlenet", (225, 191), 1_285_371_904),
    ("resnet101", (224, 224), 7_801_405_440),
    ("resnet101", (96, 160), 2_389_606_400),
    ("shufflenet_v2_x0_5", (224, 224), 40_476_448),
    ("shufflenet_v2_x0_5", (96, 160), 13_101_280),
    ("shufflenet_v2_x1_0", (224, 224), 144_907_992),
    ("ghostnet", (224, 224), 141_150_512),
    ("ghostnet", (96, 160), 45_990_224),
    ("mobilenet_v4_conv_small", (224, 224), 186_005_568),
    ("mobilenet_v4_conv_small", (96, 160), 58_681_280),
    ("repvgg_a0", (224, 224), 1_512_581_120),
    ("repvgg_a0_deploy", (224, 224), 1_361_451_008),
    ("mobileone_s0", (224, 224), 1_051_935_232),
    ("mobileone_s0", (96, 160), 322_731_520),
    ("mobileone_s0_deploy", (224, 224), 275_110_400),
    ("mobileone_s0_deploy", (96, 160), 84_928_000),
    ("bert_base", (128, 1), 11_173_625_856),
    ("vit_b_16", (224, 224), 17_563_828_224),
    ("vit_b_16", (96, 160), 5_285_756_928),
    ("unet", (448, 448), 147_525_468_160),
]

# FuSeConv's table I: exact parameters of the authors' code and true MACs, in units of 10,000.
FUSECONV = [
    ("mobilenet_v1", "baseline", 56874, 4_231_976),
    ("mobilenet_v1", "fuse_full", 110244, 7_366_600),
    ("mobilenet_v1", "fuse_half", 55715, 4_202_216),
    ("mobilenet_v2", "baseline", 30077, 3_504_872),
    ("mobilenet_v2", "fuse_full", 41198, 4_462_024),
    ("mobilenet_v2", "fuse_half", 28696, 3_463_144),
    ("mobilenet_v3_large_fuseconv", "baseline", 21980, 5_476_416),
    ("mobilenet_v3_large_fuseconv", "fuse_full", 29722, 10_577_064),
    ("mobilenet_v3_large_fuseconv", "fuse_half", 20630, 5_405_664),
]

# Whose usual images are no 224 x 224.
USUAL = {
    "retinaface_mnet025": (640, 640),
    "unet": (448, 448),
    **dict.fromkeys(("cifar_quick", "vgg16_cifar", "resnet20"), (32, 32)),
}

# Channels and side of the map at its usual size, as the papers' tables have them.
SHAPES = {
    "cifar_quick": [("conv1", 32, 32), ("pool1", 32, 15), ("conv2", 32, 15), ("pool2", 32, 7),
                    ("conv3", 64, 7), ("pool3", 64, 3), ("fc1", 64, 1)],
    "vgg16_cifar": [("b1.conv2", 64, 32), ("pool1", 64, 16), ("b2.conv2", 128, 16),
                    ("b3.conv3", 256, 8), ("b4.conv3", 512, 4), ("b5.conv3", 512, 2),
                    ("pool5", 512, 1)],
    "resnet20": [("stem", 16, 32), ("b3.add", 16, 32), ("b4.pixels", 16, 16), ("b4.down", 32, 16),
                 ("b6.add", 32, 16), ("b7.down", 64, 8), ("b9.add", 64, 8)],
    "mobilenet_v1": [("stem", 32, 112), ("b1.project", 64, 112), ("b5.project", 256, 28),
                     ("b6.dw", 256, 14), ("b11.project", 512, 14), ("b13.project", 1024, 7)],
    "mobilenet_v2": [("b1.project", 16, 112), ("b2.expand", 96, 112), ("b3.add", 24, 56),
                     ("b6.add", 32, 28), ("b10.add", 64, 14), ("b13.add", 96, 14),
                     ("b16.add", 160, 7), ("b17.project", 320, 7), ("head", 1280, 7)],
    "mnasnet_b1": [("b1.project", 16, 112), ("b4.add", 24, 56), ("b7.add", 40, 28),
                   ("b10.add", 80, 14), ("b12.add", 96, 14), ("b16.add", 192, 7),
                   ("b17.project", 320, 7), ("head", 1280, 7)],
    "mobilenet_v3_small": [("stem", 16, 112), ("b1.project", 16, 56), ("b3.add", 24, 28),
                           ("b6.add", 40, 14), ("b8.add", 48, 14), ("b11.add", 96, 7),
                           ("head", 576, 7), ("head2", 1024, 1)],
    "mobilenet_v3_large": [("b1.add", 16, 112), ("b3.add", 24, 56), ("b6.add", 40, 28),
                           ("b10.add", 80, 14), ("b12.add", 112, 14), ("b15.add", 160, 7),
                           ("b4.se1", 24, 1), ("b11.se1", 120, 1), ("b13.se1", 168, 1),
                           ("head", 960, 7), ("head2", 1280, 1)],
    "mobilenet_v3_small_fuseconv": [("b1.expand", 16, 112), ("b1.se1", 4, 1), ("b7.se1", 30, 1),
                                    ("head", 576, 7), ("head2", 1280, 1)],
    "mobilenet_v3_large_fuseconv": [("b1.expand", 16, 112), ("b4.se1", 18, 1), ("b4.se2", 72, 1),
                                    ("head", 960, 7), ("head2", 1280, 1)],
    "resnet18": [("stem", 64, 112), ("maxpool", 64, 56), ("b2.add", 64, 56), ("b3.down", 128, 28),
                 ("b6.add", 256, 14), ("b8.add", 512, 7)],
    "resnet50": [("maxpool", 64, 56), ("b1.down", 256, 56), ("b4.conv1", 128, 56),
                 ("b4.conv2", 128, 28), ("b7.add", 512, 28), ("b13.add", 1024, 14),
                 ("b16.add", 2048, 7)],
    "resnet101": [("maxpool", 64, 56), ("b1.down", 256, 56), ("b4.conv2", 128, 28),
                  ("b7.add", 512, 28), ("b8.down", 1024, 14), ("b30.add", 1024, 14),
                  ("b31.conv1", 512, 14), ("b33.add", 2048, 7)],
    "shufflenet_v2_x0_5": [("stem", 24, 112), ("maxpool", 24, 56), ("b1.left", 24, 28),
                           ("b1.shuffle", 48, 28), ("b4.right", 24, 28), ("b5.left_dw", 48, 14),
                           ("b12.concat", 96, 14), ("b16.shuffle", 192, 7), ("head", 1024, 7)],
    "shufflenet_v2_x1_0": [("stem", 24, 112), ("maxpool", 24, 56), ("b1.left", 58, 28),
                           ("b1.expand", 58, 56), ("b1.shuffle", 116, 28), ("b4.shuffle", 116, 28),
                           ("b5.left_dw", 116, 14), ("b12.right", 116, 14), ("b12.concat", 232, 14),
                           ("b13.shuffle", 464, 7), ("b16.shuffle", 464, 7), ("head", 1024, 7)],
    "efficientnet_b0": [("b1.project", 16, 112), ("b1.se1", 8, 1), ("b2.se1", 4, 1),
                        ("b3.add", 24, 56), ("b5.add", 40, 28), ("b8.add", 80, 14),
                        ("b11.add", 112, 14), ("b15.add", 192, 7), ("b16.project", 320, 7),
                        ("head", 1280, 7)],
    "googlenet": [("stem", 64, 112), ("pool1", 64, 56), ("conv3", 192, 56), ("pool2", 192, 28),
                  ("b3a.concat", 256, 28), ("b3b.concat", 480, 28), ("pool3", 480, 14),
                  ("b4a.5x5", 48, 14), ("b4d.concat", 528, 14), ("b4e.pool", 528, 14),
                  ("pool4", 832, 7), ("b5a.concat", 832, 7), ("b5b.concat", 1024, 7)],
    "repvgg_a0": [("stem.1x1", 48, 112), ("b1", 48, 56), ("b2.identity", 48, 56), ("b6", 96, 28),
                  ("b7.3x3", 192, 14), ("b20.identity", 192, 14), ("b21", 1280, 7)],
    "repvgg_a0_deploy": [("stem", 48, 112), ("b2", 48, 56), ("b6", 96, 28), ("b20", 192, 14),
                         ("b21", 1280, 7)],
    "mobileone_s0": [("stem.1x1", 48, 112), ("b1.dw.1x1", 48, 56), ("b1.dw", 48, 56),
                     ("b2.dw.identity", 48, 56), ("b2.project.identity", 48, 56),
                     ("b3.project.conv4", 128, 28), ("b10.project", 128, 28), ("b11.dw", 128, 14),
                     ("b20.project", 256, 14), ("b21.dw.conv1", 256, 7), ("b21.project", 1024, 7)],
    "mobileone_s0_deploy": [("stem", 48, 112), ("b2.project", 48, 56), ("b10.dw", 128, 28),
                            ("b20.project", 256, 14), ("b21.dw", 256, 7), ("b21.project", 1024, 7)],
    "ghostnet": [("stem", 16, 112), ("b1.add", 16, 112), ("b2.ghost1.primary", 24, 112),
                 ("b2.ghost1", 48, 112), ("b2.dw", 48, 56), ("b2.down", 24, 56),
                 ("b4.se1", 20, 1), ("b4.se", 72, 28), ("b5.ghost2.cheap", 20, 28),
                 ("b6.add", 80, 14), ("b11.ghost1", 672, 14), ("b11.add", 112, 14),
                 ("b12.down_dw", 112, 7), ("b12.se1", 168, 1), ("b16.add", 160, 7),
                 ("head", 960, 7), ("head2", 1280, 1)],
    "mobilenet_v4_conv_small": [("stem2", 32, 56), ("stem4", 96, 28), ("stem5", 64, 28),
                                ("b1.dw1", 64, 28), ("b1.expand", 192, 28), ("b1.dw", 192, 14),
                                ("b5.add", 96, 14), ("b6.dw1", 96, 14), ("b6.expand", 384, 14),
                                ("b7.expand", 576, 14), ("b7.project", 128, 7), ("b12.add", 128, 7),
                                ("head", 960, 7), ("head2", 1280, 1)],
    "unet": [("down1.conv2", 64, 448), ("down2.conv1", 128, 224), ("down5.conv2", 1024, 28),
             ("up4.transposed", 512, 56), ("up4.concat", 1024, 56), ("up3.conv2", 256, 112),
             ("up1.concat", 128, 448), ("out", 2, 448)],
    "vit_b_16": [("stem", 768, 14), ("class", 768, 1)],
    "mixnet_s": [("stem", 16, 112), ("b1.add", 16, 112), ("b3.add", 24, 56), ("b4.dw", 144, 28),
                 ("b4.se1", 12, 1), ("b7.add", 40, 28), ("b8.se1", 10, 1), ("b10.add", 80, 14),
                 ("b13.add", 120, 14), ("b14.dw", 720, 7), ("b16.add", 200, 7), ("head", 1536, 7)],
    "mixnet_m": [("stem", 24, 112), ("b1.add", 24, 112), ("b3.add", 32, 56), ("b4.expand", 192, 56),
                 ("b7.add", 40, 28), ("b11.add", 80, 14), ("b15.add", 120, 14), ("b19.add", 200, 7),
                 ("head", 1536, 7)],
    "mixnet_l": [("stem", 32, 112), ("b1.add", 32, 112), ("b3.add", 40, 56), ("b7.add", 56, 28),
                 ("b11.add", 104, 14), ("b15.add", 160, 14), ("b19.add", 264, 7),
                 ("head", 1536, 7)],
    "single_path_nas": [("stem", 32, 112), ("b1.project", 16, 112), ("b2.expand", 48, 112),
                        ("b4.add", 24, 56), ("b8.add", 40, 28), ("b12.add", 80, 14),
                        ("b16.add", 96, 14), ("b20.add", 192, 7), ("b21.project", 320, 7)],
    "retinaface_mnet025": [("stem", 8, 320), ("b5.project", 64, 80), ("b11.project", 128, 40),
                           ("b13.project", 256, 20), ("fpn2.up", 64, 40), ("fpn1.merge", 64, 80),
                           ("context3", 64, 20), ("head1.class", 4, 80), ("head2.box", 8, 40),
                           ("head3.landmark", 20, 20)],
    "convnext_atto": [
        ("stem", 40, 56), ("b2.add", 40, 56), ("down1", 80, 28), ("b4.add", 80, 28),
        ("down2", 160, 14), ("b10.add", 160, 14), ("down3", 320, 7), ("b12.add", 320, 7),
        ("b1.expand", 160, 56), ("norm", 320, 1)
    ],
    "convnextv2_atto": [
        ("stem", 40, 56), ("b2.add", 40, 56), ("down1", 80, 28), ("b4.grn", 320, 28),
        ("down2", 160, 14), ("b10.add", 160, 14), ("down3", 320, 7), ("b12.add", 320, 7),
        ("b1.grn", 160, 56), ("norm", 320, 1)
    ],
    "convnext_tiny": [
        ("stem", 96, 56), ("b3.add", 96, 56), ("down1", 192, 28), ("b6.add", 192, 28),
        ("down2", 384, 14), ("b15.add", 384, 14), ("down3", 768, 7), ("b18.add", 768, 7),
        ("b1.expand", 384, 56), ("norm", 768, 1)
    ],
    "convnext_small": [
        ("stem", 96, 56), ("b3.add", 96, 56), ("down1", 192, 28), ("b6.add", 192, 28),
        ("down2", 384, 14), ("b33.add", 384, 14), ("down3", 768, 7), ("b36.add", 768, 7),
        ("b1.expand", 384, 56), ("norm", 768, 1)
    ],
    "convnext_base": [
        ("stem", 128, 56), ("b3.add", 128, 56), ("down1", 256, 28), ("b6.add", 256, 28),
        ("down2", 512, 14), ("b33.add", 512, 14), ("down3", 1024, 7), ("b36.add", 1024, 7),
        ("b1.expand", 512, 56), ("norm", 1024, 1)
    ],
    "convnext_large": [
        ("stem", 192, 56), ("b3.add", 192, 56), ("down1", 384, 28), ("b6.add", 384, 28),
        ("down2", 768, 14), ("b33.add", 768, 14), ("down3", 1536, 7), ("b36.add", 1536, 7),
        ("b1.expand", 768, 56), ("norm", 1536, 1)
    ],
    "inception_next_atto": [
        ("stem", 40, 56), ("b2.add", 40, 56), ("down1", 80, 28), ("b4.add", 80, 28),
        ("down2", 160, 14), ("b10.add", 160, 14), ("down3", 320, 7), ("b12.add", 320, 7),
        ("b1.dw_id", 10, 56), ("b1.dw_hw", 10, 56), ("b12.expand", 960, 7), ("head", 960, 1)
    ],
    "inception_next_tiny": [
        ("stem", 96, 56), ("b3.add", 96, 56), ("down1", 192, 28), ("b6.add", 192, 28),
        ("down2", 384, 14), ("b15.add", 384, 14), ("down3", 768, 7), ("b18.add", 768, 7),
        ("b1.dw_id", 60, 56), ("b1.dw_hw", 12, 56), ("b18.expand", 2304, 7), ("head", 2304, 1)
    ],
    "inception_next_small": [
        ("stem", 96, 56), ("b3.add", 96, 56), ("down1", 192, 28), ("b6.add", 192, 28),
        ("down2", 384, 14), ("b33.add", 384, 14), ("down3", 768, 7), ("b36.add", 768, 7),
        ("b1.dw_id", 60, 56), ("b1.dw_hw", 12, 56), ("b36.expand", 2304, 7), ("head", 2304, 1)
    ],
    "inception_next_base": [
        ("stem", 128, 56), ("b3.add", 128, 56), ("down1", 256, 28), ("b6.add", 256, 28),
        ("down2", 512, 14), ("b33.add", 512, 14), ("down3", 1024, 7), ("b36.add", 1024, 7),
        ("b1.dw_id", 80, 56), ("b1.dw_hw", 16, 56), ("b36.expand", 3072, 7), ("head", 3072, 1)
    ],
    "replknet_31b": [
        ("stem", 128, 112), ("b2.ffn_add", 128, 56), ("down1", 256, 56),
        ("b4.ffn_add", 256, 28), ("down2", 512, 28), ("b22.ffn_add", 512, 14),
        ("down3", 1024, 14), ("b24.ffn_add", 1024, 7), ("stem.dw2", 128, 56),
        ("b1.dw", 128, 56), ("down3.dw", 1024, 7), ("b24.ffn_expand", 4096, 7)
    ],
    "replknet_31l": [
        ("stem", 192, 112), ("b2.ffn_add", 192, 56), ("down1", 384, 56),
        ("b4.ffn_add", 384, 28), ("down2", 768, 28), ("b22.ffn_add", 768, 14),
        ("down3", 1536, 14), ("b24.ffn_add", 1536, 7), ("stem.dw2", 192, 56),
        ("b1.dw", 192, 56), ("down3.dw", 1536, 7), ("b24.ffn_expand", 6144, 7)
    ],
    "replknet_xl": [
        ("stem", 256, 112), ("b2.ffn_add", 256, 56), ("down1", 512, 56),
        ("b4.ffn_add", 512, 28), ("down2", 1024, 28), ("b22.ffn_add", 1024, 14),
        ("down3", 2048, 14), ("b24.ffn_add", 2048, 7), ("stem.dw2", 256, 56),
        ("b1.dw", 384, 56), ("down3.dw", 2048, 7), ("b24.ffn_expand", 8192, 7)
    ],
    "slak_tiny": [
        ("stem", 124, 56), ("b3.add", 124, 56), ("down1", 249, 28), ("b6.add", 249, 28),
        ("down2", 499, 14), ("b15.add", 499, 14), ("down3", 998, 7), ("b18.add", 998, 7),
        ("b1.dw_51x5", 124, 56), ("b4.dw_5x49", 249, 28), ("norm", 998, 1)
    ],
    "slak_small": [
        ("stem", 124, 56), ("b3.add", 124, 56), ("down1", 249, 28), ("b6.add", 249, 28),
        ("down2", 499, 14), ("b33.add", 499, 14), ("down3", 998, 7), ("b36.add", 998, 7),
        ("b1.dw_51x5", 124, 56), ("b4.dw_5x49", 249, 28), ("norm", 998, 1)
    ],
    "slak_base": [
        ("stem", 166, 56), ("b3.add", 166, 56), ("down1", 332, 28), ("b6.add", 332, 28),
        ("down2", 665, 14), ("b33.add", 665, 14), ("down3", 1331, 7), ("b36.add", 1331, 7),
        ("b1.dw_51x5", 166, 56), ("b4.dw_5x49", 332, 28), ("norm", 1331, 1)
    ],
}  # fmt: skip

# Channels and tokens.
SEQUENCES = {
    "bert_base": [("b1.query", 768, 128), ("b1.scores", 12 * 128, 128), ("b1.context", 768, 128),
                  ("b12.expand", 3072, 128), ("b12.norm2", 768, 128)],
    "vit_b_16": [("positions", 768, 197), ("b1.softmax", 12 * 197, 197), ("b1.context", 768, 197),
                 ("b12.project", 768, 197), ("norm", 768, 197)],
}  # fmt: skip


def hand_made(channels: int, *, stride: int = 1, padding: object = "same") -> Network:
    """Two depthwise layers with squeeze-excite, as a user's file would have them."""
    return Network(
        "probe",
        (3, 17, 19),
        (
            Layer("mix", Pointwise(channels), (INPUT,)),
            Layer(
                "dw",
                Depthwise((5, 5), (stride, stride), padding),  # type: ignore[arg-type]
                ("mix",),
                norm=True,
                activation="relu",
            ),
            Layer("pool", GlobalPool(), ("dw",)),
            Layer("squeeze", Linear(4), ("pool",), bias=True),
            Layer("excite", Pointwise(channels), ("squeeze",), bias=True),
            Layer("scaled", Scale(), ("dw", "excite")),
            Layer("out", Pointwise(6), ("scaled",)),
            Layer("dw2", Depthwise((3, 3)), ("out",)),
            Layer("dw3", Depthwise((3, 3), dilation=(2, 2)), ("dw2",)),
        ),
    )


@pytest.mark.parametrize(("name", "params"), PARAMS)
def test_parameters_as_published(name, params):
    assert networks.get(name).total_params == params


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("resnet101", {"relu": 100}),
        ("shufflenet_v2_x0_5", {"relu": 37}),
        ("ghostnet", {"relu": 42, "hsigmoid": 7}),
        ("mobilenet_v4_conv_small", {"relu": 30}),
        ("mobileone_s0", {"relu": 43}),
        ("mobileone_s0_deploy", {"relu": 43}),
        ("cifar_quick", {"relu": 4}),
        ("vgg16_cifar", {"relu": 13}),
        ("resnet20", {"relu": 19}),
    ],
)
def test_activations_as_counted(name, counts):
    """In calls of PyTorch, in a run of the same modules."""
    found = Counter(layer.activation for layer in networks.get(name).layers)
    del found["none"]
    assert found == counts


@pytest.mark.parametrize(("name", "variant", "macs", "params"), FUSECONV)
def test_fuseconv_table(name, variant, macs, params):
    network = networks.get(name, variant)
    assert round(network.total_macs / 1e4) == macs
    assert (network.published_params or network.total_params) == params


@pytest.mark.parametrize(
    ("variant", "executed"), [("fuse_full", 4_460_936), ("fuse_half", 3_462_056)]
)
def test_unused_layer_of_the_authors_is_not_executed(variant, executed):
    assert networks.mobilenet_v2(variant).total_params == executed


def test_published_params_only_where_they_differ():
    differing = {
        (d.__name__, v)
        for d in networks.NETWORKS
        for v in ("baseline", *fuse.VARIANTS)
        if d.__name__ in WITH_DEPTHWISE and d(v).published_params is not None
    }
    assert differing == {("mobilenet_v2", "fuse_full"), ("mobilenet_v2", "fuse_half")}


@pytest.mark.parametrize(("name", "size", "macs"), MACS)
def test_macs_are_exact(name, size, macs):
    assert networks.get(name, input=size).total_macs == macs


@pytest.mark.parametrize("name", SHAPES)
def test_shapes(name):
    network = networks.get(name)
    shapes = [(layer, *network.shape(layer)) for layer, _, _ in SHAPES[name]]
    assert shapes == [(layer, c, side, side) for layer, c, side in SHAPES[name]]
    if name not in ("retinaface_mnet025", "unet"):
        assert network.shape("fc") == (10 if network.input[1:] == (32, 32) else 1000, 1, 1)
        assert network.layers[-1].name == "fc"


@pytest.mark.parametrize("name", SEQUENCES)
def test_sequences(name):
    network = networks.get(name)
    shapes = [(layer, *network.shape(layer)) for layer, _, _ in SEQUENCES[name]]
    assert shapes == [(layer, c, tokens, 1) for layer, c, tokens in SEQUENCES[name]]


def test_shapes_cover_all_networks():
    assert set(SHAPES) | set(SEQUENCES) == set(NAMES)


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("mobilenet_v1", "stem b1.dw b1.project b2.dw"),
        ("mobilenet_v2", "stem b1.dw b1.project b2.expand b2.dw b2.project b3.expand b3.dw"),
        ("mobilenet_v3_small", "stem b1.dw b1.se_pool b1.se1 b1.se2 b1.se b1.project b2.expand"),
        ("mobilenet_v3_small_fuseconv", "stem b1.expand b1.dw b1.se_pool b1.se1 b1.se2 b1.se"),
        ("mixnet_s", "stem b1.dw b1.project b1.add b2.expand b2.dw b2.project b3.expand b3.dw"),
        ("retinaface_mnet025", "stem b1.dw b1.project b2.dw b2.project b3.dw"),
        ("resnet18", "stem maxpool b1.conv1 b1.conv2 b1.add b2.conv1"),
        ("googlenet", "stem pool1 conv2 conv3 pool2 b3a.1x1 b3a.3x3_reduce b3a.3x3 b3a.5x5_reduce"),
        ("repvgg_a0", "stem.3x3 stem.1x1 stem b1.3x3 b1.1x1 b1 b2.3x3 b2.1x1 b2.identity b2"),
        (
            "mobileone_s0",
            "stem.conv1 stem.1x1 stem b1.dw.conv1 b1.dw.conv2 b1.dw.conv3 b1.dw.conv4",
        ),
        ("mobileone_s0_deploy", "stem b1.dw b1.project b2.dw"),
        ("ghostnet", "stem b1.ghost1.primary b1.ghost1.cheap b1.ghost1 b1.ghost2.primary"),
        ("mobilenet_v4_conv_small", "stem1 stem2 stem3 stem4 stem5 b1.dw1 b1.expand b1.dw"),
        ("cifar_quick", "conv1 pool1 conv2 pool2 conv3 pool3 fc1 fc"),
        ("vgg16_cifar", "b1.conv1 b1.conv2 pool1 b2.conv1 b2.conv2 pool2 b3.conv1"),
        ("resnet20", "stem b1.conv1 b1.conv2 b1.add b2.conv1"),
        ("bert_base", "b1.query b1.key b1.value b1.scores b1.softmax b1.context b1.attention"),
        ("vit_b_16", "stem tokens positions b1.norm1 b1.query b1.key b1.value b1.scores"),
        ("resnet50", "stem maxpool b1.conv1 b1.conv2 b1.conv3 b1.down b1.add b2.conv1"),
    ],
)
def test_layer_names(name, first):
    expected = first.split()
    assert [layer.name for layer in networks.get(name).layers[: len(expected)]] == expected


@pytest.mark.parametrize("name", WITH_DEPTHWISE)
@pytest.mark.parametrize("variant", fuse.VARIANTS)
def test_variant_keeps_every_map_but_full_doubles_the_pairs(name, variant):
    before, after = networks.get(name), networks.get(name, variant)
    pairs = {layer.inputs for layer in after.layers if isinstance(layer.op, Concat)}
    wider = 2 if "full" in variant else 1
    assert pairs
    for layer in before.layers:
        c, h, w = before.shape(layer.name)
        if (f"{layer.name}_h", f"{layer.name}_v") in pairs:
            assert after.shape(layer.name) == (wider * c, h, w)
        elif not layer.name.rpartition(".")[2].startswith("se"):
            assert after.shape(layer.name) == (c, h, w)


@pytest.mark.parametrize("name", MEETING)
def test_only_half_where_a_pair_meets_a_map_that_stays(name):
    before, after = networks.get(name), networks.get(name, "fuse_half")
    for layer in before.layers:
        assert after.shape(layer.name) == before.shape(layer.name)
    with pytest.raises(NetworkError, match=f"fuse_full does not fit {name}: inputs of add"):
        networks.get(name, "fuse_full")


@pytest.mark.parametrize(
    ("name", "blocks"),
    [
        ("mobilenet_v1", range(1, 6)),
        ("mobilenet_v2", range(2, 11)),
        ("mnasnet_b1", range(2, 11)),
        ("mobilenet_v3_large", range(2, 9)),
        ("mobilenet_v3_large_fuseconv", range(2, 9)),
        ("mobilenet_v3_small", (3, 5, 6, 7, 8)),
        ("mobilenet_v3_small_fuseconv", (3, 5, 6, 7, 8)),
        ("efficientnet_b0", range(1, 9)),  # the first half of 16
    ],
)
@pytest.mark.parametrize("variant", ["fuse_half_50", "fuse_full_50"])
def test_blocks_of_the_half_variants(name, blocks, variant):
    concats = [x.name for x in networks.get(name, variant).layers if isinstance(x.op, Concat)]
    assert concats == [f"b{n}.dw" for n in blocks]


@pytest.mark.parametrize(
    ("name", "reduced"),
    [
        ("mobilenet_v3_large_fuseconv", 2 * 72 // 4),
        ("mobilenet_v3_large", make_divisible(2 * 72 / 4)),
        ("mobilenet_v3_small_fuseconv", 2 * 96 // 4),
    ],
)
def test_full_doubles_squeeze_excite_by_the_networks_rule(name, reduced):
    network = networks.get(name, "fuse_full")
    assert network.shape("b4.se1")[0] == reduced
    assert network.shape("b4.se2") == (network.shape("b4.dw")[0], 1, 1)


def test_make_divisible_never_loses_more_than_a_tenth():
    assert [make_divisible(c / 4) for c in (16, 72, 96, 120, 480, 960)] == [8, 24, 24, 32, 120, 240]


@pytest.mark.parametrize("variant", fuse.VARIANTS)
@pytest.mark.parametrize("channels", [2, 7, 8])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_hand_made_network(variant, channels, stride):
    network = apply(hand_made(channels, stride=stride), variant)
    full = "full" in variant
    h, v, dw = (network.layer(name) for name in ("dw_h", "dw_v", "dw"))
    first = -(-channels // 2)
    assert network.shape("dw_h")[0] == (channels if full else first)
    assert network.shape("dw_v")[0] == (channels if full else channels - first)
    assert network.shape("dw")[1:] == (-(-17 // stride), -(-19 // stride))
    assert h.norm
    assert v.activation == "relu"
    assert (dw.norm, dw.activation) == (False, "none")
    assert network.shape("squeeze")[0] == (8 if full else 4)
    assert network.shape("scaled") == network.shape("dw")
    # Of three depthwise layers the 50 % variants replace two.
    replaced = [layer.name for layer in network.layers if isinstance(layer.op, Concat)]
    assert replaced == (["dw", "dw2"] if variant.endswith("50") else ["dw", "dw2", "dw3"])
    doublings = len(replaced) - 1 if full else 0
    assert network.shape(network.layers[-1].name)[0] == 6 * 2**doublings


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("padding", ["same", "same_tf", 2, (2, 2, 3, 1)])
@pytest.mark.parametrize("stride", [1, 2])
def test_pair_computes_rows_and_columns(full, padding, stride):
    channels, size = 5, (9, 8)
    op = Depthwise((5, 5), (stride, stride), padding)
    plain = Network("n", (channels, *size), (Layer("dw", op, (INPUT,)),))
    fused = apply(plain, "fuse_full" if full else "fuse_half")
    rng = np.random.default_rng(3)
    x = rng.integers(-128, 128, (channels, *size), dtype=np.int8)
    h, v, joined = fused.layers
    taps = [rng.integers(-128, 128, n.op.weight_shape(x.shape), dtype=np.int8) for n in (h, v)]
    if padding == "same_tf" and stride == 2:  # 9 rows become 5 by 2 + 2 zeros, 8 become 4 by 1 + 2
        sides = (2, 2, 1, 2)
    else:
        sides = padding if isinstance(padding, tuple) else (2, 2, 2, 2)
    horizontal, vertical = (x, x) if full else (x[:3], x[3:])
    for part, source, taken, zeros in (
        (h, horizontal, taps[0], (0, 0, *sides[2:])),
        (v, vertical, taps[1], (*sides[:2], 0, 0)),
    ):
        expected = naive.depthwise(source, taken[:, 0], (stride, stride), [zeros] * len(source))
        np.testing.assert_array_equal(part.op.golden(taken, x), expected)
    assert joined.inputs == ("dw_h", "dw_v")


def test_single_channel_halves_into_the_horizontal_branch():
    plain = Network("n", (1, 6, 6), (Layer("dw", Depthwise((3, 3)), (INPUT,)),))
    fused = apply(plain, "fuse_half")
    assert [(layer.name, fused.shape(layer.name)[0]) for layer in fused.layers] == [
        ("dw_h", 1),
        ("dw", 1),
    ]


@pytest.mark.parametrize("inputs", [("dw", "excite"), ("excite", "dw")], ids=str)
def test_gates_may_be_a_product_in_either_order(inputs):
    layers = tuple(
        replace(layer, op=Multiply(), inputs=inputs) if layer.name == "scaled" else layer
        for layer in hand_made(7).layers
    )
    network = apply(Network("probe", (3, 17, 19), layers), "fuse_full")
    assert network.shape("squeeze")[0] == 8
    assert network.shape("scaled") == network.shape("dw") == (14, 17, 19)


def test_a_factor_for_all_channels_follows_none_of_them():
    layers = (
        Layer("dw", Depthwise((3, 3)), (INPUT,)),
        Layer("pool", GlobalPool(), ("dw",)),
        Layer("factor", Linear(1), ("pool",)),
        Layer("scaled", Multiply(), ("dw", "factor")),
    )
    network = apply(Network("n", (4, 6, 6), layers), "fuse_full")
    assert [network.shape(x)[0] for x in ("dw", "factor", "scaled")] == [8, 1, 8]


def test_gate_computed_from_an_input_of_one_pixel():
    network = Network(
        "n",
        (4, 1, 1),
        (
            Layer("dw", Depthwise((3, 3)), (INPUT,)),
            Layer("gate", Linear(4), (INPUT,)),
            Layer("scaled", Scale(), ("dw", "gate")),
        ),
    )
    assert apply(network, "fuse_full").shape("scaled") == (8, 1, 1)


def test_grouped_convolution_of_one_channel_a_group_is_depthwise():
    op = Conv2d(4, (3, 3), padding=1, groups=4)
    plain = Network(
        "n",
        (4, 6, 6),
        (
            Layer("a", Depthwise((3, 3)), (INPUT,)),
            Layer("b", op, ("a",)),
            Layer("c", op, ("b",)),
        ),
    )
    shapes = [apply(plain, "fuse_full").shape(name)[0] for name in ("a", "b", "c")]
    assert shapes == [8, 16, 32]
    shapes = [apply(plain, "fuse_full_50").shape(name)[0] for name in ("a", "b", "c")]
    assert shapes == [8, 16, 16]


def test_baseline_changes_nothing():
    network = hand_made(7)
    assert apply(network, "baseline") is network


@pytest.mark.parametrize(
    "definition",
    [each for each in networks.NETWORKS if each.__name__ not in (*SEQUENCES, "cifar_quick")],
)
def test_input_size_and_defaults(definition):
    name = definition.__name__
    assert getattr(networks, name) is definition
    usual = USUAL.get(name, (224, 224))
    assert definition() == networks.get(name) == definition("baseline", usual)
    network = definition(input=(96, 160))
    assert network.input == (3, 96, 160)
    last = [x.name for x in network.layers if network.shape(x.name)[1:] != (1, 1)][-1]
    stride = usual[0] // definition().shape(last)[1]
    assert network.shape(last)[1:] == (-(-96 // stride), -(-160 // stride))
    assert network.total_params == definition().total_params
    less = usual[0] * usual[1] > 96 * 160
    assert (network.total_macs < definition().total_macs) == less


def test_the_hidden_layer_of_cifar_quick_follows_its_input():
    """Its pools pad nothing: 96 x 160 become 47 x 79, 23 x 39, 11 x 19."""
    network = networks.cifar_quick(input=(96, 160))
    assert network.shape("pool3") == (64, 11, 19)
    more = 64 * 64 * (11 * 19 - 3 * 3)
    assert network.total_params == networks.cifar_quick().total_params + more


def test_shortcuts_of_resnet20_are_pixels_between_zeros():
    whole = with_values(networks.resnet20(input=(9, 12)))
    maps = {}
    for node, (run,) in walk(whole.graph, (whole.seeded(0, 3),)):
        maps |= {name: run[name] for name in node.outputs}
    made, read = maps["b4.down"][0], maps["b3.add"][0]
    zero = int(whole.graph.type("b4.down").quantisation.zero_point)
    for channel, plane in enumerate(made):
        expected = read[channel - 8, ::2, ::2] if 8 <= channel < 24 else np.full((5, 6), zero)
        np.testing.assert_array_equal(plane, expected)


@pytest.mark.parametrize("definition", networks.NETWORKS)
def test_every_layer_is_used(definition):
    network = definition()
    used = {source for layer in network.layers for source in layer.inputs}
    heads = {f"head{n}.{head}" for n in (1, 2, 3) for head in ("class", "box", "landmark")}
    others = {"retinaface_mnet025": heads, "bert_base": {"b12.norm2"}, "unet": {"out"}}
    ends = others.get(network.name, {"fc"})
    assert {layer.name for layer in network.layers} - used == ends
    assert all(a.name != b.name for a, b in pairwise(network.layers))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: networks.get("mobilenet_v9"), "no network 'mobilenet_v9'; there are mobilenet_v1"),
        (lambda: networks.get("mobilenet_v2", "fuse"), "no variant 'fuse'; there are baseline, fu"),
        (
            lambda: networks.get("resnet18", "fuse_half"),
            "replaces square depthwise .* resnet18 has",
        ),
        (lambda: networks.get("mobilenet_v2", "fuse_half:k=7"), "fuse_half takes no keys, not 'k'"),
        (lambda: networks.get("mobilenet_v2", "baseline:k"), "must read NAME"),
        (lambda: networks.get("mobilenet_v2", "baseline:k=1"), "baseline takes no keys, not 'k'"),
        (lambda: networks.get("mobilenet_v2", input=(0, 5)), r"at least 1, not \(0, 5\)"),
        (
            lambda: networks.get("bert_base", input=(96, 160)),
            "input of bert_base must be its tokens by 1, such as 128x1, not 96x160",
        ),
        (
            lambda: networks.get("vit_b_16", input=(225, 224)),
            "input of vit_b_16 must be multiples of its patches' 16, not 225x224",
        ),
        (lambda: networks.get("bert_base", input=(0, 1)), r"at least 1, not \(0, 1\)"),
        (lambda: networks.get("vit_b_16", input=224), "a height and a width .* not 224"),
        (lambda: networks.get("bert_base", "xsep"), "xsep .* bert_base has none"),
        (lambda: apply(hand_made(4, padding=0), "fuse_half"), "padding 0 would .*layer dw"),
    ],
)
def test_mistakes(call, message):
    with pytest.raises(NetworkError, match=message):
        call()


def test_full_around_a_shortcut_is_refused_with_the_layer():
    network = Network(
        "n",
        (4, 6, 6),
        (Layer("dw", Depthwise((3, 3)), (INPUT,)), Layer("sum", Add(), (INPUT, "dw"))),
    )
    assert apply(network, "fuse_half").shape("sum") == (4, 6, 6)
    with pytest.raises(NetworkError, match=r"fuse_full does not fit n: .*add.*layer sum"):
        apply(network, "fuse_full")


def test_full_before_chosen_channels_is_refused():
    network = Network(
        "n",
        (4, 6, 6),
        (
            Layer("dw", Depthwise((3, 3)), (INPUT,)),
            Layer("part", Depthwise((1, 3), channels=(2, 4)), ("dw",)),
        ),
    )
    assert apply(network, "fuse_half").shape("part") == (2, 6, 6)
    with pytest.raises(NetworkError, match=r"\[2, 4\] were chosen from 4.*layer part"):
        apply(network, "fuse_full")


def test_transposed_convolutions_of_unet():
    """2 x 2 taps of each of 28 x 28 pixels, from 1024 channels to 512."""
    network = networks.unet()
    layer = network.layer("up4.transposed")
    assert (network.macs(layer), network.params(layer)) == (1_644_167_168, 2_097_152 + 512)


def test_unet_keeps_a_size_that_no_pool_divides():
    network = networks.unet(input=(45, 50))
    assert network.shape("up4.transposed") == (512, 5, 6)
    assert network.shape("up3.transposed") == (256, 11, 12)
    assert network.shape("out") == (2, 45, 50)


@pytest.mark.parametrize("tokens", [1, 16, 512])
def test_tokens_change_no_parameter_of_bert(tokens):
    network = networks.bert_base(input=(tokens, 1))
    assert network.total_params == networks.bert_base().total_params
    assert network.shape("b12.scores") == (12 * tokens, tokens, 1)
    per_token = 12 * (4 * 768 * 768 + 2 * 768 * 3072)
    assert network.total_macs == tokens * (per_token + 12 * 2 * 768 * tokens)


def test_positions_of_a_vision_transformer_follow_its_input():
    """As timm has it with img_size=(96, 160): 6 x 10 patches and a class token."""
    assert networks.vit_b_16(input=(96, 160)).total_params == 86_463_208


def test_attention_of_bert_has_no_parameters():
    network = networks.bert_base()
    scores = network.layer("b1.scores")
    assert (network.macs(scores), network.params(scores)) == (12_582_912, 0)


PARTS = ("query", "key", "value", "scores", "softmax", "context")


@pytest.mark.parametrize("name", [pytest.param("bert_base", marks=pytest.mark.full), "vit_b_16"])
def test_attention_equals_its_formula(name):
    """Every head by itself: sums over its channels, shares over the keys, sums over the keys."""
    network = networks.get(name, input=(7, 1) if name == "bert_base" else (32, 48))
    whole = with_values(network)
    values = {}
    for node, (run,) in walk(whole.graph, (whole.seeded(0, 0),)):
        values |= {name: run[name] for name in node.outputs}
        if node.name == "b1.context":
            break
    kinds = {name: whole.graph.type(f"b1.{name}").quantisation for name in PARTS}
    real = {
        name: (values[f"b1.{name}"].astype(np.float64) - kind.zero_point) * kind.scale
        for name, kind in kinds.items()
    }
    pixels = real["query"].shape[2] * real["query"].shape[3]
    query, key, value, scores, shares = (real[name].reshape(12, -1, pixels) for name in PARTS[:5])
    ends = {
        name: (np.array((-128, 127)) - kind.zero_point) * kind.scale for name, kind in kinds.items()
    }

    def steps_off(name, expected):
        return np.abs(np.clip(expected, *ends[name]) - real[name].reshape(expected.shape)) / float(
            kinds[name].scale
        )

    assert steps_off("scores", np.einsum("hcq,hck->hkq", query, key)).max() <= 0.51
    powers = np.exp(scores / 8)
    assert steps_off("softmax", powers / powers.sum(axis=1, keepdims=True)).max() <= 0.51
    assert steps_off("context", np.einsum("hkq,hck->hcq", shares, value)).max() <= 0.51


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("googlenet", (64, 48)),
        ("convnextv2_atto", (64, 48)),
        ("repvgg_a0", (64, 48)),
        ("cifar_quick", (32, 32)),
        pytest.param("vgg16_cifar", (17, 16), marks=pytest.mark.full),
        ("resnet20", (32, 32)),
        pytest.param("resnet101", (32, 33), marks=pytest.mark.full),
        ("shufflenet_v2_x0_5", (64, 48)),
        ("mobileone_s0", (32, 33)),
        ("mobileone_s0_deploy", (64, 48)),
        ("ghostnet", (64, 48)),
        ("mobilenet_v4_conv_small", (64, 48)),
        pytest.param("bert_base", (9, 1), marks=pytest.mark.full),
        pytest.param("vit_b_16", (32, 48), marks=pytest.mark.full),
        pytest.param("unet", (17, 32), marks=pytest.mark.full),
    ],
)
def test_values_to_the_end(name, size):
    network = networks.get(name, input=size)
    result = ax.simulate(network, ARRAY, fidelity="golden")
    assert result.output.shape == network.shape(network.layers[-1].name)
    assert result.output.std() > 5
    assert result.total_cycles == ax.simulate(network, ARRAY).total_cycles


@pytest.mark.parametrize(
    ("name", "size", "layers"),
    [
        ("googlenet", (20, 17), "stem..b3a.concat"),
        ("convnextv2_atto", (32, 33), "b1.dw..b1.add"),
        ("repvgg_a0", (17, 16), "stem.3x3..b2"),
        ("cifar_quick", (23, 24), "conv1..fc"),
        ("vgg16_cifar", (9, 8), "pool1..b3.conv1"),
        ("resnet20", (17, 16), "b3.conv1..b4.add"),
        pytest.param("resnet101", (33, 32), "b30.conv1..b31.add", marks=pytest.mark.full),
        ("shufflenet_v2_x0_5", (40, 33), "b4.left..b5.shuffle"),
        ("mobileone_s0", (17, 16), "b2.project.conv1..b3.dw"),
        ("mobileone_s0_deploy", (17, 16), "stem..b3.project"),
        ("ghostnet", (33, 32), "b4.ghost1.primary..b4.add"),
        ("mobilenet_v4_conv_small", (33, 32), "b1.dw1..b2.add"),
        pytest.param("bert_base", (5, 1), "b1.query..b1.context", marks=pytest.mark.full),
        pytest.param("vit_b_16", (16, 32), "b12.scores..fc", marks=pytest.mark.full),
        pytest.param("unet", (19, 17), "up4.transposed..up4.concat", marks=pytest.mark.full),
    ],
)
def test_register_by_register(name, size, layers):
    network = networks.get(name, input=size)
    result = ax.simulate(network, ARRAY, fidelity="cycle", layers=layers)
    assert result.values_equal
    assert result.total_cycles == ax.simulate(network, ARRAY, layers=layers).total_cycles


def test_parse_gives_name_and_keys():
    assert parse("fuse_half") == ("fuse_half", ())
    assert parse("xsep:k=7") == ("xsep", (("k", 7),))


def test_one_number_is_no_size():
    with pytest.raises(NetworkError, match=r"input must be a height and a width .* not 224"):
        networks.mobilenet_v2(input=224)


def test_a_builder_takes_images_of_any_channels():
    b = Builder("mine", (5, 4), channels=2)
    b.add("wide", Pointwise(7))
    b.expand("dw", MixConv((3, 5)))
    b.add("sum", Add(), "wide", "dw")
    network = b.network()
    assert network.input == (2, 5, 4)
    assert network.shape("sum") == (7, 5, 4)
    assert network.layer("sum").inputs == ("wide", "dw")
    assert network.total_params == 2 * 7 + 4 * 9 + 3 * 25
