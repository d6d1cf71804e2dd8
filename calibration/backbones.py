"""Base graphs out of torch modules: where their layers look, and the file. Needs the extra `export`.

A base graph takes uint8 [B,H,W,3] RGB (B any, H and W multiples of 32) and gives the output of every layer, float32
[B,d,h,w], under the name `block_<number>`. Its metadata `taps` says of each: channels, stride and offset, in input pixels:
cell i looks at input pixel `stride * i + offset`. graphs.py cuts it to a station's layers.
"""

from pathlib import Path

import torch

from calibration import graphs, networks, tracing
from calibration.catalogue import ADDABLE, RECIPES
from calibration.graphs import Tap
from calibration.networks import Network
from inspectd.errors import BadInput
from inspectd.station.state import replace

_MEASURED_PX, _PROBES = 320, 4  # pictures and random directions by which receptive fields are measured


def add(name: str, backbones: Path, weights: Path | None = None, random_seed: int | None = None) -> Path:
    """Write the base graph of a network of the catalogue, with the weights of a file, published ones, or random ones.

    Random weights are for tests: the graph says so, and it is called `<name>-random`, so that nobody uses it unawares.
    """
    if name not in ADDABLE:
        raise BadInput(f"backbone: expected one of {', '.join(ADDABLE)}, got {name}")
    if random_seed is None:
        network, origin = networks.pretrained(name, weights)
        path = backbones / f"{name}.onnx"
    else:
        network, origin = networks.random(name, random_seed)
        path = backbones / f"{name}{graphs.RANDOM}.onnx"
    replace(path, export(name, network, origin))
    return path


def export(name: str, network: Network, origin: str) -> bytes:
    """Base graph of a network; the origin of its weights stands in it."""
    found = dict(zip(RECIPES[name].numbers, taps(network), strict=True))
    model = tracing.to_onnx(network, {f"block_{i}": tap.channels for i, tap in found.items()})
    return graphs.as_base(model, found, {"network": name, "weights": origin})


def taps(network: Network) -> list[Tap]:
    """Channels, stride and offset of every block.

    The offset is measured: the centre of the effective receptive field (Luo et al., 2016), the input pixels whose change
    moves a cell most. The padding alone does not tell it. TensorFlow pads at the end, which puts the middle tap of cell i on
    pixel stride * i + stride - 1, but training leans the other way: at stride 8 the centre is near the cell's own. Blocks of
    one stride share it, measured at the last of them: between them nothing moves the grid.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        pictures = _clouds().requires_grad_()
        outputs = network.outputs(pictures)
        strides = [_MEASURED_PX // output.shape[2] for output in outputs]
        last = dict(zip(strides, outputs, strict=True))
        offsets = {stride: round(_centre(output, pictures) - _MEASURED_PX // 2) for stride, output in last.items()}
    return [Tap(output.shape[1], stride, offsets[stride]) for output, stride in zip(outputs, strides, strict=True)]


def _centre(output: torch.Tensor, pictures: torch.Tensor) -> float:
    """Input pixel, mean of both axes, at which the middle cell of a block looks."""
    middle = output[:, :, output.shape[2] // 2, output.shape[3] // 2]
    energy = torch.zeros(_MEASURED_PX, _MEASURED_PX)
    for _ in range(_PROBES):
        direction = torch.randn(output.shape[1])
        (slope,) = torch.autograd.grad((middle * direction).sum(), pictures, retain_graph=True)
        energy += slope.square().sum((0, 1))
    along = energy.sum(0) + energy.sum(1)
    return float((along * torch.arange(_MEASURED_PX)).sum() / along.sum())


def _clouds() -> torch.Tensor:
    """Random pictures with coarse and fine structure, as photographs have: float32 [B,3,H,W], -1 … 1."""
    coarse, fine = (
        torch.nn.functional.interpolate(torch.randn(4, 3, side, side), size=_MEASURED_PX, mode="bilinear")
        for side in (_MEASURED_PX // 8, _MEASURED_PX // 2)
    )
    return (0.5 * coarse + 0.3 * fine).clamp(-1, 1)
