"""How long steps tell how far they are; who shows it (a terminal, a test, nobody) is not their business."""

from collections.abc import Callable
from typing import Protocol

from inspectd import clock

Advance = Callable[[int], None]  # so many more are done


class Progress(Protocol):
    """What a long step reports to."""

    def stage(self, name: str, total: int) -> Advance:
        """Begin a stage of `total` equal parts; the stage before it is over."""
        ...

    def note(self, text: str) -> None:
        """Tell people something of what is to come."""
        ...


class Silent:
    """Tells nobody."""

    def stage(self, name: str, total: int) -> Advance:  # noqa: ARG002 (the protocol's signature)
        """Return a counter that counts nothing."""
        return lambda _done: None

    def note(self, text: str) -> None:
        """Keep it to itself."""


class Numbered:
    """Tells of one of several who take the same steps: its name stands behind each stage's."""

    def __init__(self, progress: Progress, name: str) -> None:
        self._progress, self._name = progress, name

    def stage(self, name: str, total: int) -> Advance:
        """Begin a stage of this one."""
        return self._progress.stage(f"{name}, {self._name}", total)

    def note(self, text: str) -> None:
        """Pass it on."""
        self._progress.note(f"{self._name}: {text}")


class Timed:
    """Passes everything on, and keeps how long each stage took."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._starts: list[tuple[str, int]] = []

    def stage(self, name: str, total: int) -> Advance:
        """Begin a stage; the stage before it is over."""
        self._starts.append((name, clock.now_ns()))
        return self._progress.stage(name, total)

    def note(self, text: str) -> None:
        """Pass it on."""
        self._progress.note(text)

    def seconds(self) -> dict[str, float]:
        """Return how long each stage took, the last one until now."""
        ends = [*(start for _, start in self._starts[1:]), clock.now_ns()]
        return {name: round((end - start) / 1e9, 3) for (name, start), end in zip(self._starts, ends, strict=False)}
