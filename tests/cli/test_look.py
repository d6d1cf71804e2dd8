"""Looking back: the journal as a table, as files, and one part of it."""

import json
from contextlib import closing
from pathlib import Path

import pytest

from inspectd.journal import rows, schema
from inspectd.station.state import StateDir
from inspectd.vision import bundle
from inspectd.vision.bundle import FoundThreshold
from inspectd.wire.enums import LineOutcome, Verdict
from inspectd.wire.messages import Closed, Key, Opened, Outcome
from tests.cli.typed import inspectd
from tests.vision import make


@pytest.fixture
def journal(line: Path) -> Path:
    """A journal with two parts: one passed, one rejected."""
    state = StateDir(line / "state")
    utc_ns = 1_700_000_000_000_000_000
    facts = []
    for seq, verdict in ((1, Verdict.PASS), (2, Verdict.FAIL)):
        key = Key("flange", 1, seq)
        facts += [
            Opened(
                key=key,
                t_ns=seq,
                utc_ns=utc_ns + seq,
                host="h",
                part_id=f"part-{seq}",
                product=f"product-{seq}",
                lot=f"lot-{seq}",
                fingerprint=f"{seq}" * 16,
            ),
            Closed(key=key, utc_ns=utc_ns + seq, verdict=verdict, score=float(seq), threshold=1.5, fingerprint=f"{seq}" * 16),
            Outcome(key=key, outcome=LineOutcome.NO_PLC, utc_ns=utc_ns + seq),
        ]
    for day, todays in rows.by_day(facts).items():
        with closing(schema.open_for_writing(schema.path_of(state.journal, day))) as db:
            rows.write(db, todays)
    return line


def test_replay_shows_the_journal_as_a_table_and_as_files(journal: Path) -> None:
    """The terminal gets the columns for people, files get all of them, and both can be narrowed."""
    shown = inspectd("replay").stdout
    assert "part-1" in shown
    assert "flange/1/2" in shown
    assert "part-1" not in inspectd("replay", "--verdict", "FAIL").stdout
    assert "part-2" not in inspectd("replay", "--until", "2000-01-01").stdout
    assert inspectd("replay", "--csv", journal / "all.csv", "--json", journal / "all.json").exit_code == 0
    assert [row["part_id"] for row in json.loads((journal / "all.json").read_text())] == ["part-1", "part-2"]
    assert len((journal / "all.csv").read_text().splitlines()) == 3
    assert len(inspectd("replay", "--csv", "-", "--limit", 1).stdout.splitlines()) == 2


@pytest.mark.parametrize(
    ("words", "seqs"),
    [
        (["--part", "part-2"], [2]),
        (["--part", "*-1"], [1]),
        (["--part", "part-?"], []),
        (["--lot", "lot-1"], [1]),
        (["--product", "product-2"], [2]),
        (["--bundle", "1111"], [1]),
        (["--outcome", "no_plc"], [1, 2]),
        (["--outcome", "late"], []),
        (["--reason", "late"], []),
        (["--product", "product-2", "--lot", "lot-1"], []),
    ],
)
def test_replay_is_narrowed_to_part_lot_product_reason_outcome_and_bundle(
    journal: Path, words: list[str], seqs: list[int]
) -> None:
    """All that is asked must hold."""
    found = json.loads(inspectd("replay", *words, "--json", "-").stdout)
    assert [row["seq"] for row in found] == seqs


def test_show_tells_where_the_bundle_that_judged_came_from(journal: Path) -> None:
    """Number, place, when it was calibrated, by which rule; a bundle that is gone is told as gone."""
    state = StateDir(journal / "state")
    sealed = make.manifest(
        station="flange",
        product="product-1",
        created="2026-11-21T06:30:00.000Z",
        thresholds={"f1": FoundThreshold(value=5.0, how="best")},
    )
    made = bundle.write(state.bundle("flange", "product-1", 4), sealed, make.arrays(), make.golden())
    opened = Opened(
        key=Key("flange", 1, 3), t_ns=3, utc_ns=1_700_000_000_000_000_003, host="h", part_id="part-3", product="product-1",
        fingerprint=made.manifest.fingerprint,
    )  # fmt: skip
    with closing(schema.open_for_writing(schema.path_of(state.journal, "2023-11-14"))) as db:
        rows.write(db, [opened])
    words = " ".join(inspectd("show", "part-3").stdout.split())
    assert f"bundle {made.manifest.fingerprint} bundle number 4" in words
    assert "stations/flange/product-1/bundles/4" in words
    assert "calibrated 2026-11-21 06:30:00.000 UTC rule f1 threshold is best" in words
    assert "not in the state directory any more" in inspectd("show", "part-2").stdout


def test_replay_refuses_a_station_that_nobody_knows_and_names_the_others(journal: Path) -> None:
    """Those of the journal, though their files are gone, and those of the files, though they have no parts yet."""
    (journal / "stations" / "flange.yaml").rename(journal / "stations" / "washer.yaml")
    unknown = inspectd("replay", "--station", "flang")
    assert unknown.exit_code == 2
    assert "--station: expected one of flange, washer, got flang" in unknown.stderr
    assert "part-2" in inspectd("replay", "--station", "flange").stdout
    new = inspectd("replay", "--station", "washer")
    assert (new.exit_code, "part-2" in new.stdout) == (0, False)


@pytest.mark.parametrize(
    ("since", "parts"),
    [("2023-11-14 22:13:20.000", 2), ("2023-11-14T23:13:20+01:00", 2), ("2023-11-15", 0), ("9999-12-31", 0), ("0001-01-01", 2)],
)
def test_replay_takes_times_as_it_shows_them_and_as_people_write_them(journal: Path, since: str, parts: int) -> None:
    """UTC where no zone is named; a time beyond the journal's is no error."""
    result = inspectd("replay", "--since", since, "--csv", "-")
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 1 + parts


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["replay", "--verdict", "GOOD"], "--verdict: expected PASS, FAIL or UNDECIDED, got GOOD"),
        (["replay", "--reason", "bad"], "--reason: expected one of no_frame, overload"),
        (
            ["replay", "--outcome", "good"],
            "--outcome: expected one of delivered, late, stale, overrun, plc_down, no_plc, got good",
        ),
        (["replay", "--bundle", "3"], "--bundle: expected a fingerprint or at least its first 4 digits, got 3"),
        (["replay", "--since", "monday"], "--since: expected a UTC time like 2026-11-21 or 2026-11-21T06:30, got monday"),
        (["calibrate", "flange", "--good", ".", "--rule", "best"], "'best' is not one of 'f1'"),
    ],
    ids=["verdict", "reason", "outcome", "bundle", "since", "rule"],
)
def test_a_wrong_value_of_an_option_is_told_in_plain_words(journal: Path, words: list[str], hint: str) -> None:
    """No word of the library that reads the options."""
    result = inspectd(*words)
    assert result.exit_code == 2
    assert hint in " ".join(result.stderr.replace("│", " ").split())
    assert "Value error" not in result.stderr


def test_verdicts_may_be_typed_small(journal: Path) -> None:
    """As people type."""
    assert "part-2" in inspectd("replay", "--verdict", "fail").stdout


def test_show_prints_one_part_and_draws_its_page(journal: Path) -> None:
    """By id or by key; an unknown part is answered with those near to it."""
    assert "FAIL" in inspectd("show", "part-2").stdout
    assert "PASS" in inspectd("show", "flange/1/1", "--png", journal / "page.png").stdout
    assert (journal / "page.png").read_bytes().startswith(b"\x89PNG")
    unknown = inspectd("show", "part-22")
    assert unknown.exit_code == 2
    assert "part-2" in unknown.stderr


@pytest.mark.parametrize("option", ["--csv", "--json"])
def test_a_file_that_cannot_be_written_is_bad_input(journal: Path, option: str) -> None:
    """The path is named."""
    result = inspectd("replay", option, journal / "missing" / "file")
    assert result.exit_code == 2
    assert "missing/file: cannot be written" in result.stderr


def test_without_a_journal_replay_says_where_it_looked(line: Path) -> None:
    """Often --state is wrong."""
    result = inspectd("replay")
    assert result.exit_code == 1
    assert str(line / "state") in result.stderr
