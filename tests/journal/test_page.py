"""One part on one page, from the journal alone."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from inspectd import image
from inspectd.errors import BadImage, BadInput
from inspectd.journal import page, rows, schema
from inspectd.journal.pictures import map_path, picture_path
from inspectd.journal.reader import Part, Reader
from inspectd.station.state import StateDir
from inspectd.wire.enums import LineOutcome, Verdict
from tests.journal.make import NOON, key, life
from tests.journal.test_table import GUARDED, OPEN, PASSED

GREY = np.full((60, 90), 128, np.uint8)


def test_the_text_says_all_that_is_known_and_nothing_that_is_not() -> None:
    text = page.text(PASSED)
    for words in ("PASS", "delivered", "1.2346 (35% of the threshold)", "a,b.png", "tile/2/7", "2026-11-21 23:00:12.345 UTC"):
        assert words in text
    assert "lot" not in text
    assert "UNDECIDED (guard: too dark)" in page.text(GUARDED)
    assert "not closed yet" in page.text(OPEN)


@pytest.mark.parametrize(
    ("verdict", "outcome", "words"),
    [
        (Verdict.PASS, LineOutcome.LATE, "PASS (line saw fail_safe(late))"),
        (Verdict.UNDECIDED, LineOutcome.PLC_DOWN, "UNDECIDED (line saw fail_safe(plc_down))"),
        (Verdict.FAIL, LineOutcome.DELIVERED, "FAIL (delivered)"),
        (Verdict.PASS, LineOutcome.NO_PLC, "PASS (no PLC)"),
        (None, None, "OPEN (line outcome not known yet)"),
    ],
)
def test_the_headline_says_what_was_found_and_what_the_line_saw(
    verdict: Verdict | None, outcome: LineOutcome | None, words: str
) -> None:
    """It fits on the page, and a PASS that the line saw as a fail-safe is not in the colour of a PASS."""
    part = msgspec.structs.replace(PASSED, verdict=verdict, outcome=outcome)
    assert page.text(part).splitlines()[0] == words
    assert image.text_width(words, 40) < page._WIDTH - 2 * page._MARGIN
    in_pass = (page.draw(part, None, None) == np.asarray(page._VERDICT[Verdict.PASS])).all(axis=2).any()
    assert in_pass == (words == "PASS (no PLC)")


def test_what_steers_a_terminal_is_spelled_out() -> None:
    """Part ids come from outside, and text of a reason may quote them."""
    text = page.text(msgspec.structs.replace(GUARDED, part_id="a\x1b[2Jb\n", text="too\rdark"))
    assert r"a\x1b[2Jb\n" in text
    assert r"too\rdark" in text
    assert text.replace("\n", "").isprintable()


def test_parts_of_the_same_id_are_counted_and_named_by_key(state: StateDir) -> None:
    """An id from outside may come again; the newest is shown, and nobody takes it for the only one."""
    db = schema.open_for_writing(schema.path_of(state.journal, "2026-09-21"))
    for seq in range(1, 24):
        facts = life(key(seq), NOON + seq * 1_000_000_000)
        rows.write(db, [msgspec.structs.replace(facts[0], part_id="again"), *facts[1:]])
    db.close()
    text, _ = page.render(Reader(state), "again")
    assert "23 parts are called again; this is tile/1/23." in text
    assert "tile/1/22  2026-09-21 14:13:42.000 UTC  PASS (delivered)" in text
    assert "and 2 older ones" in text
    assert "are called" not in page.render(Reader(state), "tile/1/22")[0]


def test_the_band_and_the_outlined_places_are_told() -> None:
    """Area in pixels and mm², boxes with the largest first, and how many are left out; nothing is said of what is not known."""
    found = msgspec.structs.replace(
        PASSED, recheck=3.0, regions=3, area_px=1_234, area_mm2=4.9, boxes=((1, 2, 30, 4), (5, 6, 7, 8))
    )
    text = page.text(found)
    assert "3.5000, recheck from 3.0000" in text
    assert "1,234 px (4.9 mm²) in 3 places" in text
    assert "1, 2: 30 x 4; 5, 6: 7 x 8; and 1 smaller" in text
    assert "nothing" in page.text(msgspec.structs.replace(PASSED, regions=0, area_px=0))
    assert "outlined" not in page.text(PASSED)


def test_a_picture_is_outlined_from_the_pixel_threshold_on() -> None:
    """Where one is known; a place between it and the part's threshold is outlined then, and else is not."""
    heat = np.full((60, 90), 100, np.uint16)
    heat[20:40, 30:60] = 900
    known = msgspec.structs.replace(PASSED, pixel_threshold=0.8 * 3.5, threshold=3.5)
    assert not np.array_equal(page.draw(known, GREY, heat)[:400], page.draw(PASSED, GREY, heat)[:400])
    lower = msgspec.structs.replace(known, pixel_threshold=0.95 * 3.5)
    colour = np.asarray(page._VERDICT[Verdict.FAIL])
    assert (page.draw(known, GREY, heat) == colour).all(axis=2).any()
    assert not (page.draw(lower, GREY, heat) == colour).all(axis=2).any()


def test_a_late_score_is_shown_as_late() -> None:
    late = Part(station="t", run=1, seq=1, utc="", utc_ns=0, late_score=2.5, late_ms=40.0)
    assert "2.5000, 40.0 ms after the verdict" in page.text(late)


def test_steps_stand_in_the_order_in_which_they_happened() -> None:
    part = Part(
        station="t", run=1, seq=1, utc="", utc_ns=0, outcome_ms=180.0, closed_ms=190.0, opened_ms=0.5, deadline_ms=200.0
    )
    (steps,) = [section for section in page.sections(part) if section.heading.startswith("ms")]
    assert [name for name, _ in steps.lines] == ["trigger in the ledger", "line", "verdict", "deadline"]


def test_what_is_over_the_threshold_is_outlined_and_the_rest_is_not() -> None:
    heat = np.zeros((60, 90), np.uint16)
    calm = page.draw(PASSED, GREY, heat)
    heat[20:40, 30:60] = 1_500
    alarmed = page.draw(PASSED, GREY, heat)
    red = np.asarray(page._VERDICT[Verdict.FAIL])

    def reds(drawn: image.U8) -> int:
        return int((drawn == red).all(axis=2).sum())

    assert reds(calm) == 0
    assert reds(alarmed) > 100
    assert alarmed.shape == calm.shape


@pytest.mark.parametrize("part", [PASSED, GUARDED, OPEN], ids=["passed", "guarded", "open"])
def test_every_part_has_a_page_also_without_picture_or_map(part: Part) -> None:
    without = page.draw(part, None, None)
    with_picture = page.draw(part, GREY, None)
    in_colour = page.draw(part, np.full((2_000, 300, 3), 90, np.uint8), np.zeros((500, 75), np.uint16))
    assert without.shape[0] < with_picture.shape[0]
    assert {drawn.shape[1] for drawn in (without, with_picture, in_colour)} == {page._WIDTH}


def test_words_too_long_for_their_column_are_cut_and_others_are_whole() -> None:
    short = page._shortened("x" * 1_000, 200)
    assert short.endswith("…")
    assert image.text_width(short, 16) <= 200
    assert page._shortened("fits", 200) == "fits"


@pytest.fixture
def reader(state: StateDir) -> Reader:
    db = schema.open_for_writing(schema.path_of(state.journal, "2026-09-21"))
    rows.write(db, life(key(1)))
    db.close()
    return Reader(state)


def kept(state: StateDir) -> Path:
    path = picture_path(state.pictures, "2026-09-21", key(1))
    path.parent.mkdir(parents=True)
    path.write_bytes(image.encode_png(GREY))
    map_path(path).write_bytes(image.encode_png(np.full((60, 90), 2_000, np.uint16)))
    return path


def test_a_page_is_rendered_from_the_files_of_the_journal(reader: Reader, state: StateDir) -> None:
    _, without = page.render(reader, "part-1")
    path = kept(state)
    text, png = page.render(reader, "tile/1/1")
    assert "part-1" in text
    drawn = image.decode(png, "page").pixels
    assert drawn.shape[0] > image.decode(without, "page").pixels.shape[0]
    map_path(path).write_bytes(b"no picture")
    with pytest.raises(BadImage, match=r"1-1\.map\.png"):
        page.render(reader, "part-1")
    with pytest.raises(BadInput):
        page.render(reader, "part-2")
