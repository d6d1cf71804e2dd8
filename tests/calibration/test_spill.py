"""What is stored comes back, from memory and from disk alike, and a full disk is said at once."""

from pathlib import Path

import numpy as np
import pytest

from calibration import spill
from calibration.spill import Disk, Memory, Store
from inspectd.errors import StateError


@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_arrays_come_back_in_the_order_asked_for(kind: str, tmp_path: Path) -> None:
    """Put in any order, one of them twice: the last one counts."""
    kept: Store = Memory(5, (2, 3)) if kind == "memory" else Disk(5, (2, 3), tmp_path)
    arrays = np.random.default_rng(0).standard_normal((5, 2, 3)).astype(np.float32)
    kept.put(3, np.zeros((2, 3), np.float32))
    for picture in (3, 0, 4, 1, 2):
        kept.put(picture, arrays[picture])
    assert np.array_equal(kept.get([4, 0, 3]), arrays[[4, 0, 3]])
    got = kept.get(np.array([1]))
    got[:] = 0
    assert np.array_equal(kept.get([1]), arrays[[1]])
    assert kept.get([]).shape == (0, 2, 3)


def test_the_file_on_disk_has_no_name_and_its_room_is_taken_at_once(tmp_path: Path) -> None:
    """So that nothing is left, whatever ends the process, and no write fails for lack of room."""
    kept = Disk(1000, (64, 16), tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert Path(f"/proc/self/fd/{kept._file}").stat().st_blocks * 512 >= 1000 * 64 * 16 * 4


def test_a_disk_that_is_too_small_is_named_with_what_is_wanted(tmp_path: Path) -> None:
    """Before anything is computed: a million times 1 GB."""
    with pytest.raises(StateError, match=r"expected room for 1e\+06 GB of patch vectors, got .* GB free.*another disk"):
        Disk(10**6, (250_000_000,), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fails_is_an_error_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it fails to write, to read, or gives back less than was written."""
    kept = Disk(2, (4,), tmp_path)

    def fail(*_args: object) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(spill.os, "pwrite", fail)
    with pytest.raises(StateError, match="cannot be written: Input/output error"):
        kept.put(0, np.zeros(4, np.float32))
    monkeypatch.setattr(spill.os, "preadv", lambda *_args: 0)
    with pytest.raises(StateError, match="ends early"):
        kept.get([0])
    monkeypatch.setattr(spill.os, "preadv", fail)
    with pytest.raises(StateError, match="cannot be read: Input/output error"):
        kept.get([0])


def test_a_file_system_that_writes_and_reads_in_pieces_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call may do less than was asked."""
    kept, pwrite, preadv = Disk(3, (50,), tmp_path), spill.os.pwrite, spill.os.preadv
    monkeypatch.setattr(spill.os, "pwrite", lambda fd, data, place: pwrite(fd, data[:7], place))
    monkeypatch.setattr(spill.os, "preadv", lambda fd, buffers, place: preadv(fd, [buffers[0][:9]], place))
    arrays = np.random.default_rng(1).standard_normal((3, 50)).astype(np.float32)
    for picture, array in enumerate(arrays):
        kept.put(picture, array)
    assert np.array_equal(kept.get(range(3)), arrays)
