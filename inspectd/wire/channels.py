"""TABLE 1: every channel. A newcomer reads this beside TABLE 2 (supervisor/processes.py).

The binding side is the one that outlives its peers. All endpoints are ipc sockets in the run directory (mode 0700).
High-water marks are messages per peer; nothing ever blocks in a send: a full channel says so, and the column
`when full` is what the sender then does.
"""

from dataclasses import dataclass
from typing import Literal

Pattern = Literal["ROUTER/DEALER", "PUB/SUB", "XPUB/SUB", "PULL/PUSH"]


@dataclass(frozen=True)
class Channel:
    """One channel: who binds it, who connects, what goes to the binding side and what comes from it, how deep it is."""

    name: str
    pattern: Pattern
    bound_by: str
    connected_by: str
    to_bound: str
    from_bound: str
    hwm: int
    when_full: str


TABLE_1 = (
    Channel("triggers", "ROUTER/DEALER", "dispatchd", "ingestd, plcd", "Trigger, NoFrame, SourceState", "Ack, Place, Shoot",
            10_000, "kept by the source and sent again until acknowledged"),
    Channel("frames", "ROUTER/DEALER", "dispatchd", "ingestd", "Frame + pixels", "",
            4, "reported on triggers as NoFrame(OVERLOAD)"),
    Channel("tap", "XPUB/SUB", "ingestd", "the command line", "", "Frame + pixels",
            4, "lost; the reader sees a gap in n. One endpoint a station; nothing is sent while nobody reads"),
    Channel("work", "ROUTER/DEALER", "dispatchd", "workerd", "Answers + maps, WorkerState", "Hold, Work + pixels",
            64, "never: workers pull, and dispatch sends at most the free places"),
    Channel("deliveries", "ROUTER/DEALER", "dispatchd", "plcd", "Outcome, PlcState, DeliveryAck", "Opened, Closed, DeliveryAck",
            10_000, "sent again until acknowledged"),
    Channel("verdicts", "PUB/SUB", "dispatchd", "watchers", "", "Closed",
            1_000, "lost; the watcher sees a gap in n"),
    Channel("beats", "PUB/SUB", "dispatchd", "ingestd, plcd, supervisord", "", "Beat",
            10, "lost; the next one comes in 100 ms"),
    Channel("pictures", "PULL/PUSH", "journald", "dispatchd", "KeptPicture + pixels + map", "",
            16, "the picture is not kept, and counted"),
    Channel("orders", "ROUTER/DEALER", "supervisord", "every child", "Health, Done", "Order",
            1_000, "Health: lost, the next comes in 200 ms; Order: the child counts as hung"),
    Channel("control", "ROUTER/DEALER", "supervisord", "the command line, plcd", "Command", "Reply",
            100, "the command fails and says so"),
)  # fmt: skip

CHANNELS = {channel.name: channel for channel in TABLE_1}
