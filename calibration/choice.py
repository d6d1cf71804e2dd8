"""How a station's settings were chosen: what was tried, and what came of it; a table of the report. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Fate = Literal["chosen", "kept", "pruned", "over budget", "no room"]  # in memory, on disk, or for the bank in so few pictures


@dataclass(frozen=True)
class Tried:
    """One setting that was tried, or left out before it was.

    `score`, the higher the better, and its interval from `low` to `high` are None if it was not measured; `ms` is what one
    part takes on this machine.
    """

    settings: str  # as a person would say them: lite2, layers 10 and 14, 288 x 288 px
    score: float | None
    low: float | None
    high: float | None
    ms: float
    fate: Fate


@dataclass(frozen=True)
class Choice:
    """Everything that was tried, the best first, and two sentences: what the score is, and how sure the choice is."""

    tried: Sequence[Tried]
    budget_ms: float  # a part may take
    score: str
    sure: str

    @property
    def figures(self) -> dict[str, float | str]:
        """The scores, as the manifest keeps them; what a part takes is this machine's, not the bundle's."""
        return {f"auto_score.{one.settings}": one.score for one in self.tried if one.score is not None}
