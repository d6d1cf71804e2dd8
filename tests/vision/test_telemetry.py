"""Nothing that runs on a line reports to anybody, and nothing is written into a home directory."""

import os
import subprocess
import sys

import pytest

RUN = """
import numpy as np
from inspectd.vision import backbone, graphs_dir
import onnxruntime
session = onnxruntime.InferenceSession(str(graphs_dir / "lite0.onnx"))
session.run(None, {session.get_inputs()[0].name: np.zeros((1, 64, 64, 3), np.uint8)})
"""


@pytest.mark.slow
def test_a_session_of_the_backbone_leaves_nothing_in_the_home_directory(tmp_path):
    graphs = "from pathlib import Path; import inspectd.vision; graphs_dir = Path(inspectd.vision.__file__).parent / 'graphs'\n"
    code = graphs + RUN.replace(", graphs_dir", "")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "ORT_"))}
    subprocess.run([sys.executable, "-c", code], env={**environment, "HOME": str(tmp_path)}, check=True, timeout=60)
    assert list(tmp_path.rglob("*")) == []
