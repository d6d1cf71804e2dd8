"""What `--chaos` kills, and when. Paced by the source's triggers, not by results: a line in trouble has few of those."""

import os
import signal
from collections.abc import Sequence
from typing import Any

from inspectd.errors import InspectdError


class Kills:
    """Processes to be killed one after the other, evenly over the parts of a run."""

    def __init__(self, names: Sequence[str], station: str, parts: int) -> None:
        self._names, self._station = names, station
        self._pending = [(max(1, place * parts // (len(names) + 1)), name) for place, name in enumerate(names, start=1)]

    def strike(self, status: dict[str, Any]) -> str:
        """Kill the next process if so many triggers have come and it runs; returns what was done, empty: nothing."""
        if not self._pending:
            return ""
        due, name = self._pending[0]
        source = status["sources"][self._station]
        triggers = source["counters"].get("offered", 0)
        pid = next((process["pid"] for process in status["processes"] if process["name"] == name), 0)
        if triggers < due or source["done"] or not pid:  # done: no part passes any more
            return ""
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:  # it ended since that status; the one that takes its place is next
            return ""
        del self._pending[0]
        return f"kill -9 {name} (pid {pid}) after {triggers:.0f} triggers"

    def need_all(self) -> None:
        """Refuse a run that ended before its last kill: it has not shown what it was to show."""
        if self._pending:
            left = ", ".join(f"{name} (after {due} triggers)" for due, name in self._pending)
            raise InspectdError(
                f"--chaos: expected {len(self._names)} kills while parts pass, {len(self._pending)} did not happen: {left}; "
                "the line was at its end before: give it more parts (--parts)"
            )
