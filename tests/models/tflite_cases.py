"""Files of single operators of TFLite, of every type and option, drawn from a seed."""

from collections.abc import Callable, Iterator

import numpy as np

from tests.models.tflite_builder import Op, T, build, constant

Rng = np.random.Generator
INTEGERS = ("int8", "uint8")
TYPES = ("float32", *INTEGERS)
ACTIVATIONS = (0, 1, 2, 3)  # none, RELU, RELU_N1_TO_1, RELU6


def some(rng: Rng, shape: tuple[int, ...], dtype: str, **said) -> T:
    """A map: integers have a random scale and zero point unless they are said."""
    if dtype not in INTEGERS:
        return T(shape, dtype)
    limits = np.iinfo(dtype)
    scale = said.get("scale", np.float32(rng.uniform(0.01, 0.2)))
    zero = said.get("zero", int(rng.integers(limits.min, limits.max + 1)))
    return T(shape, dtype, scale, zero)


def weights(rng: Rng, shape: tuple[int, ...], dtype: str, axis: int | None = None) -> T:
    """Constant weights, of int8 with a scale for each index of the axis."""
    if dtype == "float32":
        return constant(rng.normal(size=shape), dtype)
    limits = np.iinfo(dtype)
    values = rng.integers(limits.min, limits.max + 1, shape)
    if dtype == "uint8":
        return constant(values, dtype, scale=rng.uniform(0.001, 0.1), zero=int(rng.integers(256)))
    if axis is None:
        return constant(values, dtype, scale=rng.uniform(0.001, 0.1))
    scales = rng.uniform(0.001, 0.1, shape[axis])
    return constant(values, dtype, scale=scales, zero=np.zeros(shape[axis]), axis=axis)


def bias(rng: Rng, x: T, w: T, channels: int) -> T:
    if x.dtype == "float32":
        return constant(rng.normal(size=channels), "float32")
    scales = np.float32(x.scale) * np.atleast_1d(np.float32(w.scale))
    return constant(rng.integers(-3000, 3000, channels), scale=scales, zero=np.zeros(scales.size))


def result(rng: Rng, shape: tuple[int, ...], x: T, w: T | None = None, taps: int = 1) -> T:
    """The type of a result: a scale with which sums of so many taps spread over the type."""
    if x.dtype == "float32":
        return T(shape)
    factor = 1.0 if w is None else float(np.mean(w.scale)) * 40 * np.sqrt(taps)
    return some(rng, shape, x.dtype, scale=np.float32(x.scale * factor * rng.uniform(0.3, 2)))


def same(x: T, shape: tuple[int, ...]) -> T:
    """A result of the type of x."""
    return x._replace(shape=shape, values=None)


def one(kind: str, x: T, y: T, options: dict | None = None, **others: T) -> bytes:
    """An operator on x and on others that are constants or, if not, inputs as well."""
    tensors = {"x": x, **others, "y": y}
    names = ("x", *others)
    inputs = tuple(name for name in names if tensors[name].values is None)
    return build(tensors, [Op(kind, names, ("y",), options or {})], inputs)


def convolutions(rng: Rng) -> Iterator[tuple[str, bytes]]:
    for dtype in TYPES:
        for place, (k, s, d, pad, groups) in enumerate(
            ((3, 1, 1, 0, 1), (3, 2, 1, 0, 1), (1, 1, 1, 1, 1), (3, 1, 2, 0, 1), (2, 2, 1, 1, 2))
        ):
            if groups > 1 and dtype == "uint8":
                continue
            h, w, c, out = 7, 6, 4, 6
            x = some(rng, (2, h, w, c), dtype)
            kernel = weights(
                rng, (out, k, k + (k > 1), c // groups), dtype, 0 if place % 2 else None
            )
            reach = [(n - 1) * d + 1 for n in kernel.shape[1:3]]
            size = [
                -(-n // s) if pad == 0 else (n - r) // s + 1
                for n, r in zip((h, w), reach, strict=True)
            ]
            y = result(rng, (2, *size, out), x, kernel, k * k * c // groups)
            options = {
                "Padding": pad,
                "StrideH": s,
                "StrideW": s,
                "DilationHFactor": d,
                "DilationWFactor": d,
                "FusedActivationFunction": ACTIVATIONS[place % 4],
            }
            yield (
                f"conv_{dtype}_{place}",
                one("CONV_2D", x, y, options, w=kernel, b=bias(rng, x, kernel, out)),
            )
            for multiplier in (1, 3):
                if groups > 1:
                    continue
                kernel = weights(
                    rng, (1, k, k + (k > 1), c * multiplier), dtype, 3 if place % 2 else None
                )
                y = result(rng, (2, *size, c * multiplier), x, kernel, k * k)
                yield (
                    f"depthwise_{dtype}_{place}_{multiplier}",
                    one(
                        "DEPTHWISE_CONV_2D",
                        x,
                        y,
                        options | {"DepthMultiplier": multiplier},
                        w=kernel,
                        b=bias(rng, x, kernel, c * multiplier),
                    ),
                )


def fully(rng: Rng) -> Iterator[tuple[str, bytes]]:
    for dtype in TYPES:
        for place, (shape, keep) in enumerate(
            (((3, 20), 0), ((2, 3, 20), 1), ((2, 2, 10), 0), ((1, 5, 20), 0))
        ):
            per_channel = 0 if dtype == "int8" and place % 2 else None
            kernel = weights(rng, (7, 20), dtype, per_channel)
            x = some(rng, shape, dtype)
            made = (*shape[:-1], 7) if keep else (int(np.prod(shape)) // 20, 7)
            y = result(rng, made, x, kernel, 20)
            options = {"KeepNumDims": keep, "FusedActivationFunction": ACTIVATIONS[place]}
            others = {"w": kernel} | ({"b": bias(rng, x, kernel, 7)} if place != 2 else {})
            yield f"fully_{dtype}_{place}", one("FULLY_CONNECTED", x, y, options, **others)
        scale = {"scale": 0.5} if dtype != "float32" else {}
        x = some(rng, (8, 20), dtype, **scale)
        kernel = weights(rng, (7, 20), dtype)
        if scale:  # sums whose half is exactly between two steps
            kernel = kernel._replace(
                scale=0.5, values=np.sign(kernel.values.astype(int) - 100).astype(dtype)
            )
        y = some(rng, (8, 7), dtype, **({"scale": 0.5 * 4} if scale else {}))
        yield f"fully_ties_{dtype}", one("FULLY_CONNECTED", x, y, {}, w=kernel)


def dilated(rng: Rng) -> Iterator[tuple[str, bytes]]:
    """Convolutions between SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND, of maps and of sequences."""
    plain = {"StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1, "Padding": 1}
    for dtype in TYPES:
        x, kernel = some(rng, (1, 7, 6, 4), dtype), weights(rng, (1, 3, 3, 4), dtype, 3)
        y = result(rng, (1, 7, 6, 4), x, kernel, 9)
        tensors = {
            "x": x,
            "block": constant([2, 3]),
            "pads": constant([[2, 3], [3, 3]]),
            "parts": same(x, (6, 6, 4, 4)),
            "w": kernel,
            "b": bias(rng, x, kernel, 4),
            "made": same(y, (6, 4, 2, 4)),
            "crops": constant([[0, 1], [0, 0]]),
            "y": y,
        }
        operators = [
            Op("SPACE_TO_BATCH_ND", ("x", "block", "pads"), ("parts",)),
            Op("DEPTHWISE_CONV_2D", ("parts", "w", "b"), ("made",), plain | {"DepthMultiplier": 1}),
            Op("BATCH_TO_SPACE_ND", ("made", "block", "crops"), ("y",)),
        ]
        yield f"dilated_{dtype}", build(tensors, operators)
        x, kernel = some(rng, (1, 10, 4), dtype), weights(rng, (5, 1, 3, 4), dtype)
        y = result(rng, (1, 6, 5), x, kernel, 12)
        tensors = {
            "x": x,
            "block": constant([2]),
            "pads": constant([[0, 0]]),
            "parts": same(x, (2, 5, 4)),
            "axis": constant(1),
            "row": same(x, (2, 1, 5, 4)),
            "w": kernel,
            "b": bias(rng, x, kernel, 5),
            "made": same(y, (2, 1, 3, 5)),
            "shape": constant([2, 3, 5]),
            "flat": same(y, (2, 3, 5)),
            "crops": constant([[0, 0]]),
            "y": y,
        }
        operators = [
            Op("SPACE_TO_BATCH_ND", ("x", "block", "pads"), ("parts",)),
            Op("EXPAND_DIMS", ("parts", "axis"), ("row",)),
            Op("CONV_2D", ("row", "w", "b"), ("made",), plain | {"FusedActivationFunction": 1}),
            Op("RESHAPE", ("made", "shape"), ("flat",)),
            Op("BATCH_TO_SPACE_ND", ("flat", "block", "crops"), ("y",)),
        ]
        yield f"dilated_sequence_{dtype}", build(tensors, operators)


def transposed(rng: Rng) -> Iterator[tuple[str, bytes]]:
    for dtype in TYPES:
        for place, (k, s, pad) in enumerate(((2, 2, 1), (3, 2, 0), (4, 2, 0), (3, 1, 1))):
            h, w, c, out = 4, 5, 3, 4
            size = [n * s if pad == 0 else (n - 1) * s + k for n in (h, w)]
            kernel = weights(
                rng, (out, k, k, c), dtype, 0 if place % 2 and dtype == "int8" else None
            )
            x = some(rng, (1, h, w, c), dtype)
            y = result(rng, (1, *size, out), x, kernel, c * k)
            options = {"Padding": pad, "StrideH": s, "StrideW": s}
            tensors = {"size": constant([1, *size, out]), "w": kernel, "x": x}
            names = ["size", "w", "x"]
            if place % 2:
                tensors["b"] = bias(rng, x, kernel, out)
                names.append("b")
                options["FusedActivationFunction"] = 1
            tensors["y"] = y
            op = Op("TRANSPOSE_CONV", tuple(names), ("y",), options)
            yield f"transposed_{dtype}_{place}", build(tensors, [op])


def products(rng: Rng) -> Iterator[tuple[str, bytes]]:
    for dtype in ("float32", "int8"):
        for place, (a, b, adj_x, adj_y) in enumerate(
            (
                ((2, 3, 4, 5), (2, 3, 5, 6), 0, 0),
                ((1, 4, 5), (1, 6, 5), 0, 1),
                ((1, 2, 5, 4), (1, 2, 5, 6), 1, 0),
            )
        ):
            rows = a[-1] if adj_x else a[-2]
            columns = b[-2] if adj_y else b[-1]
            x, w = some(rng, a, dtype), some(rng, b, dtype)
            y = result(rng, (*a[:-2], rows, columns), x, w if dtype != "float32" else None, 5)
            options = {"AdjX": bool(adj_x), "AdjY": bool(adj_y)}
            yield f"matmul_{dtype}_{place}", one("BATCH_MATMUL", x, y, options, w=w)
        for place, (a, b, adj_y) in enumerate(
            (
                ((1, 4, 5), (5, 6), 0),
                ((1, 3, 4, 5), (6, 5), 1),
                ((2, 3, 4, 5), (6, 5), 1),
                ((1, 2, 4, 5), (1, 2, 5, 6), 0),
            )
        ):
            x, w = some(rng, a, dtype), weights(rng, b, dtype)
            columns = b[-2] if adj_y else b[-1]
            y = result(rng, (*a[:-1], columns), x, w if dtype != "float32" else None, 5)
            yield (
                f"matmul_constant_{dtype}_{place}",
                one("BATCH_MATMUL", x, y, {"AdjY": bool(adj_y)}, w=w),
            )


def pairs(rng: Rng) -> Iterator[tuple[str, bytes]]:
    shapes = (
        ((2, 3, 4, 5), (2, 3, 4, 5)),
        ((2, 3, 4, 5), (2, 1, 1, 5)),
        ((1, 3, 4, 5), (5,)),
        ((1, 3, 4, 1), (1, 1, 4, 5)),
        ((6,), (1,)),
    )
    for dtype in TYPES:
        for kind in ("ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "POW"):
            if kind in ("DIV", "SQUARED_DIFFERENCE", "POW") and dtype != "float32":
                continue
            for place, (a, b) in enumerate(shapes):
                x, w = some(rng, a, dtype), some(rng, b, dtype)
                made = np.broadcast_shapes(a, b)
                if kind in ("MAXIMUM", "MINIMUM"):
                    w, y = same(x, b), same(x, made)
                    options = {}
                else:
                    y = some(rng, made, dtype)
                    if kind == "MUL" and dtype != "float32":
                        y = y._replace(scale=np.float32(x.scale * w.scale * 100))
                    options = (
                        {"FusedActivationFunction": ACTIVATIONS[place % 4]}
                        if kind not in ("POW", "SQUARED_DIFFERENCE")
                        else {}
                    )
                yield f"{kind.lower()}_{dtype}_{place}", one(kind, x, y, options, w=w)


def elements(rng: Rng) -> Iterator[tuple[str, bytes]]:
    shape = (1, 5, 5, 12)
    fixed = {"LOGISTIC": 1 / 256, "TANH": 1 / 128}
    for dtype in TYPES:
        for kind in (
            "RELU",
            "RELU6",
            "RELU_0_TO_1",
            "RELU_N1_TO_1",
            "LEAKY_RELU",
            "LOGISTIC",
            "TANH",
            "HARD_SWISH",
            "ELU",
            "ABS",
            "EXP",
            "SQRT",
            "NEG",
            "SQUARE",
            "RSQRT",
            "GELU",
            "SIN",
            "COS",
            "LOG",
            "FLOOR",
            "ROUND",
        ):
            if (
                dtype != "float32"
                and kind
                in (
                    "ABS",
                    "EXP",
                    "SQRT",
                    "NEG",
                    "SQUARE",
                    "RSQRT",
                    "SIN",
                    "COS",
                    "LOG",
                    "FLOOR",
                    "ROUND",
                )
            ) or (dtype, kind) == ("uint8", "ELU"):
                continue
            for place in range(3 if dtype != "float32" else 1):
                x = some(rng, shape, dtype)
                y = some(rng, shape, dtype)
                if dtype != "float32" and kind in fixed:
                    zero = {"LOGISTIC": -128, "TANH": 0}[kind] + (128 if dtype == "uint8" else 0)
                    y = y._replace(scale=np.float32(fixed[kind]), zero=zero)
                options = {
                    "LEAKY_RELU": {"Alpha": float(rng.uniform(0.01, 0.5))},
                    "GELU": {"Approximate": bool(place)},
                }.get(kind, {})
                yield f"{kind.lower()}_{dtype}_{place}", one(kind, x, y, options)
        for place, a in enumerate(((12,), (1, 1, 12), (5, 5, 12))):
            x = some(rng, shape, dtype)
            alpha = weights(rng, a, dtype)
            y = some(
                rng, shape, dtype, scale=None if dtype == "float32" else np.float32(x.scale * 1.3)
            )
            yield f"prelu_{dtype}_{place}", one("PRELU", x, y, alpha=alpha)


def scales(rng: Rng) -> Iterator[tuple[str, bytes]]:
    shape = (2, 3, 40)
    for dtype in INTEGERS:
        for place in range(2):
            yield f"quantize_{dtype}_{place}", one("QUANTIZE", T(shape), some(rng, shape, dtype))
            yield (
                f"dequantize_{dtype}_{place}",
                one("DEQUANTIZE", some(rng, shape, dtype), T(shape)),
            )
            for other in INTEGERS:
                x, y = some(rng, shape, other), some(rng, shape, dtype)
                yield f"requantize_{other}_{dtype}_{place}", one("QUANTIZE", x, y)
        x = some(rng, shape, dtype)
        yield f"requantize_{dtype}_same", one("QUANTIZE", x, same(x, shape))
    half = constant(rng.normal(size=(12, 5)), "float16")
    tensors = {"x": T((3, 5)), "half": half, "w": T((12, 5)), "y": T((3, 12))}
    operators = [Op("DEQUANTIZE", ("half",), ("w",)), Op("FULLY_CONNECTED", ("x", "w"), ("y",))]
    yield "half_weights", build(tensors, operators)


def pools(rng: Rng) -> Iterator[tuple[str, bytes]]:
    for dtype in TYPES:
        for kind in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
            for place, (k, s, pad) in enumerate(
                (((2, 2), 2, 0), ((3, 3), 2, 0), ((3, 2), 1, 1), ((7, 6), 1, 1))
            ):
                x = some(rng, (2, 7, 6, 5), dtype)
                size = [
                    -(-n // s) if pad == 0 else (n - f) // s + 1
                    for n, f in zip((7, 6), k, strict=True)
                ]
                options = {
                    "Padding": pad,
                    "StrideH": s,
                    "StrideW": s,
                    "FilterHeight": k[0],
                    "FilterWidth": k[1],
                    "FusedActivationFunction": ACTIVATIONS[place],
                }
                yield (
                    f"{kind.lower()}_{dtype}_{place}",
                    one(kind, x, same(x, (2, *size, 5)), options),
                )
        for kind in ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"):
            for place, (axes, keep) in enumerate(
                (((1, 2), 1), ((1, 2), 0), ((2,), 0), ((-1,), 1), ((0, 3), 0), ((1, 2, 3), 1))
            ):
                if kind == "SUM" and dtype != "float32":
                    continue
                x = some(rng, (2, 7, 6, 5), dtype)
                along = {axis % 4 for axis in axes}
                made = tuple(
                    1 if a in along else n for a, n in enumerate(x.shape) if keep or a not in along
                )
                y = same(x, made) if kind.startswith("RED") else some(rng, made, dtype)
                yield (
                    f"{kind.lower()}_{dtype}_{place}",
                    one(kind, x, y, {"KeepDims": bool(keep)}, axes=constant(axes)),
                )
        for place, (shape, beta) in enumerate(
            (((2, 10), 1.0), ((1, 3, 4, 17), 0.5), ((1, 1001), 1.0))
        ):
            x = some(rng, shape, dtype)
            y = (
                T(shape)
                if dtype == "float32"
                else T(shape, dtype, 1 / 256, -128 if dtype == "int8" else 0)
            )
            yield f"softmax_{dtype}_{place}", one("SOFTMAX", x, y, {"Beta": beta})
        for kind in ("ARG_MAX", "ARG_MIN"):
            x = some(rng, (2, 3, 9), dtype)
            yield (
                f"{kind.lower()}_{dtype}",
                one(kind, x, T((2, 3), "int32"), {"OutputType": 2}, axis=constant(2)),
            )
    x, axes = T((2, 3, 4)), constant([1])
    yield "reduce_prod", one("REDUCE_PROD", x, T((2, 4)), {}, axes=axes)
    x = T((2, 3, 8))
    yield "l2_normalization", one("L2_NORMALIZATION", x, x, {"FusedActivationFunction": 0})
    yield "log_softmax", one("LOG_SOFTMAX", T((3, 8)), T((3, 8)))


def moves(rng: Rng) -> Iterator[tuple[str, bytes]]:
    for dtype in TYPES:
        x = some(rng, (2, 4, 6, 8), dtype)
        fills = {"float32": 1.5, "int8": -7, "uint8": 9}

        def case(
            name: str,
            kind: str,
            made: tuple[int, ...],
            options: dict | None = None,
            x=x,
            dtype=dtype,
            **others: T,
        ) -> tuple[str, bytes]:
            return f"{name}_{dtype}", one(kind, x, same(x, made), options, **others)

        yield case("reshape", "RESHAPE", (2, 24, 8), {}, shape=constant([2, -1, 8]))
        yield case("reshape_option", "RESHAPE", (8, 48), {"NewShape": [8, 48]})
        yield case("expand_dims", "EXPAND_DIMS", (2, 4, 6, 8, 1), axis=constant(-1))
        yield case("transpose", "TRANSPOSE", (2, 8, 4, 6), order=constant([0, 3, 1, 2]))
        yield case("pad", "PAD", (2, 7, 7, 8), sides=constant([[0, 0], [1, 2], [0, 1], [0, 0]]))
        yield case(
            "pad_channels", "PAD", (2, 4, 6, 12), sides=constant([[0, 0], [0, 0], [0, 0], [0, 4]])
        )
        fill = constant(
            fills[dtype],
            dtype,
            **({} if dtype == "float32" else {"scale": x.scale, "zero": x.zero}),
        )
        yield case(
            "pad_value",
            "PADV2",
            (2, 7, 6, 8),
            sides=constant([[0, 0], [1, 2], [0, 0], [0, 0]]),
            fill=fill,
        )
        for mode in (0, 1):
            yield case(
                f"mirror_pad_{mode}",
                "MIRROR_PAD",
                (2, 7, 8, 8),
                {"Mode": mode},
                sides=constant([[0, 0], [1, 2], [1, 1], [0, 0]]),
            )
        yield case(
            "slice",
            "SLICE",
            (2, 2, 6, 5),
            begin=constant([0, 1, 0, 3]),
            size=constant([-1, 2, 6, -1]),
        )
        yield case(
            "strided_slice",
            "STRIDED_SLICE",
            (2, 2, 8),
            {"BeginMask": 1, "EndMask": 8, "ShrinkAxisMask": 4},
            begin=constant([1, -3, 2, 0]),
            end=constant([2, 3, 3, 1]),
            step=constant([1, 1, 1, 1]),
        )
        yield case(
            "strided_slice_back",
            "STRIDED_SLICE",
            (2, 4, 3, 8),
            {"BeginMask": 7, "EndMask": 7},
            begin=constant([0, 0, 0]),
            end=constant([0, 0, 0]),
            step=constant([1, 1, -2]),
        )
        yield case("gather", "GATHER", (2, 4, 3, 8), {"Axis": 2}, indices=constant([5, 0, 2]))
        yield case("tile", "TILE", (2, 8, 6, 8), times=constant([1, 2, 1, 1]))
        if dtype != "uint8":
            yield case("depth_to_space", "DEPTH_TO_SPACE", (2, 8, 12, 2), {"BlockSize": 2})
            yield case("space_to_depth", "SPACE_TO_DEPTH", (2, 2, 3, 32), {"BlockSize": 2})
        thin = some(rng, (2, 1, 6, 1), dtype)
        yield case("squeeze", "SQUEEZE", (2, 6), {}, x=thin)
        yield case("squeeze_named", "SQUEEZE", (2, 6, 1), {"SqueezeDims": [1]}, x=thin)
        for place, size in enumerate(((8, 12), (5, 9), (3, 2), (1, 1))):
            for align, half in ((False, False), (True, False), (False, True)):
                options = {"AlignCorners": align, "HalfPixelCenters": half}
                for kind in ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"):
                    yield case(
                        f"{kind.lower()}_{place}_{align:d}{half:d}",
                        kind,
                        (2, *size, 8),
                        options,
                        size=constant(size),
                    )
        parts = {
            "x": x,
            "axis": constant(3),
            "a": same(x, (2, 4, 6, 4)),
            "y": same(x, (2, 4, 6, 4)),
        }
        yield (
            f"split_{dtype}",
            build(
                parts,
                [Op("SPLIT", ("axis", "x"), ("a", "y"), {"NumSplits": 2})],
                outputs=("a", "y"),
            ),
        )
        parts = {
            "x": x,
            "sizes": constant([3, -1]),
            "axis": constant(3),
            "a": same(x, (2, 4, 6, 3)),
            "y": same(x, (2, 4, 6, 5)),
        }
        yield (
            f"split_v_{dtype}",
            build(
                parts,
                [Op("SPLIT_V", ("x", "sizes", "axis"), ("a", "y"), {"NumSplits": 2})],
                outputs=("a", "y"),
            ),
        )
        parts = {
            "x": x,
            "a": same(x, (2, 6, 8)),
            "b": same(x, (2, 6, 8)),
            "c": same(x, (2, 6, 8)),
            "d": same(x, (2, 6, 8)),
            "y": same(x, (2, 6, 2, 8)),
        }
        yield (
            f"unpack_pack_{dtype}",
            build(
                parts,
                [
                    Op("UNPACK", ("x",), ("a", "b", "c", "d"), {"Num": 4, "Axis": 1}),
                    Op("PACK", ("b", "d"), ("y",), {"ValuesCount": 2, "Axis": 2}),
                ],
            ),
        )
        other = some(rng, (2, 4, 6, 3), dtype) if dtype == "uint8" else same(x, (2, 4, 6, 3))
        y = some(rng, (2, 4, 6, 11), dtype) if dtype == "uint8" else same(x, (2, 4, 6, 11))
        yield f"concatenation_{dtype}", one("CONCATENATION", x, y, {"Axis": -1}, other=other)
    sizes = {
        "x": T((1, 6, 4)),
        "shape": T((3,), "int32"),
        "begin": constant([1]),
        "end": constant([2]),
        "step": constant([1]),
        "rows": T((), "int32"),
        "two": constant(2),
        "half": T((), "int32"),
        "rest": constant(-1),
        "new": T((3,), "int32"),
        "one": constant(1),
        "y": T((1, 12, 2)),
    }
    operators = [
        Op("SHAPE", ("x",), ("shape",), {"OutType": 2}),
        Op("STRIDED_SLICE", ("shape", "begin", "end", "step"), ("rows",), {"ShrinkAxisMask": 1}),
        Op("MUL", ("rows", "two"), ("half",)),
        Op("PACK", ("one", "half", "rest"), ("new",), {"ValuesCount": 3}),
        Op("RESHAPE", ("x", "new"), ("y",)),
    ]
    yield "folded_shape", build(sizes, operators)
    yield "cast", build({"x": T((2, 3), "int32"), "y": T((2, 3))}, [Op("CAST", ("x",), ("y",))])


def choices(rng: Rng) -> Iterator[tuple[str, bytes]]:
    """Comparisons, choices, indices that are computed, and what is filled and turned."""
    shape = (2, 3, 4)
    for dtype in ("float32", "int32"):
        x, w = T(shape, dtype), T((3, 1), dtype)
        for kind in ("EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL"):
            yield f"{kind.lower()}_{dtype}", one(kind, x, T(shape, "bool"), w=w)
        for kind in ("FLOOR_DIV", "FLOOR_MOD"):
            by = constant(rng.integers(1, 5, (3, 1)), dtype)
            yield f"{kind.lower()}_{dtype}", one(kind, x, x, w=by)
    for dtype in TYPES:
        x = some(rng, shape, dtype)
        tensors = {"x": x, "w": x, "a": T(shape), "b": T(shape), "c": T(shape, "bool")}
        tensors |= {"n": T(shape, "bool"), "l": T(shape, "bool"), "d": T(shape, "bool"), "y": x}
        for kind in ("SELECT", "SELECT_V2"):
            operators = [
                Op("LESS", ("a", "b"), ("c",)),
                Op("LOGICAL_NOT", ("c",), ("n",)),
                Op("LESS", ("a", "a"), ("l",)),
                Op("LOGICAL_OR" if kind == "SELECT" else "LOGICAL_AND", ("n", "n"), ("d",)),
                Op(kind, ("d", "x", "w"), ("y",)),
            ]
            inputs = ("x", "w", "a", "b")
            yield f"{kind.lower()}_{dtype}", build(tensors, operators, inputs)
        places = constant(rng.integers(0, 2, (5, 2)))
        yield f"gather_nd_{dtype}", one("GATHER_ND", x, same(x, (5, 4)), places=places)
        yield f"reverse_{dtype}", one("REVERSE_V2", x, x, axes=constant([1]))
        thin = some(rng, (3, 1), dtype)
        yield f"broadcast_{dtype}", one("BROADCAST_TO", thin, same(thin, shape), to=constant(shape))
    tensors = {"x": T((3, 4)), "axis": constant(1), "at": T((3,), "int32"), "y": T((3, 4))}
    operators = [
        Op("ARG_MAX", ("x", "axis"), ("at",), {"OutputType": 2}),
        Op("FLOOR_MOD", ("at", "three"), ("row",)),
        Op("GATHER", ("x", "row"), ("part",)),
        Op("FILL", ("shape", "half"), ("filled",)),
        Op("MUL", ("part", "filled"), ("y",)),
    ]
    tensors |= {"three": constant([3]), "row": T((3,), "int32"), "part": T((3, 4))}
    tensors |= {"shape": constant([3, 4]), "half": constant(0.5, "float32"), "filled": T((3, 4))}
    sizes = {"x": T((3, 4)), "y": T((3, 4)), "s": T((2,), "int32")}
    pair = [Op("RELU", ("x",), ("y",)), Op("SHAPE", ("x",), ("s",), {"OutType": 2})]
    yield "constant_output", build(sizes, pair, outputs=("y", "s"))
    yield "gather_computed", build(tensors, operators)


FAMILIES: tuple[Callable[[Rng], Iterator[tuple[str, bytes]]], ...] = (
    convolutions,
    dilated,
    fully,
    transposed,
    products,
    pairs,
    elements,
    scales,
    pools,
    moves,
    choices,
)


def cases(seed: int = 0) -> dict[str, bytes]:
    """All files by their names."""
    return {
        name: data
        for place, family in enumerate(FAMILIES)
        for name, data in family(np.random.default_rng([seed, place]))
    }
