"""Text that came from outside: file names are bytes, and what they hold reaches terminals, logs, the journal and a PLC."""

import math
import re


def printable(text: str) -> str:
    r"""Return the text with an escape in place of whatever cannot be shown: `\xff` for a byte that is not UTF-8, `\n`, `\x1b`.

    Bytes of file names that are not UTF-8 are lone surrogates in Python (PEP 383), which no encoder takes. Characters that
    only steer (line ends, terminal escapes, changes of direction) go too, so that a name cannot pose as another one.
    """
    return text if text.isprintable() else "".join(map(_escape, text))


def _escape(char: str) -> str:
    if char.isprintable():
        return char
    raw = 0xDC80 <= ord(char) <= 0xDCFF
    return f"\\x{ord(char) - 0xDC00:02x}" if raw else char.encode("unicode_escape").decode("ascii")


def group_of(name: str, group_by: str | None) -> str:
    """Return the part or lot that a picture's name tells, by a regular expression with one group; empty if it tells none."""
    found = re.search(group_by, name) if group_by else None
    return (found.group(1) or "") if found and found.groups() else ""


def share_of(text: str) -> float:
    """Read a share as people type it, 0.02 or 2%; NaN if it is none."""
    number = text.strip()
    try:
        return float(number.removesuffix("%")) / (100 if number.endswith("%") else 1)
    except ValueError:
        return math.nan
