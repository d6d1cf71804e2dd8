"""Makes a bundle the active one: through the daemon if one runs, else on disk for its next start."""

import os
import pwd
from pathlib import Path

from inspectd.cli.options import Places
from inspectd.errors import BadInput, DaemonError
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
    manifest = verify(where.state.bundle(station, product, number))
    if lock.holder(where.run_dir) is not None:
        reply = command(where.run_dir, "activate", {"station": station, "product": product, "bundle": str(number)})
        return reply.text or f"station {station}: bundle {number} of {product} is active now"
    fits.need_fit(manifest, config, station)
    where.state.write_current(station, product, Current(number, manifest.fingerprint, manifest.threshold))
    return f"station {station}: bundle {number} of {product} is active at the next start of the daemon"


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
