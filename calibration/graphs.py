"""The one home of onnx: cuts a base graph to a station's layers. No torch.

    pixels ─ blocks ─┬─ p x p average ───────────┬─ concatenate ─ [B,h,w,d] vectors
                     └─ p x p average ─ align ───┘

ONNX Runtime computes a whole graph whatever output is asked for, so what lies behind the last tap is cut away. Deeper taps
are aligned to the grid of the shallowest one by where their cells look, to the nearest half cell of the grid: with one-sided
padding the usual half-pixel resize can be off by a whole one.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import inspectd.vision
from inspectd.errors import BadInput, MissingExtra
from inspectd.station.state import replace

try:
    import onnx
    from onnx import helper, numpy_helper
except ModuleNotFoundError as error:
    raise MissingExtra("graphs are cut with the package onnx: pip install 'inspectd[calibrate]'") from error

SHIPPED = Path(inspectd.vision.__file__).parent / "graphs"
RANDOM = "-random"  # ends the names of graphs with random weights
OUTPUT = "vectors"
_ORIGIN = ("network", "weights")  # what a base graph that was added says of itself, and each graph cut from it
_TO_THE_END = 2**31 - 1  # of a slice


@dataclass(frozen=True)
class Tap:
    """A block's output: cell i looks at input pixel `stride * i + offset`."""

    channels: int
    stride: int
    offset: int


def base_graph(name: str, backbones: Path) -> Path:
    """Find the base graph of a backbone: shipped, or added to the state directory's `backbones`; BadInput if unknown."""
    for path in (SHIPPED / f"{name}.onnx", backbones / f"{name}.onnx"):
        if path.is_file():
            return path
    known = sorted(path.stem for folder in (SHIPPED, backbones) for path in folder.glob("*.onnx") if len(path.stem) < 64)
    raise BadInput(f"backbone {name}: expected one of {', '.join(known)}; others come by `inspectd backbone add`")


def layers_of(base: Path) -> dict[int, Tap]:
    """Return the layers that a base graph offers, by number, shallow to deep."""
    return _taps(_load(base), base)


def cut(base: Path, layers: Sequence[int], patch: int) -> bytes:
    """Graph from uint8 [B,H,W,3] to float32 [B,h,w,d] patch vectors of some layers; the same inputs give the same bytes.

    `patch` is the side of the neighbourhood averaged (at the border over the cells that exist). The grid is the shallowest
    layer's. BadInput naming the valid layers if one is not there.
    """
    model = _load(base)
    offered = _taps(model, base)
    if not layers or len(set(layers)) < len(layers) or any(layer not in offered for layer in layers):
        raise BadInput(f"{base.stem}: expected different layers out of {list(offered)}, got {list(layers)}; set method.layers")
    grid = min((offered[layer] for layer in layers), key=lambda tap: tap.stride)
    nodes, names = [], []
    constants: list[Any] = []
    for layer in layers:
        name = f"block_{layer}"
        nodes += _average(name, patch)
        nodes += _align(f"{name}_average", offered[layer], grid, constants)
        names.append(f"{name}_aligned")
    nodes.append(helper.make_node("Concat", names, ["concatenated"], axis=1))
    nodes.append(helper.make_node("Transpose", ["concatenated"], [OUTPUT], perm=[0, 2, 3, 1]))
    whole = _assemble(model, nodes, constants, sum(offered[layer].channels for layer in layers))
    known = {"stride": str(grid.stride), "offset": str(_looks_at([offered[i] for i in layers], grid))}
    said = _properties(model)
    helper.set_model_props(whole, known | {key: said[key] for key in _ORIGIN if key in said})
    return _sealed(whole)


def as_base(model: Any, taps: Mapping[int, Tap], origin: Mapping[str, str]) -> bytes:
    """Base graph of a model with the outputs `block_<number>`: checked, with its taps and its origin in the metadata."""
    named = json.dumps({f"block_{i}": asdict(tap) for i, tap in taps.items()}, sort_keys=True)
    helper.set_model_props(model, {"taps": named, **origin})
    return _sealed(model)


def origin(base: Path) -> str:
    """Return where an added base graph's weights come from; empty for a shipped one."""
    return _properties(_load(base)).get("weights", "")


def store(backbones: Path, data: bytes) -> str:
    """Keep a cut graph as `<sha256>.onnx`, once; returns the sha256."""
    sha256 = hashlib.sha256(data).hexdigest()
    path = backbones / f"{sha256}.onnx"
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        replace(path, data)
    return sha256


def _load(base: Path) -> Any:
    try:
        return onnx.load(os.fspath(base))
    except Exception as error:  # protobuf raises its own kinds
        raise BadInput(
            f"{base}: expected a base graph in ONNX format: {error}; install inspectd anew or add the backbone again"
        ) from error


def _taps(model: Any, base: Path) -> dict[int, Tap]:
    properties = _properties(model)
    if "taps" not in properties:
        raise BadInput(f"{base}: expected a base graph that names its taps; make it with `inspectd backbone add`")
    taps = json.loads(properties["taps"])
    by_number = {int(name.removeprefix("block_")): Tap(**tap) for name, tap in taps.items()}
    return dict(sorted(by_number.items()))


def _properties(model: Any) -> dict[str, str]:
    return {item.key: item.value for item in model.metadata_props}


def _sealed(model: Any) -> bytes:
    onnx.checker.check_model(model, full_check=True)
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def _average(name: str, patch: int) -> list[Any]:
    if patch == 1:
        return [helper.make_node("Identity", [name], [f"{name}_average"])]
    # zeros around the map count, as in the paper's code: patches at the border then lie apart from all others and are compared
    # with patches of the border (MTD, lite0 4+10 at 224: AUROC 0.966; averaged over what exists alone: 0.917)
    pooled: dict[str, Any] = {"kernel_shape": [patch, patch], "pads": [patch // 2] * 4, "count_include_pad": 1}
    return [helper.make_node("AveragePool", [name], [f"{name}_average"], **pooled)]


def _shift(tap: Tap, grid: Tap) -> float:
    """By how many grid cells a tap's map lags behind the grid: grid cell i lies at (i - shift) / ratio of the tap's cells.

    To the nearest half, whole where the strides are equal: what a resize and a move by whole cells can do.
    """
    steps = 2 if tap.stride > grid.stride else 1
    return round(steps * (tap.offset - grid.offset) / grid.stride) / steps


def _looks_at(taps: Sequence[Tap], grid: Tap) -> float:
    """Input pixel at which grid cell 0 looks: the mean over all channels, each where its alignment put it."""
    total = sum(tap.channels * (tap.offset - grid.stride * _shift(tap, grid)) for tap in taps)
    return round(total / sum(tap.channels for tap in taps), 2)


def _align(name: str, tap: Tap, grid: Tap, constants: list[Any]) -> list[Any]:
    """Bilinear resize of a tap to the grid, moved by its shift, the border repeated.

    The usual half-pixel resize shifts by (ratio - 1) / 2, a half for all even ratios, an "asymmetric" one by 0. The rest is
    whole: the map is lengthened by repeating its border and as much is cut off at the other end.
    """
    stem = name.removesuffix("_average")
    out = f"{stem}_aligned"
    ratio, shift = tap.stride // grid.stride, _shift(tap, grid)
    if ratio == 1 and shift == 0:
        return [helper.make_node("Identity", [name], [out])]

    def constant(what: str, values: Sequence[float], dtype: type[np.generic] = np.int64) -> str:
        constants.append(numpy_helper.from_array(np.array(values, dtype), f"{stem}_{what}"))
        return f"{stem}_{what}"

    scales = constant("scales", [1, 1, ratio, ratio], np.float32)
    mode = "asymmetric" if shift == int(shift) else "half_pixel"
    move = int(shift if mode == "asymmetric" else shift - (ratio - 1) / 2)
    if move == 0:
        return [_resize(name, scales, out, mode)]
    before, after = (max(0, -(-cells // ratio)) for cells in (move, -move))
    pads = constant("pads", [0, 0, before, before, 0, 0, after, after])
    start, end = ratio * before - move, -(ratio * after + move)
    window = [constant("from", [start] * 2), constant("to", [end or _TO_THE_END] * 2), constant("axes", [2, 3])]
    return [
        helper.make_node("Pad", [name, pads], [f"{stem}_padded"], mode="edge"),
        _resize(f"{stem}_padded", scales, f"{stem}_resized", mode),
        helper.make_node("Slice", [f"{stem}_resized", *window], [out]),
    ]


def _resize(name: str, scales: str, out: str, mode: str) -> Any:
    return helper.make_node("Resize", [name, "", scales], [out], mode="linear", coordinate_transformation_mode=mode)


def _assemble(model: Any, tail: list[Any], constants: list[Any], channels: int) -> Any:
    """The part of a base graph on which the tail depends, and the tail."""
    wanted = {name for node in tail for name in node.input}
    kept = []
    for node in reversed(model.graph.node):
        if wanted.intersection(node.output):
            kept.append(node)
            wanted.update(node.input)
    weights = [tensor for tensor in model.graph.initializer if tensor.name in wanted]
    output = helper.make_tensor_value_info(OUTPUT, onnx.TensorProto.FLOAT, ["batch", "h", "w", channels])
    graph = helper.make_graph([*reversed(kept), *tail], "patches", list(model.graph.input), [output], [*weights, *constants])
    return helper.make_model(graph, opset_imports=list(model.opset_import), ir_version=model.ir_version)
