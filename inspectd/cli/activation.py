"""Makes a bundle the active one: through the daemon if one runs, else on disk for its next start."""

import os
import pwd

from inspectd.cli.options import Places
from inspectd.errors import DaemonError
from inspectd.station.state import Current
from inspectd.supervisor import control, lock
from inspectd.vision.bundle import read_manifest
from inspectd.wire.messages import Command, Reply


def activate(where: Places, station: str, product: str, number: int) -> str:
    """Switch a station's product to a bundle; returns what happened. BadBundle or DaemonError if it cannot be."""
    if lock.holder(where.run_dir) is not None:
        reply = command(where, "activate", {"station": station, "product": product, "bundle": str(number)})
        return reply.text or f"station {station}: bundle {number} of {product} is active now"
    manifest = read_manifest(where.state.bundle(station, product, number))
    where.state.write_current(station, product, Current(number, manifest.fingerprint, manifest.threshold))
    return f"station {station}: bundle {number} of {product} is active at the next start of the daemon"


def command(where: Places, what: str, args: dict[str, str]) -> Reply:
    """Give the daemon a command in the caller's name; DaemonError with its reason if it refuses."""
    reply = control.ask(where.run_dir, Command(what=what, who=user(), args=args))
    if not reply.ok:
        raise DaemonError(reply.text)
    return reply


def user() -> str:
    """Who gives the command, for the journal."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # containers run under numbers without a name
        return f"uid {os.getuid()}"
