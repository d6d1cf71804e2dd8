"""Who listens on a TCP port of this machine, from /proc (proc(5)): is it a process and its children, or somebody else."""

from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")
_LISTEN = "0A"  # state of a socket, include/net/tcp_states.h


def is_held_by(pid: int, port: int) -> bool:
    """Tell whether all that listens on a port belongs to a process or to one that it started; what cannot be seen does not."""
    listening = set(_listening(port))
    return bool(listening) and listening <= {inode for one in _family(pid) for inode in _sockets(one)}


def _listening(port: int) -> Iterator[str]:
    """Inodes of the sockets that listen on a port, at whatever address."""
    for table in ("tcp", "tcp6"):
        path = _PROC / "net" / table
        for row in path.read_text(encoding="ascii").splitlines()[1:] if path.exists() else []:
            fields = row.split()
            if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]


def _family(pid: int) -> Iterator[int]:
    """A process and all that came from it; none of those that have ended."""
    yield pid
    for task in _inside(_PROC / str(pid) / "task"):
        try:
            children = (task / "children").read_text(encoding="ascii").split()
        except OSError:
            continue
        for child in children:
            yield from _family(int(child))


def _sockets(pid: int) -> Iterator[str]:
    """Inodes of the sockets that a process holds open; none if it is another user's."""
    for descriptor in _inside(_PROC / str(pid) / "fd"):
        try:
            target = str(descriptor.readlink())
        except OSError:
            continue
        if target.startswith("socket:["):
            yield target.removeprefix("socket:[").removesuffix("]")


def _inside(directory: Path) -> list[Path]:
    try:
        return list(directory.iterdir())
    except OSError:
        return []
