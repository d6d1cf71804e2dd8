"""Fixtures of calibration: a graph cut once, and an extractor that sees with it.

The tests of what needs torch run where it is installed: `make test-export`, a part of `make test`.
"""

from importlib.util import find_spec

import pytest

from calibration import graphs
from calibration.features import Extractor
from inspectd.vision.backbone import Backbone
from tests.calibration.parts import METHOD, SIDE

collect_ignore = [] if find_spec("torch") else ["test_backbones.py", "test_networks.py", "test_tracing.py"]


@pytest.fixture(scope="session")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    """The shipped lite0, cut to the default layers."""
    folder = tmp_path_factory.mktemp("graphs")
    data = graphs.cut(graphs.base_graph(METHOD.backbone, folder), METHOD.layers, METHOD.patch)
    return Backbone.open(folder / f"{graphs.store(folder, data)}.onnx")


@pytest.fixture
def extractor(backbone: Backbone) -> Extractor:
    """Sees small parts whole."""
    return Extractor(backbone, (SIDE, SIDE))


@pytest.fixture
def no_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the charts out of reports that nobody looks at: drawing them is half of a small calibration's time."""
    for name in ("histogram", "drawing"):
        monkeypatch.setattr(f"calibration.charts.{name}", lambda *_args: "<svg></svg>")
