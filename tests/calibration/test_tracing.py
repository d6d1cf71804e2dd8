"""Base graphs compute what the torch modules compute, for one network of every family, at sizes none was trained at."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from calibration import networks, tracing
from calibration.catalogue import RECIPES

pytestmark = pytest.mark.export

# resnet101 and wide_resnet101_2 are made of the blocks of their namesakes of 50 layers
FAMILIES = ("lite1", "resnet18", "resnet50", "wide_resnet50_2", "resnext101_32x8d", "densenet201")


def traced(network, name):
    """Graph and layers' numbers of a network; how many channels a layer has is asked of the network."""
    with torch.no_grad():
        outputs = network(torch.zeros(1, 64, 64, 3, dtype=torch.uint8))
    names = [f"block_{i}" for i in RECIPES[name].numbers]
    return tracing.to_onnx(network, dict(zip(names, [output.shape[1] for output in outputs], strict=True)))


def session(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def noise(*shape):
    return np.random.default_rng(4).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_layer_equals_the_torch_module_at_any_batch_and_size(name):
    network, _ = networks.random(name, seed=1)
    graph = session(traced(network, name))
    for shape in ((2, 96, 160, 3), (1, 64, 64, 3)):
        pixels = noise(*shape)
        with torch.no_grad():
            expected = network(torch.from_numpy(pixels))
        computed = graph.run(None, {"pixels": pixels})
        assert len(computed) == len(expected) == len(RECIPES[name].numbers)
        for one, other in zip(computed, expected, strict=True):
            assert one.shape == other.shape
            assert np.abs(one - other.numpy()).max() <= 1e-4 * max(1.0, float(other.abs().max()))


def test_the_graph_is_checked_named_and_free_in_batch_and_size():
    network, _ = networks.random("resnet18", seed=0)
    model = traced(network, "resnet18")
    onnx.checker.check_model(model, full_check=True)
    (pixels,) = model.graph.input
    assert [axis.dim_param or axis.dim_value for axis in pixels.type.tensor_type.shape.dim] == ["batch", "rows", "columns", 3]
    assert [output.name for output in model.graph.output] == ["block_1", "block_2", "block_3", "block_4"]
    assert "BatchNormalization" not in {node.op_type for node in model.graph.node}  # all are folded


def test_a_batch_norm_that_cannot_be_folded_stays():
    """A map that is used before its norm too must not be normed."""
    conv, norm = torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.BatchNorm2d(4)
    torch.nn.init.uniform_(norm.running_var, 0.5, 2)

    class Twice(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm = conv, norm

        def forward(self, pixels):
            raw = self.conv(pixels.permute(0, 3, 1, 2).float())
            return (self.norm(raw) + raw,)

    module = Twice().eval()
    pixels = noise(1, 8, 8, 3)
    (computed,) = session(tracing.to_onnx(module, {"block_0": 4})).run(None, {"pixels": pixels})
    with torch.no_grad():
        (expected,) = module(torch.from_numpy(pixels))
    np.testing.assert_allclose(computed, expected.numpy(), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("act", [lambda x: x.sigmoid(), torch.sigmoid], ids=["method", "function"])
def test_an_operator_that_is_not_known_is_refused_by_its_name(act):
    class Odd(torch.nn.Module):
        def forward(self, pixels):
            return (act(pixels.permute(0, 3, 1, 2).float()),)

    with pytest.raises(NotImplementedError, match=r"sigmoid.* has no ONNX node here"):
        tracing.to_onnx(Odd(), {"block_0": 3})
