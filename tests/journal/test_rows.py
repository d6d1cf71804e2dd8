"""A row is the same whatever the order of its facts, and however often they are written."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import permutations
from pathlib import Path

import pytest
from msgspec.structs import replace

from inspectd.journal import rows, schema
from inspectd.journal.segments import Position
from inspectd.wire.enums import LineOutcome, Reason, Verdict
from inspectd.wire.messages import Checkpoint, Closed, Commanded, Late, Opened, Outcome, Outline
from tests.journal.make import DAY_NS, NOON, checkpoint, closed, key, opened, outcome

FACTS = [opened(key(1)), closed(key(1)), outcome(key(1)), Late(key=key(1), utc_ns=NOON, score=2.5, late_ms=250.0)]


@contextmanager
def day() -> Iterator[sqlite3.Connection]:
    with closing(schema.open_for_writing(Path(":memory:"))) as db:
        db.row_factory = sqlite3.Row
        yield db


def all_rows(db: sqlite3.Connection) -> list[dict[str, object]]:
    return [dict(row) for row in db.execute("SELECT * FROM parts ORDER BY seq")]


def test_every_order_of_the_facts_of_a_key_gives_the_same_row() -> None:
    found = []
    for order in permutations(FACTS):
        with day() as db:
            for fact in order:
                rows.write(db, [fact])
            found.append(all_rows(db))
    assert all(row == found[0] for row in found)
    (row,) = found[0]
    assert row == {
        "station": "tile", "run": 1, "seq": 1, "part_id": "part-1", "product": "default", "lot": "lot-7",
        "utc": "2026-09-21T14:13:20.000Z", "utc_ns": NOON, "host": "boot", "trigger_ns": 5_000_001, "deadline_ms": 200.0,
        "plc": "line1", "opened_ms": 0.25, "frame_ms": 1.0, "sent_ms": 1.5, "scored_ms": 9.0, "closed_ms": 9.25,
        "outcome_ms": 12.0, "verdict": "PASS", "reason": 0, "reason_name": None, "text": None, "score": 1.25, "threshold": 3.5,
        "fingerprint": "0123456789abcdef", "worker": "workerd-1", "batch": 2, "outcome": "delivered",
        "late_score": 2.5, "late_ms": 250.0, "recheck": None, "pixel_threshold": None, "area_px": None, "area_mm2": None,
        "regions": None, "boxes": None,
    }  # fmt: skip


def test_what_was_outlined_and_where_a_band_began_stand_in_the_row() -> None:
    """Areas, the number of places and their boxes as JSON; nothing outlined is 0, and not empty."""
    found = Outline(threshold=3.0, area_px=12, area_mm2=0.5, regions=2, boxes=((1, 2, 3, 4), (5, 6, 1, 1)))
    with day() as db:
        rows.write(
            db, [replace(closed(key(1)), outline=found, recheck=3.25), replace(closed(key(2)), outline=Outline(threshold=3.0))]
        )
        first, second = all_rows(db)
    assert (first["recheck"], first["pixel_threshold"], first["area_px"], first["area_mm2"]) == (3.25, 3.0, 12, 0.5)
    assert (first["regions"], first["boxes"]) == (2, "[[1, 2, 3, 4], [5, 6, 1, 1]]")
    assert (second["recheck"], second["area_px"], second["area_mm2"]) == (None, 0, None)
    assert (second["regions"], second["boxes"]) == (0, "[]")


def test_a_fact_that_is_written_again_changes_nothing_and_is_not_new() -> None:
    with day() as db:
        assert rows.write(db, FACTS) == {"Opened": 1, "Closed": 1, "Outcome": 1, "Late": 1}
        before = all_rows(db)
        assert rows.write(db, FACTS) == {"Opened": 0, "Closed": 0, "Outcome": 0, "Late": 0}
        assert all_rows(db) == before


def test_the_first_verdict_and_the_first_line_outcome_of_a_key_stay() -> None:
    with day() as db:
        rows.write(db, [closed(key(1), verdict=Verdict.FAIL)])
        rows.write(db, [closed(key(1), verdict=Verdict.PASS), outcome(key(1)), outcome(key(1), what=LineOutcome.LATE)])
        (row,) = all_rows(db)
        assert (row["verdict"], row["outcome"]) == ("FAIL", "delivered")


@pytest.mark.parametrize("fact", [closed(key(1)), outcome(key(1))], ids=lambda fact: type(fact).__name__)
def test_a_close_or_outcome_whose_open_was_lost_still_makes_a_row(fact: Closed | Outcome) -> None:
    with day() as db:
        rows.write(db, [fact])
        (row,) = all_rows(db)
        assert row["trigger_ns"] is None
        assert (row["verdict"], row["outcome"]) == (("PASS", None) if isinstance(fact, Closed) else (None, "delivered"))


def test_what_a_fact_does_not_say_is_null_and_a_reason_has_its_name() -> None:
    with day() as db:
        rows.write(db, [Closed(key=key(1), utc_ns=NOON, reason=Reason.NO_FRAME, text="camera is silent")])
        (row,) = all_rows(db)
        unknown = ("score", "threshold", "fingerprint", "worker", "frame_ms", "part_id")
        assert [row[name] for name in unknown] == [None] * len(unknown)
        assert (row["verdict"], row["reason"], row["reason_name"]) == ("UNDECIDED", 1, "no_frame")


def test_the_bundle_that_judged_goes_before_the_one_that_was_to_judge() -> None:
    other = Closed(key=key(1), utc_ns=NOON, fingerprint="judged", threshold=9.0)
    for facts in ([opened(key(1)), other], [other, opened(key(1))]):
        with day() as db:
            for fact in facts:
                rows.write(db, [fact])
            (row,) = all_rows(db)
            assert (row["fingerprint"], row["threshold"], row["part_id"]) == ("judged", 9.0, "part-1")


def test_facts_go_to_the_day_of_their_trigger_and_those_of_a_checkpoint_too() -> None:
    point = Checkpoint(
        utc_ns=NOON, opened=[opened(key(1), NOON - DAY_NS)], closed=[closed(key(1), NOON - DAY_NS)],
        outcomes=[outcome(key(2), NOON)], sources={}, counts={},
    )  # fmt: skip
    found = rows.by_day([opened(key(3), NOON), point])
    assert list(found.items()) == [
        ("2026-09-20", [opened(key(1), NOON - DAY_NS), closed(key(1), NOON - DAY_NS)]),
        ("2026-09-21", [opened(key(3), NOON), outcome(key(2), NOON)]),
    ]
    assert rows.by_day([checkpoint()]) == {"2026-09-21": []}


def test_a_command_is_kept_once_with_its_arguments() -> None:
    command = Commanded(utc_ns=NOON, who="anna", what="activate", args={"bundle": "3"}, ok=True, text="done")
    with day() as db:
        assert rows.write(db, [command, command]) == {"Commanded": 1}
        row = db.execute("SELECT who, what, args, ok, text FROM commands").fetchone()
        assert tuple(row) == ("anna", "activate", '{"bundle": "3"}', 1, "done")


def test_the_place_drained_up_to_is_kept_as_one_row() -> None:
    with day() as db:
        assert rows.read_position(db) == (0, Position(0, 0))
        rows.write_position(db, 1, Position(1, 10))
        rows.write_position(db, 2, Position(1, 20))
        assert rows.read_position(db) == (2, Position(1, 20))


def test_every_kind_of_fact_is_known() -> None:
    assert set(rows._WRITES) == {Opened, Closed, Outcome, Late}
