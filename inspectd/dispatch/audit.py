"""The audit line of a command that a person gave. Pure: the clock is passed in."""

from inspectd.wire.messages import Commanded, Order


def commanded(order: Order, utc_ns: int) -> Commanded:
    """Make the line of a command that the supervisor carried out, from its order `note`."""
    args = dict(order.args)
    who, what, ok, text = (args.pop(name, "") for name in ("who", "what", "ok", "text"))
    return Commanded(utc_ns=utc_ns, who=who, what=what, args=args, ok=ok == "true", text=text)
