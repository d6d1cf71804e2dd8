"""The backbones that can be added, and what their layers are called. No torch: every command can name them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """One network: which of its blocks are layers, and how these are numbered."""

    first: int  # number of the first layer
    last: int
    layers: str  # what the numbers stand for
    lite: str = ""  # the digit of an EfficientNet-Lite; else the network is torchvision's, of the same name

    @property
    def numbers(self) -> range:
        """Numbers of the layers, shallow to deep."""
        return range(self.first, self.last + 1)


def _lite(digit: str, last: int) -> Recipe:
    return Recipe(0, last, f"blocks 0 to {last} of the network", digit)


_RESNET = Recipe(1, 4, "layer1 to layer4 of the network, each at its end")
_DENSENET = Recipe(1, 4, "denseblock1 to denseblock4 of the network, each at its end")
SHIPPED = {"lite0": _lite("0", 10), "lite2": _lite("2", 19)}
ADDABLE = {
    "lite1": _lite("1", 19),
    "resnet18": _RESNET,
    "resnet50": _RESNET,
    "resnet101": _RESNET,
    "wide_resnet50_2": _RESNET,
    "wide_resnet101_2": _RESNET,
    "resnext101_32x8d": _RESNET,
    "densenet201": _DENSENET,
}
RECIPES = SHIPPED | ADDABLE
PACKAGES = ("torch", "torchvision", "onnx", "efficientnet_lite_pytorch")  # of the extra `export`
