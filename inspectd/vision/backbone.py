"""The one home of ONNX Runtime: from uint8 pixels to patch vectors. One session per graph and process, shared by sha256."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from inspectd.errors import BadBundle, MissingExtra

# ONNX Runtime's Linux wheels report to their maker since 1.29, and keep a device id in the user's home. Nothing leaves a
# factory PC, and nothing is written outside the state directory: it must be said before the import (its Privacy.md)
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
try:
    import onnxruntime
except ModuleNotFoundError as error:
    raise MissingExtra(
        "patch vectors need ONNX Runtime, which comes with one of two extras: "
        "pip install 'inspectd[cpu]' for any PC, or 'inspectd[gpu]' for one with an NVIDIA GPU"
    ) from error

Device = Literal["cpu", "cuda"]
_PROVIDERS = {"cpu": ["CPUExecutionProvider"], "cuda": ["CUDAExecutionProvider", "CPUExecutionProvider"]}


@dataclass(frozen=True)
class Backbone:
    """A cut graph, ready to run; cell i of its output looks at input pixel `stride * i + offset`."""

    sha256: str
    stride: int
    offset: float
    channels: int
    weights: str  # where they come from; "random, …": for tests alone; empty: shipped
    _session: Any

    @classmethod
    def open(cls, path: Path, threads: int = 1, device: Device = "cpu") -> "Backbone":
        """Load `<sha256>.onnx`; BadBundle if it is missing, damaged or no graph of ours, MissingExtra without the device."""
        data = _read(path)
        try:
            session = onnxruntime.InferenceSession(data, _options(threads), providers=_PROVIDERS[device])
            properties = session.get_modelmeta().custom_metadata_map
            stride, offset = int(properties["stride"]), float(properties["offset"])
        except Exception as error:  # ONNX Runtime's exceptions share no base
            raise BadBundle(f"{path}: expected a graph cut for a station: {error}; calibrate the station again") from error
        if _PROVIDERS[device][0] not in session.get_providers():
            raise MissingExtra(
                "device: cuda needs an NVIDIA GPU with its driver and pip install 'inspectd[gpu]' instead of [cpu]"
            )
        channels, weights = session.get_outputs()[0].shape[-1], properties.get("weights", "")
        return cls(path.stem, stride, offset, channels, weights, session)

    def run(self, batch: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """uint8 [B,H,W,3] RGB, H and W multiples of 32, to float32 [B,h,w,d]."""
        vectors: npt.NDArray[np.float32] = self._session.run(None, {"pixels": batch})[0]
        return vectors


def _read(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadBundle(
            f"{path}: cannot be read: {error.strerror}; calibrate the station again, or restore the file"
        ) from error
    actual = hashlib.sha256(data).hexdigest()
    if actual != path.stem:
        raise BadBundle(f"{path}: expected sha256 {path.stem[:12]}…, got {actual[:12]}…: damaged; calibrate the station again")
    return data


def _options(threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # a pool that spins between two operators takes the core from the line's other processes: two sessions of 2 threads on
    # 2 busy cores took 20 to 26 ms a picture without, 80 to 100 ms with it; alone, it gains nothing
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors; warnings are of the optimiser and nobody's task
    return options
