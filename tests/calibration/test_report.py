"""The report is one self-contained page that leads with its warnings and shows what its manifest says."""

import re
from html.parser import HTMLParser

import numpy as np

from calibration import page
from calibration.report import Report, Shown, render
from inspectd.vision.bundle import ArrayRef, FoundThreshold, Manifest, Member, PictureSpec


def manifest(**changes: object) -> Manifest:
    fields = {
        "station": "lid",
        "members": (Member(backbone="ab" * 32, backbone_name="lite0", layers=(4, 10), patch=3, input_px=(224, 224)),),
        "picture": PictureSpec(camera_px=(300, 400), pixel_format="mono8"),
        "threshold": 2.0,
        "thresholds": {
            "f1": FoundThreshold(value=2.0, how="largest F1"),
            "max_false_reject": FoundThreshold(value=2.5, how="rank 1"),
        },
        "versions": {"inspectd": "0.1.0"},
        "pictures": {f"good/{i:04}.png": f"{i:064x}" for i in range(30)},
        "metrics": {"image_auroc": 0.98765, "false_negatives": 2},
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


def report(bad: bool = True, **changes: object) -> Report:
    rng = np.random.default_rng(0)
    return Report(
        manifest=manifest(**changes),
        number=7,
        warnings=["2 known defects pass"] if bad else [],
        good_scores=rng.normal(1.2, 0.2, 300),
        bad_scores=rng.normal(3, 0.6, 80) if bad else np.zeros(0),
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
    assert re.search(r"good/0003\.png\s*FAIL 2\.2, 110.0% of the threshold", text)
    assert re.search(r"bad/x\.png\s*PASS 1\.5, 75.0% of the threshold", text)


def test_it_needs_no_other_file_and_no_network() -> None:
    """Pictures are inside, references stay inside the page, and no script runs."""
    html = render(report())
    assert all(link.startswith(("data:image/png;base64,", "#")) for link in Page(html).links)
    assert b"<script" not in html
    assert b"@import" not in html


def test_without_bad_parts_it_says_nothing_of_them() -> None:
    """No empty sheet, no zero counts."""
    text = Page(render(report(bad=False, metrics={}))).text
    assert "Bad parts" not in text
    assert "Nothing to warn of" in text


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
