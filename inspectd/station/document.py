"""One file of the configuration as it was read: its plain values, and the line on which every key stands."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inspectd.errors import Problem

Key = tuple[str, ...]  # ("camera", "rate"), written camera.rate
TYPED = Path("options")  # stands for the file of keys that were typed on the command line


@dataclass
class Document:
    """Values of one YAML file, with lines by key, and the problems found in it so far."""

    path: Path
    data: Any = None  # dict, list, str, int, float, bool or None
    lines: dict[Key, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line(self, key: Key) -> int | None:
        """Line of a key, or of the nearest key around it."""
        while key and key not in self.lines:
            key = key[:-1]
        return self.lines.get(key)

    def problem(self, key: Key, expected: str, got: str, hint: str = "") -> None:
        """Note one more thing wrong at a key."""
        self.problems.append(Problem(self.path, self.line(key), ".".join(key), expected, got, hint))


def shown(value: Any) -> str:
    """Show a value as the message says it: what it is, and what kind it was read as, which quotes and zeros may hide."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case str():
            return f"the text {_short(repr(value))}"
        case _:
            return _short(str(value))


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
