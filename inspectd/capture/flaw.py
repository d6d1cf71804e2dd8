"""Why a captured picture is refused."""

from enum import StrEnum


class Flaw(StrEnum):
    """What makes a picture not worth learning from; `quality.py` says how each is told."""

    BLACK = "black"
    SATURATED = "saturated"
    BLURRED = "blurred"
    DUPLICATE = "duplicate"
