"""Days beyond retention go, whole; nothing else does."""

from inspectd.journal import retention, schema
from inspectd.station.state import StateDir

DAYS = ["2026-11-18", "2026-11-19", "2026-11-20", "2026-11-21"]


def test_today_and_the_days_to_keep_before_it_stay() -> None:
    assert retention.expired([*DAYS, "lost+found"], "2026-11-21", 2) == ["2026-11-18"]
    assert retention.expired(DAYS, "2026-11-21", 3) == []


def test_rows_go_with_the_log_of_their_file(state: StateDir) -> None:
    for day in DAYS:
        schema.open_for_writing(schema.path_of(state.journal, day)).close()
    for companion in schema.companions(schema.path_of(state.journal, DAYS[0])):
        companion.touch()
    assert retention.delete_rows(state.journal, "2026-11-21", 1) == 2
    assert sorted(path.name for path in state.journal.iterdir()) == ["journal-2026-11-20.db", "journal-2026-11-21.db"]


def test_pictures_go_by_the_day(state: StateDir) -> None:
    assert retention.delete_pictures(state.pictures, "2026-11-21", 1) == 0
    for day in [*DAYS, "notes"]:
        (state.pictures / day / "tile").mkdir(parents=True)
        (state.pictures / day / "tile" / "1-1.png").touch()
    assert retention.delete_pictures(state.pictures, "2026-11-21", 1) == 2
    assert sorted(path.name for path in state.pictures.iterdir()) == ["2026-11-20", "2026-11-21", "notes"]
