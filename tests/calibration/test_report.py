"""The report is one self-contained page that leads with its warnings and shows what its manifest says."""

import hashlib
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from calibration import defects, page
from calibration.choice import Choice, Tried
from calibration.curve import Curve
from calibration.evidence import Evidence, as_json
from calibration.findings import Findings, Named, Suspects
from calibration.report import Report, render
from calibration.sheets import Shown
from calibration.synthetic import Trial
from calibration.threshold import Found
from inspectd.vision.bundle import ArrayRef, FoundThreshold, LeftOut, Manifest, Member, PictureSpec

THRESHOLDS = {
    "f1": Found(2.0, "largest F1", {}),
    "max_false_reject": Found(2.5, "rank 1", {}),
    "pixel": Found(3.0, "above maps", {}),
}
CELLS = {f"synthetic_recall.{kind}.{size}px": 0.25 * (size > 3) for kind in defects.KINDS for size in (3, 8)}
CHOICE = Choice(
    tried=[
        Tried("lite2, layers 10 and 14", 0.91, 0.9, 0.92, 12.0, "chosen"),
        Tried("lite0 at 640", None, None, None, 99.0, "over budget"),
    ],
    budget_ms=50.0,
    score="Mean AUROC of painted defects.",
    sure="Sure to about 0.01.",
)


def manifest(**changes: object) -> Manifest:
    fields = {
        "station": "lid",
        "members": (Member(backbone="ab" * 32, backbone_name="lite0", layers=(4, 10), patch=3, input_px=(224, 224)),),
        "picture": PictureSpec(camera_px=(300, 400), pixel_format="mono8"),
        "threshold": 2.0,
        "thresholds": {rule: FoundThreshold(value=found.value, how=found.how) for rule, found in THRESHOLDS.items()},
        "versions": {"inspectd": "0.1.0"},
        "pictures": {f"good/{i:04}.png": f"{i:064x}" for i in range(30)},
        "metrics": {"image_auroc": 0.98765, "false_negatives": 2, "synthetic_smallest_px": 8, **CELLS},
        "arrays": (ArrayRef("bank", "bank.npy", (100, 152), "float32", "cd" * 32),),
        "fingerprint": "0123456789abcdef",
        "created": "2026-11-21T10:00:00.000Z",
        "timings": {"features": 3.21},
    }
    return Manifest(**{**fields, **changes})


def shown(name: str, score: float) -> Shown:
    rng = np.random.default_rng(int(score * 100))
    pixels = rng.integers(0, 255, (120, 160), np.uint8)
    return Shown(name, score, pixels, rng.random((120, 160)).astype(np.float32) * 4)


def evidence(known: bool = True, **changes: object) -> Evidence:
    rng = np.random.default_rng(0)
    defective = np.r_[1.5, rng.normal(4, 0.4, 79)] if known else np.zeros(0)
    fields = {
        "manifest": manifest(),
        "number": 7,
        "warnings": ["2 known defects pass"] if known else [],
        "findings": Findings("f1", THRESHOLDS),
        "groups": [f"good/{i:04}.png" for i in range(300)],
        "exact": False,
        "good": Named(np.r_[2.1, 2.2, rng.normal(1.2, 0.1, 298)], [f"good/{i:04}.png" for i in range(300)]),
        "bad": Named(defective, [f"bad/{i}.png" for i in range(len(defective))]),
        "painted": Trial([3, 8], rng.normal(2, 0.5, (len(defects.KINDS), 2, 4))),
        "suspects": Suspects(["good/0003.png"], [["good/0005.png", "good/0006.png"]], ["good/0009.png"]),
        "curve": Curve([60, 120, 240], np.array([[1.2, 1.05, 1.0], [1.22, 1.04, 1.0]])),
        "choice": None,
    }
    return Evidence(**{**fields, **changes})


def report(bad: bool = True, found: Evidence | None = None, **changes: object) -> Report:
    return Report(
        evidence=found or evidence(bad, manifest=manifest(**changes)),
        good=[shown("good/0003.png", 2.2), shown("good/0004.png", 1.9)],
        bad=[shown("bad/x.png", 1.5)] if bad else [],
    )


class Page(HTMLParser):
    """Collects the text, and checks that every tag is closed in order."""

    def __init__(self, html: bytes) -> None:
        super().__init__()
        self.text, self.open, self.links = "", [], []
        self.feed(html.decode())
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value for name, value in attrs if name in ("src", "href", "xlink:href")]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_it_leads_with_its_warnings_and_tells_what_the_manifest_says() -> None:
    """Warnings come before any figure; fingerprint, thresholds, hashes, versions, verdicts and a place to sign are there."""
    text = Page(render(report())).text
    assert text.index("2 known defects pass") < text.index("Threshold")
    for told in (
        "0123456789abcdef",
        "largest F1",
        "rank 1",
        "f1, active",
        "lite0",
        "layers 4, 10",
        "0.988",
        "inspectd",
        "0.1.0",
        "Date",
    ):
        assert told in text
    assert f"{29:064x}"[:16] in text
    assert re.search(r"good/0003\.png\s*FAIL 2\.2, 110.0% of threshold", text)
    assert re.search(r"bad/x\.png\s*PASS 1\.5, 75.0% of threshold", text)


def test_it_needs_no_other_file_and_no_network() -> None:
    """Pictures are inside, references stay inside the page, and no script runs."""
    html = render(report())
    assert all(link.startswith(("data:image/png;base64,", "#")) for link in Page(html).links)
    assert b"<script" not in html
    assert b"@import" not in html


def test_without_bad_parts_it_says_nothing_of_them() -> None:
    """No empty sheet, no zero counts."""
    text = Page(render(report(bad=False))).text
    assert "Bad parts" not in text
    assert "known bad parts" not in text
    assert "Nothing to warn of" in text
    assert "what the station catches is not known" in text


def test_it_says_what_to_expect_on_the_line() -> None:
    """False rejects in 10,000 with their interval, and every known defect that passes, by name."""
    text = Page(render(report())).text
    assert "Of 10,000 good parts expect about 100 to be rejected, two-sided 95% interval 8 to 239: here it was 2 of 300" in text
    assert "1 of the 80 known bad parts pass" in text
    assert re.search(r"bad/0\.png\s*1\.5\s*75.0%", text)
    safe = evidence(bad=Named(np.array([3.0]), ["bad/1.png"]))
    assert "All 1 known bad parts are stopped." in Page(render(report(found=safe))).text


def test_it_says_what_a_person_should_do_next() -> None:
    """More pictures or not; which pictures to look at and how to leave them out; from which size on defects are found."""
    left_out = {"good/0012.png": LeftOut(sha256="0" * 64, why="dropped by --drop")}
    text = Page(render(report(left_out=left_out))).text
    assert "More pictures would help: learning from 240 pictures instead of 120" in text
    assert "inspectd calibrate … --drop good/0003.png --drop good/0006.png" in text
    assert "good/0005.png = good/0006.png" in text
    assert re.search(r"dropped by --drop\s*good/0012\.png", text)
    assert "even of the largest, 8 px, only" in text
    assert re.search(r"8 px.*blob\s*0%\s*25%", text, re.DOTALL)
    calm = evidence(suspects=Suspects([], [], []), curve=None)
    text = Page(render(report(found=calm))).text
    assert "No picture stands out" in text
    assert "It is not clear whether more pictures would help: too few different ones" in text


def test_settings_that_were_chosen_automatically_come_with_what_was_tried() -> None:
    """Every row, also what was too slow to be measured; nothing of it where a person wrote the settings."""
    text = Page(render(report(found=evidence(choice=CHOICE)))).text
    assert re.search(r"lite2, layers 10 and 14\s*0\.910\s*0\.900 to 0\.920\s*12\.0\s*chosen", text)
    assert re.search(r"lite0 at 640\s*not measured\s*99\.0\s*over budget", text)
    assert "Sure to about 0.01. Score: Mean AUROC of painted defects. A part may take 50 ms." in text
    assert "How the settings were chosen" not in Page(render(report())).text


def test_a_part_in_the_recheck_band_is_told_as_such() -> None:
    """On its picture, and where the band begins."""
    band = Findings("f1", THRESHOLDS | {"recheck": Found(1.8, "0.9 of the threshold", {})})
    text = Page(render(report(found=evidence(findings=band)))).text
    assert re.search(r"good/0004\.png\s*RECHECK 1\.9", text)
    assert "Parts from 1.8 up to the threshold go to the rework lane" in text


def test_the_hash_of_all_pictures_is_that_of_what_sha256sum_prints() -> None:
    """So that a person can check it; of very many pictures the single ones are left to the file."""
    few = manifest()
    listing = "".join(f"{sha256}  {name}\n" for name, sha256 in few.pictures.items())
    assert hashlib.sha256(listing.encode()).hexdigest() in Page(render(report())).text
    many = {f"good/{i:05}.png": f"{i:064x}" for i in range(500)}
    assert "good/00499.png" not in Page(render(report(pictures=many))).text


def test_paper_has_the_fingerprint_on_every_page() -> None:
    """And what a station is called can end no style."""
    html = render(report(station='x"; } body { display: none'))
    style = html[html.index(b"<style>") : html.index(b"</style>")]
    assert b"fingerprint 0123456789abcdef" in style
    assert b"display: none" not in style


def test_the_json_file_says_the_same() -> None:
    """Every score by name, curves, counts, choice, suspects and hashes; numbers alone, so that programs can read it."""
    found = json.loads(as_json(evidence(choice=CHOICE)))
    assert found["threshold"] == {"rule": "f1", "fail_from": 2.0, "recheck_from": None, "outline_from": 3.0}
    assert found["false_rejects"]["expected"] == pytest.approx(10_000 * 3 / 301)
    assert found["known_defects_that_pass"] == [{"picture": "bad/0.png", "score": 1.5}]
    assert [len(found["scores"][kind]) for kind in ("good", "bad", "synthetic")] == [300, 80, 2 * len(defects.KINDS)]
    assert set(found["curves"]) == {"known defects", "painted defects (synthetic)"}
    assert found["learning_curve"]["more_would_help"] is True
    assert found["choice"]["tried"][1]["fate"] == "over budget"
    assert found["suspects"]["alike"] == [["good/0005.png", "good/0006.png"]]
    assert found["fingerprint"] == "0123456789abcdef"
    assert len(found["pictures"]) == 30
    assert json.loads(as_json(evidence(known=False, curve=None)))["learning_curve"] is None


def test_the_same_report_gives_the_same_bytes() -> None:
    """Nothing in it depends on when or where it was drawn."""
    assert render(report()) == render(report())


def test_whatever_names_hold_is_shown_and_not_obeyed() -> None:
    """A file name with tags and dollars in it stays text."""
    nasty = '<img src=x onerror="alert(1)">$title&.png'
    one = report(pictures={f"good/{nasty}": "0" * 64})
    html = render(one)
    assert nasty.encode() not in html
    assert nasty in Page(html).text
    assert page.fill("<p>$a$b</p>", a="<", b=page.Markup("<br>")) == "<p>&lt;<br></p>"
