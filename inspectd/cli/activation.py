"""Makes a bundle the active one: through the daemon if one runs, else on disk for its next start."""

import os
import pwd
from pathlib import Path

from inspectd.cli import screen
from inspectd.cli.options import Places
from inspectd.errors import BadInput, DaemonError, InspectdError, JournalError
from inspectd.journal import audit
from inspectd.station.schema import Config
from inspectd.station.state import Current
from inspectd.supervisor import control, lock
from inspectd.vision import fits
from inspectd.vision.bundle import verify
from inspectd.wire.messages import Command, Reply


def activate(config: Config, where: Places, station: str, product: str, number: int) -> str:
    """Switch a station's product to a bundle; returns what happened.

    BadBundle if a file of it is missing or damaged or if it was made for another roi or mask, DaemonError if the workers
    refuse it, StateError if it cannot be kept.
    """
    args, path = {"station": station, "product": product, "bundle": str(number)}, where.state.bundle(station, product, number)
    if lock.holder(where.run_dir) is not None:
        try:
            reply = command(where.run_dir, "activate", args)
        except DaemonError:
            verify(path)  # if a damaged file is why, that is bad input, and named
            raise
        return reply.text or f"station {station}: bundle {number} of {product} is active now"
    try:
        manifest = verify(path)
        fits.need_fit(manifest, config, station)
        where.state.write_current(station, product, Current(number, manifest.fingerprint, manifest.threshold))
    except InspectdError as error:
        _note(where, args, False, str(error))
        raise
    text = f"station {station}: bundle {number} of {product} is active at the next start of the daemon"
    _note(where, args, True, text)
    return text


def _note(where: Places, args: dict[str, str], ok: bool, text: str) -> None:
    """Put the command into the journal, as a daemon would; a journal that cannot be written stops nobody, and is told."""
    try:
        audit.note(where.state, user(), "activate", args, ok, text)
    except JournalError as error:
        screen.warn(f"not in the journal: {error}")


def command(run_dir: Path, what: str, args: dict[str, str]) -> Reply:
    """Give the daemon a command in the caller's name; with its reason, BadInput if it cannot be, DaemonError if it failed."""
    reply = control.ask(run_dir, Command(what=what, who=user(), args=args))
    if not reply.ok:
        raise BadInput(reply.text) if reply.bad_input else DaemonError(reply.text)
    return reply


def user() -> str:
    """Who gives the command, for the journal."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # containers run under numbers without a name
        return f"uid {os.getuid()}"
