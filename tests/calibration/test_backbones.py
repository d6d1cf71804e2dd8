"""The shipped base graphs are a fresh export of the packages' weights, and stations are judged with those that are added."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper

from calibration import backbones, graphs, networks
from calibration.build import calibrate
from calibration.catalogue import SHIPPED
from inspectd.errors import BadInput
from inspectd.station.schema import Method
from inspectd.station.state import StateDir
from inspectd.vision.detector import Detector
from tests.calibration import parts
from tests.cli.typed import inspectd

pytestmark = pytest.mark.export


@pytest.fixture(scope="module", params=sorted(SHIPPED))
def name(request):
    return request.param


@pytest.fixture(scope="module")
def model(name):
    return networks.pretrained(name)[0]


@pytest.fixture(scope="module")
def fresh(name, model, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "fresh.onnx"
    path.write_bytes(backbones.export(name, model, "the package's"))
    return path


def run(path, pixels):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"]).run(None, {"pixels": pixels})


def noise(*shape):
    return np.random.default_rng(4).integers(0, 256, shape, np.uint8)


def test_weights_of_the_shipped_graph_are_those_of_a_fresh_export(name, fresh):
    shipped, exported = (
        {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer if tensor.dims}
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
    said = json.loads((graphs.SHIPPED / "origin.json").read_text())[name]
    file = said["weights"].rpartition(", ")[2]
    assert networks.pretrained(name)[1] == f"{file}, sha256 {said['weights_sha256']}"


@pytest.fixture(scope="module")
def random18(tmp_path_factory):
    """State directory with a random resnet18, added as a user does."""
    state = tmp_path_factory.mktemp("added") / "state"
    result = inspectd("backbone", "add", "resnet18", "--random-weights", "--seed", 7, "--state", state)
    assert result.exit_code == 0, result.stderr
    assert "layers 1 to 4 stand for layer1 to layer4 of the network" in result.stdout
    assert "resnet18-random never learnt to see" in result.stderr
    return state


def test_an_added_backbone_says_where_its_weights_are_from_and_where_its_layers_look(random18):
    base = random18 / "backbones" / "resnet18-random.onnx"
    assert graphs.origin(base) == "random, seed 7"
    taps = graphs.layers_of(base)
    assert [(i, tap.channels, tap.stride) for i, tap in taps.items()] == [(1, 64, 4), (2, 128, 8), (3, 256, 16), (4, 512, 32)]
    assert all(abs(tap.offset) <= tap.stride / 4 for tap in taps.values())  # padded alike on all sides: cells look at their own


def test_an_added_backbone_is_listed_as_what_it_is(random18):
    row = next(line for line in inspectd("backbone", "list", "--state", random18).stdout.splitlines() if "resnet18" in line)
    assert row.split()[:4] == ["resnet18-random", "added,", "random", "weights"]


def test_a_station_is_calibrated_and_judged_with_layers_of_an_added_backbone(random18, tmp_path):
    """Random filters see a stain too; the report says that nobody should rely on them."""
    method = Method(backbone="resnet18-random", layers=(1, 2), input_px=64, bank=100)
    good = parts.good_folder(tmp_path / "good", 24)
    result = calibrate(parts.config(tmp_path, method=method), "lid", "default", good, None, StateDir(random18))
    assert result.warnings[0] == "Backbone resnet18-random: weights random, seed 7, for tests alone; no score means anything."
    detector = Detector.open(result.directory)
    judged = [detector.score([picture])[0] for picture in (parts.part(100), parts.bad_part(100)[0])]
    assert judged[0].score < judged[1].score
    assert judged[1].label == "FAIL"


def test_a_layer_that_an_added_backbone_lacks_is_refused_with_those_that_it_has(random18, tmp_path):
    with pytest.raises(BadInput, match=r"resnet18-random: expected different layers out of \[1, 2, 3, 4\], got \[2, 5\]"):
        graphs.cut(random18 / "backbones" / "resnet18-random.onnx", (2, 5), 3)


def test_lite1_is_added_from_its_package(tmp_path):
    path = backbones.add("lite1", tmp_path)
    assert path == tmp_path / "lite1.onnx"
    assert list(graphs.layers_of(path)) == list(range(20))
    assert graphs.layers_of(path)[19].stride == 32
    assert graphs.origin(path).startswith("efficientnet-lite1-77cc7160.pth")


def test_a_network_that_is_not_in_the_catalogue_is_refused(tmp_path):
    with pytest.raises(BadInput, match=r"expected one of lite1, resnet18, .*got lite0"):
        backbones.add("lite0", tmp_path)
