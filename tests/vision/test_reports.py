"""Reports belong to a bundle: known by their checksums, and no part of its fingerprint."""

from pathlib import Path

import pytest

from inspectd.errors import BadBundle
from inspectd.station.state import StateDir
from inspectd.vision import bundle, parcel, reports
from tests.vision import make


def test_a_report_changes_no_fingerprint_and_is_listed_in_the_manifest(state: StateDir) -> None:
    made = make.reported_bundle(state)
    manifest = bundle.verify(made)
    assert manifest.fingerprint == make.idle_bundle(state, number=2).manifest.fingerprint
    assert manifest.reports == {"report.html": bundle.checksum(made / "report.html")}
    reports.check(made, manifest)


@pytest.mark.parametrize("damage", [lambda file: file.write_text("all is well"), Path.unlink], ids=["changed", "gone"])
def test_a_report_that_was_changed_or_lost_is_named_and_stops_no_line(state: StateDir, tmp_path: Path, damage) -> None:
    """Whoever reads it must not believe it; the bundle judges as before, and is not carried to another machine like this."""
    made = make.reported_bundle(state)
    damage(made / "report.html")
    bundle.verify(made)
    with pytest.raises(BadBundle, match=r"report\.html"):
        reports.check(made, bundle.read_manifest(made))
    with pytest.raises(BadBundle, match=r"report\.html"):
        parcel.pack(made, tmp_path / "weave.zip")
