"""The exception tree; each leaf says who must act.

InspectdError                 exit code 1
├── BadInput                  exit code 2: whoever wrote the file or the command must act
│   ├── ConfigError           line.yaml or a station file: the integrator
│   ├── BadImage              a picture that cannot be used: the line engineer
│   ├── BadImages             several of them, all named at once
│   ├── BadBundle             a bundle that is missing, corrupt or of another version: the line engineer
│   ├── NotEnoughPictures     too few good pictures for what was asked: the line engineer
│   └── MissingExtra          a part of inspectd that was not installed: whoever administers the machine
├── WireError                 a message that does not fit the contract: a developer (versions mixed?)
├── CameraError               a camera that does not answer or answers nonsense: the integrator
├── PlcError                  a bus that cannot be opened or served: the integrator
├── JournalError              a spool or database that cannot be read or written: whoever administers the machine
├── StateError                the state directory cannot be read or written: whoever administers the machine
├── DaemonError               the daemon is not there, there already, or does not answer: the operator
└── Interrupted               somebody pressed Ctrl-C: nobody
"""

from dataclasses import dataclass
from pathlib import Path


class InspectdError(Exception):
    """Base of all errors that inspectd raises on purpose; `exit_code` is what the command line returns."""

    exit_code = 1


class BadInput(InspectdError):  # noqa: N818 (the tree reads as words)
    """What a person gave cannot be used; the message says what, where, what was expected, what came and what to do."""

    exit_code = 2


@dataclass(frozen=True)
class Problem:
    """One thing wrong in one file: where it stands, what was expected, what came, and what to do about it."""

    file: Path | str
    line: int | None
    key: str
    expected: str
    got: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else f"{self.file}"
        key = f"{self.key}: " if self.key else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{place}: {key}expected {self.expected}, got {self.got}{hint}"


class _WithProblems(BadInput):
    """An error that lists every problem found, one a line."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(p) for p in problems))


class ConfigError(_WithProblems):
    """line.yaml or a station file is wrong; all problems of all files at once."""


class BadImage(BadInput):
    """One picture cannot be used: unreadable, truncated, of a wrong kind or size."""


class BadImages(_WithProblems):
    """Several pictures cannot be used, each named with its reason."""


class BadBundle(BadInput):
    """A bundle is missing, corrupt, of a newer format, or does not give the scores it was stored with."""


class NotEnoughPictures(BadInput):
    """Fewer good pictures than the coreset, the folds or the asked false-reject rate need."""


class MissingExtra(BadInput):
    """A package of an extra is not installed; the message names the extra and the command that installs it."""


class WireError(InspectdError):
    """A message of another version, or one whose header and pixels do not agree."""


class CameraError(InspectdError):
    """The camera does not answer, or what it sends is no picture."""


class PlcError(InspectdError):
    """The bus to the PLC cannot be opened or served."""


class JournalError(InspectdError):
    """The spool or the journal cannot be read or written."""


class StateError(InspectdError):
    """A small file under the state directory cannot be read or written: read-only, full, or of another user."""


class DaemonError(InspectdError):
    """No daemon answers on this run directory, or one is running there already."""


class Interrupted(InspectdError):  # noqa: N818
    """Ctrl-C: work was stopped on request and nothing was left half done."""

    exit_code = 130
