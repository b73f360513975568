"""Networks from TOML files.

    name = "probe"
    input = [3, 17, 19]        # c, h, w
    weights = "probe.npz"      # optional, beside the file
    batch = 4                  # optional; images that run at once, where no option says otherwise
    [[layer]]
    name = "stem"
    op = "conv2d"              # an operator; its attributes by their names
    out_channels = 5
    kernel = [3, 3]
    inputs = ["input"]         # optional; the layer before, or the network's input
    bias = true                # optional, as are norm, prenorm, layer_scale and activation

With independent = true no layer reads another: each has an input of its own, [c, h, w] or a list of
them, in place of that of the network and of `inputs`.

Every message names the file, the line and the key.
"""

from dataclasses import MISSING, dataclass, field, fields
from math import prod
from pathlib import Path
from typing import Any

from accelsim.checks import check, show, suggestion, whole
from accelsim.errors import (
    AccelsimError,
    FileError,
    NetworkError,
    ShapeError,
    UnsupportedError,
    warn,
)
from accelsim.files import TomlFile, read_toml
from accelsim.ir import IMAGES, INPUT, BaseNetwork, Layer, LayerList, Network, Shape, own_names
from accelsim.ops import MACROS, OPS, Linear, papers
from accelsim.ops.geometry import check_bool
from accelsim.tensors import check_extent

_BUILT_IN: dict[str, type[Any]] = {op.name: op for op in (*OPS, *MACROS)}
OPERATORS = (*_BUILT_IN, *papers.NAMES)
_FLAGS = ("bias", "norm", "prenorm", "layer_scale")
INDEPENDENT = "independent"
_EPILOGUE = {**dict.fromkeys(_FLAGS, False), "activation": "none"}


def load(path: Path) -> BaseNetwork:
    """The network that a TOML file describes; FileError where it is wrong."""
    file = read_toml(path)
    if not file.data:
        raise FileError(f"{path} is empty; it must say name, input and at least one [[layer]]")
    independent = _independent(file)
    reads = () if independent else ("input",)
    _check_keys(file, file.data, ("name", *reads, "layer"), ("weights", "batch", INDEPENDENT), ())
    name = _text(file, file.data["name"], "name")
    tables = file.data["layer"]
    is_list = isinstance(tables, list) and tables
    if not is_list or not all(isinstance(table, dict) for table in tables):
        raise file.error("layer must be written as [[layer]] tables", "layer")
    weights = file.data.get("weights")
    if weights is not None:
        weights = str(path.parent / _text(file, weights, "weights"))
    batch = file.data.get("batch", 1)
    check("batch", batch, IMAGES, lambda said: file.error(said, "batch"))
    _check_operators(file, tables)
    reader = _Reader(file, independent, {} if independent else {INPUT: _image(file)})
    for index, table in enumerate(tables):
        reader.read(index, table)
    layers = tuple(reader.layers)
    if not independent:
        return Network(name, reader.shapes[INPUT], layers, weights_file=weights, batch=batch)
    maps = tuple(tuple(reader.shapes[each] for each in layer.inputs) for layer in layers)
    return LayerList(name, layers, maps, weights_file=weights, batch=batch)


def find_operator(name: str) -> type[Any]:
    """The operator of that name, one of OPERATORS."""
    return _BUILT_IN[name] if name in _BUILT_IN else papers.find(name)


def is_macro(operator: type[Any]) -> bool:
    """Whether a layer of it stands for others, which say themselves what follows them."""
    return hasattr(operator, "expand")


def defaults(operator: type[Any]) -> dict[str, Any]:
    """Keys of a layer of an operator beside name, op and inputs, with their defaults.

    MISSING where there is none.
    """
    attributes = {each.name: each.default for each in fields(operator)}
    return attributes if is_macro(operator) else attributes | _EPILOGUE


def _image(file: TomlFile) -> Shape:
    """(c, h, w) of the network's input."""
    try:
        return _shape(file.data["input"])
    except ShapeError as error:
        raise file.error(str(error), "input") from None


def _independent(file: TomlFile) -> bool:
    """Whether no layer reads another."""
    independent = file.data.get(INDEPENDENT, False)
    if not isinstance(independent, bool):
        raise file.error(f"{INDEPENDENT} must be true or false, not {independent!r}", INDEPENDENT)
    if independent and "input" in file.data:
        raise file.error(f"input is one of every layer where {INDEPENDENT} = true", "input")
    return independent


@dataclass
class _Reader:
    """Reads layer by layer and knows the shapes so far, so that errors have a line."""

    file: TomlFile
    independent: bool
    shapes: dict[str, Shape]
    layers: list[Layer] = field(default_factory=list)

    def read(self, index: int, table: dict[str, Any]) -> None:
        """Append the layers of one [[layer]] table."""
        where = ("layer", index)
        name = _text(self.file, table.get("name"), "name", where)
        try:
            for layer in self._layers(where, table, name):
                if layer.name in self.shapes:
                    raise self.file.error(f"name {layer.name} is used twice", *where, "name")
                inputs = tuple(self.shapes[source] for source in layer.inputs)
                self.shapes[layer.name] = layer.op.out_shape(*inputs)
                check_extent("maps", self.shapes[layer.name])
                self.layers.append(layer)
                self._warn_of_flattening(where, layer, inputs)
        except FileError:
            raise
        except AccelsimError as error:
            # Messages of operators begin with the attribute that is wrong.
            message = str(error).removesuffix(f" (layer {name})")
            raise self.file.error(f"{message} (layer {name})", *where, message.split()[0]) from None

    def _layers(
        self, where: tuple[str, int], table: dict[str, Any], name: str
    ) -> tuple[Layer, ...]:
        """The layer of a table, or the layers of its macro operator."""
        op_type = find_operator(table["op"])
        if self.independent and is_macro(op_type):
            raise NetworkError(f"op {op_type.name} makes layers that read each other")
        known = defaults(op_type)
        required = [key for key, default in known.items() if default is MISSING]
        own, others = (("input",), ()) if self.independent else ((), ("inputs",))
        keys = ("name", "op", *own, *required), (*others, *known)
        _check_keys(self.file, table, *keys, where)
        attributes = [each.name for each in fields(op_type)]
        op = op_type(**{key: _tuples(table[key]) for key in attributes if key in table})
        inputs = self._own(table) if self.independent else self._inputs(where, table)
        if is_macro(op_type):
            if len(inputs) != 1:
                raise ShapeError(f"inputs of {op.name}: it takes 1 input, not {len(inputs)}")
            for source in getattr(op, "reads", ()):
                if source not in self.shapes:
                    raise NetworkError(
                        f"op {op.name} reads {source!r}, which is no layer before it"
                        f"{suggestion(self.shapes, source)}"
                    )
            layers: tuple[Layer, ...] = op.expand(name, inputs, self.shapes[inputs[0]])
            return layers
        for flag in _FLAGS:
            check_bool(flag, table.get(flag, False))
        epilogue = {key: table.get(key, default) for key, default in _EPILOGUE.items()}
        return (Layer(name, op, inputs, **epilogue),)

    def _warn_of_flattening(
        self, where: tuple[str, int], layer: Layer, inputs: tuple[Shape, ...]
    ) -> None:
        """AccelsimWarning where a linear layer makes one vector of a map without saying so."""
        if isinstance(layer.op, Linear) and not layer.op.flatten and inputs[0][1:] != (1, 1):
            warn(
                f"{self.file.path}:{self.file.line(*where)}: linear flattens its input "
                f"{show(inputs[0])} to {prod(inputs[0])} values; flatten = true says that this is "
                f"meant, pointwise is linear at every pixel (layer {layer.name})"
            )

    def _own(self, table: dict[str, Any]) -> tuple[str, ...]:
        """Names of the maps that an independent layer reads, whose shapes are known from here."""
        value = table["input"]
        several = isinstance(value, list) and value and isinstance(value[0], list)
        shapes = [_shape(each) for each in (value if several else [value])]
        names = own_names(table["name"], len(shapes))
        self.shapes |= zip(names, shapes, strict=True)
        return names

    def _inputs(self, where: tuple[str, int], table: dict[str, Any]) -> tuple[str, ...]:
        """Names of the layers that a table reads."""
        before = self.layers[-1].name if self.layers else INPUT
        sources = table.get("inputs", [before])
        if not isinstance(sources, list) or not sources:
            raise self.file.error(
                f"inputs must be a list of layer names, not {sources!r}", *where, "inputs"
            )
        for source in sources:
            if not isinstance(source, str) or source not in self.shapes:
                raise self.file.error(
                    f"inputs must name layers before this one or {INPUT!r}, not {source!r}"
                    f"{suggestion(self.shapes, source)}",
                    *where,
                    "inputs",
                )
        return tuple(sources)


def _check_operators(file: TomlFile, tables: list[dict[str, Any]]) -> None:
    """UnsupportedError that lists every layer whose operator does not exist."""
    unknown = []
    for index, table in enumerate(tables):
        if "op" not in table:
            raise file.error("op is missing", "layer", index)
        if table["op"] not in OPERATORS:  # also where it is a list, which has no hash
            line = file.line("layer", index, "op")
            unknown.append(f"{table['op']!r} (layer {table.get('name', index)}, line {line})")
    if unknown:
        named = (table["op"] for table in tables if table["op"] not in OPERATORS)
        raise UnsupportedError(
            f"{file.path}: op {', '.join(unknown)} is not supported; "
            f"the operators are {', '.join(OPERATORS)}{suggestion(OPERATORS, *named)}"
        )


def _check_keys(
    file: TomlFile,
    table: dict[str, Any],
    required: tuple[str, ...],
    optional: tuple[str, ...],
    where: tuple[str | int, ...],
) -> None:
    """FileError where a table has a key that does not exist or lacks one that must."""
    layer = f" (layer {table['name']})" if where else ""
    for key in table:
        if key not in (*required, *optional):
            known = tuple(dict.fromkeys((*required, *optional)))
            close = suggestion(known, key)
            raise file.error(
                f"unknown key {key}; allowed are {', '.join(known)}{layer}{close}", *where, key
            )
    for key in required:
        if key not in table:
            raise file.error(f"{key} is missing{layer}", *where)


def _shape(value: Any) -> Shape:
    """(c, h, w) of an input; ShapeError begins with that word."""
    if not (isinstance(value, list) and len(value) == 3 and all(map(whole(1).allows, value))):
        raise ShapeError(
            "input must be three whole numbers of at least 1, channels, height and width, "
            f"not {value!r}"
        )
    channels, height, width = value
    check_extent("input", (channels, height, width))
    return channels, height, width


def _text(file: TomlFile, value: Any, key: str, where: tuple[str | int, ...] = ()) -> str:
    """The value if it is a text that is not empty."""
    if value is None:
        raise file.error(f"{key} is missing", *where)
    if not isinstance(value, str) or not value:
        raise file.error(f"{key} must be a text, not {value!r}", *where, key)
    return value


def _tuples(value: Any) -> Any:
    """Lists as tuples, at every depth."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
