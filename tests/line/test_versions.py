"""What judges changes while the line runs: between two parts, visible in every row, and never without a trace."""

import json
import os
import shutil
import signal
import threading
from itertools import pairwise

import pytest
from click.testing import Result

from inspectd.errors import DaemonError
from inspectd.journal.reader import Part, Reader
from inspectd.supervisor import control
from inspectd.vision import signing
from inspectd.wire.enums import Verdict
from inspectd.wire.messages import Command
from tests.cli.typed import inspectd
from tests.line.rig import Rig
from tests.line.test_line import assert_no_unearned_pass, undecided

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def typed(rig: Rig, *words: object, run_dir: bool = True) -> Result:
    """One command, as a person at this line types it."""
    places = ["--config", rig.config, "--state", rig.state.root]
    return inspectd(*words, *places, *(["--run-dir", rig.daemon.run_dir] if run_dir else []))


def set_threshold(rig: Rig, factor: float) -> float:
    current = rig.state.read_current("flange")
    assert current
    value = current.threshold * factor
    result = typed(rig, "threshold", "flange", value, "--who", "anna", "--why", "too strict")
    assert result.exit_code == 0, result.stderr
    return value


def test_a_threshold_changes_between_two_parts_and_stays_over_a_restart(line):
    """No part is lost or undecided, each row names the bundle that judged it, the audit names who, why, from what to what.

    Both bundles are compared on the parts that the journal kept: each by key and id, with the score that it had on the line.
    """
    rig = line(count=150, rate=10, deadline_ms=30_000)
    before = rig.state.read_current("flange")
    rig.start()
    rig.wait(lambda status: rig.opened(status) >= 5)
    value = set_threshold(rig, 1.002)
    after = rig.state.read_current("flange")
    assert (after.bundle, after.threshold) == (2, value)
    status, parts = rig.finish()
    assert rig.check(status, parts).closes
    assert undecided(parts) == []
    judged = [(part.fingerprint, part.threshold) for part in sorted(parts, key=lambda part: part.seq)]
    assert {(before.fingerprint, before.threshold), (after.fingerprint, value)} == set(judged)
    assert sum(one != next_one for one, next_one in pairwise(judged)) == 1  # once over, and not back
    (change,) = [one for one in Reader(rig.state).commands() if one.what == "threshold"]
    assert change.ok
    assert change.who.startswith("anna")
    assert change.args["why"] == "too strict"
    assert change.args["before"] == f"{before.threshold:g}"
    assert typed(rig, "bundle", "verify", run_dir=False).exit_code == 0
    assert_compared(rig, parts, before.fingerprint)
    rig.daemon.start()
    assert rig.daemon.status()["stations"]["flange"]["fingerprint"] == after.fingerprint


def assert_compared(rig: Rig, parts: list[Part], first: str) -> None:
    """Bundles 1 and 2 are compared on the newest parts, of which bundle 1 (by this fingerprint) or bundle 2 judged each."""
    result = typed(rig, "bundle", "diff", "flange", 1, 2, "--last", 8, "--json", "-", run_dir=False)
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    newest = sorted(parts, key=lambda part: part.seq)[-8:]
    assert [one["part"] for one in found["parts"]] == [f"{part.key} {part.part_id}" for part in newest]
    for one, part in zip(found["parts"], newest, strict=True):
        judged = one["before" if part.fingerprint == first else "after"]
        assert judged["score"] == pytest.approx(part.score, rel=1e-4)
        assert judged["verdict"] == part.verdict


def test_a_line_killed_while_a_bundle_becomes_active_starts_with_the_old_one_whole(line):
    """kill -9 of everything before the workers hold the new one: what was active is active."""
    rig = line(count=400, rate=10, deadline_ms=30_000)
    set_threshold(rig, 1.002)
    assert typed(rig, "bundle", "rollback", "flange").exit_code == 0
    before = rig.state.read_current("flange")
    rig.start(peer=False)
    os.kill(rig._pid("workerd-1"), signal.SIGSTOP)  # it will never hold the new bundle
    asked = Command(what="activate", who="anna", args={"station": "flange", "bundle": "2"})
    with pytest.raises(DaemonError, match="did not answer"):  # so it has the command
        control.ask(rig.daemon.run_dir, asked, 3_000)
    rig.daemon.kill()
    assert rig.state.read_current("flange") == before
    rig.daemon.start()
    assert rig.daemon.status()["stations"]["flange"]["fingerprint"] == before.fingerprint
    assert typed(rig, "bundle", "verify", run_dir=False).exit_code == 0
    assert typed(rig, "bundle", "activate", "flange", 2).exit_code == 0
    assert typed(rig, "bundle", "rollback", "flange").exit_code == 0
    assert rig.wait(lambda status: status["stations"]["flange"]["fingerprint"] == before.fingerprint)


def test_a_product_is_changed_by_command_and_every_row_names_it(line):
    """By the bundle of each; status names it, a restart keeps it, a product that is none is refused."""
    rig = line(count=100, rate=10, deadline_ms=30_000, more="products: [default, large]")
    shutil.copytree(rig.state.product("flange", "default"), rig.state.product("flange", "large"))
    result = typed(rig, "threshold", "flange", 1.002 * rig.state.read_current("flange").threshold, "--product", "large",
                   "--who", "a", "--why", "b")  # fmt: skip
    assert result.exit_code == 0, result.stderr
    prints = {name: rig.state.read_current("flange", name).fingerprint for name in ("default", "large")}
    assert len(set(prints.values())) == 2
    rig.start()
    rig.wait(lambda status: rig.opened(status) >= 5)
    assert typed(rig, "product", "flange", "small").exit_code == 2
    assert typed(rig, "product", "flange", "large").exit_code == 0
    assert rig.wait(lambda status: status["stations"]["flange"]["product"] == "large")
    _, parts = rig.finish()
    assert undecided(parts) == []
    assert {part.product for part in parts} == {"default", "large"}
    assert all(part.fingerprint == prints[part.product] for part in parts)
    assert {result.read.key for result in rig.results} == {str(part.key) for part in parts}
    assert rig.state.read_product("flange") == "large"
    shown = typed(rig, "replay", "--product", "large", "--csv", "-", run_dir=False).stdout.splitlines()
    assert len(shown) - 1 == sum(part.product == "large" for part in parts)
    large = next(part for part in reversed(parts) if part.product == "large")
    assert "large" in typed(rig, "show", str(large.key), run_dir=False).stdout
    assert [one.what for one in Reader(rig.state).commands() if one.ok][-1:] == ["product"]
    assert typed(rig, "product", "flange", "default").exit_code == 0  # without a daemon too
    assert rig.state.read_product("flange") == "default"


def test_a_station_that_wants_signatures_is_at_fault_with_an_unsigned_bundle_and_passes_nothing(line, tmp_path):
    """Until the bundle is signed by a key that the line trusts; then it is activated while the line runs."""
    rig = line(count=400, rate=10, deadline_ms=30_000, more="require_signed: true")
    key = signing.new_key(tmp_path / "key")
    file = rig.config / "line.yaml"
    file.write_text(file.read_text() + f'trusted_keys: {{anna: "{key}"}}\n')
    starting = threading.Thread(target=rig.daemon.start)  # it ends when the station is ready
    starting.start()
    status = rig.wait(lambda status: rig.opened(status) >= 3)
    assert "require_signed: expected a signed bundle" in status["stations"]["flange"]["fault"]
    assert status["health"]["state"] == "FAULT"
    result = typed(rig, "bundle", "activate", "flange", 1)
    assert (result.exit_code, "require_signed" in result.stderr) == (2, True)
    assert typed(rig, "bundle", "sign", "flange", "--key", tmp_path / "key", run_dir=False).exit_code == 0
    assert typed(rig, "bundle", "activate", "flange", 1).exit_code == 0
    starting.join(60)
    rig.wait(lambda status: status["ledger"]["flange"].get("pass", 0) > 0)
    rig.peer, rig.results = None, []
    assert rig.daemon.stop() == 0
    parts = sorted(Reader(rig.state).parts(), key=lambda part: part.seq)
    first = next(number for number, part in enumerate(parts) if part.verdict is not Verdict.UNDECIDED)
    assert first >= 3
    assert {part.reason_name for part in parts[:first]} == {"no_bundle"}
    assert_no_unearned_pass(rig, parts)
