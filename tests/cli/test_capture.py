"""`inspectd capture` without a line: what is kept, what is refused and said, and how it ends."""

import json
import os
import resource
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from inspectd import image
from inspectd.station.state import StateDir
from tests.cli.typed import inspectd
from tests.support import until


def part(seed: int) -> np.ndarray:
    marks = np.kron(np.random.default_rng(seed).integers(60, 200, (12, 16)), np.ones((8, 8)))
    return marks.astype(np.uint8)


def station(line: Path, more: str = "", pictures: int = 8) -> None:
    """Give the station parts 0.png …, as fast as they are taken, and more keys."""
    (line / "pictures" / "part-1.png").unlink()
    for number in range(pictures):
        (line / "pictures" / f"{number}.png").write_bytes(image.encode_png(part(number)))
    text = f"station: flange\ncamera: {{kind: folder, path: ../pictures, rate: max}}\ndeadline_ms: 250\n{more}"
    (line / "stations" / "flange.yaml").write_text(text)


def kept(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_pictures_are_kept_whole_and_the_command_that_comes_next_is_printed(line: Path) -> None:
    """Pixel by pixel, under their names, in the state directory; run counters and bookmarks are not touched."""
    station(line)
    result = inspectd("capture", "flange", "--count", 5)
    assert result.exit_code == 0, result.stderr
    folder = StateDir(line / "state").captured("flange", "default")
    assert kept(folder) == [f"{number}.png" for number in range(5)]
    assert all(np.array_equal(image.read(folder / f"{number}.png").pixels, part(number)) for number in range(5))
    assert f"5 pictures kept in {folder}, " in result.stdout
    command = next(row for row in result.stdout.splitlines() if "inspectd calibrate" in row).partition("then: ")[2]
    places = ["--config", str(line / "stations"), "--state", str(line / "state")]
    assert shlex.split(command) == ["inspectd", "calibrate", "flange", "--good", str(folder), *places]
    assert [path.name for path in (line / "state").iterdir()] == ["captured"]


def test_only_the_roi_is_kept_and_it_says_where_it_was_cut(line: Path) -> None:
    """So it is small on the disk, and lies again where the line cuts it when it is read."""
    station(line, "roi: {x: 9, y: 5, width: 64, height: 48}\n")
    assert inspectd("capture", "flange", "--count", 3, "--into", line / "in").exit_code == 0
    data = (line / "in" / "2.png").read_bytes()
    assert image.probe(line / "in" / "2.png") == (48, 64)
    picture = image.decode(data, "2.png")
    assert picture.roi == (9, 5, 64, 48)
    assert picture.pixels.shape == (96, 128)
    assert np.array_equal(picture.pixels[5:53, 9:73], part(2)[5:53, 9:73])


def test_flawed_pictures_are_refused_by_name_and_reason_and_counted(line: Path) -> None:
    """Black, overexposed, blurred, a copy, a part that lay still, no picture, another size; the good ones are kept."""
    station(line, pictures=12)
    rng = np.random.default_rng(0)
    flawed = {
        "a-black": np.zeros((96, 128), np.uint8),
        "b-white": np.full((96, 128), 255, np.uint8),
        "c-blurred": image.blur(part(99).astype(np.float32), 3).astype(np.uint8),
        "d-copy": part(11),
        "e-still": np.clip(part(10) + rng.normal(0, 1, (96, 128)), 0, 255).astype(np.uint8),
    }
    for name, pixels in flawed.items():
        (line / "pictures" / f"{name}.png").write_bytes(image.encode_png(pixels))
    (line / "pictures" / "f-junk.png").write_bytes(b"junk")
    (line / "pictures" / "f-small.png").write_bytes(image.encode_png(part(98)[:64]))
    (line / "pictures" / "g-last.png").write_bytes(image.encode_png(part(100)))
    result = inspectd("capture", "flange", "--count", 13, "--into", line / "in", "--json", line / "figures.json")
    assert result.exit_code == 0, result.stderr
    assert kept(line / "in") == sorted([*(f"{number}.png" for number in range(12)), "g-last.png"])
    said = " ".join(result.stderr.split())
    for words in (
        "black: a-black.png: 100.0% of it is darker",
        "saturated: b-white.png: 100% of it",
        "blurred: c-blurred.png: its sharpness is",
        "duplicate: d-copy.png: the same picture as 11.png, which is kept already",
        "duplicate: e-still.png: it shows the same part as 10.png",
        "unreadable: f-junk.png:",
        "size: f-small.png: 128 x 64 mono8, those in in are 128 x 96 mono8",
    ):
        assert words in said
    figures = json.loads((line / "figures.json").read_text())
    assert figures["refused"] == {"black": 1, "saturated": 1, "blurred": 1, "duplicate": 2, "unreadable": 1, "size": 1}
    assert (figures["kept"], figures["lost"]) == (13, 0)
    assert "refused 7: duplicate 2" in result.stdout


def test_a_capture_goes_on_in_its_folder_and_repeats_nothing(line: Path) -> None:
    """What is there is read first: the same pictures are duplicates, and others get names beside them."""
    station(line)
    assert inspectd("capture", "flange", "--count", 5, "--into", line / "in").exit_code == 0
    (line / "pictures" / "0.png").write_bytes(image.encode_png(part(50)))
    result = inspectd("capture", "flange", "--count", 4, "--into", line / "in")
    assert result.exit_code == 0, result.stderr
    assert "4 pictures kept" in result.stdout
    assert "beside 5 that were there" in result.stdout
    assert kept(line / "in") == sorted([*(f"{number}.png" for number in range(8)), "0~2.png"])
    assert np.array_equal(image.read(line / "in" / "0.png").pixels, part(0))


def test_a_camera_that_shows_the_same_parts_again_and_again_is_given_up(line: Path) -> None:
    """What was kept stays, and the same command goes on; the command that calibrates is told."""
    station(line, pictures=3)
    file = line / "stations" / "flange.yaml"
    file.write_text(file.read_text().replace("rate: max", "rate: max, loop: true"))
    result = inspectd("capture", "flange", "--count", 5, "--into", line / "in", "--wait", 0.5)
    said = " ".join(result.stderr.split())
    assert result.exit_code == 1
    assert "error: no picture was kept for 0.5 s, 3 of 5 are; refused" in said
    assert "0.png, which is kept already" in said
    assert kept(line / "in") == ["0.png", "1.png", "2.png"]


def test_a_row_of_refusals_is_told_with_what_switches_them_off(line: Path) -> None:
    """A dark station would be waited for in vain; then the camera's folder ends, and that is said too."""
    station(line, pictures=0)
    for number in range(25):
        (line / "pictures" / f"{number:02}.png").write_bytes(image.encode_png((part(number) // 16).astype(np.uint8)))
    result = inspectd("capture", "flange", "--count", 3, "--into", line / "in")
    said = " ".join(result.stderr.split())
    assert result.exit_code == 1
    assert "the last 20 pictures were all refused, most so far as black" in said
    assert "--allow black" in said
    assert "error: the camera is at its end" in said
    assert said.count("is darker than") == 10
    assert "0 pictures kept" in result.stdout
    assert "inspectd calibrate" not in result.stdout
    assert inspectd("capture", "flange", "--count", 3, "--into", line / "in", "--allow", "black").exit_code == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("nut", "--count", 1), 2, "expected one of the stations flange, got nut"),
        (("flange", "--count", 1, "--product", "x"), 2, "expected one of the products default, got x"),
        (("flange", "--count", 0), 2, "--count"),
        (("flange", "--count", 1, "--allow", "dust"), 2, "--allow"),
        (("flange", "--count", 1, "--into", "/proc/1/captured"), 2, "/proc/1/captured: expected a folder that can be"),
    ],
)
def test_what_cannot_be_done_is_said_before_any_picture(line: Path, words: tuple[object, ...], code: int, said: str) -> None:
    """A name, a number, a folder."""
    station(line)
    result = inspectd("capture", *words)
    assert (result.exit_code, said in " ".join(result.stderr.split())) == (code, True), result.stderr
    assert not (line / "state").exists()


def test_a_folder_of_other_pictures_is_refused(line: Path) -> None:
    """Pictures of two sizes cannot be calibrated with."""
    station(line)
    (line / "in").mkdir()
    (line / "in" / "old.png").write_bytes(image.encode_png(part(1)[:64]))
    result = inspectd("capture", "flange", "--count", 1, "--into", line / "in")
    assert result.exit_code == 2
    assert "holds pictures of 128 x 64 mono8, got 128 x 96 mono8" in " ".join(result.stderr.split())
    assert kept(line / "in") == ["old.png"]


def started(line: Path, *words: str, **more: object) -> "subprocess.Popen[str]":
    """The command in a process of its own."""
    command = [sys.executable, "-m", "inspectd", "capture", "flange", "--into", str(line / "in"), *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)  # type: ignore[call-overload,no-any-return]


@pytest.mark.slow
def test_ctrl_c_keeps_what_was_kept_and_says_how_many(line: Path) -> None:
    """A real signal: exit code 130, every picture whole, no temporary file, the next command printed."""
    station(line, pictures=200)
    file = line / "stations" / "flange.yaml"
    file.write_text(file.read_text().replace("rate: max", "rate: 20"))
    process = started(line, "--count", "150")
    until(lambda: (line / "in").is_dir() and len(kept(line / "in")) >= 5, 60, "five pictures")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    names = kept(line / "in")
    assert process.returncode == 130, err
    assert f"stopped; {len(names)} pictures are kept" in err
    assert f"inspectd calibrate flange --good {line / 'in'}" in out
    assert all(np.array_equal(image.read(line / "in" / name).pixels, part(int(Path(name).stem))) for name in names)


@pytest.mark.slow
def test_a_disk_that_takes_no_more_leaves_no_half_of_a_picture(line: Path) -> None:
    """The kernel refuses the write: one clear error, exit code 1, what was kept before is whole."""
    station(line, pictures=3)
    big = np.random.default_rng(3).integers(30, 240, (96, 128), np.uint8)  # noise: a PNG of more than 8 KiB
    (line / "pictures" / "2.png").write_bytes(image.encode_png(big))

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    process = started(line, "--count", "3", preexec_fn=limit, env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"})
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1, err
    assert "2.png: cannot be written: File too large; check the rights and the free space there" in " ".join(err.split())
    assert kept(line / "in") == ["0.png", "1.png"]
