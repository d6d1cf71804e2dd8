"""Cut graphs equal a plain NumPy reference on the base graph's own outputs, at every layer setting and size."""

import hashlib
import math
import runpy
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from calibration import graphs
from inspectd.errors import BadInput, MissingExtra

LITE0 = graphs.SHIPPED / "lite0.onnx"


def run(model: bytes, pixels: np.ndarray) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"]).run(None, {"pixels": pixels})


def noise(*shape):
    return np.random.default_rng(2).integers(0, 256, shape, np.uint8)


def slow_average(values, patch):
    """Mean over the neighbourhood p x p of each cell of [B,d,h,w], with zeros around the map."""
    reach = patch // 2
    averaged = np.empty_like(values)
    for y, x in np.ndindex(values.shape[2:]):
        around = values[:, :, max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1]
        averaged[:, :, y, x] = around.sum(axis=(2, 3)) / patch**2
    return averaged


def slow_sample(values, y, x):
    """Bilinear value of [B,d,h,w] at fractional cells, the border repeated."""
    y, x = (min(max(at, 0), side - 1) for at, side in zip((y, x), values.shape[2:], strict=True))
    low, left = math.floor(y), math.floor(x)
    high, right = min(low + 1, values.shape[2] - 1), min(left + 1, values.shape[3] - 1)
    above = values[:, :, low, left] * (1 - x + left) + values[:, :, low, right] * (x - left)
    below = values[:, :, high, left] * (1 - x + left) + values[:, :, high, right] * (x - left)
    return above * (1 - y + low) + below * (y - low)


def slow_vectors(base, pixels, layers, patch):
    """Average each tap, then read it where the cells of the shallowest tap look, to the nearest half of its cells."""
    taps = graphs.layers_of(base)
    outputs = dict(zip(taps, run(base.read_bytes(), pixels), strict=True))
    averaged = {layer: slow_average(outputs[layer], patch) for layer in layers}
    grid = min((taps[layer] for layer in layers), key=lambda tap: tap.stride)
    h, w = pixels.shape[1] // grid.stride, pixels.shape[2] // grid.stride
    vectors = np.empty((len(pixels), h, w, sum(taps[layer].channels for layer in layers)), np.float32)
    lag = {layer: round(2 * (taps[layer].offset - grid.offset) / grid.stride) / 2 for layer in layers}
    for y, x in np.ndindex(h, w):
        cells = [[(i - lag[layer]) * grid.stride / taps[layer].stride for i in (y, x)] for layer in layers]
        parts = [slow_sample(averaged[layer], *at) for layer, at in zip(layers, cells, strict=True)]
        vectors[:, y, x] = np.concatenate(parts, axis=1)
    return vectors


@pytest.mark.parametrize(("layers", "patch"), [((4,), 1), ((4, 10), 3), ((3, 4), 3), ((10, 2), 1), ((2, 4, 8), 5)])
def test_a_cut_graph_gives_what_the_definition_gives(layers, patch):
    pixels = noise(2, 64, 96, 3)
    (vectors,) = run(graphs.cut(LITE0, layers, patch), pixels)
    np.testing.assert_allclose(vectors, slow_vectors(LITE0, pixels, layers, patch), rtol=1e-4, atol=1e-4)


def toy(path, taps, kernels):
    """Base graph of average poolings of stride 2 with different padding, so that cells have different centres."""
    nodes = [
        helper.make_node("Cast", ["pixels"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["real"], ["start"], perm=[0, 3, 1, 2]),
    ]
    source = "start"
    for index, (kernel, pads) in enumerate(kernels):
        nodes.append(
            helper.make_node("AveragePool", [source], [f"block_{index}"], kernel_shape=[kernel] * 2, strides=[2, 2], pads=pads)
        )
        source = f"block_{index}"
    outputs = [helper.make_tensor_value_info(f"block_{i}", TensorProto.FLOAT, ["b", 3, f"h{i}", f"w{i}"]) for i in taps]
    inputs = [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["b", "h", "w", 3])]
    model = helper.make_model(
        helper.make_graph(nodes, "toy", inputs, outputs, []), opset_imports=[helper.make_opsetid("", 18)], ir_version=10
    )
    path.write_bytes(graphs.as_base(model, taps, {"network": "toy", "weights": "random, seed 3"}))
    return path


HALF = (2, [0, 0, 0, 0])  # cell i covers pixels 2i and 2i + 1
CENTRED = (3, [1, 1, 0, 0])  # centred on pixel 2i, as in symmetric padding
LATE = (3, [0, 0, 1, 1])  # centred on pixel 2i + 1, as TensorFlow pads


@pytest.mark.parametrize(
    ("kernels", "offsets"),
    [
        ((LATE, LATE, LATE), (1, 3, 7)),
        ((CENTRED, CENTRED, CENTRED), (0, 0, 0)),
        ((CENTRED, HALF, HALF), (0, 1, 3)),
        ((HALF, HALF, HALF), (5, 0, 20)),  # offsets as measured need not follow from the padding
    ],
)
@pytest.mark.parametrize("layers", [(0, 1), (0, 2), (1, 2), (2, 0, 1)])
def test_taps_are_aligned_for_every_way_of_padding(tmp_path, kernels, offsets, layers):
    taps = {i: graphs.Tap(3, 2 ** (i + 1), offset) for i, offset in enumerate(offsets)}
    base = toy(tmp_path / "toy.onnx", taps, kernels)
    pixels = noise(1, 32, 64, 3)
    (vectors,) = run(graphs.cut(base, layers, 1), pixels)
    np.testing.assert_allclose(vectors, slow_vectors(base, pixels, layers, 1), rtol=1e-5, atol=1e-3)


def test_a_slope_stays_a_slope_through_all_taps(tmp_path):
    """On a picture that rises evenly, aligned taps agree wherever no border is near."""
    taps = {i: graphs.Tap(3, 2 ** (i + 1), 2 ** (i + 1) - 1) for i in range(3)}
    base = toy(tmp_path / "toy.onnx", taps, (LATE, LATE, LATE))
    pixels = np.repeat(np.arange(64, dtype=np.uint8)[None, None, :, None], 64, axis=1).repeat(3, axis=3)
    (vectors,) = run(graphs.cut(base, (0, 1, 2), 1), pixels)
    inner = vectors[0, 8:-8, 8:-8]
    np.testing.assert_allclose(inner[..., 0:3], inner[..., 3:6], rtol=1e-5)
    np.testing.assert_allclose(inner[..., 0:3], inner[..., 6:9], rtol=1e-5)


class TestCutting:
    def test_what_lies_behind_the_last_tap_is_gone(self):
        assert len(graphs.cut(LITE0, (4,), 3)) < len(LITE0.read_bytes()) / 5

    def test_the_same_inputs_give_the_same_bytes(self):
        assert graphs.cut(LITE0, (4, 10), 3) == graphs.cut(LITE0, (4, 10), 3)

    def test_all_shipped_layers_are_offered(self):
        assert list(graphs.layers_of(LITE0)) == list(range(11))
        assert list(graphs.layers_of(graphs.SHIPPED / "lite2.onnx")) == list(range(20))
        assert (graphs.layers_of(LITE0)[10].channels, graphs.layers_of(LITE0)[10].stride) == (112, 16)

    def test_a_cut_graph_says_at_which_pixel_its_cells_look(self, tmp_path):
        taps = {0: graphs.Tap(3, 2, 1), 1: graphs.Tap(3, 4, 3), 2: graphs.Tap(3, 8, 11)}
        base = toy(tmp_path / "toy.onnx", taps, (LATE, LATE, LATE))

        def said(layers):
            properties = onnx.load_from_string(graphs.cut(base, layers, 1)).metadata_props
            return {item.key: float(item.value) for item in properties if item.key in ("stride", "offset")}

        assert said((1,)) == {"stride": 4, "offset": 3}
        assert said((0, 1)) == {"stride": 2, "offset": 1}  # block 1 lags by a whole cell and is moved by it
        assert said((1, 2)) == {"stride": 4, "offset": 3}
        taps[1] = graphs.Tap(3, 4, 4)  # lags by 1.5
        assert graphs._looks_at([taps[0], taps[1]], taps[0]) == 1
        taps[1] = graphs.Tap(9, 4, 4.4)  # lags by 1.7, is moved by 1.5, and so looks 0.4 pixels further
        assert graphs._looks_at([taps[0], taps[1]], taps[0]) == pytest.approx(1 + 0.4 * 9 / 12)

    def test_it_says_whose_weights_it_has_as_the_base_graph_does(self, tmp_path):
        taps = {i: graphs.Tap(3, 2 ** (i + 1), 0) for i in range(3)}
        base = toy(tmp_path / "toy.onnx", taps, (CENTRED, CENTRED, CENTRED))
        said = {item.key: item.value for item in onnx.load_from_string(graphs.cut(base, (1,), 1)).metadata_props}
        assert graphs.origin(base) == said["weights"] == "random, seed 3"
        assert said["network"] == "toy"
        assert graphs.origin(LITE0) == ""

    @pytest.mark.parametrize("layers", [(4, 14), (), (4, 4), (-1,)])
    def test_layers_that_are_not_there_are_refused_with_those_that_are(self, layers):
        with pytest.raises(BadInput, match=r"lite0: expected different layers out of \[0, 1, .* 10\], got"):
            graphs.cut(LITE0, layers, 3)

    def test_a_file_that_is_no_graph_is_refused(self, tmp_path):
        (tmp_path / "mine.onnx").write_bytes(b"no graph")
        with pytest.raises(BadInput, match=r"mine\.onnx: expected a base graph"):
            graphs.layers_of(tmp_path / "mine.onnx")

    def test_a_graph_that_names_no_taps_is_refused(self, tmp_path):
        (tmp_path / "cut.onnx").write_bytes(graphs.cut(LITE0, (1,), 1))
        with pytest.raises(BadInput, match="names its taps"):
            graphs.layers_of(tmp_path / "cut.onnx")


class TestBaseGraphs:
    def test_shipped_and_added_ones_are_found(self, state):
        state.backbones.mkdir()
        (state.backbones / "mine.onnx").touch()
        assert graphs.base_graph("lite2", state.backbones) == graphs.SHIPPED / "lite2.onnx"
        assert graphs.base_graph("mine", state.backbones) == state.backbones / "mine.onnx"

    def test_an_unknown_one_is_refused_with_those_that_are_known(self, state):
        graphs.store(state.backbones, b"a cut graph")
        with pytest.raises(BadInput, match="backbone resnet18: expected one of lite0, lite2;"):
            graphs.base_graph("resnet18", state.backbones)

    @pytest.mark.parametrize(("name", "megabytes"), [("lite0", 2.8), ("lite2", 14.6)])
    def test_shipped_graphs_are_small_and_hold_nothing_of_the_machine_that_made_them(self, name, megabytes):
        data = (graphs.SHIPPED / f"{name}.onnx").read_bytes()
        assert len(data) / 1e6 == pytest.approx(megabytes, abs=0.15)
        assert not any(word in data for word in (b"/root", b"site-packages", b"Traceback", b"stack_trace"))

    def test_the_note_of_origin_fits_the_files(self):
        origin = graphs.json.loads((graphs.SHIPPED / "origin.json").read_text())
        assert {name: entry["sha256"] for name, entry in origin.items()} == {
            path.stem: hashlib.sha256(path.read_bytes()).hexdigest() for path in graphs.SHIPPED.glob("*.onnx")
        }


class TestStore:
    def test_a_graph_is_kept_once_by_its_sha256(self, state):
        sha256 = graphs.store(state.backbones, b"graph")
        path = state.backbones / f"{sha256}.onnx"
        before = path.stat().st_mtime_ns
        assert sha256 == hashlib.sha256(b"graph").hexdigest()
        assert graphs.store(state.backbones, b"graph") == sha256
        assert (path.read_bytes(), path.stat().st_mtime_ns) == (b"graph", before)

    def test_a_damaged_copy_is_replaced(self, state):
        sha256 = graphs.store(state.backbones, b"graph")
        (state.backbones / f"{sha256}.onnx").write_bytes(b"grap")
        graphs.store(state.backbones, b"graph")
        assert (state.backbones / f"{sha256}.onnx").read_bytes() == b"graph"


def test_weights_of_the_cut_are_those_of_the_base():
    base, cut = onnx.load(LITE0).graph, onnx.load_from_string(graphs.cut(LITE0, (4, 10), 3)).graph
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in base.initializer}
    for tensor in cut.initializer:
        if tensor.name in weights:
            assert np.array_equal(numpy_helper.to_array(tensor), weights[tensor.name])


def test_without_onnx_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtra, match=r"'inspectd\[calibrate\]'"):
        runpy.run_path(graphs.__file__)
