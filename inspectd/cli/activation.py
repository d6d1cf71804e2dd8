"""Makes a bundle, or a product, the active one: through the daemon if one runs, else on disk for its next start."""

import os
import pwd
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from inspectd.cli import doubts, options, screen
from inspectd.cli.options import Places
from inspectd.errors import BadBundle, BadInput, DaemonError, InspectdError, Interrupted, JournalError
from inspectd.journal import audit
from inspectd.station.schema import Config, Station
from inspectd.station.state import Current, StateDir
from inspectd.supervisor import control, lock
from inspectd.vision import fits
from inspectd.vision.bundle import read_manifest, verify
from inspectd.wire.messages import Command, Reply


class Asked(NamedTuple):
    """By which command a bundle becomes active, in whose name, and what else the journal keeps of it."""

    what: str = "activate"
    who: str = ""  # empty: whoever calls
    more: Mapping[str, str] = MappingProxyType({})


ACTIVATE = Asked()
ROLLBACK = Asked(more=MappingProxyType({"rollback": "yes"}))


def activate(config: Config, where: Places, station: str, product: str, number: int, asked: Asked = ACTIVATE) -> str:
    """Switch a station's product to a bundle; returns what happened.

    BadBundle if a file of it is missing or damaged or if it was made for another roi or mask, DaemonError if the workers
    refuse it, StateError if it cannot be kept.
    """
    path = where.state.bundle(station, product, number)
    with suppress(BadBundle):  # what keeps it from judging is told by whoever tries
        for doubt in doubts.of(path, read_manifest(path)):
            screen.warn(doubt)
    args = {"station": station, "product": product, "bundle": str(number), **asked.more}
    if lock.holder(where.run_dir) is not None:
        try:
            reply = command(where.run_dir, asked.what, args, asked.who)
        except DaemonError:
            verify(path)  # if a damaged file is why, that is bad input, and named
            raise
        return reply.text or f"station {station}: bundle {number} of {product} is active now"
    text = f"station {station}: bundle {number} of {product} is active at the next start of the daemon"
    with _noted(where, asked, args, text) as note:
        if not path.exists():
            there = ", ".join(map(str, where.state.bundles(station, product))) or "none"
            raise BadInput(f"station {station}, product {product}: no bundle {number}; there are: {there}")
        manifest = verify(path)
        fits.need_fit(manifest, config, station)
        current = Current(number, manifest.fingerprint, manifest.threshold)
        before = active(where.state, station, product)
        note()
        where.state.write_current(station, product, current.following(before, back="rollback" in args))
    return text


def select(where: Places, of: Station, product: str) -> str:
    """Switch a station to another of its products; BadInput if there is none such, BadBundle if it has no active bundle."""
    station = of.station
    args = {"station": station, "product": product}
    if lock.holder(where.run_dir) is not None:
        return command(where.run_dir, "product", args).text or f"station {station}: product {product} from the next part on"
    text = f"station {station}: product {product} from the next start of the daemon on"
    with _noted(where, Asked("product"), args, text) as note:
        options.product(of, product, where.state)
        if where.state.read_current(station, product) is None:
            raise BadBundle(f"{station}: no active bundle for product {product!r}")
        note()
        where.state.write_product(station, product)
    return text


def set_mode(where: Places, station: str, mode: str) -> str:
    """Pause a station's inspection, or let it go on; returns what happened."""
    args = {"station": station, "mode": mode}
    text = f"station {station}: {'paused: all parts are rejected' if mode == 'pause' else 'parts are judged'}"
    if lock.holder(where.run_dir) is not None:
        command(where.run_dir, "mode", args)
        return text
    with _noted(where, Asked("mode"), args, text) as note:
        note()
        where.state.write_paused(station, mode == "pause")
    return text


def refused(where: Places, asked: Asked, args: dict[str, str], why: str) -> None:
    """Have the journal keep that something was asked for and could not even be prepared."""
    with suppress(BadInput, DaemonError, JournalError):  # a daemon answers with the refusal
        _keep(where, asked, args, why, ok=False)


def done(where: Places, what: str, of: tuple[str, str, int], text: str) -> None:
    """Have the journal keep what was done on disk alone, to a bundle of a station's product; a warning if it cannot."""
    station, product, number = of
    try:
        _keep(where, Asked(what), {"station": station, "product": product, "bundle": str(number)}, text, ok=True)
    except (BadInput, DaemonError, JournalError) as error:
        screen.warn(f"not in the journal: {error}")


def _keep(where: Places, asked: Asked, args: dict[str, str], text: str, *, ok: bool) -> None:
    """Write an audit line, through the daemon if one runs."""
    if lock.holder(where.run_dir) is None:
        audit.note(where.state, asked.who or user(), asked.what, args, ok, text)
    else:
        command(where.run_dir, asked.what, {**args, "done" if ok else "refused": text}, asked.who)


def how(station: str, product: str, number: int) -> str:
    """Return the command that makes a bundle the active one."""
    return f"inspectd activate {station} {number}{options.naming(product)}"


@contextmanager
def written(station: str, product: str, number: int, then: str = "") -> Iterator[None]:
    """Whatever comes after a bundle was written: say that it is there, and what to do then, by default activate it."""
    there = f"bundle {number} was written"
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(f"stopped; {there}, and `inspectd bundle list {station}` tells whether it is active") from None
    except InspectdError:
        screen.note(f"{there}, and is not active; {then or f'once it can be: {how(station, product, number)}'}")
        raise


def active(state: StateDir, station: str, product: str) -> Current | None:
    """Return the active bundle; None if there is none, or if the file that names it is damaged: the next one mends that."""
    try:
        return state.read_current(station, product)
    except BadBundle:
        return None


@contextmanager
def _noted(where: Places, asked: Asked, args: dict[str, str], text: str) -> Iterator[Callable[[], None]]:
    """Do on disk what no daemon does; what it gives puts `text` into the journal, and is called just before the switch.

    So whoever kills the command may leave a line of what was not done, and never a switch without a line. If it could not
    be done, why not is a line of its own.
    """

    def note(ok: bool, said: str, must: bool = False) -> None:
        try:
            audit.note(where.state, asked.who or user(), asked.what, args, ok, said)
        except JournalError as error:
            if must:
                raise
            screen.warn(f"not in the journal: {error}")  # what was calibrated must be able to judge

    try:
        yield lambda: note(True, text, must=asked.what == "threshold")
    except JournalError:
        raise
    except InspectdError as error:
        note(False, str(error))
        raise


def command(run_dir: Path, what: str, args: dict[str, str], who: str = "") -> Reply:
    """Give the daemon a command, in the caller's name unless another is given.

    With the daemon's reason, BadInput if it cannot be, DaemonError if it failed.
    """
    reply = control.ask(run_dir, Command(what=what, who=who or user(), args=args))
    if not reply.ok:
        raise BadInput(reply.text) if reply.bad_input else DaemonError(reply.text)
    return reply


def user() -> str:
    """Who gives the command, for the journal."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # containers run under numbers without a name
        return f"uid {os.getuid()}"
