"""TABLE 1 agrees with the messages, with TABLE 2 and with what a socket path may be."""

import re

from inspectd.supervisor.lock import RUN_DIR_MAX
from inspectd.supervisor.processes import TABLE_2
from inspectd.wire.channels import CHANNELS, TABLE_1
from inspectd.wire.messages import Checkpoint, Commanded, Late
from inspectd.wire.sockets import SOCKET_PATH_MAX
from tests.wire.strategies import KINDS

NAMES = {kind.__name__ for kind in KINDS}
PROCESSES = {process.name for process in TABLE_2} | {"supervisord"}
PEOPLE = {"watchers", "every child", "the command line"}
SPOOLED_ONLY = {kind.__name__ for kind in (Checkpoint, Commanded, Late)}


def carried(text: str) -> set[str]:
    return {word for word in re.findall(r"[A-Z][A-Za-z]+", text) if word != "OVERLOAD"}


def test_every_channel_has_a_name_of_its_own() -> None:
    """Two rows of one name would share an endpoint."""
    assert len(CHANNELS) == len(TABLE_1)


def test_channels_carry_messages_and_every_message_has_a_channel() -> None:
    """A name of what goes either way is a class, and each class that is not merely spooled stands in some row."""
    named = set().union(*(carried(f"{channel.to_bound} {channel.from_bound}") for channel in TABLE_1))
    assert named == NAMES - SPOOLED_ONLY


def test_both_ends_of_a_channel_are_processes_that_exist() -> None:
    """Who binds and who connects are rows of TABLE 2, the supervisor, or people."""
    for channel in TABLE_1:
        assert channel.bound_by in PROCESSES
        assert set(channel.connected_by.split(", ")) <= PROCESSES | PEOPLE


def test_every_channel_says_what_a_full_one_means() -> None:
    """Nothing blocks: each row has a depth, and a sentence on what the sender does when it is reached."""
    for channel in TABLE_1:
        assert channel.hwm > 0
        assert channel.when_full


def test_every_socket_path_fits_in_the_longest_run_directory() -> None:
    """Linux cuts nothing: a longer path is an error at bind, so the run directory's limit must leave room."""
    for channel in TABLE_1:
        assert RUN_DIR_MAX + len(f"/{channel.name}.sock") <= SOCKET_PATH_MAX
