"""When is a line that replays a folder at its end? Pure: read from one status, whose figures are up to 200 ms old."""

from typing import Any


def settled(status: dict[str, Any], station: str) -> bool:
    """Whether the camera is at its end, dispatch has heard its last key, and every key has verdict and outcome."""
    source, dispatch = status["sources"].get(station), status["dispatch"]
    heard = status["ledger"].get(station, {})
    if not source or not source["done"]:
        return False
    same = all(heard.get(name) == source["counters"].get(name) for name in ("run", "seq"))
    return same and dispatch.get("in_flight") == 0 and dispatch.get("unsettled") == 0
