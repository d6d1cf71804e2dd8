"""What a running line takes of an edited station file, and which keys need a restart."""

from msgspec.structs import replace

from inspectd.station.reread import Reread, fixed
from inspectd.station.schema import Camera, Keep, Roi, Station

STATION = Station(station="lid", camera=Camera("folder", "x"), deadline_ms=100.0)


def test_what_is_sent_arrives_and_touches_nothing_else() -> None:
    """roi, mask and keep."""
    edited = replace(STATION, roi=Roi(1, 2, 16, 32), mask="m.png", keep=Keep("all"), deadline_ms=5.0)
    there = Reread.parse(Reread.of(edited).text()).onto(STATION)
    assert there == replace(edited, deadline_ms=100.0)


def test_every_key_is_either_free_or_needs_a_restart() -> None:
    """Those that plcd and the ledger were started with are fixed."""
    free = replace(STATION, camera=Camera("folder", "y"), seed=3, group_by="(.)", mm_per_px=0.1, mask="m.png")
    assert list(fixed(STATION, free)) == []
    kept = replace(STATION, deadline_ms=5.0, trigger="software", products=("a",), require_signed=True, part_id="none")
    assert list(fixed(STATION, kept)) == ["deadline_ms", "trigger", "part_id", "products", "require_signed"]
