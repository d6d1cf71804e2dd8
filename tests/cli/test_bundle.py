"""Bundles as versions on the command line: nothing changes without a trace, and what is refused changes nothing."""

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from inspectd.errors import StateError
from inspectd.station.state import StateDir
from inspectd.vision import bundle
from tests.cli.typed import inspectd
from tests.support import until

pytestmark = pytest.mark.slow


@pytest.fixture
def state(calibrated: Path, tmp_path: Path, run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> StateDir:
    """A calibrated station in a folder of its own; the environment says where everything is."""
    for name in ("state", "stations"):
        shutil.copytree(calibrated / name, tmp_path / name)
    (tmp_path / "parts").symlink_to(calibrated / "parts")
    for name, path in {"CONFIG": "stations", "STATE": "state"}.items():
        monkeypatch.setenv(f"INSPECTD_{name}", str(tmp_path / path))
    monkeypatch.setenv("INSPECTD_RUN_DIR", str(run_dir))
    return StateDir(tmp_path / "state")


def threshold(state: StateDir) -> float:
    current = state.read_current("flange")
    assert current
    return current.threshold


def change(value: float, *more: object) -> str:
    result = inspectd("threshold", "flange", value, "--who", "anna", "--why", "scratches", *more)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def want_signatures(folder: Path) -> str:
    """Have the station judge by signed bundles alone, by the private key in folder/key; return the public one."""
    public = inspectd("bundle", "keygen", folder / "key").stdout.split('"')[1]
    (folder / "stations" / "line.yaml").write_text(f'trusted_keys: {{anna: "{public}"}}\n')
    file = folder / "stations" / "flange.yaml"
    file.write_text(file.read_text() + "require_signed: true\n")
    return public


def audit() -> list[str]:
    return inspectd("audit", "--csv", "-").stdout.splitlines()[1:]


def test_a_threshold_is_a_new_bundle_with_name_and_reason_and_rollback_goes_back(state: StateDir) -> None:
    """The old bundle is kept; the journal names who, why, the value and the one before."""
    before = threshold(state)
    value = before * 1.002
    change(value)
    assert state.bundles("flange") == [1, 2]
    current = state.read_current("flange")
    assert current
    assert (current.bundle, current.threshold, current.before) == (2, value, (1,))
    made = bundle.read_manifest(state.bundle("flange", "default", 2))
    assert made.fingerprint == current.fingerprint
    assert made.revision
    assert (made.revision.who, made.revision.why, made.revision.threshold) == ("anna", "scratches", before)
    assert "anna (as " in audit()[0]
    assert "parent=1" in audit()[0]
    assert "why=scratches" in audit()[0]
    listed = inspectd("bundle", "list").stdout
    assert "anna: scratches" in listed
    assert [row.split()[:2] for row in listed.splitlines() if row.startswith("*")] == [["*", "2"]]
    shown = inspectd("bundle", "show", "flange").stdout
    assert "revision of" in shown
    page = state.bundle("flange", "default", 2) / "report.html"
    assert str(page) in shown
    assert "scratches" in page.read_text()
    assert "What it changes" in page.read_text()
    assert inspectd("bundle", "rollback", "flange").exit_code == 0
    assert threshold(state) == before
    assert "rollback" in audit()[1]
    result = inspectd("bundle", "rollback", "flange")
    assert result.exit_code == 2
    assert "no bundle was active before" in result.stderr


@pytest.mark.parametrize("value", ["nan", "inf", "0", "1e9", "1e-9"])
def test_a_threshold_that_cannot_be_changes_nothing(state: StateDir, value: str) -> None:
    """Not a number, or one that golden pictures contradict."""
    result = inspectd("threshold", "flange", value, "--who", "anna", "--why", "x")
    assert result.exit_code == 2
    assert "threshold" in result.stderr
    assert state.bundles("flange") == [1]


def test_a_threshold_without_a_name_or_a_reason_is_refused(state: StateDir) -> None:
    """Spaces are none."""
    for words in (["--who", "anna"], ["--why", "x"], ["--who", " ", "--why", "x"], ["--who", "anna", "--why", ""]):
        assert inspectd("threshold", "flange", 1.0, *words).exit_code == 2
    assert state.bundles("flange") == [1]


def test_diff_names_the_parts_whose_verdicts_change(state: StateDir, calibrated: Path, tmp_path: Path) -> None:
    """With scores in per mille of each bundle's threshold; the same bundle changes none."""
    folder = next(path for path in sorted((calibrated / "parts/test").iterdir()) if path.name != "good")
    change(threshold(state) * 1.002)
    result = inspectd("bundle", "diff", "flange", 1, 2, "--images", folder, "--json", tmp_path / "diff.json")
    assert result.exit_code == 0, result.stderr
    found = json.loads((tmp_path / "diff.json").read_text())
    thresholds = [bundle.read_manifest(state.bundle("flange", "default", n)).threshold for n in (1, 2)]
    for part in found["parts"]:
        for said, limit in zip((part["before"], part["after"]), thresholds, strict=True):
            assert said["per_mille"] == int(1000 * said["score"] / limit)
            assert said["verdict"] == ("FAIL" if said["score"] >= limit else "PASS")
    changed = [part for part in found["parts"] if part["before"]["verdict"] != part["after"]["verdict"]]
    assert found["counts"]["changed"] == len(changed)
    same = inspectd("bundle", "diff", "flange", 1, 1, "--images", folder)
    assert same.stdout.strip().endswith("0 changed")
    assert inspectd("bundle", "diff", "flange", 1, 1).exit_code == 2
    assert inspectd("bundle", "diff", "flange", 1, 1, "--images", tmp_path).exit_code == 2


def test_verify_tells_every_bundle_that_is_not_what_it_was(state: StateDir) -> None:
    """By file and reason, the good ones too; one bad one is exit code 2."""
    change(threshold(state) * 1.002)
    assert inspectd("bundle", "verify").stdout.count("nothing wrong") == 2
    manifest = state.bundle("flange", "default", 2) / "manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b'"anna"', b'"bert"'))
    result = inspectd("bundle", "verify")
    assert result.exit_code == 2
    assert "bundle 1: " in result.stdout
    assert "it was changed by hand" in result.stderr


def test_verify_tells_a_report_that_is_not_what_was_written(state: StateDir) -> None:
    """The line may go on by such a bundle."""
    report = state.bundle("flange", "default", 1) / "report.html"
    report.write_bytes(report.read_bytes() + b" ")
    result = inspectd("bundle", "verify")
    assert result.exit_code == 2
    assert "report.html: expected sha256" in result.stderr
    assert inspectd("activate", "flange", 1).exit_code == 0


def test_a_bundle_goes_to_another_machine_and_judges_there_as_it_did(
    state: StateDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its graphs, under the next number there; a second time it is there already."""
    inspectd("bundle", "export", "flange", tmp_path / "flange.zip")
    sent = state.read_current("flange")
    monkeypatch.setenv("INSPECTD_STATE", str(tmp_path / "other"))
    other = StateDir(tmp_path / "other")
    result = inspectd("bundle", "import", tmp_path / "flange.zip", "--activate")
    assert result.exit_code == 0, result.stderr
    assert other.read_current("flange") == sent
    assert "nothing wrong" in inspectd("bundle", "verify", "flange", 1).stdout
    assert "here already" in inspectd("bundle", "import", tmp_path / "flange.zip").stdout
    assert other.bundles("flange") == [1]


def test_of_a_tampered_file_nothing_stays(state: StateDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No graph, no bundle, no scratch directory."""
    file = tmp_path / "flange.zip"
    inspectd("bundle", "export", "flange", file)
    data = bytearray(file.read_bytes())
    with zipfile.ZipFile(file) as archive:
        at = archive.getinfo("bundle/bank.npy").header_offset + 1000
    data[at] ^= 1
    file.write_bytes(data)
    (tmp_path / "other").mkdir()
    monkeypatch.setenv("INSPECTD_STATE", str(tmp_path / "other"))
    result = inspectd("bundle", "import", file)
    assert result.exit_code == 2
    assert list((tmp_path / "other").iterdir()) == []


def test_a_station_that_wants_signatures_takes_signed_bundles_alone(state: StateDir, tmp_path: Path) -> None:
    """A revision is a bundle of its own and is signed anew."""
    want_signatures(tmp_path)
    result = inspectd("activate", "flange", 1)
    assert result.exit_code == 2
    assert "require_signed: expected a signed bundle" in result.stderr
    assert "require_signed" in inspectd("check").stderr
    inspectd("bundle", "sign", "flange", "--key", tmp_path / "key")
    assert inspectd("activate", "flange", 1).exit_code == 0
    value = threshold(state) * 1.002
    assert inspectd("threshold", "flange", value, "--who", "a", "--why", "b").exit_code == 2
    assert threshold(state) != value
    assert state.bundles("flange") == [1]  # nothing is left of what was refused
    change(value, "--sign", tmp_path / "key")
    assert threshold(state) == value
    assert "anna" in inspectd("bundle", "list").stdout


@pytest.mark.parametrize(
    "seen", [".work-*", ".work-*/bundle", ".work-*/bundle/golden.npz", "stations/flange/default/bundles/*"]
)
@pytest.mark.parametrize("what", ["import", "threshold"])
def test_a_command_killed_at_any_time_leaves_the_active_bundle_whole(
    state: StateDir, tmp_path: Path, what: str, seen: str
) -> None:
    """Killed as soon as something is seen in the state directory: what has a number is whole, and the next one clears away."""
    before = state.read_current("flange")
    assert before
    inspectd("bundle", "export", "flange", tmp_path / "flange.zip")
    value = before.threshold * 1.002
    typed = ["threshold", "flange", value, "--who", "anna", "--why", "x"]
    if what == "import":
        shutil.rmtree(state.bundle("flange", "default", 1))
        shutil.rmtree(state.backbones)
        typed = ["bundle", "import", tmp_path / "flange.zip"]
    there = set(state.root.glob(seen))
    process = subprocess.Popen([sys.executable, "-m", "inspectd", *map(str, typed)], start_new_session=True)
    until(lambda: process.poll() is not None or set(state.root.glob(seen)) - there, 60, f"{seen} to be there")
    process.kill()
    process.wait()
    for number in state.bundles("flange"):
        bundle.verify(state.bundle("flange", "default", number))
    current = state.read_current("flange")
    assert current
    assert current == before or (what, current.threshold) == ("threshold", value)
    again = inspectd("bundle", "import", tmp_path / "flange.zip", "--activate")
    assert again.exit_code == 0, again.stderr
    assert list(state.root.glob(".work-*")) == []
    assert inspectd("bundle", "verify").exit_code == 0


def test_what_is_exported_signed_is_taken_by_a_station_that_wants_signatures(
    state: StateDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the same bundle came before without a signature, and was refused."""
    want_signatures(tmp_path)
    unsigned, signed = tmp_path / "unsigned.zip", tmp_path / "signed.zip"
    assert inspectd("bundle", "export", "flange", unsigned).exit_code == 0
    assert inspectd("bundle", "export", "flange", signed, "--sign", tmp_path / "key").exit_code == 0
    (tmp_path / "other").mkdir()
    monkeypatch.setenv("INSPECTD_STATE", str(tmp_path / "other"))
    for archive, taken in ((unsigned, 2), (signed, 0)):
        inspectd("bundle", "import", archive)
        bundles = StateDir(tmp_path / "other").bundles("flange")
        assert inspectd("activate", "flange", max(bundles, default=1)).exit_code == taken


def test_a_calibration_for_a_station_that_wants_signatures_is_signed_or_not_activated(state: StateDir, tmp_path: Path) -> None:
    """Without --sign what judges stays what it was, and the way on is told."""
    public = want_signatures(tmp_path)
    before = state.read_current("flange")
    good = tmp_path / "parts/train/good"
    result = inspectd("calibrate", "flange", "--good", good)
    assert (result.exit_code, "require_signed" in result.stderr) == (2, True), result.stderr
    assert state.read_current("flange") == before
    again = inspectd("calibrate", "flange", "--good", good, "--sign", tmp_path / "key")
    assert again.exit_code == 0
    assert "bundle 1 has the same fingerprint" in again.stderr
    now = state.read_current("flange")
    assert now
    assert now != before
    signature = bundle.read_manifest(state.bundle("flange", "default", now.bundle)).signature
    assert signature
    assert signature.key == public


def test_a_threshold_that_would_leave_no_trace_does_not_become_active(state: StateDir) -> None:
    """The journal cannot be written: what judged is what judges."""
    before = state.read_current("flange")
    assert before
    state.journal.write_text("no directory")
    result = inspectd("threshold", "flange", before.threshold * 1.002, "--who", "anna", "--why", "x")
    assert result.exit_code == 1
    assert "journal" in result.stderr
    assert state.read_current("flange") == before


def test_a_forged_signature_is_told_wherever_the_bundle_is_looked_at(state: StateDir, tmp_path: Path) -> None:
    """By the key of somebody who never signed it; it is not taken from another machine either."""
    want_signatures(tmp_path)
    assert inspectd("bundle", "sign", "flange", "--key", tmp_path / "key").exit_code == 0
    path = state.bundle("flange", "default", 1) / "manifest.json"
    fields = json.loads(path.read_text())
    path.write_text(json.dumps(fields | {"signature": fields["signature"] | {"value": "QUFB"}}))
    assert "nobody: the signature is false" in inspectd("bundle", "list").stdout
    shown = inspectd("bundle", "show", "flange")
    assert "nobody: the signature is false" in shown.stdout
    assert "was not made by the key that it names" in shown.stderr
    verified = inspectd("bundle", "verify")
    assert (verified.exit_code, "was not made by the key" in verified.stderr) == (2, True)
    assert "was not made by the key" in inspectd("check", "--config", tmp_path / "stations").stderr
    inspectd("bundle", "export", "flange", tmp_path / "forged.zip")
    result = inspectd("bundle", "import", tmp_path / "forged.zip")
    assert (result.exit_code, "was not made by the key" in result.stderr) == (2, True)


def test_a_changed_report_is_told_when_its_bundle_becomes_active_and_by_check(state: StateDir, tmp_path: Path) -> None:
    """It keeps no line from judging."""
    (state.bundle("flange", "default", 1) / "report.json").unlink()
    for words in (("activate", "flange", 1), ("bundle", "show", "flange"), ("check", "--config", tmp_path / "stations")):
        result = inspectd(*words)
        assert (result.exit_code, "report.json: cannot be read" in result.stderr) == (0, True), words


def test_a_threshold_that_only_the_file_current_names_is_told_and_judges_nothing(state: StateDir, tmp_path: Path) -> None:
    """A flipped digit, or somebody who knows where it lies: neither fingerprint nor signature covers that file."""
    path = state.product("flange") / "current"
    fields = json.loads(path.read_text())
    path.write_text(json.dumps(fields | {"threshold": 99.0}))
    verified, checked = inspectd("bundle", "verify"), inspectd("check", "--config", tmp_path / "stations")
    assert (verified.exit_code, "with threshold 99.0, as its product's `current` says" in verified.stderr) == (2, True)
    assert "bundle cannot be used, starts in FAULT" in checked.stderr
    assert "activate a bundle again" in checked.stderr
    assert inspectd("activate", "flange", 1).exit_code == 0
    assert threshold(state) == fields["threshold"]
    assert inspectd("bundle", "verify").exit_code == 0


def test_a_damaged_version_leaves_the_others_whole(state: StateDir) -> None:
    """A threshold's bundle has files of its own."""
    change(threshold(state) * 1.002)
    bank = state.bundle("flange", "default", 2) / "bank.npy"
    with bank.open("r+b") as stream:
        stream.seek(-1, 2)
        stream.write(b"\xff")
    verified = inspectd("bundle", "verify")
    assert (verified.exit_code, "bundle 1:" in verified.stdout, "bank.npy: expected sha256" in verified.stderr) == (
        2,
        True,
        True,
    )
    assert inspectd("bundle", "rollback", "flange").exit_code == 0


def test_a_key_is_named_by_its_file(tmp_path: Path) -> None:
    """Two keys of one user have two names in trusted_keys."""
    assert '\n  anna-2: "' in inspectd("bundle", "keygen", tmp_path / "Anna 2.key").stdout


def test_the_product_that_is_meant_is_the_one_that_is_judged(state: StateDir, tmp_path: Path) -> None:
    """Who tightens a threshold means the parts that pass by: not those of the product named first in the file."""
    file = tmp_path / "stations" / "flange.yaml"
    file.write_text(file.read_text() + "products: [default, large]\n")
    shutil.copytree(state.product("flange"), state.product("flange", "large"))
    value = threshold(state) * 1.002
    assert inspectd("product", "flange", "large").exit_code == 0
    assert "bundle 2 of large is active" in change(value)
    assert [state.bundles("flange", product) for product in ("default", "large")] == [[1], [1, 2]]
    listed = inspectd("bundle", "list").stdout
    assert ("product large, judged now" in listed, "product default, judged now" in listed) == (True, False)
    assert "bundle 1 of large" in inspectd("bundle", "rollback", "flange").stdout
    assert "bundle 2 of default" in change(value, "--product", "default")


def test_refused_changes_of_product_and_rollbacks_stand_in_the_audit_too(state: StateDir) -> None:
    """With the reason."""
    assert inspectd("product", "flange", "huge").exit_code == 2
    assert inspectd("bundle", "rollback", "flange").exit_code == 2
    lines = audit()
    assert ["expected one of the products default" in lines[0], "no bundle was active before" in lines[1]] == [True, True]


def test_a_refused_threshold_stands_in_the_audit_too(state: StateDir) -> None:
    """Who wanted it, why, and why not; the same threshold again is none."""
    for value in (1e-9, threshold(state)):
        assert inspectd("threshold", "flange", value, "--who", "anna", "--why", "scratches").exit_code == 2
    lines = audit()
    assert len(lines) == 2
    assert all("anna (as " in line and "why=scratches" in line for line in lines)
    assert "which it is already" in lines[-1]
    assert state.bundles("flange") == [1]


def test_whatever_makes_or_signs_a_bundle_stands_in_the_audit(state: StateDir, tmp_path: Path) -> None:
    """Also where nothing becomes active; what cannot be noted is said, and done nevertheless."""
    public = inspectd("bundle", "keygen", tmp_path / "key").stdout.split('"')[1]
    good = tmp_path / "parts/train/good"
    assert inspectd("calibrate", "flange", "--no-auto", "--good", good, "--no-activate").exit_code == 0
    assert inspectd("bundle", "sign", "flange", 2, "--key", tmp_path / "key").exit_code == 0
    assert inspectd("bundle", "export", "flange", tmp_path / "b.zip", 1, "--sign", tmp_path / "key").exit_code == 0
    shutil.rmtree(state.bundle("flange", "default", 1))
    assert inspectd("bundle", "import", tmp_path / "b.zip").exit_code == 0
    said = [line.split(",", 4)[2:] for line in audit()]
    assert [what for what, *_ in said] == ["calibrate", "sign", "sign", "import"], said
    for (_, *rest), words in zip(said, ("was made", public, public, "b.zip"), strict=True):
        assert words in " ".join(rest)
    shutil.rmtree(state.journal)
    state.journal.write_text("no directory")
    result = inspectd("bundle", "sign", "flange", 2, "--key", tmp_path / "key")
    assert (result.exit_code, "not in the journal" in result.stderr) == (0, True)


@pytest.mark.parametrize(
    ("words", "then"),
    [
        (("calibrate", "flange", "--no-auto", "--good", "{good}"), "inspectd activate flange 2"),
        (("threshold", "flange", "{value}"), "give the command again"),
    ],
    ids=["calibrate", "threshold"],
)
@pytest.mark.parametrize("how", ["fails", "ctrl-c"])
def test_a_bundle_that_was_written_and_is_not_active_is_named(
    state: StateDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, words: tuple[str, ...], then: str
) -> None:
    """The disk fails, or Ctrl-C comes, just after it: who waited for it knows that it is there."""

    def fail(*_: object) -> None:
        raise StateError("current: cannot be written") if how == "fails" else KeyboardInterrupt

    value = f"{threshold(state) * 1.002}"
    more = ("--who", "anna", "--why", "x") if words[0] == "threshold" else ()
    monkeypatch.setattr(StateDir, "write_current", fail)
    result = inspectd(*(word.format(good=tmp_path / "parts/train/good", value=value) for word in words), *more)
    assert result.exit_code == (1 if how == "fails" else 130)
    assert "bundle 2 was written" in result.stderr
    assert (then if how == "fails" else "bundle list flange") in result.stderr
    assert state.bundles("flange") == [1, 2]


def test_a_key_that_cannot_sign_is_refused_before_any_work(state: StateDir, tmp_path: Path) -> None:
    result = inspectd("calibrate", "flange", "--good", tmp_path / "parts/train/good", "--sign", tmp_path / "nokey")
    assert (result.exit_code, "nokey: cannot be read" in result.stderr, "pictures" in result.stderr) == (2, True, False)
    assert state.bundles("flange") == [1]


def test_a_bundle_that_is_not_there_is_told_with_those_that_are(state: StateDir) -> None:
    result = inspectd("activate", "flange", 99)
    assert (result.exit_code, "no bundle 99; there are: 1" in result.stderr) == (2, True)
