"""`inspectd check` tells all that is wrong at once, and nothing that only follows from something else that is."""

import socket
from pathlib import Path

import pytest

from inspectd.cli import checking, learning
from inspectd.errors import BadInput
from tests.cli.typed import inspectd

STATION = "station: {0}\ncamera: {{kind: folder, path: ../pictures}}\ndeadline_ms: 250\n"


def write(line: Path, name: str, more: str = "") -> Path:
    """Write a station file; `more` begins on line 4."""
    path = line / "stations" / f"{name}.yaml"
    path.write_text(STATION.format(name) + more)
    return path


def told() -> list[str]:
    """Check, and return the errors; a station without a bundle is a warning."""
    result = inspectd("check")
    assert result.exit_code == 2
    return [one for one in result.stderr.splitlines() if one.startswith("error: ")]


def test_problems_of_every_kind_come_in_one_run(line: Path, run_dir: Path) -> None:
    """Names of files, YAML, keys, rules, layers, backbones, graphs, line.yaml, ports and run directory."""
    (line / "stations" / "old.yml").write_text("")
    (line / "state" / "backbones").mkdir(parents=True)
    (line / "state" / "backbones" / "mine.onnx").write_bytes(b"no graph")
    layer, backbone = write(line, "a", "method: {layers: [4, 99]}\n"), write(line, "b", "method: {backbone: lite9}\n")
    graph, key = write(line, "c", "method: {backbone: mine}\n"), write(line, "d", "sead: 1\ndelivery_ms: 300\n")
    broken = write(line, "e", "roi: {x: 1\n")
    run_dir.chmod(0o755)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        (line / "stations" / "line.yaml").write_text(
            f"plcs:\n  one: {{protocol: modbus_tcp, address: '127.0.0.1:{port}'}}\nretention: {{days: 0}}\n"
        )
        errors = told()
    wanted = (
        "old.yml: expected a name that ends in .yaml",
        f"{layer}:4: method.layers: expected layers that lite2 offers",
        f"{backbone}:4: method.backbone: expected one of lite0, lite2",
        f"{graph}:4: method.backbone: expected a base graph in ONNX",
        f"{key}:4: sead: expected one of the keys",
        f"{key}:5: delivery_ms: expected delivery_ms (300) below",
        f"{broken}:5: expected YAML",
        "line.yaml:3: retention.days: expected",
        f"line.yaml: plcs.one.address: expected an address to listen on, got 127.0.0.1:{port}",
        "run directory: expected mode 0700",
    )
    assert [sum(words in one for one in errors) for words in wanted] == [1] * len(wanted)
    assert len(errors) == len(wanted)


@pytest.mark.parametrize(
    ("method", "keys"),
    [
        ("{patch: 2, layers: [99]}", ["method.patch", "method.layers"]),
        ("{backbone: lite9, layers: [99]}", ["method.backbone"]),
        ("{backbone: Lite9, layers: [99]}", ["method.backbone"]),
        ("{layers: [x], backbone: lite9}", ["method.layers.0", "method.backbone"]),
        ("{search: ivfpq, bank: many}", ["method.bank"]),
        ("{search: ivfpq, bank: 500, sigma: 9}", ["method.sigma", "method.bank"]),
        ("{members: [{layers: [99], patch: 2}, {backbone: lite9}]}", [
            "method.members.0.patch", "method.members.0.layers", "method.members.1.backbone",
        ]),
    ],
)  # fmt: skip
def test_of_a_method_all_is_told_that_could_be_read(line: Path, method: str, keys: list[str]) -> None:
    """Layers are measured by the backbone, and banks by their search: where those are wrong, nobody guesses."""
    write(line, "flange", f"method: {method}\n")
    assert sorted(one.split(": ")[2] for one in told()) == sorted(keys)


def test_a_line_yaml_that_cannot_be_read_is_told_once(line: Path) -> None:
    """Stations are not told that it lacks their PLC; layers, which do not rest on it, are told."""
    (line / "stations" / "line.yaml").write_text("plcs: [\n")
    write(line, "flange", "plc: {name: one}\nmethod: {layers: [99]}\n")
    places, layers = told()
    assert "line.yaml:2: expected YAML" in places
    assert "flange.yaml:5: method.layers: expected layers that" in layers


def test_where_nobody_knows_the_directories_what_was_not_checked_is_told(line: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the options that say where they are."""
    monkeypatch.setattr(learning, "check", lambda *_: pytest.fail("looked for backbones"))
    (line / "stations" / "line.yaml").write_text("state_dir: 3\n")
    write(line, "flange", "sead: 1\n")
    with pytest.raises(BadInput) as caught:
        checking.check(line / "stations", None, None)
    key, places, rest = str(caught.value).splitlines()
    assert "flange.yaml:4: sead: expected one of the keys" in key
    assert "line.yaml:1: state_dir: expected text, got 3" in places
    assert "were not checked: name them with --run-dir DIR and --state DIR" in rest
