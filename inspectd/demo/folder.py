"""The demo's folder before the line starts: emptied, and configured."""

import shutil
from pathlib import Path

from inspectd.errors import BadInput
from inspectd.station import load

_MARKER = ".inspectd-demo"  # lies in folders that a demo may empty
_OWN = ("good", "line", "state", "stations", "run")


def clear(folder: Path) -> None:
    """Remove what an earlier demo left; refuse a folder that is not the demo's own."""
    marker = folder / _MARKER
    if folder.exists() and any(folder.iterdir()) and not marker.exists():
        raise BadInput(f"{folder}: expected an empty folder or one of an earlier demo, got a folder with other files")
    for name in _OWN:
        shutil.rmtree(folder / name, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    marker.touch()


def configure(folder: Path, source: Path, station: str, seed: int | None) -> int:
    """Copy line.yaml and the station's file from `source`, with another seed if one is given; returns the seed."""
    file, target = source / f"{station}.yaml", folder / "stations"
    if not file.is_file():
        raise BadInput(f"{file}: expected the demo's station file; run the demo in the folder that holds stations/")
    target.mkdir()
    (folder / "line").mkdir()
    for name in ("line.yaml", file.name):
        if (source / name).is_file():
            shutil.copy(source / name, target)
    if seed is not None:
        _set_seed(target / file.name, seed)
    return load.load(target, cameras=False).stations[station].seed  # the camera's pictures are not there yet


def _set_seed(file: Path, seed: int) -> None:
    lines = file.read_text(encoding="utf-8").splitlines()
    kept = [f"seed: {seed}" if line.startswith("seed:") else line for line in lines]
    file.write_text("\n".join(kept) + "\n", encoding="utf-8")
