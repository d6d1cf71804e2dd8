"""The audit lines of commands that people gave."""

from collections.abc import Callable, Sequence

import msgspec

from inspectd import clock
from inspectd.wire.messages import Command, Commanded, Order

_NO_TRACE = "the journal cannot be written, and a threshold is never changed without a trace"


class Audit:
    """Writes them; `write` returns False if they could not be written."""

    def __init__(self, write: Callable[[Sequence[Commanded]], bool]) -> None:
        self._write = write

    def switch(self, order: Order, text: str) -> str:
        """Write down a switch that dispatch is about to make, by the command in its order; returns why it must not be made."""
        command = msgspec.json.decode(order.args["command"], type=Command)
        line = Commanded(utc_ns=clock.utc_ns(), who=command.who, what=command.what, args=command.args, ok=True, text=text)
        return "" if self._write([line]) or command.what != "threshold" else _NO_TRACE

    def note(self, order: Order) -> None:
        """Write down what the supervisor carried out, or refused, by its order `note`."""
        args = dict(order.args)
        who, what, ok, text = (args.pop(name, "") for name in ("who", "what", "ok", "text"))
        self._write([Commanded(utc_ns=clock.utc_ns(), who=who, what=what, args=args, ok=ok == "true", text=text)])
