"""The README says what the code does: its generated parts are equal to what the code gives."""

import re
from pathlib import Path

import pytest

from inspectd.journal import schema
from inspectd.plc import registers
from inspectd.wire.channels import TABLE_1
from inspectd.wire.enums import Reason

README = Path(__file__).parent.parent / "README.md"


def reasons() -> str:
    source = (README.parent / "inspectd/wire/enums.py").read_text(encoding="utf-8")
    said = dict(re.findall(r"^    ([A-Z_]+) = \d+  # (.+)$", source, re.MULTILINE))
    rows = [f"| {reason.value} | {reason.name.lower()} | {said[reason.name]} |" for reason in Reason if reason]
    return "\n".join(["| code | reason | meaning |", "|---|---|---|", *rows])


def channels() -> str:
    head = ["| channel | pattern | bound by | connected by | to the binding side | from it |", "|---|---|---|---|---|---|"]
    rows = [f"| {c.name} | {c.pattern} | {c.bound_by} | {c.connected_by} | {c.to_bound} | {c.from_bound} |" for c in TABLE_1]
    return "\n".join(head + rows)


PARTS = {"reasons": reasons, "registers": registers.markdown, "journal": schema.markdown, "channels": channels}


def between(name: str, text: str) -> re.Match[str]:
    found = re.search(rf"(<!-- {name}: .*?-->\n)(.*?)(<!-- /{name} -->)", text, re.DOTALL)
    assert found, f"README has no part {name}"
    return found


@pytest.mark.parametrize("name", PARTS)
def test_the_readme_shows_what_the_code_says(name):
    found = between(name, README.read_text(encoding="utf-8"))
    assert found[2].strip() == PARTS[name]().strip(), "run: python -m tests.test_readme"


def write() -> None:
    """Write every generated part into the README."""
    text = README.read_text(encoding="utf-8")
    for name, made in PARTS.items():
        found = between(name, text)
        text = text[: found.start(2)] + made().strip() + "\n" + text[found.end(2) :]
    README.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
