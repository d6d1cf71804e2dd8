"""What a part, a line and a process can be said to be, in the words and codes that messages, journals and PLCs carry."""

from enum import IntEnum, StrEnum


class Verdict(StrEnum):
    """The terminal verdict of a trigger. Messages are born UNDECIDED; PASS is earned in `ledger.close()` alone."""

    PASS = "PASS"  # noqa: S105 (a verdict, not a password)
    FAIL = "FAIL"
    UNDECIDED = "UNDECIDED"


class Reason(IntEnum):
    """Why a trigger is UNDECIDED. The codes stand in PLC programs and journals: never renumbered, never reused."""

    NONE = 0
    NO_FRAME = 1  # the camera gave no picture
    OVERLOAD = 2  # the frames channel was full: the line is faster than the workers, or dispatch stood still
    LOST = 3  # a gap in seq: the source's header never came
    RESTART = 4  # dispatch restarted while the trigger was open
    LATE = 5  # no score in time
    NO_BUNDLE = 6  # the station has no usable bundle
    WRONG_PICTURE = 7  # size, pixel format or roi differ from the calibrated ones
    BAD_SCORE = 8  # NaN or infinite
    GUARD = 9  # reserved, not given yet: a picture too dark, too bright, blurred or out of place
    POISON = 10  # two workers did not survive this picture
    BAD_PICTURE = 11  # the picture could not be decoded
    WRONG_BUNDLE = 12  # answered with a fingerprint other than the one assigned
    RECHECK = 13  # between two thresholds: to the rework lane
    WORKER_ERROR = 14  # the worker answered with an error
    STOPPED = 15  # the daemon was stopped before a score came
    MAINTENANCE = 16  # a person has paused the station, or its file was being read anew


class LineOutcome(StrEnum):
    """What the line saw; plcd alone knows. Exactly one per trigger."""

    DELIVERED = "delivered"  # the verdict stood at the PLC in time, and the PLC took it
    LATE = "fail_safe(late)"
    STALE = "fail_safe(stale)"  # dispatch's beat was stale when the deadline came
    OVERRUN = "fail_safe(overrun)"  # the PLC did not take earlier results in time
    PLC_DOWN = "fail_safe(plc_down)"
    NO_PLC = "no_plc"


class HealthState(StrEnum):
    """How a process, a station or the line is."""

    OK = "OK"
    DEGRADED = "DEGRADED"
    FAULT = "FAULT"
