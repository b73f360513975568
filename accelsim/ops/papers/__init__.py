"""Operators of papers: one file each, listed here, imported when one is asked for."""

import importlib

from accelsim.ops.papers.base import PaperOperator

# Every variant that replaces layers by an operator: the module here that defines it, and its class.
VARIANTS = {
    "fuse_full": "fuse_pair.FusePair",
    "fuse_half": "fuse_pair.FusePair",
    "fuse_full_50": "fuse_pair.FusePair",
    "fuse_half_50": "fuse_pair.FusePair",
    "xsep": "xsep_conv.XSepConv",
    "mixconv": "mix_conv.MixConv",
    "inception_next": "inception_depthwise.InceptionDepthwise",
    "reparam": "parallel_depthwise.ParallelDepthwise",
    "super_kernel": "super_kernel.SuperKernel",
    "acb": "acb.Acb",
    "superconv": "superconv.SuperConv",
    "sp_mixconv": "sp_mix_conv.SpMixConv",
    "maconv": "maconv.MaConv",
    "doconv": "doconv.DoConv",
    "odconv": "odconv.OdConv",
    "mdconv": "mdconv.MdConv",
    "spconv": "spconv.SpConv",
    "lhc": "lhc.Lhc",
    "psconv": "psconv.PsConv",
    "psgconv": "psconv.PsgConv",
    "gmconv": "gmconv.GmConv",
    "drconv": "drconv.DrConv",
}

# What a layer of a TOML file can be of them, beside those that `accelsim.ops` has as macros.
NAMES = (
    "super_kernel",
    "acb",
    "superconv",
    "sp_mixconv",
    "maconv",
    "doconv",
    "odconv",
    "mdconv",
    "spconv",
    "lhc",
    "psconv",
    "psgconv",
    "gmconv",
    "drconv",
)

__all__ = ["NAMES", "VARIANTS", "find"]


def find(variant: str) -> type[PaperOperator]:
    """The operator of a variant."""
    module, _, name = VARIANTS[variant].partition(".")
    operator: type[PaperOperator] = getattr(importlib.import_module(f"{__name__}.{module}"), name)
    return operator
