"""Transformers: BERT's encoder (arXiv 1810.04805) and the vision transformer (arXiv 2010.11929).

A sequence is a map of a column: channels, tokens, 1. A linear layer of every token is a 1x1
convolution, and the products of attention take each head's channels by themselves. The factor
1 / sqrt(channels of a head), 1/8 in both, is part of the scale that softmax takes its input on.
"""

from collections.abc import Callable

from accelsim.errors import NetworkError
from accelsim.ir import Network
from accelsim.networks.builder import Builder, Size, check_size
from accelsim.networks.variants import apply
from accelsim.ops import (
    Add,
    Conv2d,
    Crop,
    LayerNorm,
    Linear,
    Matmul,
    Pointwise,
    PositionEmbedding,
    Softmax,
    Tokens,
)

BLOCKS, WIDTH, HEADS = 12, 768, 12  # of both
PATCH = 16  # rows and columns of the image a token


def bert_base(variant: str = "baseline", input: Size = (128, 1)) -> Network:
    """BERT-base's encoder: 12 blocks on embedded tokens; no embeddings, no pooler.

    The input is 768 channels for every token: `input` is tokens by 1.
    """
    check_size(input)
    if input[1] != 1:
        raise NetworkError(
            f"input of bert_base must be its tokens by 1, such as 128x1, not {input[0]}x{input[1]}"
        )
    b = Builder("bert_base", input, WIDTH)
    for n in range(1, BLOCKS + 1):
        _residual(b, f"b{n}", _attention)
        b.add(f"b{n}.norm1", LayerNorm())
        _residual(b, f"b{n}", _feed_forward)
        b.add(f"b{n}.norm2", LayerNorm())
    return apply(b.network(), variant)


def vit_b_16(variant: str = "baseline", input: Size = (224, 224)) -> Network:
    """ViT-B/16 as in torchvision: 16x16 patches and a class token, norms before each part.

    The learned positions follow the number of patches, so that another input has other parameters.
    """
    check_size(input)
    if input[0] % PATCH or input[1] % PATCH:
        raise NetworkError(
            f"input of vit_b_16 must be multiples of its patches' {PATCH}, "
            f"not {input[0]}x{input[1]}"
        )
    b = Builder("vit_b_16", input)
    b.add("stem", Conv2d(WIDTH, (PATCH, PATCH), (PATCH, PATCH)), bias=True)
    b.add("tokens", Tokens(learned=1))
    b.add("positions", PositionEmbedding())
    for n in range(1, BLOCKS + 1):
        _residual(b, f"b{n}", _attention, normed="norm1")
        _residual(b, f"b{n}", _feed_forward, normed="norm2")
    b.add("norm", LayerNorm())
    b.add("class", Crop(rows=(0, 1)))
    b.add("fc", Linear(1000), bias=True)
    return apply(b.network(), variant)


def _residual(
    b: Builder, block: str, part: Callable[[Builder, str], str], normed: str = ""
) -> None:
    """A part of a block, on its input or on the norm of it, added to the input."""
    start = b.last
    if normed:
        b.add(f"{block}.{normed}", LayerNorm())
    name = part(b, block)
    b.add(f"{block}.{name}_add", Add(), start, b.last)


def _attention(b: Builder, block: str) -> str:
    start = b.last
    query, key, value = (f"{block}.{role}" for role in ("query", "key", "value"))
    for name in (query, key, value):
        b.add(name, Pointwise(WIDTH), start, bias=True)
    b.add(f"{block}.scores", Matmul(HEADS, transpose_b=True), query, key)
    b.add(f"{block}.softmax", Softmax(HEADS, factor=1 / 8))
    b.add(f"{block}.context", Matmul(HEADS), b.last, value)
    b.add(f"{block}.attention", Pointwise(WIDTH), bias=True)
    return "attention"


def _feed_forward(b: Builder, block: str) -> str:
    b.add(f"{block}.expand", Pointwise(4 * WIDTH), bias=True, activation="gelu")
    b.add(f"{block}.project", Pointwise(WIDTH), bias=True)
    return "project"
