"""Text that came from outside: file names are bytes, and what they hold reaches terminals, logs, the journal and a PLC."""


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
