"""Pictures are kept whole or not at all, and a full disk costs pictures and nothing else."""

from pathlib import Path

import numpy as np
import pytest

from inspectd import image
from inspectd.journal import pictures
from inspectd.journal.pictures import PictureStore, map_path, picture_path
from inspectd.wire.messages import KeptPicture
from inspectd.wire.sockets import Envelope
from tests.journal.make import NOON, key

DAY = "2026-09-21"
PIXELS = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
HEAT = np.random.default_rng(1).integers(0, 65_536, (24, 32), np.uint16)


def envelope(seq: int = 1, with_map: bool = True) -> Envelope:
    message = KeptPicture(
        key=key(seq), utc_ns=NOON, shape=PIXELS.shape, pixel_format="rgb8", map_shape=HEAT.shape if with_map else ()
    )
    return Envelope(b"", message, [memoryview(PIXELS.tobytes()), memoryview(HEAT.tobytes() if with_map else b"")])


def test_pixels_and_map_come_back_bit_for_bit(tmp_path: Path) -> None:
    store = PictureStore(tmp_path / "pictures", min_free_mb=1)
    store.store(envelope())
    path = picture_path(tmp_path / "pictures", DAY, key(1))
    assert np.array_equal(image.read(path).pixels, PIXELS)
    assert np.array_equal(image.decode_map(map_path(path).read_bytes(), "map"), HEAT)
    assert (store.kept, store.refused, store.trouble) == (1, 0, "")
    assert sorted(found.name for found in path.parent.iterdir()) == ["1-1.map.png", "1-1.png"]
    assert pictures.find(tmp_path / "pictures", key(1)) == path


def test_a_picture_without_a_map_is_kept_alone(tmp_path: Path) -> None:
    PictureStore(tmp_path, min_free_mb=1).store(envelope(with_map=False))
    path = picture_path(tmp_path, DAY, key(1))
    assert path.is_file()
    assert not map_path(path).exists()


def test_below_the_free_space_to_keep_no_picture_is_kept_and_the_reason_is_told(tmp_path: Path) -> None:
    store = PictureStore(tmp_path / "pictures", min_free_mb=1 << 40)
    store.store(envelope())
    assert (store.kept, store.refused) == (0, 1)
    assert f"less than min_free_mb ({1 << 40} MB) is free" in store.trouble
    assert not (tmp_path / "pictures").exists()


def test_a_picture_that_cannot_be_written_is_counted_and_the_next_one_ends_the_trouble(tmp_path: Path) -> None:
    store = PictureStore(tmp_path, min_free_mb=1)
    (tmp_path / DAY).write_text("a file where the day's directory should be")
    store.store(envelope())
    assert (store.kept, store.refused) == (0, 1)
    assert "pictures are not kept" in store.trouble
    (tmp_path / DAY).unlink()
    store.store(envelope())
    assert (store.kept, store.refused, store.trouble) == (1, 1, "")


def test_nothing_half_written_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pictures.os, "fdatasync", full)
    store = PictureStore(tmp_path, min_free_mb=1)
    store.store(envelope())
    assert store.refused == 1
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_the_newest_pictures_come_first_over_days_and_runs(tmp_path: Path) -> None:
    """By day, then by key as a number; maps and other stations are none."""
    for name in ("2026-11-21/a/1-9.png", "2026-11-22/a/2-1.png", "2026-11-22/a/1-10.png", "2026-11-22/a/1-9.map.png",
                 "2026-11-22/b/5-5.png"):  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert [str(key) for key, _ in pictures.newest(tmp_path, "a")] == ["a/2/1", "a/1/10", "a/1/9"]
