"""The journal as a table, as CSV and as JSON."""

import csv
import io
import json

import msgspec

from inspectd.journal import table
from inspectd.journal.reader import Part
from inspectd.wire.enums import LineOutcome, Verdict
from inspectd.wire.messages import Commanded
from tests.journal.make import NOON

PASSED = Part(
    station="tile", run=2, seq=7, part_id="a,b.png", utc="2026-11-21T23:00:12.345Z", utc_ns=1, verdict=Verdict.PASS, reason=0,
    score=1.23456789, threshold=3.5, closed_ms=9.26, outcome=LineOutcome.DELIVERED, outcome_ms=12.0,
)  # fmt: skip
GUARDED = Part(
    station="tile", run=2, seq=8, utc="2026-11-21T23:00:13.000Z", utc_ns=2, verdict=Verdict.UNDECIDED, reason=9,
    reason_name="guard", text="too dark",
)  # fmt: skip
OPEN = Part(station="tile", run=2, seq=9, utc="2026-11-21T23:00:14.000Z", utc_ns=3)


def test_every_column_shows_what_the_row_says() -> None:
    assert table.cells(PASSED) == [
        "2026-11-21 23:00:12.345", "tile/2/7", "a,b.png", "", "", "PASS", "", "1.235", "3.500", "9.3", "delivered", "12.0", "",
    ]  # fmt: skip
    assert table.cells(GUARDED)[5:9] == ["UNDECIDED", "guard: too dark", "", ""]
    assert table.cells(OPEN)[5] == "(open)"
    named = msgspec.structs.replace(OPEN, product="red", lot="7", fingerprint="0123456789abcdef")
    assert (table.cells(named)[3:5], table.cells(named)[-1]) == (["red", "7"], "0123456789abcdef")
    assert len(table.COLUMNS) == len(table.cells(OPEN))


def test_what_steers_a_terminal_is_spelled_out() -> None:
    """Part ids come from outside."""
    assert table.cells(msgspec.structs.replace(PASSED, part_id="a\x1b[2Jb\n"))[2] == r"a\x1b[2Jb\n"


def test_csv_has_every_column_at_full_precision() -> None:
    lines = list(csv.DictReader(io.StringIO("".join(table.to_csv([PASSED, GUARDED])))))
    assert list(lines[0]) == list(Part.__struct_fields__)
    assert (lines[0]["part_id"], lines[0]["score"], lines[0]["verdict"]) == ("a,b.png", "1.23456789", "PASS")
    assert (lines[1]["score"], lines[1]["text"]) == ("", "too dark")


def test_json_is_one_array_with_an_object_a_part() -> None:
    found = json.loads("".join(table.to_json([PASSED, OPEN])))
    assert [part["seq"] for part in found] == [7, 9]
    assert found[0]["verdict"] == "PASS"
    assert found[1]["score"] is None
    assert json.loads("".join(table.to_json([]))) == []


def test_a_command_is_told_with_who_gave_it_about_what_and_what_came_of_it() -> None:
    """On the terminal and as CSV alike."""
    refused = Commanded(utc_ns=NOON, who="anna", what="activate", args={"bundle": "3", "a": "b"}, ok=False, text="no, roi")
    cells = table.command_cells(refused)
    assert cells == ["2026-09-21 14:13:20.000", "anna", "activate", "a=b bundle=3", "refused", "no, roi"]
    assert list(csv.reader(io.StringIO("".join(table.commands_to_csv([refused])))))[1] == cells
