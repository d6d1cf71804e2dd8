"""A bundle is used only where the station still looks at what it was calibrated on."""

import hashlib
from pathlib import Path

import pytest
from msgspec.structs import replace

from inspectd.errors import BadBundle
from inspectd.station.schema import Camera, Config, Line, Roi, Station
from inspectd.vision import fits
from inspectd.vision.bundle import PictureSpec
from tests.vision import make

STATION = Station(station="lid", camera=Camera(kind="folder", path="x"), deadline_ms=100.0)
WHOLE = PictureSpec(camera_px=(40, 60), pixel_format="mono8")
CORNER = replace(WHOLE, roi=(0, 0, 16, 16))
MASKED = replace(WHOLE, mask_sha256=hashlib.sha256(b"mask").hexdigest())


def told(picture: PictureSpec, file: Path, **station: object) -> list[str]:
    """Key, expected and got of each misfit."""
    problems = fits.misfits(picture, replace(STATION, **station), file)
    return [f"{problem.key}: expected {problem.expected}, got {problem.got}" for problem in problems]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A station file beside its mask."""
    (tmp_path / "mask.png").write_bytes(b"mask")
    (tmp_path / "lid.yaml").write_text("station: lid\nroi: {x: 1, y: 2, width: 16, height: 16}\n")
    return tmp_path / "lid.yaml"


def test_what_is_as_it_was_at_calibration_fits(file: Path) -> None:
    """A roi of the whole picture is the same as none; millimetres are no judgement."""
    assert told(WHOLE, file) == told(WHOLE, file, mm_per_px=0.5) == []
    assert told(WHOLE, file, roi=Roi(x=0, y=0, width=60, height=40)) == []
    assert told(CORNER, file, roi=Roi(x=0, y=0, width=16, height=16)) == []
    assert told(MASKED, file, mask="mask.png") == []


@pytest.mark.parametrize(
    ("picture", "roi", "got"),
    [
        (CORNER, Roi(x=23, y=23, width=16, height=16), "{x: 23, y: 23, width: 16, height: 16}"),
        (CORNER, None, "{x: 0, y: 0, width: 60, height: 40}"),
        (WHOLE, Roi(x=0, y=0, width=60, height=39), "{x: 0, y: 0, width: 60, height: 39}"),
    ],
)
def test_a_roi_that_was_moved_resized_set_or_removed_is_told(
    file: Path, picture: PictureSpec, roi: Roi | None, got: str
) -> None:
    (line,) = told(picture, file, roi=roi)
    assert line.startswith("roi: expected {x: 0, y: 0, ")
    assert line.endswith(f"as the bundle was calibrated, got {got}")


def test_a_mask_that_was_edited_removed_deleted_or_added_is_told(file: Path) -> None:
    """Its bytes count, not its name."""
    assert told(MASKED, file)[0].endswith("got no mask")
    assert told(WHOLE, file, mask="mask.png")[0].startswith("mask: expected no mask")
    (file.parent / "mask.png").write_bytes(b"other")
    assert "expected a mask of sha256" in told(MASKED, file, mask="mask.png")[0]
    (file.parent / "mask.png").unlink()
    assert told(MASKED, file, mask="mask.png")[0].endswith("mask.png: No such file or directory")


def test_the_error_names_file_line_and_key_and_what_to_do(file: Path) -> None:
    config = Config(
        str(file.parent), Line(), {"lid": replace(STATION, roi=Roi(x=1, y=2, width=16, height=16))}, {"lid": str(file)}
    )
    fits.need_fit(make.manifest(picture=replace(WHOLE, roi=(1, 2, 16, 16))), config, "lid")
    with pytest.raises(BadBundle) as caught:
        fits.need_fit(make.manifest(picture=CORNER), config, "lid")
    assert str(caught.value).startswith(f"{file}:2: roi: expected {{x: 0,")
    assert str(caught.value).endswith("(calibrate again, or restore the file)")
