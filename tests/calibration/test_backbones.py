"""The shipped base graphs are a fresh export of the packages' weights, and compute what the torch modules compute."""

import hashlib
import importlib
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper

from calibration import backbones, graphs

pytestmark = [
    pytest.mark.export,
    pytest.mark.timeout(600),  # an export takes half a minute, and longer on a busy machine
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning"),  # the exporter's own
]


@pytest.fixture(scope="module", params=sorted(backbones.RECIPES))
def name(request):
    return request.param


@pytest.fixture(scope="module")
def model(name):
    return backbones.lite(name)


@pytest.fixture(scope="module")
def fresh(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "fresh.onnx"
    backbones.export(model, path)
    return path


def run(path, pixels):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"]).run(None, {"pixels": pixels})


def noise(*shape):
    return np.random.default_rng(4).integers(0, 256, shape, np.uint8)


def test_weights_of_the_shipped_graph_are_those_of_a_fresh_export(name, fresh):
    shipped, exported = (
        {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer}
        for path in (graphs.SHIPPED / f"{name}.onnx", fresh)
    )
    assert shipped.keys() == exported.keys()
    for tensor, values in shipped.items():
        np.testing.assert_allclose(values, exported[tensor], rtol=1e-6, atol=1e-7, err_msg=tensor)


def test_outputs_of_the_shipped_graph_are_those_of_a_fresh_export(name, fresh):
    pixels = noise(2, 96, 64, 3)
    for shipped, exported in zip(run(graphs.SHIPPED / f"{name}.onnx", pixels), run(fresh, pixels), strict=True):
        np.testing.assert_allclose(shipped, exported, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shape", [(1, 64, 64, 3), (3, 96, 160, 3)])
def test_every_block_of_the_shipped_graph_equals_the_torch_module(name, model, shape):
    pixels = noise(*shape)
    with torch.no_grad():
        expected = model(torch.from_numpy(pixels))
    for computed, block in zip(run(graphs.SHIPPED / f"{name}.onnx", pixels), expected, strict=True):
        assert np.abs(computed - block.numpy()).max() <= 1e-4 * max(1.0, float(block.abs().max()))


def test_taps_of_the_shipped_graph_are_those_of_a_fresh_export(name, fresh):
    shipped, measured = (graphs.layers_of(path) for path in (graphs.SHIPPED / f"{name}.onnx", fresh))
    assert list(shipped) == list(measured)
    for layer, tap in measured.items():
        assert (shipped[layer].channels, shipped[layer].stride) == (tap.channels, tap.stride)
        assert abs(shipped[layer].offset - tap.offset) <= 1, layer  # measured and rounded to whole pixels


def test_the_note_of_origin_names_the_weights_that_were_exported(name):
    origin = json.loads((graphs.SHIPPED / "origin.json").read_text())[name]
    recipe = backbones.RECIPES[name]
    path = getattr(importlib.import_module(recipe.package), recipe.weights).get_model_file_path()
    assert hashlib.sha256(Path(path).read_bytes()).hexdigest() == origin["weights_sha256"]
