"""Every kind of camera by its name in a station file."""

from pathlib import Path

from inspectd import clock
from inspectd.ingest.bookmark import Bookmark
from inspectd.ingest.camera import Camera
from inspectd.ingest.folder import FolderCamera
from inspectd.station.schema import Config


def camera_for(config: Config, station: str, bookmark: Bookmark | None = None, triggered: bool = False) -> Camera:
    """Make the camera that a station's file names; without a bookmark a replay begins at its beginning and leaves no trace."""
    camera, beside = config.stations[station].camera, Path(config.files[station]).parent
    return FolderCamera(beside / camera.path, camera.rate, camera.loop, bookmark, clock.now_ns, triggered)
