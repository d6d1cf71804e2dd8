"""A cut graph is loaded by its sha256 and gives the same vectors whatever the batch."""

import runpy
import sys

import numpy as np
import pytest

from inspectd.errors import BadBundle, MissingExtra
from inspectd.vision import backbone
from inspectd.vision.backbone import Backbone
from tests.vision import make


@pytest.fixture
def graph(state):
    return make.backbone(state)


def noise(*shape):
    return np.random.default_rng(5).integers(0, 256, shape, np.uint8)


def test_vectors_stand_on_the_grid_of_the_shallowest_layer(graph):
    vectors = graph.run(noise(2, 64, 96, 3))
    assert vectors.shape == (2, 16, 24, 64)
    assert vectors.dtype == np.float32
    assert (graph.stride, graph.channels) == (4, 64)


def test_a_picture_s_vectors_do_not_depend_on_its_batch(graph):
    batch = noise(5, 64, 64, 3)
    alone = np.concatenate([graph.run(picture[None]) for picture in batch])
    assert graph.run(batch) == pytest.approx(alone, rel=1e-4, abs=1e-4)


def test_it_is_called_by_the_sha256_of_its_file(graph, state):
    assert [path.stem for path in state.backbones.iterdir()] == [graph.sha256]


def test_a_missing_graph_is_named(state):
    with pytest.raises(BadBundle, match=r"abcd\.onnx: cannot be read: No such file"):
        Backbone.open(state.backbones / "abcd.onnx")


def test_a_damaged_graph_is_refused(graph, state):
    path = state.backbones / f"{graph.sha256}.onnx"
    data = bytearray(path.read_bytes())
    data[5000] ^= 1
    path.write_bytes(data)
    with pytest.raises(BadBundle, match="damaged"):
        Backbone.open(path)


def test_a_file_that_is_no_graph_is_refused(state):
    sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # of nothing
    path = state.backbones / f"{sha256}.onnx"
    path.parent.mkdir()
    path.touch()
    with pytest.raises(BadBundle, match="expected a graph cut for a station"):
        Backbone.open(path)


def test_without_onnx_runtime_both_extras_are_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtra, match=r"'inspectd\[cpu\]' for any PC, or 'inspectd\[gpu\]'"):
        runpy.run_path(backbone.__file__)
